//! Repositories of Debian packages, by apt and `dpkg-scanpackages`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use lago::utils::HostCommand;

use super::layout::inside;
use super::package::{Package, SourceRepo};
use super::verify::verify;
use super::{REPO_LIMIT, RepoError, Result, records};

const APT_REMEDY: &str = "install the package apt";
const SCAN_REMEDY: &str = "install the package dpkg-dev";

/// How many packages one call of apt brings: as many as surely fit into its arguments.
const AT_ONCE: usize = 500;

/// Sources of apt whose packages are kept on this machine.
#[derive(Debug, Clone)]
pub struct AptSources {
    path: PathBuf,
    architecture: String,
}

/// A directory of apt's own, away from the machine's.
struct Apt<'a> {
    sources: &'a AptSources,
    root: PathBuf,
}

impl AptSources {
    /// A file in one of the forms of `man sources.list`: lines in `*.list`, paragraphs in `*.sources`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), architecture: "amd64".to_owned() }
    }

    /// The architecture of the guests, by Debian's name; `amd64` if nothing is said.
    pub fn architecture(mut self, architecture: impl Into<String>) -> Self {
        self.architecture = architecture.into();
        self
    }

    /// Brings the newest version of each package to `dir`. When that fails and what is there from earlier is complete, that
    /// is taken.
    pub(super) fn sync(&self, dir: &Path) -> Result<(SourceRepo, Option<RepoError>)> {
        let apt = Apt::new(self, dir)?;
        let Err(failed) = apt.sync(dir) else { return Ok((apt.known(dir)?, None)) };
        let earlier = match apt.known(dir) {
            Ok(earlier) if !earlier.packages.is_empty() => earlier,
            nothing => {
                let none = || RepoError::NoRepository { path: self.path.clone() };
                let (failed, missing) =
                    (Box::new(failed), Box::new(nothing.err().unwrap_or_else(none)));
                return Err(RepoError::NothingEarlier { failed, dir: dir.to_owned(), missing });
            }
        };
        let problems = verify(dir, &earlier.packages);
        if problems.is_empty() {
            return Ok((earlier, Some(failed)));
        }
        Err(RepoError::Incomplete { failed: Box::new(failed), dir: dir.to_owned(), problems })
    }

    /// What is in `dir` from earlier.
    pub(super) fn kept(&self, dir: &Path) -> Result<SourceRepo> {
        Apt::new(self, dir)?.known(dir)
    }
}

impl<'a> Apt<'a> {
    fn new(sources: &'a AptSources, dir: &Path) -> Result<Self> {
        // Apt is also run in another directory.
        let dir = std::path::absolute(dir).map_err(RepoError::io("find", dir))?;
        let root = dir.join(".apt");
        for part in ["etc/sources.list.d", "state/lists/partial", "cache/archives/partial"] {
            let part = root.join(part);
            fs::create_dir_all(&part).map_err(RepoError::io("make", &part))?;
        }
        let apt = Self { sources, root };
        let form = sources.path.extension().and_then(OsStr::to_str).unwrap_or("list");
        let copy = apt.root.join("etc/sources.list.d").join(format!("lago.{form}"));
        fs::copy(&sources.path, copy).map_err(RepoError::io("read", &sources.path))?;
        apt.write("state/status", "")?;
        apt.write("apt.conf", &apt.configuration())?;
        Ok(apt)
    }

    fn write(&self, file: &str, content: &str) -> Result<()> {
        let path = self.root.join(file);
        fs::write(&path, content).map_err(RepoError::io("write", &path))
    }

    fn configuration(&self) -> String {
        format!(
            "Dir \"{root}\";\n\
             Dir::Etc \"etc\";\n\
             Dir::State \"state\";\n\
             Dir::State::status \"{root}/state/status\";\n\
             Dir::Cache \"cache\";\n\
             Dir::Etc::trustedparts \"/etc/apt/trusted.gpg.d\";\n\
             APT::Architecture \"{architecture}\";\n\
             APT::Architectures {{ \"{architecture}\"; }};\n\
             APT::Sandbox::User \"\";\n\
             Acquire::Languages \"none\";\n",
            root = self.root.display(),
            architecture = self.sources.architecture,
        )
    }

