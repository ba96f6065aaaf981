//! Files and directories of the host in a root.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::{Root, Source};
use crate::files;
use crate::vm::tree::{Entry, Owner};

/// Directories on which a guest mounts something of its own: what lies below is not seen.
const COVERED: [&str; 4] = ["dev", "exetrail", "proc", "sys"];

/// What `--add` takes: a file or directory of the host and its place in the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// On the host.
    pub host: std::path::PathBuf,
    /// In the guest, absolute.
    pub guest: String,
    /// Nobody said where: it is at its own place.
    pub own: bool,
}

impl std::str::FromStr for Added {
    type Err = String;

    /// Reads `HOST` or `HOST:GUEST`; without a place it is the host's own.
    fn from_str(word: &str) -> Result<Added, String> {
        let (host, guest) = match word.split_once(':') {
            Some(parts) if !Path::new(word).exists() => parts,
            _ => (word, ""),
        };
        let found = fs::canonicalize(host).map_err(|error| format!("{host:?}: {error}"))?;
        let own = std::path::absolute(host).map_err(|error| format!("{host:?}: {error}"))?;
        let at_home = guest.is_empty();
        let guest = match guest {
            "" => own
                .to_str()
                .ok_or_else(|| format!("{host:?} is no UTF-8"))?,
            guest if guest.starts_with('/') => guest,
            guest => {
                return Err(format!(
                    "{guest:?} is no place in the guest: it is not absolute"
                ));
            }
        };
        let parts = Path::new(guest).components();
        if parts
            .clone()
            .any(|part| part == std::path::Component::ParentDir)
        {
            return Err(format!("{guest:?} has the part \"..\""));
        }
        let guest = parts.collect::<std::path::PathBuf>();
        Ok(Added {
            host: found,
            guest: guest.to_string_lossy().into_owned(),
            own: at_home,
        })
    }
}

impl Root {
    /// Adds a file, or a directory with everything in it; owners are root's, symlinks stay symlinks.
    ///
    /// # Errors
    ///
    /// Something cannot be read, is neither file nor directory nor symlink, has a name that no archive
    /// takes, would not be seen in the guest, or is more than a guest takes.
    pub fn add(&mut self, added: &Added) -> Result<()> {
        let context = || format!("failed to add {}", added.host.display());
        let place = added.guest.trim_start_matches('/');
        // A directory in the place of what the guest mounts loses nothing but what is in it.
        if place.contains('/') || !added.host.is_dir() {
            check_seen(place).with_context(context)?;
        }
        let before = self.over.len();
        self.walk(&added.host, place, Keep::Nobody)
            .with_context(context)?;
        let is_directory = |source: &Source| matches!(source, Source::Entry(Entry::Directory(_)));
        let mut made = self.over[before..].iter();
        // A directory of a whole root to mount on loses nothing.
        made.try_for_each(|(place, source, _)| match is_directory(source) {
            true => Ok(()),
            false => check_seen(place),
        })
        .with_context(context)
    }

    /// Adds a file, or a directory with everything in it.
    pub(super) fn walk(&mut self, host: &Path, place: &str, keep: Keep) -> Result<()> {
        let context = || format!("failed to read {}", host.display());
        let meta = fs::symlink_metadata(host).with_context(context)?;
        let kind = meta.file_type();
        let mode = meta.mode() & 0o7777;
        let owner = match keep {
            Keep::Owners => Owner(meta.uid(), meta.gid()),
            Keep::Nobody => Owner::default(),
        };
        if kind.is_dir() {
            if !place.is_empty() {
                self.entry(place, Entry::Directory(mode), owner);
            }
            for inner in files::list(host)? {
                let name = inner.file_name().and_then(|name| name.to_str());
                let name = name.with_context(|| format!("the name of {inner:?} is no UTF-8"))?;
                let inner_place = match place {
                    "" => name.to_owned(),
                    place => format!("{place}/{name}"),
                };
                self.walk(&inner, &inner_place, keep)?;
            }
            return Ok(());
        }
        crate::below::Below::parse(place)?;
        if kind.is_symlink() {
            let target = fs::read_link(host).with_context(context)?;
            let target = target
                .to_str()
                .with_context(|| format!("{host:?} leads to no UTF-8"))?;
            self.entry(place, Entry::Link(target.to_owned()), owner);
        } else if kind.is_file() {
            self.file(place, host, mode, owner)?;
        } else if place.starts_with("dev/") {
            self.devices += 1;
        } else {
            bail!(
                "{} is a device, a pipe or a socket, which no archive takes outside of /dev: remove it, or name a tar archive \
                 without it (tar --exclude)",
                host.display()
            );
        }
        Ok(())
    }
}

