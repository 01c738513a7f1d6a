use std::ops::Deref;
use std::path::Path;

use lago::{InitFile, InitOptions, Prefix};

use crate::{images, place};

/// A prefix that is destroyed when it is dropped, by a panic too.
#[derive(Debug)]
pub struct Environment(Prefix);

impl Environment {
    /// Makes a prefix of one of this package's init files. Nothing runs yet.
    pub fn new(path: &Path, init_file: &str) -> Self {
        let init_file =
            InitFile::load(&place::init_file(init_file)).expect("the init file is right");
        Self::of(path, init_file).expect("the prefix can be made")
    }

    /// Makes a prefix of an init file's text.
    pub fn from_text(path: &Path, text: &str) -> Self {
        let init_file = InitFile::parse(text, Path::new("LagoInitFile.yaml"));
        Self::of(path, init_file.expect("the init file is right")).expect("the prefix can be made")
    }

    /// Makes a prefix with the tests' templates and store.
    ///
    /// # Errors
    /// As [`Prefix::init`].
    pub fn of(path: &Path, init_file: InitFile) -> lago::Result<Self> {
        Prefix::init(&Self::options(path, init_file)).map(Self)
    }

    /// With the tests' templates and store.
    pub fn options(path: &Path, init_file: InitFile) -> InitOptions {
        InitOptions::new(path, init_file).repository(images::repository()).store(place::store())
    }
}

impl From<Prefix> for Environment {
    fn from(prefix: Prefix) -> Self {
        Self(prefix)
    }
}

impl Deref for Environment {
    type Target = Prefix;

    fn deref(&self) -> &Prefix {
        &self.0
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        if !self.0.paths().prefix().exists() {
            return;
        }
        if let Err(error) = Prefix::destroy_at(self.0.paths().prefix()) {
            // A second panic would hide the first one.
            eprintln!("cannot destroy {}: {error}", self.0.paths().prefix().display());
        }
    }
}
