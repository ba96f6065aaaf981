//! Looks, before anything boots, whether a guest has what its case names.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use super::Args;
use crate::case::{Case, CaseMount, Fd, Kind};
use crate::root::{Caller, Closure, Foreign, Missing, Within};
use crate::vm::tree::Tree;

/// What was found of all that a program needs.
#[derive(Debug, Default)]
pub struct Found {
    /// By their names and where those lead.
    there: Vec<PathBuf>,
    missing: Vec<Missing>,
    damaged: Vec<PathBuf>,
}

impl Found {
    /// What a closure found.
    #[must_use]
    pub fn of(closure: Closure<'_>) -> Found {
        Found {
            there: closure.done.into_keys().collect(),
            missing: closure.missing,
            damaged: closure.damaged,
        }
    }

    /// Says what is not there, and what has no effect.
    pub fn warn(&self, case: &Case, tree: &Tree) {
        for missing in &self.missing {
            tell!("warning: {missing}");
        }
        for path in &self.damaged {
            let path = path.display();
            tell!(
                "warning: {path} begins as an ELF program does, and its headers cannot be read: nobody can tell what it needs"
            );
        }
        for mount in self.idle(case, tree) {
            let kind = match mount.kind {
                Kind::Tmpfs => "tmpfs",
                Kind::Bind => "bind",
                Kind::Overlay => "overlay",
            };
            tell!(
                "warning: --mount {kind}:{at} changes nothing for the program: nothing that it is known to need is below {at}",
                at = mount.at
            );
        }
    }

    /// The mounts that nothing lies below which the program is known to need.
    fn idle<'a>(&self, case: &'a Case, tree: &Tree) -> Vec<&'a CaseMount> {
        let has = |place: &Path| self.there.iter().any(|path| path.starts_with(place));
        let mounts = case.mounts.iter();
        let idle = mounts.filter(|mount| {
            let led = tree.resolve(&mount.at);
            let led = led.map(|place| Path::new("/").join(place));
            !has(Path::new(&mount.at)) && !led.is_some_and(|place| has(&place))
        });
        // What a descriptor is opened on is not looked at in a root.
        idle.filter(|_| !self.there.is_empty()).collect()
    }
}

/// Looks whether the guest has what `--fd` opens.
///
/// # Errors
///
/// It has not.
pub fn opened(case: &Case, tree: &Tree) -> Result<()> {
    let Some(Fd { path, .. }) = &case.exec.fd else {
        return Ok(());
    };
    ensure!(
        is_the_kernels(path) || tree.resolve(path).is_some(),
        "the guest has no {path}, which --fd opens"
    );
    Ok(())
}

/// Looks whether the guest has what `--watch` names.
///
/// # Errors
///
/// It has not.
pub fn watched(case: &Case, tree: &Tree) -> Result<()> {
    for path in &case.watch {
        let is_mounted = |mount: &CaseMount| Path::new(path).starts_with(&mount.at);
        ensure!(
            is_the_kernels(path)
                || case.mounts.iter().any(is_mounted)
                || tree.resolve(path).is_some(),
            "the guest has no {path}, which --watch names: --add takes a directory along"
        );
    }
    Ok(())
}

/// Whether a path is of what the kernel has there, which is not the root's.
fn is_the_kernels(path: &str) -> bool {
    let mut kernels = ["/dev", "/proc", "/sys"].iter();
    kernels.any(|own| Path::new(path).starts_with(own))
}

/// Looks whether a program of this host that is named from `--cwd` is there.
///
/// # Errors
///
/// It is not.
pub fn reached(args: &Args, case: &Case, tree: &Tree) -> Result<()> {
    let (Some(directory), None) = (&args.cwd, &args.fd) else {
        return Ok(());
    };
    let program = args.command.first().map_or("", String::as_str);
    from(directory, program, case, tree)
}

