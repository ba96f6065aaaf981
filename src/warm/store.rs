//! The states in the cache.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{Key, memory};
use crate::fetch::{Contents, Trust, Work, put_in_place, read_description};
use crate::files;

/// What all states take together, at the most.
pub const LIMIT: u64 = 4 << 30;

const MEMORY: &str = "memory";
const MACHINE: &str = "machine";
const DESCRIPTION: &str = "warm.json";

/// Where states are kept.
#[derive(Clone, Debug)]
pub struct Store {
    cache: PathBuf,
}

/// What stands in `warm.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    contents: Contents,
    counter: Option<u64>,
}

/// A state that can be restored: two files that were saved together, whatever lies in their place since.
#[derive(Debug)]
pub struct State {
    /// What is mapped as memory.
    pub memory: File,
    /// Everything else.
    pub machine: File,
    /// In kHz, how fast its kernel was told that the time stamp counter runs.
    pub counter: Option<u64>,
}

/// A state that is in the cache, whole or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its directory.
    pub path: PathBuf,
    /// What it takes on the disk.
    pub bytes: u64,
    /// When it was restored last.
    pub used: SystemTime,
}

impl Kept {
    /// The label of its kernel.
    #[must_use]
    pub fn label(&self) -> String {
        let name = files::name(&self.path);
        let label = name.rsplit_once('-').map(|(label, _)| label.to_owned());
        label.unwrap_or(name)
    }
}

/// A state that is being made; nothing is left of one that is dropped.
#[derive(Debug)]
pub struct Draft {
    work: Work,
    machine: File,
}

impl Store {
    /// The states of a cache.
    #[must_use]
    pub fn of(cache: &Path) -> Store {
        Store {
            cache: cache.to_owned(),
        }
    }

    fn directory(&self) -> PathBuf {
        self.cache.join("warm")
    }

    fn place(&self, key: &Key) -> PathBuf {
        self.directory().join(key.name())
    }

    /// The state of that key; none when there is none.
    ///
    /// # Errors
    ///
    /// It is there and not what was kept.
    pub fn find(&self, key: &Key) -> Result<Option<State>> {
        let place = self.place(key);
        loop {
            let directory = match File::open(&place) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                opened => opened.with_context(|| format!("failed to open {}", place.display()))?,
            };
            let found = self.open(&place);
            // Another run may have made the same state and put it in the place of this one: then what was
            // opened is a part of each. A directory that is open keeps its number.
            if is_at(&directory, &place) {
                return found;
            }
        }
    }

    fn open(&self, place: &Path) -> Result<Option<State>> {
        let description = place.join(DESCRIPTION);
        let Some(found) = read_description::<Description>(&self.cache, &description)? else {
            return Ok(None);
        };
        found.contents.verify(place, Trust::Stamps)?;
        let open = |name| {
            let path = place.join(name);
            File::open(&path).with_context(|| format!("failed to open {}", path.display()))
        };
        let state = State {
            memory: open(MEMORY)?,
            machine: open(MACHINE)?,
            counter: found.counter,
        };
        // The oldest goes first; where this cannot be written it is only not known.
        let used = File::options().append(true).open(&description);
        let _ = used.and_then(|file| files::touch(&file));
        Ok(Some(state))
    }

    /// Begins a state.
    ///
    /// # Errors
    ///
    /// The cache cannot be written.
    pub fn begin(&self) -> Result<Draft> {
        let work = Work::begin(&self.cache)?;
        let new = work.path().join("new");
        fs::create_dir(&new)
            .and_then(|()| File::create_new(new.join(MACHINE)))
            .with_context(|| format!("failed to make a state in {}", new.display()))
            .map(|machine| Draft { work, machine })
    }

    /// Keeps a state whose machine was saved with this memory, and whose kernel was told this of its counter.
    ///
    /// # Errors
    ///
    /// The disk is full, or the cache cannot be written.
    pub fn keep(&self, key: &Key, draft: Draft, memory: &File, counter: Option<u64>) -> Result<()> {
        let new = draft.work.path().join("new");
        let context = || format!("failed to keep a state in {}", new.display());
        let file = File::create_new(new.join(MEMORY)).with_context(context)?;
        memory::copy(memory, &file).with_context(context)?;
        let description = Description {
            contents: Contents::of(&new)?,
            counter,
        };
        let text = serde_json::to_vec_pretty(&description)?;
        fs::write(new.join(DESCRIPTION), text).with_context(context)?;
        put_in_place(&new, &self.place(key))
    }

    /// Takes a state away.
    ///
    /// # Errors
    ///
    /// It cannot be removed.
    pub fn discard(&self, key: &Key) -> Result<()> {
        remove(&self.cache, &self.place(key))
    }

    /// Every state, in the order of their names.
    ///
    /// # Errors
    ///
    /// The cache cannot be read.
    pub fn all(&self) -> Result<Vec<Kept>> {
        let states = files::list(&self.directory())?.into_iter();
        // What is no directory is no state.
        states.filter(|path| path.is_dir()).map(kept).collect()
    }

    /// Removes states until all take at most `limit` bytes, each time the least recently used one of the kernel whose states
    /// take the most. The state of `own` stays, even where the clock was set back.
    ///
    /// # Errors
    ///
    /// The cache cannot be read, or one cannot be removed.
    pub fn prune(&self, limit: u64, own: &Key) -> Result<()> {
        for path in surplus(self.all()?, limit, &self.place(own)) {
            remove(&self.cache, &path)?;
        }
        Ok(())
    }
}

