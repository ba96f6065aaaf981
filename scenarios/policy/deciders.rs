//! Who is asked first about an exec, and of whose refusals a listener never hears.
//!
//! Each of the first four below refuses a program, alone; some refuse it together with the listeners. (For the second the
//! program is a copy without execute permission.) The fact says what the listeners were asked and how the exec ended. The
//! kernel's order:
//!
//! 1. A seccomp filter, at the entry of the call: no event.
//! 2. The walk to the file, permissions, `noexec` (`may_open`, `path_noexec`): no event. (By source, where a file system
//!    opens a file that it looks up anew, as NFS 4, Ceph and GFS2 do in `atomic_open`, the events come before `may_open`.)
//! 3. Landlock, a hook of `security_file_open`: no event. fsnotify is called after the hooks of that function
//!    (`do_dentry_open` in fs/open.c; on 5.10 and 6.1 the end of `security_file_open` itself).
//! 4. fanotify: `FAN_OPEN_EXEC_PERM` of all groups, then `FAN_OPEN_PERM`. For each event the kernel asks groups of class
//!    `FAN_CLASS_PRE_CONTENT`, then those of class `FAN_CLASS_CONTENT` (`fsnotify` goes by the groups' priority). After a
//!    refusal it asks nobody else, and the second event does not come.
//! 5. What comes after both events: `i_writecount` (ETXTBSY), AppArmor, IMA, the format handlers.
//!
//! So a listener does not see every attempt: it never hears of a call that seccomp refuses, nor of a file that `may_open`
//! (but for the exception in 2) or Landlock refuses. docs/deciders.md has the whole path.
//!
//! Between the classes it does not matter whose group was made first. Of two groups of one class the kernel asks one first;
//! where that one refuses, it does not ask the other. Nobody promises which of them is first (the marks of one priority lie
//! by their groups' addresses, `fsnotify_compare_groups`), so the fact calls both by one name.
//!
//! Finding: 5.10 has no Landlock, which came with 5.13. Its calls fail with ENOSYS there, and the scenario leaves the cases
//! with Landlock out.
//!
//! See seccomp(2), landlock(7), fanotify_init(2).

use std::ffi::CStr;
use std::path::Path;

use nix::errno::Errno;

use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::Refuses::{Everything, Nothing};
use crate::scenario::{
    Elf, Listener, Refuses, Scenario, System, fork_start, hear, needs, prepared, reap,
};
use crate::sys::{self, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "who decides first about an exec, and what a listener never hears of",
    needs: &[needs::SECCOMP_FILTER, needs::LANDLOCK],
    run,
    ..Scenario::DEFAULT
};

/// Refuses the caller something, before the call.
type Refusal = fn() -> nix::Result<()>;

fn run(system: &mut System) -> anyhow::Result<()> {
    let place = system.directory("watched")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    system.file("watched/program", &Elf::new().build(), 0o755)?;
    system.file("watched/data", &Elf::new().build(), 0o644)?;
    let program = c"/tmp/watched/program";
    let seccomp: Refusal = || sys::filter_execve(Errno::EIO);
    let landlock: Refusal = sys::execute_nothing;
    let nothing: Refusal = || Ok(());
    let there = reap(fork_start(|| landlock().map(|()| sys::exit_now(0)))?)?;
    let has_landlock = there == "exit 0";
    if !has_landlock {
        system.fact("Landlock", format!("not there: {there}"))?;
    }
    let cases: [(&str, Refusal, &CStr, [Refuses; 2]); 9] = [
        ("nobody", nothing, program, [Nothing, Nothing]),
        ("seccomp", seccomp, program, [Nothing, Nothing]),
        (
            "no execute permission",
            nothing,
            c"/tmp/watched/data",
            [Nothing, Nothing],
        ),
        ("Landlock", landlock, program, [Nothing, Nothing]),
        (
            "the listener of content",
            nothing,
            program,
            [Nothing, Everything],
        ),
        (
            "the listener of pre-content",
            nothing,
            program,
            [Everything, Nothing],
        ),
        (
            "seccomp and the listeners",
            seccomp,
            program,
            [Everything, Everything],
        ),
        (
            "Landlock and the listeners",
            landlock,
            program,
            [Everything, Everything],
        ),
        ("both listeners", nothing, program, [Everything, Everything]),
    ];
    let known = |who: &str| has_landlock || !who.starts_with("Landlock");
    for (who, refusal, path, refuses) in cases.into_iter().filter(|case| known(case.0)) {
        let mut listeners = [
            listener("content", Class::Content, refuses[1], &place)?,
            listener("pre-content", Class::PreContent, refuses[0], &place)?,
        ];
        let heard = hear(&mut listeners, || {
            prepared(refusal());
            Invocation::new(&[], &[]).execve(path)
        })?;
        system.fact(&format!("refused by {who}"), heard)?;
    }
    order(system, &place, program)
}

/// Whether it matters which group was made first.
fn order(system: &mut System, place: &Path, program: &CStr) -> anyhow::Result<()> {
    let (content, other) = (Class::Content, Class::PreContent);
    let cases = [
        (
            "nobody, pre-content made first",
            [("pre-content", other), ("content", content)],
            Nothing,
        ),
        (
            "nobody, two of one class",
            [("content", content); 2],
            Nothing,
        ),
        ("two of one class", [("content", content); 2], Everything),
    ];
    for (who, [first, second], refuses) in cases {
        let mut listeners = [
            listener(first.0, first.1, refuses, place)?,
            listener(second.0, second.1, refuses, place)?,
        ];
        let heard = hear(&mut listeners, || Invocation::new(&[], &[]).execve(program))?;
        system.fact(&format!("refused by {who}"), heard)?;
    }
    Ok(())
}

fn listener(
    name: &'static str,
    class: Class,
    refuses: Refuses,
    place: &Path,
) -> anyhow::Result<Listener> {
    let group = Group::new(Ids::Process, class)?;
    group.watch_filesystem(place)?;
    Ok(Listener {
        name,
        group,
        refuses,
    })
}