/// Refuses a place that is covered in every guest, or on which that would have to be mounted.
fn check_seen(place: &str) -> Result<()> {
    let first = place.split('/').next();
    match first.filter(|first| COVERED.contains(first)) {
        None => Ok(()),
        Some(first) => bail!(
            "/{place} would not be seen in the guest, which mounts its own /{first}: give it another place (HOST:/PLACE)"
        ),
    }
}

/// Whose the files are in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Who owns them on the host.
    Owners,
    /// Root's.
    Nobody,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_guest_is_the_hosts_own_unless_one_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().to_str().unwrap();
        let added: Added = own.parse().unwrap();
        assert!(added.guest == own && added.own);
        let added: Added = format!("{own}:/srv/x").parse().unwrap();
        assert!(added.guest == "/srv/x" && !added.own);
    }

    #[test]
    fn a_place_that_leads_elsewhere_is_an_error_that_shows_it() {
        for (word, why) in [
            ("/:x", "not absolute"),
            ("/:/a/../b", "has the part"),
            ("/nowhere/x", "No such file"),
        ] {
            let error = word.parse::<Added>().unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_the_guest_would_mount_over_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("proc")).unwrap();
        let add = |place: &str| {
            let added: Added = format!("{}:{place}", dir.path().display()).parse().unwrap();
            let added = Root::default().add(&added);
            added.map_err(|error| format!("{error:#}"))
        };
        let error = add("/dev/x").unwrap_err();
        let told = "/dev/x would not be seen in the guest, which mounts its own /dev";
        assert!(error.contains(told), "{error}");
        // A root that has a directory to mount on.
        add("/").unwrap();
        fs::write(dir.path().join("proc/file"), "").unwrap();
        assert!(
            add("/")
                .unwrap_err()
                .contains("/proc/file would not be seen")
        );
        add("/srv").unwrap();
    }

    #[test]
    fn a_file_where_the_guest_mounts_is_an_error_and_a_directory_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let add = |host: &Path, guest: &str| {
            let added: Added = format!("{}:{guest}", host.display()).parse().unwrap();
            let added = Root::default().add(&added);
            added.map_err(|error| format!("{error:#}"))
        };
        for place in COVERED {
            let error = add(&file, &format!("/{place}")).unwrap_err();
            assert!(error.contains(&format!("/{place} would not be seen")));
        }
        fs::remove_file(&file).unwrap();
        add(dir.path(), "/proc").unwrap();
        // What a directory has there is none either.
        fs::write(dir.path().join("proc"), "").unwrap();
        assert!(add(dir.path(), "/").is_err());
    }

    #[test]
    fn a_pipe_and_a_name_with_a_newline_are_errors_that_name_them() {
        let error = |make: &dyn Fn(&Path)| {
            let dir = tempfile::tempdir().unwrap();
            make(dir.path());
            let added = Added {
                host: dir.path().into(),
                guest: "/x".into(),
                own: false,
            };
            format!("{:#}", Root::default().add(&added).unwrap_err())
        };
        let pipe = error(&|dir| {
            nix::unistd::mkfifo(&dir.join("p"), nix::sys::stat::Mode::S_IRWXU).unwrap()
        });
        assert!(
            pipe.contains("/p is a device, a pipe or a socket"),
            "{pipe}"
        );
        let name = error(&|dir| fs::write(dir.join("a\nb"), "").unwrap());
        assert!(
            name.contains("\"x/a\\nb\" has a control character"),
            "{name}"
        );
    }

    #[test]
    fn four_gigabytes_are_an_error_before_anything_is_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::File::create(dir.path().join("big"))
            .unwrap()
            .set_len(4 << 30)
            .unwrap();
        let added = Added {
            host: dir.path().into(),
            guest: "/x".into(),
            own: false,
        };
        let error = format!("{:#}", Root::default().add(&added).unwrap_err());
        assert!(error.contains("more than 1024 MiB"), "{error}");
    }
}
