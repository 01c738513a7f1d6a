//! Finding out what the key of an environment is made from.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::key::MAKER;
use super::{CACHE_FORMAT, Cache, FileInput, Key, KeyInputs, TemplateInput};
use crate::config::Config;
use crate::deploy;
use crate::host::{self, Acceleration, versions};
use crate::prefix::{FileBase, HostKind, InitOptions};
use crate::spec::{
    BuildStep, Disk, DiskFormat, DiskKind, FileSource, Firmware, TemplateBase, VmProvider,
};
use crate::sysprep;
use crate::templates::{
    ImageFormat, Metadata, StoredImage, TemplateError, TemplateStore, TemplateVersion,
    find_template, is_compressed, layer_name,
};
use crate::utils::{CommandError, FileError, error_chain};

/// What an environment cannot be cached for.
type Reason = String;

/// What an environment that is to be made is made of, in a word: its key, but also of one that cannot be cached. Another
/// one is made of something else. Its templates come into the store for that.
///
/// # Errors
/// Why nobody can tell whether the next one is made of the same: a disk is a file that the guest writes to itself;
/// or what it is made of is not there.
pub fn fingerprint(options: &InitOptions, config: &Config) -> Result<Key, String> {
    // Without a directory there are no entries that could stand on a template.
    let cache = Cache::of(config).unwrap_or_else(|| Cache::new(&options.path, 0));
    Ok(cache.gather(options)?.key())
}

impl Cache {
    /// The key of an environment that is to be made. Its templates come into the store for that.
    ///
    /// # Errors
    /// Why it has none: it cannot be cached.
    pub fn key(&self, options: &InitOptions) -> Result<Key, String> {
        Ok(self.inputs(options)?.key())
    }

    /// What the key of an environment is made from, or why it has none.
    pub(super) fn inputs(&self, options: &InitOptions) -> Result<KeyInputs, Reason> {
        match obstacle(options) {
            Some(reason) => Err(reason),
            None => self.gather(options),
        }
    }

    /// What an environment is made of.
    fn gather(&self, options: &InitOptions) -> Result<KeyInputs, Reason> {
        let mut templates = Vec::new();
        let mut files = Vec::new();
        for (vm, domain) in &options.init_file.domains {
            // They are not in the prefix yet, whose directory stands for nothing here but a place.
            let scripts = deploy::sources(&options.init_file, vm, &options.path);
            for script in scripts.map_err(|error| error_chain(&error))? {
                files.push(file_input(&script)?);
            }
            if domain.firmware == Firmware::Uefi {
                files.push(firmware_input()?);
            }
            if let Some(nvram) = &domain.nvram {
                files.push(file_input(nvram)?);
            }
            for disk in &domain.disks {
                match source(vm, disk)? {
                    // A file that is fetched is known by its address, as the init file has it.
                    Source::Empty | Source::Fetched => {}
                    Source::Image { path, base } => {
                        files.push(file_input(path)?);
                        let version = base.version.as_deref();
                        templates.push(self.template(options, &base.name, version, &[])?);
                    }
                    Source::File(path) if disk.build.is_empty() => files.push(file_input(path)?),
                    Source::File(path) => {
                        templates.push(built_on_file(options, vm, disk, path)?);
                    }
                    Source::Template { name, version } => {
                        templates.push(self.template(options, name, version, &disk.build)?);
                    }
                }
            }
        }
        let acceleration = options.acceleration.resolve();
        let uri = match &options.host {
            HostKind::Private => None,
            HostKind::Uri(uri) => Some(uri.clone()),
        };
        // The programs of a libvirt by its URI may be on another machine, and this one has none.
        let version = |known: Result<String, CommandError>| match known {
            Err(_) if uri.is_some() => Ok(String::new()),
            known => known.map_err(|error| error_chain(&error)),
        };
        Ok(KeyInputs {
            format: CACHE_FORMAT,
            lago: MAKER.to_owned(),
            init_file: options.init_file.clone(),
            subnet_range: options.subnet_range,
            templates,
            files,
            acceleration,
            qemu: version(versions::emulator())?,
            libvirt: version(versions::libvirt())?,
            uri,
            processor: (acceleration == Acceleration::Kvm).then(versions::processor),
        })
    }

