//! The claims about eBPF, and about a policy that uses it.

use super::super::judge::{Chain, Path};
use super::{Judge, Kernel, by_share, holds_or, right};
use crate::trail::Judgement;

/// The claims with who judges them.
pub(super) const JUDGES: &[(&str, Judge)] = &[
    ("ebpf/helper-path", ebpf_helper_path),
    ("ebpf/cgroup", ebpf_cgroup),
    ("ebpf/version", ebpf_version),
    ("ebpf/module", ebpf_module),
    ("ebpf/chdir", ebpf_chdir),
    ("tetragon/elf", tetragon_elf),
    ("tetragon/script", tetragon_script),
    ("tetragon/complement", tetragon_complement),
];

fn ebpf_helper_path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (found, all) = right(kernel.cell("eBPF, bpf_d_path at security_file_open")?);
    let evidence = format!(
        "bpf_d_path is that helper (since 5.10; the kfunc bpf_path_d_path since 6.12); at security_file_open it gives \
         the file's own path in {found} of {all} execs"
    );
    let verdict = by_share((found, all), Judgement::Holds, Judgement::Contradicted)?;
    Some((verdict, evidence))
}

fn ebpf_cgroup(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("eBPF, helpers at sched_process_exec")?;
    let all = cell.executed().count();
    let told = cell
        .executed()
        .filter(|(_, judged)| judged.container)
        .count();
    let evidence = format!(
        "bpf_get_current_cgroup_id gives a number in {told} of {all} execs, which is the inode of \
         the cgroup's directory; that a cgroup is a container is somebody's convention"
    );
    Some((
        by_share((told, all), Judgement::Contradicted, Judgement::Holds)?,
        evidence,
    ))
}

fn ebpf_version(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    // One that hears nothing may have another fault.
    kernel
        .cell("eBPF, structs at sched_process_exec")?
        .heard()
        .next()?;
    let evidence = "one object is loaded on every kernel of the table: the loader puts the distances \
                    in by the kernel's own types (CO-RE, BTF)";
    Some((Judgement::Contradicted, evidence.to_owned()))
}

fn ebpf_module(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("eBPF, security module, bpf_d_path")?;
    if let Some(deaf) = &cell.deaf {
        let evidence = format!("one is loaded, attached, and never called: {deaf}");
        return Some((Judgement::Contradicted, evidence));
    }
    let (missed, all) = (cell.missed().count(), cell.executed().count());
    let evidence = format!("of {all} execs {missed} are missed");
    Some((holds_or(missed == 0, Judgement::Partly), evidence))
}

fn ebpf_chdir(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (found, all) = right(kernel.cell("eBPF, exec with fork and chdir")?);
    let evidence = format!(
        "what chdir was given, and then what exec was given, make the file's own path in {found} of \
         {all} execs; links, other names, chroot, descriptors and mounts make another"
    );
    let verdict = by_share((found, all), Judgement::Contradicted, Judgement::Holds)?;
    Some((verdict, evidence))
}

/// The hook of the policy.
const TETRAGON: &str = "Tetragon's hook, process-exec-elf-begin";

fn tetragon_elf(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell(TETRAGON)?;
    let own = cell.executed().filter(|(_, judged)| {
        !judged.attempt.is_interpreted() && judged.attempt.program().is_some()
    });
    let (mut all, mut found) = (0, 0);
    for (_, judged) in own {
        all += 1;
        found += usize::from(judged.path == Some(Path::Right));
    }
    let evidence = format!("the file's own path in {found} of {all} execs of an ELF program");
    Some((
        by_share((found, all), Judgement::Contradicted, Judgement::Holds)?,
        evidence,
    ))
}

fn tetragon_script(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (mut all, mut found) = (0, 0);
    for (_, judged) in kernel.cell(TETRAGON)?.executed() {
        if judged.attempt.is_interpreted() {
            all += 1;
            found += usize::from(judged.path == Some(Path::Interpreter));
        }
    }
    let evidence = format!(
        "in {found} of {all} execs of a script or another file with a handler it is the interpreter"
    );
    Some((
        by_share((found, all), Judgement::Contradicted, Judgement::Holds)?,
        evidence,
    ))
}

fn tetragon_complement(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (mut all, mut found) = (0, 0);
    for (_, judged) in kernel
        .cell("its complement, security_bprm_check")?
        .executed()
    {
        if judged.attempt.is_interpreted() {
            all += 1;
            found += usize::from(judged.chain == Some(Chain::Both));
        }
    }
    let evidence = format!(
        "it is called for each file of a chain: in {found} of {all} such execs it tells the program \
         and its interpreter"
    );
    Some((
        by_share((found, all), Judgement::Contradicted, Judgement::Holds)?,
        evidence,
    ))
}
