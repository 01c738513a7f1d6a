//! Which entries there are, and which have to go.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use super::entry::{self, Condition, used_path};
use super::key::MAKER;
use super::{CACHE_FORMAT, Cache, EntryInfo, Key, KeyInputs, Prune, REMOVE_LOCK_LIMIT};
use crate::dirlock::{self, DirLock, Mode};
use crate::host::versions;
use crate::paths::Paths;
use crate::snapshot::{SnapshotError, forks_of};
use crate::utils::{FileError, error_chain};
use crate::{Error, Result};

/// What `stat` counts in.
const BLOCK: u64 = 512;

impl Cache {
    /// The entries, the one that was used last first.
    pub fn entries(&self) -> Result<Vec<EntryInfo>> {
        let mut entries =
            self.keys()?.iter().map(|key| self.info(key)).collect::<Result<Vec<_>>>()?;
        entries.sort_by(|a, b| (b.used, &b.key).cmp(&(a.used, &a.key)));
        Ok(entries)
    }

    fn keys(&self) -> Result<Vec<Key>> {
        let read = |error| FileError::io("read", &self.dir)(error);
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(read)?,
        };
        let mut keys = Vec::new();
        for entry in entries {
            keys.extend(Key::from_name(&entry.map_err(read)?.file_name().to_string_lossy()));
        }
        Ok(keys)
    }

    fn info(&self, key: &Key) -> Result<EntryInfo> {
        let path = self.path(key);
        let used = fs::metadata(used_path(&path)).and_then(|file| file.modified()).ok();
        let mut info = EntryInfo {
            key: key.clone(),
            vms: Vec::new(),
            made: None,
            used,
            size: allocated(&path).map_err(FileError::io("look at", &path))?,
            forks: forks_of(&Paths::new(&path)).unwrap_or_default(),
            damage: None,
            path,
        };
        match self.condition(key) {
            // It went just now.
            Condition::Missing => info.damage = Some("it is gone".to_owned()),
            Condition::Damaged(reason) => info.damage = Some(reason),
            Condition::Whole(entry) => {
                info.made = Some(entry.manifest.made);
                info.vms = entry.manifest.inputs.init_file.domains.keys().cloned().collect();
            }
        }
        Ok(info)
    }

    /// Removes entries and returns them. Those with living forks stay, and those that another process works on.
    pub fn prune(&self, what: Prune) -> Result<Vec<EntryInfo>> {
        let mut removed = Vec::new();
        for info in self.entries()? {
            if (what == Prune::All || self.is_useless(&info)) && self.try_remove(&info.key) {
                removed.push(info);
            }
        }
        removed.extend(self.evict()?);
        self.remove_unused_locks()?;
        Ok(removed)
    }

    /// Whether it is damaged, or of other programs than those that are installed.
    fn is_useless(&self, info: &EntryInfo) -> bool {
        match self.condition(&info.key) {
            Condition::Whole(entry) => !is_of_today(&entry.manifest.inputs),
            _ => true,
        }
    }

    /// Removes entries, the one that was not used for the longest time first, until the rest is within the limit.
    pub(super) fn evict(&self) -> Result<Vec<EntryInfo>> {
        let mut removed = Vec::new();
        let entries = self.entries()?;
        let mut total: u64 = entries.iter().map(|info| info.size).sum();
        for info in in_order_of_eviction(entries) {
            if total <= self.limit {
                break;
            }
            if self.try_remove(&info.key) {
                tracing::info!(
                    "removed the cached environment {}: all together were larger than {} MiB",
                    info.key.short(),
                    self.limit >> 20
                );
                total -= info.size;
                removed.push(info);
            }
        }
        Ok(removed)
    }

    /// Removes an entry if that is possible now. One that cannot be removed is no reason to keep the others.
    fn try_remove(&self, key: &Key) -> bool {
        self.remove_idle(key).unwrap_or_else(|error| {
            tracing::warn!("{}", error_chain(&error));
            false
        })
    }

    /// Removes an entry, unless somebody works on it or stands on it.
    fn remove_idle(&self, key: &Key) -> Result<bool> {
        let Some(lock) = dirlock::try_lock_file(&self.lock_path(key), Mode::Exclusive)? else {
            return Ok(false);
        };
        match self.remove_with_lock(key, lock) {
            Ok(()) => Ok(true),
            Err(Error::Snapshot(SnapshotError::InUse { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes an entry.
    pub(super) fn remove(&self, key: &Key) -> Result<()> {
        let lock = self.lock(key, REMOVE_LOCK_LIMIT)?;
        self.remove_with_lock(key, lock)
    }

    fn remove_with_lock(&self, key: &Key, lock: DirLock) -> Result<()> {
        entry::remove(&self.path(key))?;
        self.remove_lock(key, lock)
    }

    /// Who waits for the lock notices that its file is gone and makes another one.
    fn remove_lock(&self, key: &Key, lock: DirLock) -> Result<()> {
        let path = self.lock_path(key);
        fs::remove_file(&path).map_err(FileError::io("remove", &path))?;
        drop(lock);
        Ok(())
    }

    /// Removes the locks of entries that are not there.
    fn remove_unused_locks(&self) -> Result<()> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Ok(()) };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(key) = name.strip_suffix(".lock").and_then(Key::from_name) else { continue };
            if let Some(lock) = dirlock::try_lock_file(&entry.path(), Mode::Exclusive)?
                && !self.path(&key).exists()
            {
                self.remove_lock(&key, lock)?;
            }
        }
        Ok(())
    }
}

/// Whether an environment that is started today can have these inputs. What cannot be found out counts as the same.
fn is_of_today(inputs: &KeyInputs) -> bool {
    let same = |now: Result<String, _>, then: &String| {
        now.map_err(|error| tracing::warn!("{}", error_chain(&error)))
            .map_or(true, |now| now == *then)
    };
    inputs.format == CACHE_FORMAT
        && inputs.lago == MAKER
        && same(versions::emulator(), &inputs.qemu)
        && same(versions::libvirt(), &inputs.libvirt)
}

/// The least recently used one first; one of which that is not known before all others.
fn in_order_of_eviction(mut entries: Vec<EntryInfo>) -> Vec<EntryInfo> {
    let age = |info: &EntryInfo| info.used.unwrap_or(SystemTime::UNIX_EPOCH);
    entries.sort_by(|a, b| age(a).cmp(&age(b)).then_with(|| a.key.cmp(&b.key)));
    entries
}

/// The bytes that a directory takes on disk with all that is in it. Images of the user's own, to which it has links, go on
/// being there without it.
fn allocated(path: &Path) -> io::Result<u64> {
    let found = match fs::symlink_metadata(path) {
        // Somebody removes it just now.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        found => found?,
    };
    if found.is_file() && found.nlink() > 1 && path.extension().is_some_and(|kind| kind == "base") {
        return Ok(0);
    }
    let mut total = found.blocks() * BLOCK;
    if found.is_dir() {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        for entry in entries {
            total += allocated(&entry?.path())?;
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;
    use crate::cache::STARTED;
    use crate::cache::key::tests::inputs;
    use crate::prefix::state::{ForkOf, State};

    const MIB: u64 = 1 << 20;

    /// The entry of this number: one MiB, of which nothing else is known than when it was used.
    fn entry(cache: &Cache, number: u32, used: u64) -> Key {
        let key = KeyInputs { format: number, ..inputs() }.key();
        let path = cache.path(&key);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("memory"), vec![1; 1 << 20]).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(used);
        File::create(used_path(&path)).unwrap().set_modified(time).unwrap();
        key
    }

    /// Has a living environment stand on an entry.
    fn stand_on(cache: &Cache, key: &Key, fork: &Path) {
        let paths = Paths::new(fork);
        fs::create_dir_all(paths.images()).unwrap();
        let origin = serde_json::json!({ "prefix": cache.path(key), "snapshot": STARTED });
        let record = serde_json::json!({ "origin": origin }).to_string();
        fs::write(paths.record(), record).unwrap();
        let fork = ForkOf { snapshot: STARTED.to_owned(), path: fork.to_owned() };
        let state = State { forks: vec![fork], ..State::default() };
        state.write(&Paths::new(cache.path(key))).unwrap();
    }

    fn left(cache: &Cache) -> Vec<Key> {
        cache.entries().unwrap().into_iter().map(|info| info.key).collect()
    }

    #[test]
    fn the_least_recently_used_go_until_the_rest_is_within_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path(), 2 * MIB + MIB / 2);
        let [old, newest, oldest, new] =
            [(1, 200), (2, 400), (3, 100), (4, 300)].map(|(n, used)| entry(&cache, n, used));
        assert_eq!(left(&cache), [newest.clone(), new.clone(), old.clone(), oldest.clone()]);
        let removed: Vec<Key> = cache.evict().unwrap().into_iter().map(|info| info.key).collect();
        assert_eq!(removed, [oldest, old]);
        assert_eq!(left(&cache), [newest, new]);
        assert!(cache.evict().unwrap().is_empty());
    }

    #[test]
    fn what_another_version_made_is_called_so_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"), u64::MAX);
        let key = entry(&cache, 1, 100);
        let paths = Paths::new(cache.path(&key));
        fs::write(paths.record(), "{}").unwrap();
        let manifest = r#"{"inputs": {"format": 1, "lago": "0.0.9", "other": []}, "when": 7}"#;
        fs::write(paths.prefix().join("entry.json"), manifest).unwrap();
        let damage = cache.entries().unwrap()[0].damage.clone().unwrap();
        assert!(damage.starts_with("it was made by another version of lago (0.0.9"), "{damage}");
        assert_eq!(cache.prune(Prune::Useless).unwrap().len(), 1);
        assert_eq!(left(&cache), []);
    }

    #[test]
    fn what_others_stand_on_or_work_on_stays() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"), 0);
        let [used, busy, idle] =
            [(1, 100), (2, 200), (3, 300)].map(|(n, used)| entry(&cache, n, used));
        let fork = dir.path().join("fork");
        stand_on(&cache, &used, &fork);
        let lock = cache.lock(&busy, Duration::ZERO).unwrap();
        assert_eq!(cache.entries().unwrap()[2].forks, std::slice::from_ref(&fork));

        let removed = cache.prune(Prune::All).unwrap();
        assert_eq!(removed.len(), 1);
        assert_eq!(removed[0].key, idle);
        drop(lock);
        // An environment that was cleaned up has its logs, and stands on nothing.
        fs::remove_dir_all(Paths::new(&fork).images()).unwrap();
        assert_eq!(cache.prune(Prune::All).unwrap().len(), 2);
        assert_eq!(fs::read_dir(cache.dir()).unwrap().count(), 0, "its locks are gone too");
    }

    #[test]
    fn what_was_made_anew_in_the_place_of_a_fork_stands_on_something_else() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"), 0);
        let [before, now] = [(1, 100), (2, 200)].map(|(n, used)| entry(&cache, n, used));
        let fork = dir.path().join("fork");
        stand_on(&cache, &before, &fork);
        stand_on(&cache, &now, &fork);
        assert_eq!(cache.prune(Prune::Useless).unwrap().len(), 1);
        assert_eq!(left(&cache), [now]);
    }

    #[test]
    fn a_cache_that_was_never_used_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"), 0);
        assert!(cache.prune(Prune::All).unwrap().is_empty());
        assert!(!cache.dir().exists());
    }

    #[test]
    fn it_stays_off_until_it_is_switched_on() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"), 0);
        assert!(!cache.is_off());
        cache.switch(true).unwrap();
        for _ in 0..2 {
            cache.switch(false).unwrap();
            assert!(Cache::new(cache.dir(), 1).is_off());
        }
        cache.switch(true).unwrap();
        assert!(!cache.is_off());
    }
}
