//! Tries the claims about execveat's errors that are not made of execve, or are made otherwise.
//!
//! Both calls are `do_execveat_common` (fs/exec.c). execveat differs from execve in this:
//!
//! - How the kernel finds the file.
//! - The name of a file found by a descriptor: `/dev/fd/5` in `AT_EXECFN`, and what a script's interpreter is told (comm:
//!   `contract/unsaid_comm`).
//! - `AT_EXECVE_CHECK`.
//! - ENOENT for a script by a descriptor that is closed on exec (`contract/error_enoent`).
//!
//! So these are the errors:
//!
//! - A directory is EACCES, as for execve (`may_open` in fs/namei.c), also by its descriptor.
//! - A program for another machine is ENOEXEC where no entry of binfmt_misc takes it.
//! - `noexec` is EACCES (`path_noexec`).
//! - A read-only file system is no error.
//!
//! An empty path without `AT_EMPTY_PATH` is ENOENT (`getname_flags`), whatever the descriptor. With an unknown flag it is EINVAL
//! from 7.0 on.
//!
//! A path at NULL is EFAULT, with `AT_EMPTY_PATH` too. In newer kernels statx(2) takes it for an empty one (`vfs_empty_path` in
//! include/linux/fs.h of 6.12); execveat does not ask that.
//!
//! A file without a name starts here by its descriptor. Of the security modules only AppArmor asks whether the file of a
//! descriptor still has a name (`d_namespace_path`), and by the answer it refuses only a confined caller.
//!
//! The start of a traced caller succeeds too. `check_unsafe_exec` asks whether the caller is traced, to keep rights back. Only
//! security modules refuse, for a change of profile or domain (`may_change_ptraced_domain` of AppArmor).
//!
//! See execveat(2).

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::{self, AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::scenario::{Elf, ErrnoClaim, Evidence, Exec, Flaw, Hold, Scenario, System, traced};

pub const SCENARIO: Scenario = Scenario {
    summary: "errors claimed of execveat but not of execve, or otherwise",
    run,
    ..Scenario::DEFAULT
};

/// A claim's id, its errno, and the starts that are stated to give it.
type Stated = (&'static str, Errno, Vec<(&'static str, Exec)>);

/// execveat of an empty path, with descriptor 5 open on this path.
fn by_descriptor(path: &str, flags: OFlag) -> anyhow::Result<Exec> {
    let what = format!("fd 5 of {path}");
    Ok(Exec::at("execveat", what, 5, c"", AT_EMPTY_PATH)?.opened(5, path, flags))
}

/// The errno of a traced call that failed: its child exits with it.
fn errno_of(end: &str) -> Option<Errno> {
    let status = end.strip_prefix("exit ")?.parse().ok()?;
    Some(Errno::from_raw(status)).filter(|errno| *errno != Errno::UnknownErrno)
}

