//! Saving a capsule.

use std::io::{self, Read};
use std::path::Path;
use std::time::{Instant, UNIX_EPOCH};

use super::contents::Contents;
use super::machine::Machine;
use super::manifest::MANIFEST;
use super::target::Target;
use super::{CapsuleError, SaveOptions, Saved, archive};
use crate::prefix::Prefix;
use crate::snapshot::{Moment, SnapshotOptions};
use crate::utils::FileError;
use crate::{Error, Result};

pub(super) fn save(prefix: &Prefix, path: &Path, options: &SaveOptions) -> Result<Saved> {
    let _span = tracing::info_span!("save capsule").entered();
    let began = Instant::now();
    let path = std::path::absolute(path).map_err(FileError::io("find", path))?;
    // A file that cannot be written to is no reason to hold the VMs.
    let target = Target::create(&path)?;
    let machine = Machine::this()?;
    let moment = Moment::hold(prefix, SnapshotOptions::default())?;
    let contents = tracing::info_span!("collect")
        .in_scope(|| Contents::collect(prefix, &moment, machine, options))?;
    tracing::info_span!("pack").in_scope(|| write(&target, &contents, options))?;
    let pause = moment.snapshot().pause;
    drop(moment);
    let bytes = target.complete()?;
    Ok(Saved { path, bytes, took: began.elapsed(), pause })
}

fn write(target: &Target, contents: &Contents, options: &SaveOptions) -> Result<()> {
    let manifest = &contents.manifest;
    let error = |source| FileError::io("write", target.path())(source);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|source| FileError::Json { path: target.path().to_owned(), source })?;
    let time = manifest.snapshot.created.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut archive =
        archive::Writer::new(target.file(), manifest.data_size(), time.as_secs()).map_err(error)?;
    archive.add(MANIFEST, text.len() as u64, &*text).map_err(error)?;
    for (file, source) in contents.files() {
        let data = source.open(file)?;
        let mut watched = Watched { data, options, has_failed: false };
        let added = archive.add(&file.path.to_string_lossy(), file.length(), &mut watched);
        added.map_err(|failure| {
            let is_too_short = failure.kind() == io::ErrorKind::UnexpectedEof;
            if options.is_stopped() {
                Error::from(CapsuleError::Stopped { path: target.path().to_owned() })
            } else if watched.has_failed || is_too_short {
                FileError::io("read", source.path())(failure).into()
            } else {
                error(failure).into()
            }
        })?;
    }
    archive.finish().map_err(error)?;
    Ok(())
}

/// What is packed, until nobody wants it any more.
struct Watched<'a, R> {
    data: R,
    options: &'a SaveOptions,
    /// Whether an error comes from here, and not from where it goes.
    has_failed: bool,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.options.is_stopped() {
            return Err(io::Error::other("called off"));
        }
        self.data.read(buffer).inspect_err(|_| self.has_failed = true)
    }
}