    fn template(
        &self,
        options: &InitOptions,
        name: &str,
        version: Option<&str>,
        build: &[BuildStep],
    ) -> Result<TemplateInput, Reason> {
        let store = options.store.as_deref().ok_or("there is no template store")?;
        let find = || {
            let store = TemplateStore::open(store)?;
            let version = find_template(&options.repositories, name, version)?;
            let image = self.image(&store, version)?;
            let input = TemplateInput {
                version: version.name().to_owned(),
                digest: image.digest.as_hex().to_owned(),
                path: image.path,
                metadata: image.metadata,
            };
            if build.is_empty() {
                return Ok(input);
            }
            // It need not be built yet: it is known by what it is built of.
            let key = sysprep::build_key(&image.digest, build)?;
            let version = layer_name(&input.version, &key);
            let path = store.path().join(&version);
            Ok(TemplateInput { version, digest: key.as_hex().to_owned(), path, ..input })
        };
        find().map_err(|error: crate::Error| error_chain(&error))
    }

    /// The image in the store. One that cannot be replaced only because entries stand on it is replaced: they are of no
    /// use any more.
    fn image(
        &self,
        store: &TemplateStore,
        version: &TemplateVersion,
    ) -> Result<StoredImage, TemplateError> {
        let stored = store.download(version);
        let Err(TemplateError::Changed { users, .. }) = &stored else { return stored };
        for user in users {
            let user = Path::new(user);
            let key = user.file_name().and_then(|name| Key::from_name(name.to_str()?));
            let Some(key) = key.filter(|key| self.path(key) == user) else { return stored };
            if let Err(error) = self.remove(&key) {
                tracing::warn!("{}", error_chain(&error));
                return stored;
            }
        }
        store.download(version)
    }
}

/// What `build` steps make of an image of the user's: a layer that stands on it.
fn built_on_file(
    options: &InitOptions,
    vm: &str,
    disk: &Disk,
    path: &Path,
) -> Result<TemplateInput, Reason> {
    let store = options.store.as_deref().ok_or("there is no template store")?;
    let find = || {
        if is_compressed(path)? {
            return Ok(None);
        }
        let path = path.canonicalize().map_err(FileError::io("find", path))?;
        let base = FileBase::of(&path, ImageFormat::of_file(&path)?)?;
        let key = base.key(&disk.build)?;
        let version = base.layer_name(&key);
        let path = TemplateStore::open(store)?.path().join(&version);
        let digest = key.as_hex().to_owned();
        Ok(Some(TemplateInput { version, digest, path, metadata: Metadata::new() }))
    };
    let found = find().map_err(|error: crate::Error| error_chain(&error))?;
    found.ok_or_else(|| {
        let (disk, path) = (&disk.name, path.display());
        format!("disk {disk} of VM {vm} is built on {path}, which is compressed")
    })
}

/// Why an environment cannot be cached, as far as that is not for what it is made of.
fn obstacle(options: &InitOptions) -> Option<Reason> {
    if let HostKind::Uri(uri) = &options.host {
        return Some(format!("it runs on {uri}, and only a private host can be forked"));
    }
    options.init_file.domains.iter().find_map(|(vm, domain)| {
        if domain.vm_provider != VmProvider::LocalLibvirt {
            return Some(format!("VM {vm} is a machine that lago does not start"));
        }
        domain.disks.iter().find_map(|disk| match &disk.kind {
            DiskKind::Image { base: Some(base), path, .. } => {
                let (disk, image, base) = (&disk.name, path.display(), &base.name);
                Some(format!("disk {disk} of VM {vm} is the image {image} on the template {base}"))
            }
            DiskKind::File { source: FileSource::Url { url, .. }, .. } => {
                Some(format!("disk {} of VM {vm} is to be fetched from {url}", disk.name))
            }
            _ => None,
        })
    })
}

/// Where the content of a disk comes from.
enum Source<'a> {
    Empty,
    Template {
        name: &'a str,
        version: Option<&'a str>,
    },
    File(&'a Path),
    /// An image on a template.
    Image {
        path: &'a Path,
        base: &'a TemplateBase,
    },
    /// A file that comes into the prefix.
    Fetched,
}

