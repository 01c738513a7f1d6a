//! Where a manifest was read from, which decides what it may refer to.

use std::env;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;

use super::manifest::Source;
use super::provider::{
    FileSystemTemplateProvider, HttpTemplateProvider, OciTemplateProvider, TemplateProvider,
    UnusableTemplateProvider,
};
use super::transfer::{Remote, shown};

/// Where a manifest was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestOrigin {
    /// A file of the user's own. It may name any file of this machine.
    File(PathBuf),
    /// A file of a repository that came from elsewhere. It may name files of that repository.
    Checkout {
        /// The manifest.
        path: PathBuf,
        /// The directory of the repository.
        root: PathBuf,
    },
    /// A copy of what is on a server. It may name nothing of this machine.
    Fetched {
        /// The copy.
        path: PathBuf,
        /// Where it comes from.
        url: Url,
    },
    /// A server. It may name nothing of this machine.
    Url(Url),
    /// lago itself.
    Shipped,
}

impl fmt::Display for ManifestOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Checkout { path, .. } | Self::Fetched { path, .. } => {
                path.display().fmt(f)
            }
            Self::Url(url) => f.write_str(&shown(url)),
            Self::Shipped => f.write_str("(part of lago)"),
        }
    }
}

impl ManifestOrigin {
    /// The manifest's file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Checkout { path, .. } | Self::Fetched { path, .. } => {
                Some(path)
            }
            Self::Url(_) | Self::Shipped => None,
        }
    }

    /// The provider for a source of the manifest.
    pub(super) fn provider(&self, source: &Source) -> Result<Arc<dyn TemplateProvider>, String> {
        Ok(match source {
            Source::File { root } => match (self, with_variables(root)) {
                (Self::File(_), Err(reason)) => {
                    Arc::new(UnusableTemplateProvider::new(self.to_string(), root, reason))
                }
                _ => Arc::new(FileSystemTemplateProvider::new(self.directory(root)?)),
            },
            Source::Http { baseurl } => {
                let base = baseurl.as_deref().map(|base| self.address(base)).transpose()?;
                let provider = HttpTemplateProvider::new(base.as_deref());
                Arc::new(provider.map_err(|error| error.to_string())?)
            }
            Source::Oci { baseurl } => {
                let provider = OciTemplateProvider::new(baseurl.as_deref());
                Arc::new(provider.map_err(|error| error.to_string())?)
            }
        })
    }

    /// The directory `root` of a file source. A relative one is relative to the manifest's.
    fn directory(&self, root: &str) -> Result<PathBuf, String> {
        match self {
            Self::File(path) => {
                let root = below_home(Path::new(&with_variables(root)?));
                Ok(path.parent().unwrap_or(Path::new("")).join(root))
            }
            Self::Checkout { path, root: checkout } => {
                let inside =
                    |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
                let directory = path.parent().unwrap_or(Path::new("")).join(root);
                if !Path::new(root).components().all(inside) || !directory.starts_with(checkout) {
                    return Err(format!(
                        "`{root}` leads out of the repository, which came from elsewhere"
                    ));
                }
                Ok(directory)
            }
            Self::Fetched { .. } | Self::Url(_) | Self::Shipped => Err(format!(
                "`{root}` is a directory of this machine, which a manifest of a server may not name"
            )),
        }
    }

    /// The address `base` of a source. That of a manifest from a server may be relative to the manifest's.
    fn address(&self, base: &str) -> Result<String, String> {
        match self {
            Self::Url(url) | Self::Fetched { url, .. } => {
                url.join(base).map(String::from).map_err(|error| format!("`{base}`: {error}"))
            }
            _ => Remote::parse(base)
                .map(|remote| remote.url().to_string())
                .map_err(|error| error.to_string()),
        }
    }
}

/// `~/images` in the user's home directory.
fn below_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// `$NAME` and `${NAME}` replaced by variables of the environment.
fn with_variables(text: &str) -> Result<String, String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        result.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, behind) = braced.unwrap_or_else(|| {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            after.split_at(end.unwrap_or(after.len()))
        });
        let value = env::var(name).map_err(|_| {
            format!("`{text}` needs the environment variable `{name}`, which is not set")
        })?;
        result.push_str(&value);
        rest = behind;
    }
    Ok(result + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let home = env::var("PATH").unwrap();
        assert_eq!(with_variables("/a/b"), Ok("/a/b".into()));
        assert_eq!(with_variables("$PATH/x"), Ok(format!("{home}/x")));
        assert_eq!(with_variables("a${PATH}b$PATH"), Ok(format!("a{home}b{home}")));
        let error = with_variables("$LAGO_NO_SUCH/x").unwrap_err();
        assert!(error.contains("`LAGO_NO_SUCH`"), "{error}");
    }

    #[test]
    fn what_came_from_elsewhere_names_only_its_own_files() {
        let checkout = ManifestOrigin::Checkout {
            path: "/repos/a/sub/repo.json".into(),
            root: "/repos/a".into(),
        };
        let directory = |origin: &ManifestOrigin, root: &str| origin.directory(root);
        assert_eq!(directory(&checkout, "images"), Ok("/repos/a/sub/images".into()));
        for root in ["..", "../..", "/etc", "$HOME", "~"] {
            let refused = directory(&checkout, root);
            // A dollar and a tilde are ordinary letters there.
            let inside = refused.as_ref().is_ok_and(|path| path.starts_with("/repos/a/sub"));
            assert!(refused.is_err() || inside, "{root}: {refused:?}");
        }
        directory(&checkout, "../..").unwrap_err();
        let url = ManifestOrigin::Url(Url::parse("https://x/repo/repo.json").unwrap());
        directory(&url, "images").unwrap_err();
        assert_eq!(url.address("images/"), Ok("https://x/repo/images/".into()));
        assert_eq!(url.address("https://y/"), Ok("https://y/".into()));
        let own = ManifestOrigin::File("/home/me/repo.json".into());
        assert_eq!(directory(&own, "images"), Ok("/home/me/images".into()));
        assert_eq!(directory(&own, "/srv"), Ok("/srv".into()));
    }
}
