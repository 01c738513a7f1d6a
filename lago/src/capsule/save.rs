//! Saving a capsule.

use std::path::Path;
use std::time::{Instant, UNIX_EPOCH};

use super::contents::Contents;
use super::machine::Machine;
use super::manifest::MANIFEST;
use super::target::Target;
use super::{SaveOptions, Saved, archive};
use crate::Result;
use crate::prefix::Prefix;
use crate::snapshot::Moment;
use crate::utils::FileError;

pub(super) fn save(prefix: &Prefix, path: &Path, options: &SaveOptions) -> Result<Saved> {
    let _span = tracing::info_span!("save capsule").entered();
    let began = Instant::now();
    let path = std::path::absolute(path).map_err(FileError::io("find", path))?;
    // A file that cannot be written to is no reason to hold the VMs.
    let target = Target::create(&path)?;
    let machine = Machine::this()?;
    let moment = Moment::hold(prefix)?;
    let contents = tracing::info_span!("collect")
        .in_scope(|| Contents::collect(prefix, &moment, machine, options))?;
    tracing::info_span!("pack").in_scope(|| write(&target, &contents))?;
    let pause = moment.snapshot().pause;
    drop(moment);
    let bytes = target.complete()?;
    Ok(Saved { path, bytes, took: began.elapsed(), pause })
}

fn write(target: &Target, contents: &Contents) -> Result<()> {
    let manifest = &contents.manifest;
    let error = |source| FileError::io("write", target.path())(source);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|source| FileError::Json { path: target.path().to_owned(), source })?;
    let time = manifest.snapshot.created.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut archive =
        archive::Writer::new(target.file(), manifest.data_size(), time.as_secs()).map_err(error)?;
    archive.add(MANIFEST, text.len() as u64, &*text).map_err(error)?;
    for (file, data) in contents.files() {
        archive.add(&file.path.to_string_lossy(), file.length(), data?).map_err(error)?;
    }
    archive.finish().map_err(error)?;
    Ok(())
}