fn source<'a>(vm: &str, disk: &'a Disk) -> Result<Source<'a>, Reason> {
    let refused = |what: &str| Err(format!("disk {} of VM {vm} {what}", disk.name));
    match &disk.kind {
        DiskKind::Template { name, version, .. } => {
            Ok(Source::Template { name, version: version.as_deref() })
        }
        // What it stands on, its own size and time tell nothing of.
        DiskKind::Image { base: Some(base), path, .. } => Ok(Source::Image { path, base }),
        DiskKind::Image { path, .. } => Ok(Source::File(path)),
        DiskKind::Empty { .. } => Ok(Source::Empty),
        DiskKind::File { source: FileSource::Path(path), make_a_copy }
            if *make_a_copy || disk.format == DiskFormat::Iso =>
        {
            Ok(Source::File(path))
        }
        DiskKind::File { source: FileSource::Path(path), .. } => {
            let path = path.display();
            refused(&format!("is the file {path} itself, which the guest writes to"))
        }
        DiskKind::File { source: FileSource::Url { path: Some(path), .. }, make_a_copy: false } => {
            let path = path.display();
            refused(&format!("is fetched to {path}, and the guest writes to it there"))
        }
        DiskKind::File { source: FileSource::Url { .. }, .. } => Ok(Source::Fetched),
    }
}

/// What a guest starts from decides on what it finds, and is part of its memory.
fn firmware_input() -> Result<FileInput, Reason> {
    let found = host::uefi_firmware();
    match found.status {
        host::Status::Ok => file_input(Path::new(&found.detail)),
        _ => Err(found.to_string()),
    }
}