impl Draft {
    /// Where QEMU writes.
    #[must_use]
    pub fn machine(&self) -> BorrowedFd<'_> {
        self.machine.as_fd()
    }

    /// What was written, from its beginning: a machine can be restored from it before it is kept.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn written(&self) -> Result<File> {
        let path = self.work.path().join("new").join(MACHINE);
        File::open(&path).with_context(|| format!("failed to open {}", path.display()))
    }
}

/// Whether a directory that is open is still the one at its place.
fn is_at(directory: &File, place: &Path) -> bool {
    let number = |data: fs::Metadata| (data.dev(), data.ino());
    let own = directory.metadata().map(number);
    fs::metadata(place).map(number).ok() == own.ok()
}

/// In one step, so that nobody finds a part of it.
fn remove(cache: &Path, place: &Path) -> Result<()> {
    let work = Work::begin(cache)?;
    match fs::rename(place, work.path().join("old")) {
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result.with_context(|| format!("failed to remove {}", place.display())),
    }
}

fn kept(path: PathBuf) -> Result<Kept> {
    let (mut bytes, mut used) = (0, SystemTime::UNIX_EPOCH);
    for file in files::list(&path)? {
        // One that goes away meanwhile takes nothing.
        let Ok(data) = file.metadata() else { continue };
        bytes += data.blocks() * 512;
        if files::name(&file) == DESCRIPTION {
            used = data.modified().unwrap_or(used);
        }
    }
    Ok(Kept { path, bytes, used })
}

