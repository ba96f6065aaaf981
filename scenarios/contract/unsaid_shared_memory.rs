//! Exec detaches shared memory: System V segments, and POSIX shared memory, which is a shared mapping of a file in the tmpfs at
//! `/dev/shm` (shm_open(3)). The scenario also tries a shared mapping without a file.
//!
//! Both are mappings of the old memory, which the exec gives up (`exec_mmap`, in 7.2 and 7.3 `setup_new_exec`). A System V
//! segment itself stays, unless nobody else has it attached and it is marked for removal or kernel.shm_rmid_forced is set. The
//! scenario asks the kernel while the new program runs, and nobody has the segment attached any more.
//!
//! See [c:execve-sysv-shm] and [c:execve-posix-shm].

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use crate::scenario::{Evidence, Exec, Scenario, System, held, needs};
use crate::subject::say;
use crate::sys::{self, Marked};

pub const SCENARIO: Scenario = Scenario {
    summary: "shared memory is detached",
    needs: &[needs::SYSVIPC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("unsaid/shared_memory");
    let segment = |path: &str| {
        Exec::by("execve with a segment", path, |args| {
            let id = sys::new_segment()?;
            let attach = || Ok(sys::attach_segment(id)?);
            let count = held(args, attach, |_| Ok(sys::attached(id)?));
            sys::remove_segment(id)?;
            let count = count.map_or_else(|error| format!("{error:#}"), |count| count.to_string());
            // A child that cannot say it has said nothing, and the scenario misses its line.
            let _ = say("attached", count);
            Ok(())
        })
    };
    let seen = system.look("System V, a call that fails", &segment("/tmp/none")?)?;
    claim.control("System V, a call that fails", "1", seen.found("attached")?)?;
    let seen = system.look("System V", &segment("/usr/bin/cat")?)?;
    claim.stated("System V", "0", seen.found("attached")?);
    let place = Path::new("/dev/shm");
    system.will_make(place)?;
    std::fs::create_dir(place)?;
    system.mount("tmpfs", "none", place, "mode=1777")?;
    for (what, map) in [
        ("POSIX", posix as fn() -> anyhow::Result<()>),
        ("a shared mapping", || Ok(sys::map_mark(Marked::Shared)?)),
    ] {
        let mapping = |path: &str| {
            let exec = Exec::path(path)?.reports(&["mark"])?;
            anyhow::Ok(exec.before(map))
        };
        let failing = format!("{what}, a call that fails");
        let seen = system.look(&failing, &mapping("/tmp/none")?)?;
        claim.control(&failing, "yes", seen.found("mark")?)?;
        let seen = system.look(what, &mapping("/tmp/reporter")?)?;
        claim.stated(what, "no", seen.found("mark")?);
    }
    system.verdict(&claim)
}

/// Maps an object of POSIX shared memory, as shm_open(3) makes it.
fn posix() -> anyhow::Result<()> {
    let mut options = File::options();
    let object = options.read(true).write(true).create(true);
    let object = object.truncate(false).open("/dev/shm/object")?;
    object.set_len(4096)?;
    Ok(sys::map_mark_of(object.as_fd())?)
}
