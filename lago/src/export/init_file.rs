//! The init file of an export: that of the environment, with the exported disks instead of what they were made from.

use std::path::{Component, Path};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ExportError;
use super::plan::{DiskExport, Form, NVRAM, Plan, beside};
use crate::prefix::{DECISIVE_KEYS, Record};
use crate::spec::{Ipv6Subnet, Net};

/// What stands for the directory of the init file in it.
const HERE: &str = "$LAGO_INITFILE_PATH";

/// The length of a subnet that an init file need not say.
const USUAL_LENGTH: u8 = 24;

/// How an init file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitFileFormat {
    /// YAML.
    #[default]
    Yaml,
    /// JSON.
    Json,
}

pub(super) fn check_name(name: &str) -> Result<(), ExportError> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(_)), None) if !name.ends_with('/') => Ok(()),
        _ => Err(ExportError::Name { name: name.to_owned() }),
    }
}

pub(super) fn write(record: &Record, plan: &Plan, format: InitFileFormat) -> String {
    let value = describe(record, plan);
    match format {
        InitFileFormat::Json => format!("{value:#}\n"),
        InitFileFormat::Yaml => {
            let text = serde_saphyr::to_string(&value).expect("JSON values are YAML values");
            format!("{}\n", text.trim_end())
        }
    }
}

fn describe(record: &Record, plan: &Plan) -> Value {
    let file = &record.init_file;
    let domains = plan.vms.iter().filter_map(|name| {
        // The fields of an init file may be written with underscores, as they are stored.
        let mut fields = fields(file.domains.get(name)?);
        let nics = file.domains[name].nics.iter().map(|nic| Value::Object(self::fields(nic)));
        fields.insert("nics".to_owned(), nics.collect());
        let disks = plan.disks.iter().filter(|disk| disk.vm == *name);
        fields.insert("disks".to_owned(), disks.map(disk).collect());
        // What the environment began with is not what it has now.
        fields.remove("nvram");
        if plan.nvram.contains_key(name) {
            fields.insert("nvram".to_owned(), json!(format!("{HERE}/{}", beside(name, NVRAM))));
        }
        Some((name.clone(), Value::Object(fields)))
    });
    let domains: Map<_, _> = domains.collect();
    let nets: Map<_, _> =
        file.nets.iter().map(|(name, described)| (name.clone(), net(described))).collect();
    json!({ "domains": domains, "nets": nets })
}

/// The fields that say something. What is empty stands for what is absent.
fn fields(described: &impl Serialize) -> Map<String, Value> {
    let value = serde_json::to_value(described).expect("what was read from a file is text again");
    let Value::Object(fields) = value else { return Map::new() };
    let says_something = |value: &Value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    fields.into_iter().filter(|(_, value)| says_something(value)).collect()
}

fn net(described: &Net) -> Value {
    let mut fields = fields(described);
    // The first is what the others came to.
    fields.remove("subnet");
    if let Some(kind) = fields.remove("kind") {
        fields.insert("type".to_owned(), kind);
    }
    if fields.remove("gateway").is_some()
        && let (Some(gateway), Some(subnet)) = (described.gateway, described.subnet)
    {
        let length = subnet.prefix_len();
        let gateway = match length {
            USUAL_LENGTH => gateway.to_string(),
            length => format!("{gateway}/{length}"),
        };
        fields.insert("gw".to_owned(), gateway.into());
    }
    match described.ipv6 {
        Some(Ipv6Subnet::Planned) => {
            fields.insert("ipv6".to_owned(), true.into());
        }
        Some(Ipv6Subnet::Fixed { subnet, gateway }) => {
            let gateway = format!("{gateway}/{}", subnet.prefix_len());
            fields.insert("ipv6".to_owned(), gateway.into());
        }
        _ => {}
    }
    if fields.remove("mapping6").is_some() {
        fields.insert("mapping".to_owned(), mapping(described));
    }
    Value::Object(fields)
}

/// All addresses of each name.
fn mapping(net: &Net) -> Value {
    let mut names: Map<String, Value> = Map::new();
    let all = net.mapping.iter().map(|(name, address)| (name, address.to_string()));
    for (name, address) in
        all.chain(net.mapping6.iter().map(|(name, address)| (name, address.to_string())))
    {
        let addresses = names.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(addresses) = addresses {
            addresses.push(address.into());
        }
    }
    Value::Object(names)
}

fn disk(disk: &DiskExport) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("name", json!(disk.name()));
    put("dev", json!(disk.dev));
    put("path", json!(format!("{HERE}/{}", disk.file_name())));
    match &disk.form {
        Form::Cd => {
            put("type", json!("file"));
            put("format", json!("iso"));
            // One that is compressed is of no use where it is.
            put("make_a_copy", json!(disk.compressed));
        }
        Form::Raw => {
            put("type", json!("file"));
            put("format", json!("raw"));
            put("make_a_copy", json!(true));
        }
        Form::Standalone | Form::Layered(_) => {
            put("type", json!("template"));
            put("template_type", json!("qcow2"));
            put("format", json!("qcow2"));
        }
    }
    if let Form::Layered(base) = &disk.form {
        put("template_name", json!(base.template));
        put("template_version", json!(base.version));
        put("template_digest", json!(base.image.digest.as_hex()));
    }
    let metadata = metadata(disk);
    if !metadata.is_empty() {
        put("metadata", Value::Object(metadata));
    }
    Value::Object(fields)
}

/// What the init file said of a disk's content. Of what only the template said that is carried on which decides something
/// where there is no template any more.
fn metadata(disk: &DiskExport) -> Map<String, Value> {
    let is_alone = matches!(disk.form, Form::Standalone);
    let said = |key: &str| disk.spec.as_ref().is_some_and(|spec| spec.metadata.contains_key(key));
    let carried = disk
        .metadata
        .iter()
        .filter(|(key, _)| said(key) || is_alone && DECISIVE_KEYS.contains(&key.as_str()));
    carried.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests;
