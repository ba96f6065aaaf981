//! The claims about the ways that change what they watch.

use super::super::judge::Heard;
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

/// The scenarios of execs of which nothing is heard, each once.
fn missed(cell: &Cell) -> Vec<&str> {
    let all = cell.executed();
    let missed = all.filter(|(_, judged)| judged.heard == Heard::Missed);
    let mut names: Vec<_> = missed.map(|(scenario, _)| scenario.as_str()).collect();
    names.dedup();
    names
}

fn ptrace_all(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell(STOPPED)?;
    let (missed, all) = (missed(cell), cell.executed().count());
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

fn preload_static(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let missed = missed(kernel.cell(LOADED)?);
    let both = ["start/static", "start/static_pie"];
    let found = both.iter().filter(|name| missed.contains(name)).count();
    let evidence = format!("{found} of {} static programs say nothing", both.len());
    Some((
        holds_or(found == both.len(), Judgement::Contradicted),
        evidence,
    ))
}

fn preload_bypass(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (loaded, called) = (kernel.cell(LOADED)?, kernel.cell(CALLED)?);
    let (silent, all) = (missed(loaded), loaded.executed().count());
    let of = |cell: &Cell| {
        let missed = cell.executed();
        missed
            .filter(|(_, judged)| judged.heard == Heard::Missed)
            .count()
    };
    let evidence = format!(
        "of {all} execs {} are of programs in which it says nothing, in {} scenarios, and {} are not asked for by \
         a function of the library",
        of(loaded),
        silent.len(),
        of(called)
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
    let (missed, all) = (missed(cell), cell.executed().count());
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
    let verdict = by_share((found, all), Judgement::Contradicted, Judgement::Holds);
    Some((verdict, evidence))
}