fn from(directory: &str, program: &str, case: &Case, tree: &Tree) -> Result<()> {
    let path = Path::new(directory).join(case.exec.path.trim_start_matches("./"));
    let found = path.to_str().and_then(|path| tree.resolve(path));
    ensure!(
        found.is_some(),
        "{program} is a path from --cwd {directory}, and the guest has no {}: name the program by its whole path",
        path.display()
    );
    Ok(())
}

/// Looks whether a root has the program, and what of its needs; nothing of what a descriptor is opened on.
///
/// # Errors
///
/// It has no such program, or one for another machine.
pub fn inside(
    case: &Case,
    tree: &Tree,
    caller: &Caller,
    foreign: Foreign,
) -> Result<Option<Found>> {
    if case.exec.fd.is_some() {
        return Ok(None);
    }
    let path = &case.exec.path;
    ensure!(
        path.contains('/'),
        "{path} is looked for nowhere: name it by its path in the root"
    );
    let path = caller.absolute(path);
    let name = path.to_str().unwrap_or_default();
    if tree.resolve(name).is_none() {
        bail!("the root has no file {name}");
    }
    let mut within = Within(tree);
    let mut closure = Closure::new(&mut within, caller, foreign);
    closure.add(&path, "the program")?;
    Ok(Some(Found::of(closure)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Then;
    use crate::vm::tree::Entry;

    #[test]
    fn a_descriptor_of_what_the_guest_does_not_have_is_an_error() {
        let of = |path: &str| {
            let mut case = Case::default();
            case.exec.fd = Some(Fd {
                number: 5,
                path: path.to_owned(),
                flags: Vec::new(),
                memory: false,
                then: Then::Kept,
            });
            opened(&case, &Tree::default())
        };
        assert!(of("/proc/self/exe").is_ok());
        let error = of("/srv/x").unwrap_err().to_string();
        assert_eq!(error, "the guest has no /srv/x, which --fd opens");
    }

    #[test]
    fn a_watch_on_what_the_guest_does_not_have_is_an_error() {
        let mut tree = Tree::default();
        tree.add("srv", Entry::Directory(0o755)).unwrap();
        let mut case = Case {
            watch: ["/", "/srv", "/proc/sys"].map(str::to_owned).to_vec(),
            ..Case::default()
        };
        watched(&case, &tree).unwrap();
        case.watch = vec!["/opt".to_owned()];
        let error = watched(&case, &tree).unwrap_err().to_string();
        assert!(error.starts_with("the guest has no /opt, which --watch names"));
        case.mounts = vec![CaseMount {
            kind: Kind::Overlay,
            at: "/opt".to_owned(),
            from: None,
            options: Vec::new(),
        }];
        watched(&case, &tree).unwrap();
    }

    #[test]
    fn a_program_that_the_working_directory_does_not_have_is_an_error() {
        let of = |path: &str| {
            let mut case = Case::default();
            path.clone_into(&mut case.exec.path);
            from("/", path, &case, &Tree::default())
        };
        assert!(of("/").is_ok());
        let error = of("./agent").unwrap_err().to_string();
        assert!(
            error.starts_with("./agent is a path from --cwd /, and the guest has no /agent:"),
            "{error}"
        );
    }

    #[test]
    fn a_mount_where_nothing_of_the_program_lies_is_idle() {
        let mut tree = Tree::default();
        let bytes = b"x".as_slice().into();
        let entry = Entry::File { mode: 0o755, bytes };
        tree.add("usr/bin/x", entry).unwrap();
        tree.add("bin", Entry::Link("usr/bin".into())).unwrap();
        let mut case = Case::default();
        "/usr/bin/x".clone_into(&mut case.exec.path);
        let found = inside(&case, &tree, &Caller::default(), Foreign::Refused);
        let found = found.unwrap().unwrap();
        let mut idle = |at: &str| {
            case.mounts = vec![CaseMount {
                kind: Kind::Overlay,
                at: at.to_owned(),
                from: None,
                options: Vec::new(),
            }];
            found.idle(&case, &tree).len()
        };
        assert_eq!((idle("/opt"), idle("/usr"), idle("/bin")), (1, 0, 0));
    }
}
