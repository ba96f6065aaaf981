//! AppArmor, a listener, both or neither refuse an exec, and the fact says what the listener hears of it. The AppArmor
//! profile has no rules; the child takes it on itself.
//!
//! Both events come first. The file is already open when `apparmor_bprm_creds_for_exec` looks at it, and AppArmor lets the
//! open itself pass, because it is one to execute (`apparmor_file_open`: "If in exec, permission is handled by bprm hooks").
//! So where both would refuse, the listener refuses, and a listener that allows is not told that the program never ran.
//!
//! Here the errno tells the caller who refused: EPERM is the listener's, EACCES AppArmor's. (AppArmor answers EPERM too,
//! where no_new_privs forbids a change of profile.)
//!
//! See docs/deciders.md; apparmor(7).

use crate::need::Need;
use crate::observer::apparmor::{APPARMOR, REFUSES, take_on};
use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::{Elf, Listener, Refuses, Scenario, System, hear, prepared};
use crate::sys::Invocation;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener hears both events of an exec that AppArmor refuses",
    needs: &[
        Need::vm("a virtual machine: profiles are the whole machine's"),
        APPARMOR,
    ],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    REFUSES.load()?;
    let place = system.directory("watched")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    system.file("watched/program", &Elf::new().build(), 0o755)?;
    let cases = [
        ("nobody", false, Refuses::Nothing),
        ("AppArmor", true, Refuses::Nothing),
        ("the listener", false, Refuses::Everything),
        ("AppArmor and the listener", true, Refuses::Everything),
    ];
    for (who, confined, refuses) in cases {
        let group = Group::new(Ids::Process, Class::Content)?;
        group.watch_filesystem(&place)?;
        let listener = Listener {
            name: "",
            group,
            refuses,
        };
        let heard = hear(&mut [listener], || {
            if confined {
                prepared(take_on(REFUSES.name));
            }
            Invocation::new(&[], &[]).execve(c"/tmp/watched/program")
        })?;
        system.fact(&format!("refused by {who}"), heard)?;
    }
    Ok(())
}