    fn command(&self, program: &str) -> HostCommand {
        HostCommand::new(program)
            .env("LC_ALL", "C")
            // Read before all else, so that the machine's own configuration is not.
            .env("APT_CONFIG", self.root.join("apt.conf"))
            .limit(REPO_LIMIT)
            .remedy(APT_REMEDY)
    }

    fn sync(&self, dir: &Path) -> Result<()> {
        let doing = || {
            format!("bring the packages of {} to {}", self.sources.path.display(), dir.display())
        };
        let update = self.command("apt-get").args(["--error-on=any", "update"]);
        update.run().map_err(RepoError::tool(doing()))?;
        let known = self.known(dir)?;
        let wrong = verify(dir, &known.packages);
        let wrong: Vec<_> = known
            .packages
            .iter()
            .filter(|package| wrong.iter().any(|problem| problem.file == package.file))
            .collect();
        for packages in wrong.chunks(AT_ONCE) {
            for package in packages {
                remove_if_there(&package.path_in(dir))?;
            }
            let names = packages.iter().map(|p| format!("{}:{}={}", p.name, p.arch, p.version));
            let download = self.command("apt-get").arg("download").args(names).current_dir(dir);
            download.run().map_err(RepoError::tool(doing()))?;
        }
        remove_others(dir, &known.packages)
    }

    /// What apt knows of: the newest version of each package.
    fn known(&self, dir: &Path) -> Result<SourceRepo> {
        let index = self.root.join("state/lists");
        let output = self.command("apt-cache").arg("dumpavail").run();
        let text =
            output.map_err(RepoError::tool("list the packages that apt knows"))?.stdout_text();
        let packages = records::read(&index, &text, |_, package| {
            // So `apt-get download` calls it.
            let version = package.version.to_string().replace(':', "%3a");
            inside(&index, &format!("{}_{version}_{}.deb", package.name, package.arch))
        })?;
        Ok(SourceRepo { dir: dir.to_owned(), packages })
    }
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(RepoError::io("remove", path)),
    }
}

/// Removes the packages that are not among these.
fn remove_others(dir: &Path, packages: &[Package]) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(RepoError::io("read", dir))? {
        let path = entry.map_err(RepoError::io("read", dir))?.path();
        let is_package = path.extension().is_some_and(|end| end == "deb");
        let is_known = packages.iter().any(|package| path.ends_with(&package.file));
        if is_package && !is_known {
            remove_if_there(&path)?;
        }
    }
    Ok(())
}

/// The packages in a directory of somebody else's, in which nothing is changed.
pub(super) fn scan(dir: &Path) -> Result<SourceRepo> {
    let text = scanpackages(dir)?;
    let packages = records::read(dir, &text, |record, _| {
        inside(dir, record.get("Filename").unwrap_or_default().trim())
    })?;
    Ok(SourceRepo { dir: dir.to_owned(), packages })
}

/// Makes a directory with Debian packages a repository: `deb [trusted=yes] http://SERVER/DIRECTORY ./`. It is not signed.
pub(super) fn index(dir: &Path) -> Result<()> {
    let text = scanpackages(dir)?;
    let plain = dir.join("Packages");
    fs::write(&plain, &text).map_err(RepoError::io("write", &plain))?;
    let compressed = dir.join("Packages.gz");
    let write = || {
        let mut encoder = GzEncoder::new(File::create(&compressed)?, Compression::default());
        encoder.write_all(text.as_bytes())?;
        encoder.finish()?.sync_all()
    };
    write().map_err(RepoError::io("write", &compressed))
}

fn scanpackages(dir: &Path) -> Result<String> {
    let output = HostCommand::new("dpkg-scanpackages")
        .args(["--multiversion", "."])
        .current_dir(dir)
        .limit(REPO_LIMIT)
        .remedy(SCAN_REMEDY)
        .run()
        .map_err(RepoError::tool(format!("index the packages in {}", dir.display())))?;
    Ok(output.stdout_text())
}