pub(super) fn file_input(path: &Path) -> Result<FileInput, Reason> {
    let stat = || {
        let path: PathBuf = path.canonicalize()?;
        let file = fs::metadata(&path)?;
        let modified = (file.mtime(), file.mtime_nsec());
        Ok(FileInput { path, size: file.len(), modified })
    };
    stat().map_err(|error: std::io::Error| format!("cannot look at {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use crate::InitOptions;
    use crate::config::Sources;
    use crate::host::AccelerationChoice;
    use crate::prefix::HostKind;
    use crate::spec::InitFile;
    use crate::templates::TemplateRepository;
    use crate::utils::HostCommand;

    use super::*;

    fn options(dir: &Path, disk: &str) -> InitOptions {
        let text = format!(
            "domains:\n  vm0:\n    memory: 128\n    nics: [{{net: lan}}]\n    disks: [{disk}]\n\
             nets:\n  lan: {{type: nat, management: true}}\n"
        );
        let init_file = InitFile::parse(&text, &dir.join("LagoInitFile.yaml")).unwrap();
        InitOptions::new(dir.join("prefix"), init_file)
            .acceleration(AccelerationChoice::Tcg)
            .store(dir.join("store"))
    }

    fn inputs(dir: &Path, disk: &str) -> Result<KeyInputs, String> {
        Cache::new(dir.join("cache"), 0).inputs(&options(dir, disk))
    }

    #[test]
    fn a_file_that_is_copied_is_known_by_its_size_and_time() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("root.qcow2");
        fs::write(&image, "one").unwrap();
        let disk = format!(
            "{{type: file, path: {}, make_a_copy: true, name: root, dev: vda, format: qcow2}}",
            image.display()
        );
        let first = inputs(dir.path(), &disk).unwrap();
        assert_eq!(inputs(dir.path(), &disk).unwrap().key(), first.key());
        assert!(first.qemu.contains("QEMU") && first.libvirt.contains("libvirt"), "{first:?}");
        fs::write(&image, "three").unwrap();
        assert_ne!(inputs(dir.path(), &disk).unwrap().key(), first.key());
    }

    #[test]
    fn build_steps_and_the_files_that_they_read_are_part_of_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        fs::write(at.join("disk"), "a disk").unwrap();
        let sum = HostCommand::new("sha256sum").arg("disk").current_dir(at).run().unwrap();
        fs::write(at.join("disk.hash"), sum.stdout).unwrap();
        let manifest = r#"{"name": "office", "sources": {"here": {"type": "file", "args": {"root": "."}}},
            "templates": {"disk": {"versions": {"v1": {"source": "here", "handle": "disk", "timestamp": 1}}}}}"#;
        fs::write(at.join("repo.json"), manifest).unwrap();
        fs::write(at.join("motd"), "one").unwrap();
        let inputs = |build: &str| {
            let disk = format!("{{type: template, template_name: disk{build}}}");
            let repository = TemplateRepository::from_file(&at.join("repo.json")).unwrap();
            let options = options(at, &disk).repository(repository);
            Cache::new(at.join("cache"), 0).inputs(&options).unwrap()
        };
        let upload = ", build: [{virt-customize: {upload: 'motd:/etc/motd'}}]";
        let built = inputs(upload);
        assert_eq!(inputs(upload).key(), built.key());
        assert_ne!(inputs("").templates, built.templates);
        let layer = &built.templates[0];
        assert!(layer.version.starts_with("office:disk:v1@"), "{layer:?}");
        assert_eq!(layer.path.file_name().unwrap().to_str(), Some(&*layer.version));
        fs::write(at.join("motd"), "two").unwrap();
        assert_ne!(inputs(upload).key(), built.key());
    }

    #[test]
    fn what_is_built_on_a_file_is_a_layer_of_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("root.img");
        fs::write(&image, "one").unwrap();
        let disk = |path: &Path| {
            let build = "build: [{virt-customize: {mkdir: /srv/a}}]";
            format!("{{type: template, template_type: qcow2, path: {}, {build}}}", path.display())
        };
        let first = inputs(dir.path(), &disk(&image)).unwrap();
        let layer = &first.templates[0];
        assert!(layer.version.starts_with("file:root.img:"), "{layer:?}");
        assert!(layer.path.starts_with(dir.path().canonicalize().unwrap()), "{layer:?}");
        fs::write(&image, "three").unwrap();
        assert_ne!(inputs(dir.path(), &disk(&image)).unwrap().key(), first.key());
        let compressed = dir.path().join("root.img.gz");
        fs::write(&compressed, b"\x1f\x8b\x08\0\0\0\0\0").unwrap();
        let reason = inputs(dir.path(), &disk(&compressed)).unwrap_err();
        assert!(reason.contains("compressed"), "{reason}");
    }

    #[test]
    fn what_cannot_be_cached_is_known_by_what_it_is_made_of() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        let image = at.join("root.qcow2");
        fs::write(&image, "one").unwrap();
        let of = |options: &InitOptions| {
            fingerprint(options, &Config::from_sources(&Sources::default()).unwrap())
        };
        let copied = format!(
            "{{type: file, path: {}, make_a_copy: true, name: root, dev: vda, format: qcow2}}",
            image.display()
        );
        let private = options(at, &copied);
        let key = Cache::new(at.join("cache"), 0).key(&private).unwrap();
        assert_eq!(of(&private).unwrap(), key, "what has a key is known by that");
        let shared = || options(at, &copied).host(HostKind::Uri("test:///default".into()));
        let before = of(&shared()).unwrap();
        assert_ne!(before, key);
        assert_eq!(of(&shared()).unwrap(), before);
        fs::write(&image, "three").unwrap();
        assert_ne!(of(&shared()).unwrap(), before);
        let used = copied.replace("make_a_copy: true", "make_a_copy: false");
        let reason = of(&options(at, &used)).unwrap_err();
        assert!(reason.contains("which the guest writes to"), "{reason}");
    }

    #[test]
    fn what_has_no_key_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("root.qcow2");
        fs::write(&image, "").unwrap();
        let reason = |disk: &str| inputs(dir.path(), disk).unwrap_err();
        let used = format!(
            "{{type: file, path: {}, name: root, dev: vda, format: qcow2}}",
            image.display()
        );
        assert!(reason(&used).contains("disk root of VM vm0 is the file"), "{}", reason(&used));
        let template = "{type: template, template_name: mini, name: root, dev: vda, format: qcow2}";
        assert!(reason(template).contains("mini"), "{}", reason(template));

        let empty = "{type: empty, size: 1M, name: root, dev: vda, format: qcow2}";
        let shared = options(dir.path(), empty).host(HostKind::Uri("qemu:///system".into()));
        let reason = Cache::new(dir.path(), 0).inputs(&shared).unwrap_err();
        assert!(reason.contains("qemu:///system"), "{reason}");
    }
}