/// What has to go, of the kernel that takes the most the oldest first, and never our own.
fn surplus(mut states: Vec<Kept>, limit: u64, own: &Path) -> Vec<PathBuf> {
    states.sort_by_key(|state| state.used);
    let mut gone = Vec::new();
    loop {
        let mut taken: BTreeMap<String, u64> = BTreeMap::new();
        for state in &states {
            *taken.entry(state.label()).or_default() += state.bytes;
        }
        if taken.values().sum::<u64>() <= limit {
            return gone;
        }
        let of = |state: &Kept| taken.get(&state.label()).copied().unwrap_or_default();
        // The first of those that are alike is the one that was used longest ago.
        let others = (0..states.len()).filter(|place| states[*place].path != own);
        let Some(place) = others.rev().max_by_key(|place| of(&states[*place])) else {
            return gone;
        };
        gone.push(states.remove(place).path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::FileExt as _;
    use std::time::Duration;

    use super::*;

    fn key() -> Key {
        Key::of("6.12", &[])
    }

    /// A cache with one state.
    fn cache() -> (tempfile::TempDir, Store) {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::of(cache.path());
        keep(&store, b"memory");
        (cache, store)
    }

    fn keep(store: &Store, content: &[u8]) {
        let memory = super::super::new_memory(1).unwrap();
        memory.write_all_at(content, 0).unwrap();
        let mut draft = store.begin().unwrap();
        draft.machine.write_all(content).unwrap();
        store.keep(&key(), draft, &memory, Some(2)).unwrap();
    }

    fn read(mut file: &File) -> Vec<u8> {
        let mut bytes = vec![0; 6];
        file.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_no_state_is_passed_over() {
        let (_cache, store) = cache();
        fs::write(store.directory().join("stray"), "").unwrap();
        assert_eq!(store.all().unwrap().len(), 1);
        store.prune(0, &key()).unwrap();
    }

    #[test]
    fn what_was_kept_is_found() {
        let (_cache, store) = cache();
        let state = store.find(&key()).unwrap().unwrap();
        assert_eq!(state.memory.metadata().unwrap().len(), 1 << 20);
        assert_eq!(read(&state.memory), b"memory");
        assert_eq!(state.counter, Some(2));
        assert!(store.find(&Key::of("6.1", &[])).unwrap().is_none());
    }

    #[test]
    fn a_state_that_was_found_stays_whole_when_another_takes_its_place_or_it_is_discarded() {
        let (_cache, store) = cache();
        let state = store.find(&key()).unwrap().unwrap();
        keep(&store, b"other!");
        store.discard(&key()).unwrap();
        assert_eq!(read(&state.memory), b"memory");
        assert_eq!(read(&state.machine), b"memory");
    }

    #[test]
    fn what_is_found_is_of_one_state_while_others_take_its_place() {
        let (_cache, store) = cache();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                for content in [b"other!", b"memory"].repeat(40) {
                    keep(&store, content);
                }
            });
            while !other.is_finished() {
                let state = store.find(&key()).unwrap().unwrap();
                assert_eq!(read(&state.memory), read(&state.machine));
            }
        });
    }

    #[test]
    fn a_state_that_is_cut_is_damaged() {
        let (_cache, store) = cache();
        let memory = store.place(&key()).join(MEMORY);
        File::options()
            .write(true)
            .open(memory)
            .unwrap()
            .set_len(4096)
            .unwrap();
        let error = format!("{:#}", store.find(&key()).unwrap_err());
        assert!(
            error.contains("it has 4096 bytes, it should have 1048576"),
            "{error}"
        );
    }

    #[test]
    fn a_state_has_the_label_of_its_kernel() {
        let (_cache, store) = cache();
        assert_eq!(store.all().unwrap()[0].label(), "6.12");
    }

    #[test]
    fn what_is_discarded_is_gone() {
        let (_cache, store) = cache();
        store.discard(&key()).unwrap();
        assert!(store.find(&key()).unwrap().is_none());
        store.discard(&key()).unwrap();
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let (cache, store) = cache();
        drop(store.begin().unwrap());
        assert!(
            files::list(&cache.path().join("partial"))
                .unwrap()
                .is_empty()
        );
        assert_eq!(store.all().unwrap().len(), 1);
    }

    fn states(used: &[(&str, u64)]) -> Vec<Kept> {
        let state = |&(name, seconds): &(&str, u64)| Kept {
            path: name.into(),
            bytes: 10,
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        };
        used.iter().map(state).collect()
    }

    #[test]
    fn the_one_that_was_used_longest_ago_goes_first() {
        let states = states(&[("new", 3), ("old", 1), ("older", 2)]);
        let own = Path::new("new");
        assert_eq!(surplus(states.clone(), 20, own), [PathBuf::from("old")]);
        assert!(surplus(states, 30, own).is_empty());
    }

    #[test]
    fn a_kernel_that_was_tried_often_does_not_drive_others_out() {
        let states = states(&[("5.10-a", 1), ("6.12-a", 2), ("6.12-b", 3), ("6.12-c", 4)]);
        let gone = surplus(states, 20, Path::new("6.12-c"));
        assert_eq!(gone, [PathBuf::from("6.12-a"), PathBuf::from("6.12-b")]);
    }

    #[test]
    fn a_new_one_stays_when_the_clock_was_set_back() {
        let states = states(&[("before", 100), ("new", 1)]);
        assert_eq!(
            surplus(states, 10, Path::new("new")),
            [PathBuf::from("before")]
        );
    }
}
