//! Looks at files for the model, and opens none that is watched.
//!
//! What is in a file is read while nobody watches; where it is found is asked with `O_PATH`, which
//! no permission event follows, through `/proc/PID/root`, so that the answer is the one that the
//! process itself would get: in its root, in its mounts.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::sys::statfs::{EXT4_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, fstatfs, statfs};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use crate::model::{self, Bytes, Capabilities, Files, Image, Node, Owned};
use crate::proc::{everybody, family, text};
use crate::sys;
use crate::trail::{Release, printable};

/// The kernel under test, as the model tells kernels apart.
pub fn running_kernel() -> Option<Release> {
    let uname = nix::sys::utsname::uname().ok()?;
    let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    Release::of_uname(&text(uname.release()), &text(uname.version()))
}

/// What is in the files that were looked at, by device and inode.
#[derive(Clone, Debug, Default)]
pub struct Inspected {
    known: RefCell<BTreeMap<(u64, u64), Result<Image, String>>>,
}

impl Inspected {
    /// Reads a file, or every file below a directory; nobody may watch it.
    ///
    /// Also on what is mounted there, as long as files are only stored there.
    pub fn read_all(&self, path: &Path) {
        let Ok(meta) = fs::symlink_metadata(path) else {
            return;
        };
        if meta.is_file() {
            self.read(path, (meta.dev(), meta.ino()));
        }
        let stores = [TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC, EXT4_SUPER_MAGIC];
        let stored = || statfs(path).is_ok_and(|found| stores.contains(&found.filesystem_type()));
        if meta.is_dir() && stored() {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                self.read_all(&entry.path());
            }
        }
    }

    /// Forgets what is not on the file system of this path: others come and go, and the next one may have the same
    /// number of a device, and its files the same inodes.
    pub fn keep_of(&self, path: &Path) {
        let device = fs::metadata(path).map(|meta| meta.dev()).ok();
        let mut known = self.known.borrow_mut();
        known.retain(|(own, _), _| Some(*own) == device);
    }

    /// Reads one file, also one that was read before.
    fn read(&self, path: &Path, id: (u64, u64)) {
        if let Ok(file) = File::open(path) {
            // As the kernel does, from where the file begins: some files know no other place.
            let image = match (&file).read(&mut [0]) {
                Ok(_) => Ok(Image::of(&Open(file))),
                Err(error) => Err(format!("{:?}", errno(error))),
            };
            self.known.borrow_mut().insert(id, image);
        }
    }
}

/// An open file.
struct Open(File);

impl Bytes for Open {
    fn size(&self) -> u64 {
        self.0.metadata().map_or(0, |meta| meta.len())
    }

    fn piece(&self, offset: u64, size: u64) -> Option<Vec<u8>> {
        // No file of a scenario has a table of this size; a malformed one may say so.
        let size = usize::try_from(size).ok().filter(|size| *size < 1 << 24)?;
        let mut piece = vec![0; size];
        self.0.read_exact_at(&mut piece, offset).ok()?;
        Some(piece)
    }
}

/// The files as one process sees them.
#[derive(Debug)]
pub struct FileView<'a> {
    contents: &'a Inspected,
    pid: u32,
    /// Devices whose opens are observed.
    watched: Vec<u64>,
    /// The watch is over.
    over: bool,
    /// Files that somebody has open, or mapped, for writing.
    written: OnceCell<BTreeSet<(u64, u64)>>,
}

impl<'a> FileView<'a> {
    /// The view of a process, with these file systems watched.
    pub fn of(pid: u32, contents: &'a Inspected, watched: &[PathBuf]) -> FileView<'a> {
        let devices = watched.iter().filter_map(|path| fs::metadata(path).ok());
        FileView {
            contents,
            pid,
            watched: devices.map(|meta| meta.dev()).collect(),
            over: false,
            written: OnceCell::new(),
        }
    }

    /// The same files when nobody watches any more, so that they can be read.
    pub fn afterwards(self) -> FileView<'a> {
        FileView { over: true, ..self }
    }

    /// A path of the process as one of ours.
    fn translate(&self, path: &str) -> PathBuf {
        let own = format!("/proc/{}", self.pid);
        match path.strip_prefix("/proc/self") {
            Some(rest) => PathBuf::from(format!("{own}{rest}")),
            None => PathBuf::from(format!("{own}/root{path}")),
        }
    }