fn run(system: &mut System) -> anyhow::Result<()> {
    let good = Elf::new().build();
    system.file("good", &good, 0o755)?;
    system.file("directory/inner", &good, 0o755)?;
    system.file("machine", &Elf::new().flaw(Flaw::Machine).build(), 0o755)?;
    system.link("/tmp/good", "link")?;
    let all = Mode::from_bits_truncate(0o777);
    mknod("/tmp/device", SFlag::S_IFCHR, all, makedev(1, 3))?;
    let place = system.directory("noexec")?;
    system.bind("/tmp/directory", &place)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOEXEC;
    mount(None::<&str>, &place, None::<&str>, flags, None::<&str>)?;
    let place = system.directory("readonly")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    system.file("readonly/inner", &good, 0o755)?;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, &place, None::<&str>, flags, None::<&str>)?;
    let at =
        |what: &str, fd, path: &std::ffi::CStr, flags| Exec::at("execveat", what, fd, path, flags);
    let long = std::ffi::CString::new("x".repeat(256))?;
    let longer = std::ffi::CString::new(format!("/tmp{}//good", "/.".repeat(2043)))?;
    let path_only = OFlag::O_PATH;

    // Id, errno, what is stated with its start.
    let directory = by_descriptor("/tmp/directory", path_only)?;
    let prefix = at("inner below fd 5 of /tmp/good", 5, c"inner", 0)?;
    let none = at("none below fd 5 of /tmp/directory", 5, c"none", 0)?;
    let claims: Vec<Stated> = vec![
        (
            "at-error/EBADF",
            Errno::EBADF,
            vec![
                (
                    "a descriptor that is not open, relative path",
                    at("good below fd 50", 50, c"good", 0)?,
                ),
                (
                    "a descriptor that is not open, empty path",
                    at("fd 50", 50, c"", AT_EMPTY_PATH)?,
                ),
            ],
        ),
        (
            "at-error/EBADF_empty",
            Errno::EBADF,
            vec![
                ("empty path and AT_FDCWD", at("nothing", AT_FDCWD, c"", 0)?),
                (
                    "empty path and a descriptor",
                    at("fd 5, no flag", 5, c"", 0)?.opened(5, "/tmp/good", path_only),
                ),
            ],
        ),
        (
            "at-error/EINVAL_flags",
            Errno::EINVAL,
            vec![
                (
                    "flag 1",
                    at("/tmp/good with flag 1", AT_FDCWD, c"/tmp/good", 1)?,
                ),
                (
                    "AT_REMOVEDIR",
                    at(
                        "/tmp/good with AT_REMOVEDIR",
                        AT_FDCWD,
                        c"/tmp/good",
                        libc::AT_REMOVEDIR,
                    )?,
                ),
            ],
        ),
        (
            "at-error/EINVAL_machine",
            Errno::EINVAL,
            vec![(
                "program for another machine",
                by_descriptor("/tmp/machine", path_only)?,
            )],
        ),
        (
            "at-error/EINVAL_object",
            Errno::EINVAL,
            vec![("a device", by_descriptor("/tmp/device", path_only)?)],
        ),
        (
            "at-error/EISDIR",
            Errno::EISDIR,
            vec![
                ("descriptor of a directory", directory),
                (
                    "path of a directory",
                    at("/tmp/directory", AT_FDCWD, c"/tmp/directory", 0)?,
                ),
            ],
        ),
        (
            "at-error/ELOOP",
            Errno::ELOOP,
            vec![(
                "a link with AT_SYMLINK_NOFOLLOW",
                at("/tmp/link", AT_FDCWD, c"/tmp/link", AT_SYMLINK_NOFOLLOW)?,
            )],
        ),
        (
            "at-error/ENAMETOOLONG",
            Errno::ENAMETOOLONG,
            vec![
                ("component of 256 bytes", at("x...", AT_FDCWD, &long, 0)?),
                (
                    "filename of 4096 bytes",
                    at("/tmp/./...", AT_FDCWD, &longer, 0)?,
                ),
            ],
        ),
        (
            "at-error/ENOENT",
            Errno::ENOENT,
            vec![
                (
                    "a name that is missing",
                    none.opened(5, "/tmp/directory", path_only | OFlag::O_DIRECTORY),
                ),
                (
                    "a component that is missing",
                    at("/tmp/none/good", AT_FDCWD, c"/tmp/none/good", 0)?,
                ),
            ],
        ),
        (
            "at-error/ENOENT_deleted",
            Errno::ENOENT,
            vec![(
                "file without a name",
                by_descriptor("/tmp/gone", path_only)?
                    .before(|| Ok(std::fs::remove_file("/tmp/gone")?)),
            )],
        ),
        (
            "at-error/ENOTDIR",
            Errno::ENOTDIR,
            vec![
                (
                    "a path below a file's descriptor",
                    prefix.opened(5, "/tmp/good", path_only),
                ),
                (
                    "a component that is a file",
                    at("/tmp/good/x", AT_FDCWD, c"/tmp/good/x", 0)?,
                ),
            ],
        ),
        (
            "at-error/EPERM_noexec",
            Errno::EPERM,
            vec![(
                "mounted noexec",
                at("/tmp/noexec/inner", AT_FDCWD, c"/tmp/noexec/inner", 0)?,
            )],
        ),
    ];
    system.file("gone", &good, 0o755)?;
    for (id, errno, starts) in &claims {
        let mut claim = ErrnoClaim::new(system, id, *errno);
        for (what, exec) in starts {
            claim.stated(what, exec)?;
        }
        claim.verdict()?;
    }
    let what = "an empty path with a flag that is not known";
    let how = system.case(what, &at("nothing with flag 1", AT_FDCWD, c"", 1)?)?;
    system.fact(what, how)?;
    unmapped(system)?;
    let mut claim = Evidence::new("at-error/EACCES_read_only");
    let what = "on a read-only file system";
    let exec = at("/tmp/readonly/inner", AT_FDCWD, c"/tmp/readonly/inner", 0)?;
    claim.control(what, "exit 0", system.case(what, &exec)?)?;
    claim.unreachable(
        "an exec writes nothing to its file, which starts from a read-only file system; what would be \
         written there is refused with EROFS (sb_permission in fs/namei.c, of a mount alone \
         mnt_is_readonly in fs/namespace.c)",
    );
    system.verdict(&claim)?;
    let mut claim = ErrnoClaim::new(system, "at-error/EPERM_traced", Errno::EPERM);
    let exec = Exec::by("execveat, traced", "/tmp/good", |args| {
        let call = || args.execveat(AT_FDCWD, c"/tmp/good", 0);
        let stops = traced(Hold::SeizeExec, call).map_err(|_| Errno::EIO)?;
        // This start ends as the traced one did, where the tracer saw it.
        match stops.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["event exec", "exit 0"] => Ok(()),
            [end] => Err(errno_of(end).unwrap_or(Errno::EIO)),
            _ => Err(Errno::EIO),
        }
    })?;
    claim.stated("caller is traced", &exec)?;
    claim.verdict()
}

/// A path at NULL, and at an address where nothing is mapped; all else about the call is right.
fn unmapped(system: &mut System) -> anyhow::Result<()> {
    let with = |flags, address: Option<usize>| {
        Exec::by("execveat", "/tmp/good", move |args| {
            args.execveat_at(5, flags, |at| at.path = address.unwrap_or(at.path))
        })
        .map(|exec| exec.opened(5, "/tmp/good", OFlag::O_PATH))
    };
    let mut claim = ErrnoClaim::new(system, "at-error/EFAULT", Errno::EFAULT);
    claim.starts("its own path", &with(0, None)?)?;
    let empty = c"".as_ptr().expose_provenance();
    claim.starts(
        "an empty path, AT_EMPTY_PATH",
        &with(AT_EMPTY_PATH, Some(empty))?,
    )?;
    claim.stated("NULL", &with(0, Some(0))?)?;
    claim.stated("NULL, AT_EMPTY_PATH", &with(AT_EMPTY_PATH, Some(0))?)?;
    claim.stated("not mapped", &with(0, Some(8))?)?;
    claim.stated("not mapped, AT_EMPTY_PATH", &with(AT_EMPTY_PATH, Some(8))?)?;
    claim.verdict()
}
