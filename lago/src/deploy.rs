//! Deploy scripts: programs of this machine that are run in a guest to make of it what it is for.
//!
//! An init file lists them for each domain:
//!
//! ```yaml
//! domains:
//!   server:
//!     metadata:
//!       deploy-scripts:
//!         - scripts/install.sh
//!         - $LAGO_INITFILE_PATH/../common/repos.sh
//! ```
//!
//! A relative path starts from the init file, or else from the current directory; variables of the environment are replaced,
//! and `LAGO_PREFIX_PATH`, `LAGO_WORKDIR_PATH` and `LAGO_INITFILE_PATH`. The scripts are copied into the prefix when it is
//! made, and [`Prefix::deploy`] runs them, as often as it is called.

use std::env;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use crate::guest::{Cmd, GuestError};
use crate::paths::Paths;
use crate::spec::{Domain, InitFile, JsonMap, expanded};
use crate::utils::{FileError, PRIVATE_MODE, create_dir, parallel, write_file};
use crate::{Prefix, Result, Vm};

/// How long one deploy script may take: it may install a system's worth of packages over a slow line.
pub const DEPLOY_SCRIPT_LIMIT: Duration = Duration::from_secs(3600);

/// Where an init file lists the scripts of a domain, below its `metadata`.
const KEY: &str = "deploy-scripts";

/// What Lago called them first.
const OLD_KEY: &str = "ovirt-scripts";

/// The variable that stands for the prefix.
const PREFIX_VARIABLE: &str = "LAGO_PREFIX_PATH";

/// The variable that stands for the directory around the prefix.
const WORKDIR_VARIABLE: &str = "LAGO_WORKDIR_PATH";

/// A deploy script that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// The init file's list is no list of paths.
    #[error(
        "VM {vm}: `metadata`/`{KEY}` is no list of paths; write one, such as [scripts/install.sh]"
    )]
    NoList {
        /// The VM.
        vm: String,
    },
    /// There is no such script.
    #[error("VM {vm}: there is no deploy script {script}; looked for {}", shown(places))]
    NoScript {
        /// The VM.
        vm: String,
        /// As the init file has it.
        script: String,
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
    /// A script is not one that was copied into the prefix.
    #[error(
        "VM {vm}: the deploy script {script} is none of the prefix's own; make the prefix anew from its init file"
    )]
    NotOurs {
        /// The VM.
        vm: String,
        /// As the prefix has it.
        script: String,
    },
    /// A script failed.
    #[error("the deploy script {script} failed on VM {vm}")]
    Failed {
        /// The VM.
        vm: String,
        /// The script.
        script: String,
        /// What it left.
        #[source]
        source: Box<GuestError>,
    },
}

fn shown(places: &[PathBuf]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(" and ")
}

impl Prefix {
    /// The deploy scripts of a VM, in their order.
    pub fn deploy_scripts(&self, vm: &Vm) -> Result<Vec<PathBuf>, DeployError> {
        let names = self.record().deploy_scripts.get(vm.name());
        names.into_iter().flatten().map(|name| self.deploy_script(vm, name)).collect()
    }

    /// The metadata of a VM, with the scripts by the names of their copies, as Lago shows them.
    pub(crate) fn metadata_with_copies(&self, vm: &Vm) -> JsonMap {
        let mut metadata = vm.spec().metadata.clone();
        let names = self.record().deploy_scripts.get(vm.name()).filter(|names| !names.is_empty());
        if let Some(names) = names {
            let copies = names.iter().map(|name| format!("${PREFIX_VARIABLE}/scripts/{name}"));
            metadata.insert(KEY.to_owned(), copies.collect());
        }
        metadata
    }

    /// Only what was copied into the prefix is run: a capsule may name any file of this machine.
    fn deploy_script(&self, vm: &Vm, name: &str) -> Result<PathBuf, DeployError> {
        let is_file_name = Path::new(name).file_name() == Some(name.as_ref());
        let path = is_file_name.then(|| self.paths().scripts().join(name));
        path.filter(|path| !path.is_symlink()).ok_or_else(|| DeployError::NotOurs {
            vm: vm.name().to_owned(),
            script: name.to_owned(),
        })
    }

    /// Runs the deploy scripts of all VMs that have any, of different VMs at the same time, each script with this limit. The
    /// scripts of a VM run one after the other, and the first that fails is the last.
    pub fn deploy(&self, limit: Duration) -> Result<()> {
        parallel(self.vms(), |vm| {
            for script in self.deploy_scripts(vm)? {
                run(vm, &script, limit)?;
            }
            Ok::<_, crate::Error>(())
        })?;
        Ok(())
    }
}

fn run(vm: &Vm, path: &Path, limit: Duration) -> Result<()> {
    let script = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let _span = tracing::info_span!("deploy", vm = vm.name(), script).entered();
    let text = fs::read(path).map_err(FileError::io("read", path))?;
    match vm.run(Cmd::script(text).limit(limit)) {
        Ok(output) => {
            tracing::info!("done");
            tracing::debug!("stdout:\n{}stderr:\n{}", output.stdout(), output.stderr());
            Ok(())
        }
        Err(crate::Error::Guest(source)) => {
            let vm = vm.name().to_owned();
            Err(DeployError::Failed { vm, script, source: Box::new(source) }.into())
        }
        Err(other) => Err(other),
    }
}

/// The scripts of a domain as its metadata have them.
fn written(vm: &str, domain: &Domain) -> Result<Vec<String>, DeployError> {
    let listed = domain.metadata.get(KEY).or_else(|| domain.metadata.get(OLD_KEY));
    let no_list = || DeployError::NoList { vm: vm.to_owned() };
    match listed {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(no_list)).collect()
        }
        Some(_) => Err(no_list()),
    }
}