    fn look(&self, path: &str) -> nix::Result<Node> {
        let real = self.translate(path);
        let flags = match is_magic(path) {
            true => OFlag::O_PATH | OFlag::O_CLOEXEC,
            false => OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW,
        };
        if path == "/proc/self" {
            return Ok(Node::Directory(Owned {
                mode: 0o555,
                uid: 0,
                gid: 0,
            }));
        }
        let file = open(&real, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        let owned = Owned {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
        };
        Ok(match stat.st_mode & libc::S_IFMT {
            libc::S_IFDIR => Node::Directory(owned),
            libc::S_IFLNK => {
                let target = fs::read_link(&real).map_err(errno)?;
                Node::Link(target.to_string_lossy().into_owned(), owned.uid)
            }
            libc::S_IFREG => Node::File(Box::new(self.file(file, &real, &stat, owned)?)),
            _ => Node::Other,
        })
    }

    fn file(
        &self,
        file: impl AsFd,
        real: &Path,
        stat: &FileStat,
        owned: Owned,
    ) -> nix::Result<model::File> {
        use std::os::fd::AsRawFd as _;
        use std::os::unix::ffi::OsStrExt as _;
        let own = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
        let name = fs::read_link(&own).map_err(errno)?;
        let id = (stat.st_dev, stat.st_ino);
        let watched = self.watched.contains(&id.0);
        // Through an overlay a layer is opened, which is watched: we would wait for our own monitor.
        let overlaid = fstatfs(&file)?.filesystem_type() == OVERLAYFS_SUPER_MAGIC;
        if (!watched && !overlaid || self.over) && !self.contents.known.borrow().contains_key(&id) {
            self.contents.read(real, id);
        }
        let image = self.contents.known.borrow().get(&id).cloned().transpose();
        let unreadable = image.as_ref().err().cloned();
        let mount = fstatvfs(&file)?.flags();
        let mut found = model::File {
            name: printable(name.as_os_str().as_bytes()),
            id,
            owned,
            noexec: mount.contains(FsFlags::ST_NOEXEC),
            nosuid: mount.contains(FsFlags::ST_NOSUID),
            capabilities: CString::new(own)
                .ok()
                .and_then(|own| sys::getxattr(&own, c"security.capability").ok())
                .and_then(|attribute| Capabilities::of(&attribute)),
            unreadable,
            // A memfd's own descriptor does not count as a writer: `alloc_file_pseudo`.
            busy: !name.as_os_str().as_bytes().starts_with(b"/memfd:")
                && self.written.get_or_init(written).contains(&id),
            watched,
            layer: None,
            image: image.ok().flatten(),
        };
        if overlaid {
            let layer = self.layer(&name, &found);
            found.layer = Some(Box::new(layer));
        }
        Ok(found)
    }

    /// The file under a file of an overlay, named from the root of its layer, as the kernel's own
    /// mount of the layer has it. All layers of our scenarios are on the fixture.
    fn layer(&self, name: &Path, file: &model::File) -> model::File {
        // The name is from the root of the namespace of mounts: the process has another one, or another root.
        let own = self.translate("/");
        let below = |root: &Path, path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        let device = |path: PathBuf| fs::metadata(path).map(|meta| meta.dev()).ok();
        let root = [own.as_path(), Path::new("/")]
            .into_iter()
            .find(|root| device(below(root, name)) == Some(file.id.0))
            .unwrap_or(Path::new("/"));
        let device = |path: &Path| device(below(root, path));
        let mount = name
            .ancestors()
            .skip(1)
            .take_while(|directory| device(directory) == device(name.parent().unwrap_or(name)))
            .last();
        let inner = mount.and_then(|mount| name.strip_prefix(mount).ok());
        model::File {
            name: format!("/{}", inner.unwrap_or(name).display()),
            watched: device(Path::new("/")).is_some_and(|device| self.watched.contains(&device)),
            layer: None,
            ..file.clone()
        }
    }
}

impl Files for FileView<'_> {
    fn node(&self, path: &str) -> Option<Node> {
        self.look(path).ok()
    }
}

/// Whether this link leads to the file itself, wherever that is (proc_pid_fd(5)).
fn is_magic(path: &str) -> bool {
    let Some(link) = path.strip_prefix("/proc/self/") else {
        return false;
    };
    match link.strip_prefix("fd/") {
        Some(number) => !number.contains('/'),
        None => ["exe", "root", "cwd"].contains(&link),
    }
}

/// Files that we, or who is below us, have open or mapped for writing.
///
/// Nobody else opens a file of a scenario to write it: its programs are all started by the launcher, and come to it when their parents end.
fn written() -> BTreeSet<(u64, u64)> {
    let mut found = BTreeSet::new();
    let mut add = |path: &Path| {
        if let Ok(meta) = fs::metadata(path) {
            found.insert((meta.dev(), meta.ino()));
        }
    };
    let own = i32::try_from(std::process::id()).ok().and_then(family);
    for pid in own.unwrap_or_else(|| everybody().collect()) {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten();
        for descriptor in descriptors.flatten().map(|entry| entry.path()) {
            if is_written_by(&descriptor) {
                add(&descriptor);
            }
        }
        let maps = text(process.join("maps")).unwrap_or_default();
        for line in maps.lines().filter(|line| line.contains(" rw-s ")) {
            add(Path::new(
                line.split_ascii_whitespace().nth(5).unwrap_or_default(),
            ));
        }
    }
    found
}

/// Whether a descriptor writes: its link in `/proc/PID/fd` then has the w bit, and with `O_PATH`
/// it has none at all (`tid_fd_update_inode` in fs/proc/fd.c).
fn is_written_by(descriptor: &Path) -> bool {
    fs::symlink_metadata(descriptor).is_ok_and(|link| link.mode() & 0o200 != 0)
}

fn errno(error: io::Error) -> nix::errno::Errno {
    nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_on_another_file_system_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "#!/b").unwrap();
        let contents = Inspected::default();
        contents.read_all(directory.path());
        contents.keep_of(directory.path());
        assert_eq!(contents.known.borrow().len(), 1);
        contents.keep_of(Path::new("/proc"));
        assert!(contents.known.borrow().is_empty());
    }
}
