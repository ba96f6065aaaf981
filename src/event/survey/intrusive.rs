//! The claims about the ways that change what they watch.

use super::super::table::Cell;
use super::{Judge, Kernel, by_share, holds_or, right};
use crate::trail::Judgement;

/// The claims with who judges them.
pub(super) const JUDGES: &[(&str, Judge)] = &[
    ("ptrace/all", ptrace_all),
    ("ptrace/unchanged", |kernel| {
        unchanged(kernel.cell(FILTERED)?)
    }),
    ("ptrace/set-user-id", ptrace_set_user_id),
    ("preload/static", preload_static),
    ("preload/bypass", preload_bypass),
    ("preload/unchanged", |kernel| {
        unchanged(kernel.cell(CALLED)?)
    }),
    ("apparmor/all", apparmor_all),
    ("apparmor/path", apparmor_path),
    ("apparmor/unchanged", |kernel| {
        unchanged(kernel.cell(COMPLAINS)?)
    }),
];

/// The stop at which a filter wakes the tracer.
const FILTERED: &str = "ptrace, stop of the filter";
/// The stop at which a tracer finds the new program.
const STOPPED: &str = "ptrace, stop of the exec";
/// What the preloaded library says of a program that has it.
const LOADED: &str = "LD_PRELOAD, when it is loaded";
/// What it says of a call.
const CALLED: &str = "LD_PRELOAD, functions of the library";

fn ptrace_all(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell(STOPPED)?;
    let (missed, all) = (cell.missed_in(), cell.executed().count());
    let evidence = match missed.is_empty() {
        true => format!("{all} execs, each seen"),
        false => format!(
            "of {all} execs those are missed of whom the tracer is not told: children with CLONE_UNTRACED, and \
             what the kernel starts ({})",
            missed.join(", ")
        ),
    };
    Some((
        holds_or(missed.is_empty(), Judgement::Contradicted),
        evidence,
    ))
}

fn ptrace_set_user_id(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell(STOPPED)?;
    let mut own = cell.executed();
    let (_, judged) = own.find(|(scenario, _)| scenario == "start/set_user_id")?;
    let user = judged.user.as_deref()?;
    let evidence = format!(
        "the tracer here has CAP_SYS_PTRACE, and finds the program with the users {user}, real and effective"
    );
    Some((holds_or(!user.ends_with("/0"), Judgement::Partly), evidence))
}

fn unchanged(cell: &Cell) -> Option<(Judgement, String)> {
    let changed = cell.changed.as_ref()?;
    let evidence = match changed.as_slice() {
        [] => "every trail is the same with it as without".to_owned(),
        few if few.len() <= 8 => format!("other trails: {}", few.join(", ")),
        many => format!("{} trails are others with it", many.len()),
    };
    Some((
        holds_or(changed.is_empty(), Judgement::Contradicted),
        evidence,
    ))
}

/// The scenarios whose program is static, and is executed once.
const STATIC: [&str; 2] = ["start/static", "start/static_pie"];

fn preload_static(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell(LOADED)?;
    let missed = cell.missed_in();
    let is_there = |name: &&str| cell.executed().any(|(scenario, _)| scenario == *name);
    let all: Vec<_> = STATIC.into_iter().filter(is_there).collect();
    let found = all.iter().filter(|name| missed.contains(name)).count();
    let evidence = format!("{found} of {} static programs say nothing", all.len());
    let holds = holds_or(found == all.len(), Judgement::Contradicted);
    (!all.is_empty()).then_some((holds, evidence))
}

fn preload_bypass(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (loaded, called) = (kernel.cell(LOADED)?, kernel.cell(CALLED)?);
    let (silent, all) = (loaded.missed_in(), loaded.executed().count());
    let evidence = format!(
        "of {all} execs {} are of programs in which it says nothing, in {} scenarios, and {} are not asked for by \
         a function of the library",
        loaded.missed().count(),
        silent.len(),
        called.missed().count()
    );
    Some((
        holds_or(!silent.is_empty(), Judgement::Contradicted),
        evidence,
    ))
}

/// What AppArmor would refuse.
const COMPLAINS: &str = "AppArmor, complain mode";

fn apparmor_all(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell(COMPLAINS)?;
    let (missed, all) = (cell.missed_in(), cell.executed().count());
    let evidence = match missed.is_empty() {
        true => format!("{all} execs, each reported"),
        false => format!(
            "of {all} execs some are not reported: {}",
            missed.join(", ")
        ),
    };
    Some((
        holds_or(missed.is_empty(), Judgement::Contradicted),
        evidence,
    ))
}

fn apparmor_path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (found, all) = right(kernel.cell(COMPLAINS)?);
    let evidence = format!("name is the file's own path in {found} of {all} execs");
    let verdict = by_share((found, all), Judgement::Contradicted, Judgement::Holds)?;
    Some((verdict, evidence))
}