/// The files of this machine that a domain's scripts are, of a prefix that is or will be in this directory.
pub(crate) fn sources(
    file: &InitFile,
    vm: &str,
    prefix: &Path,
) -> Result<Vec<PathBuf>, DeployError> {
    let scripts = written(vm, &file.domains[vm])?;
    scripts.iter().map(|script| source(file, vm, script, prefix)).collect()
}

fn source(file: &InitFile, vm: &str, script: &str, prefix: &Path) -> Result<PathBuf, DeployError> {
    let mut text = expanded(script, PREFIX_VARIABLE, &prefix.to_string_lossy());
    if let Some(workdir) = prefix.parent() {
        text = expanded(&text, WORKDIR_VARIABLE, &workdir.to_string_lossy());
    }
    for (name, value) in env::vars_os() {
        // What is no text cannot be part of a path in an init file.
        if let (Some(name), Some(value)) = (name.to_str(), value.to_str()) {
            text = expanded(&text, name, value);
        }
    }
    let mut places = vec![file.directory().join(&text), PathBuf::from(&text)];
    places.dedup();
    // The prefix, through which a path may lead out again, is not there yet.
    match places.iter().map(|place| shortened(place)).find(|place| place.is_file()) {
        Some(found) => Ok(found),
        None => Err(DeployError::NoScript { vm: vm.to_owned(), script: script.to_owned(), places }),
    }
}

/// The path without the directories that it leaves again, if that is the same place: they may not exist.
fn shortened(path: &Path) -> PathBuf {
    if path.exists() {
        return path.to_owned();
    }
    let mut short = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if short.file_name().is_some() => {
                short.pop();
            }
            other => short.push(other),
        }
    }
    short
}

/// The names of copied scripts, by the names of VMs.
pub(crate) type Scripts = IndexMap<String, Vec<String>>;

/// Copies the scripts into a prefix that is being made.
pub(crate) fn take_in(paths: &Paths, file: &InitFile) -> Result<Scripts> {
    let mut taken = Scripts::new();
    for (vm, domain) in &file.domains {
        if domain.metadata.contains_key(OLD_KEY) && !domain.metadata.contains_key(KEY) {
            tracing::warn!("VM {vm}: `{OLD_KEY}` is the old name of `{KEY}`; write that");
        }
        let sources = sources(file, vm, paths.prefix())?;
        let names = sources.iter().map(|source| copy(paths, source)).collect::<Result<_>>()?;
        taken.insert(vm.clone(), names);
    }
    Ok(taken)
}

/// Removes the copies, of a prefix that is made anew.
pub(crate) fn remove(paths: &Paths) -> Result<(), FileError> {
    match fs::remove_dir_all(paths.scripts()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::io("remove", &paths.scripts())(error))
        }
        _ => Ok(()),
    }
}

/// Copies a script under a name that tells where it came from; returns the name.
fn copy(paths: &Paths, source: &Path) -> Result<String> {
    let text = fs::read(source).map_err(FileError::io("read", source))?;
    create_dir(&paths.scripts())?;
    let mut name = source.to_string_lossy().replace('/', "_");
    loop {
        let target = paths.scripts().join(&name);
        match fs::read(&target) {
            // Two paths with the same name.
            Ok(other) if other != text => name.push('_'),
            Ok(_) => return Ok(name),
            Err(_) => {
                write_file(&target, &text, PRIVATE_MODE)?;
                return Ok(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT_FILE: &str = "
domains:
  a:
    disks: []
    metadata:
      deploy-scripts: [scripts/one.sh, $LAGO_WORKDIR_PATH/../two.sh, '${LAGO_INITFILE_PATH}/scripts_one.sh']
      kept: true
  b: {disks: []}
";

    fn written_in(dir: &Path, text: &str) -> InitFile {
        fs::create_dir_all(dir.join("scripts")).unwrap();
        for (name, content) in [("scripts/one.sh", "1"), ("two.sh", "2"), ("scripts_one.sh", "3")] {
            fs::write(dir.join(name), content).unwrap();
        }
        fs::write(dir.join("LagoInitFile"), text).unwrap();
        InitFile::load(&dir.join("LagoInitFile")).unwrap()
    }

    #[test]
    fn scripts_are_copied_under_names_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = written_in(dir.path(), INIT_FILE);
        let paths = Paths::new(dir.path().join(".lago/default"));
        let taken = take_in(&paths, &file).unwrap();
        assert_eq!(taken["b"].len(), 0);
        let scripts = &taken["a"];
        let contents: Vec<_> = scripts
            .iter()
            .map(|name| fs::read_to_string(paths.scripts().join(name)).unwrap())
            .collect();
        assert_eq!(contents, ["1", "2", "3"]);
        assert!(scripts[0].ends_with("_scripts_one.sh") && scripts[2] != scripts[0], "{scripts:?}");
    }

    #[test]
    fn a_script_that_is_not_there_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let text = INIT_FILE.replace("scripts/one.sh", "scripts/none.sh");
        let file = written_in(dir.path(), &text);
        let error = take_in(&Paths::new("/p"), &file).unwrap_err().to_string();
        let place = dir.path().join("scripts/none.sh");
        assert!(error.contains("VM a") && error.contains(place.to_str().unwrap()), "{error}");
        let text = INIT_FILE.replace("[scripts/one.sh,", "[1,");
        let error = take_in(&Paths::new("/p"), &written_in(dir.path(), &text)).unwrap_err();
        assert!(error.to_string().contains("no list of paths"), "{error}");
    }
}
