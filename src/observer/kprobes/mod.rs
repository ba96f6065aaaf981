//! Probes on functions of the exec path, without eBPF: what `kprobe_events` can fetch.
//!
//! A probe reads arguments by their distance from a register; where a field lies in a struct is told by
//! the kernel's own types ([`crate::btf`]). The name of a file is fetched component by component: a fixed
//! chain from its dentry upwards. Of mounts nothing is known there.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};

use super::tracefs::{BUFFER, Instance, PROBES, TRACING, append};
use super::{HeldHook, Kind, Observer, Watch, broken};
use crate::btf::Btf;
use crate::event::{self, DEPTH, Report};
use crate::need::{Host, Need};
use crate::trail::LabKind;
use crate::wire::{Failure, Lost};

/// Armed before the monitor, which lays a marker into the trace at each step.
pub const KIND: Kind = Kind {
    name: "kprobes",
    needs: &[
        Need::vm("a virtual machine: the tracer of the running system is not ours"),
        PROBES,
        Need {
            what: "the kernel's types (CONFIG_DEBUG_INFO_BTF)",
            host: Host::Config("CONFIG_DEBUG_INFO_BTF"),
            probe: |_| Path::new(TYPES).exists(),
        },
    ],
    wants: &[],
    takes: None,
    make: || Box::new(Kprobes::default()),
};

/// Where the kernel describes its types.
const TYPES: &str = "/sys/kernel/btf/vmlinux";
/// Group of the probes.
const GROUP: &str = "exetrail_kprobes";

/// Functions with a `struct linux_binprm` as their first argument that every kernel of the table has: the hooks of
/// the security modules, in the order in which an exec passes them.
const FUNCTIONS: [&str; 4] = [
    "security_bprm_creds_for_exec",
    "security_bprm_check",
    "security_bprm_creds_from_file",
    "security_bprm_committed_creds",
];

/// Probes and an instance of the tracer for the whole boot.
#[derive(Debug, Default)]
struct Kprobes {
    instance: Option<Instance>,
    /// How many hits had been missed when the watch began: the kernel counts them from its boot.
    missed: u64,
}

impl Kprobes {
    fn make(&mut self) -> Result<()> {
        let bytes = fs::read(TYPES).with_context(|| format!("failed to read {TYPES}"))?;
        let fetched = fetched(&Btf::parse(bytes).context("the kernel's types are damaged")?)
            .context(
                "the kernel's types have no struct linux_binprm, file or dentry as known here",
            )?;
        for function in FUNCTIONS {
            let rule = format!("p:{GROUP}/{function} {function} {fetched}");
            append(&Path::new(TRACING).join("kprobe_events"), &rule)?;
        }
        let instance = self.instance.insert(Instance::make(KIND.name, BUFFER)?);
        // A probe tells a thread; this tells whose.
        instance.enable("task/task_newtask")?;
        let mut functions = FUNCTIONS.iter();
        functions.try_for_each(|function| instance.enable(&format!("{GROUP}/{function}")))
    }

    fn instance(&mut self) -> Result<&mut Instance, Failure> {
        let instance = self.instance.as_mut();
        instance.ok_or_else(|| Failure::Broken("the probes were not set up".to_owned()))
    }
}

/// What a probe fetches: where the file's dentry lies and the one above it, the path as passed, the interpreter, and
/// the names of the file's components.
fn fetched(btf: &Btf) -> Option<String> {
    let bprm = |field| btf.offset("linux_binprm", &[field]);
    let (filename, interp, file) = (bprm("filename")?, bprm("interp")?, bprm("file")?);
    let dentry = btf.offset("file", &["f_path", "dentry"])?;
    let (name, parent) = (
        btf.offset("dentry", &["d_name", "name"])?,
        btf.offset("dentry", &["d_parent"])?,
    );
    let mut place = format!("+{dentry}(+{file}($arg1))");
    // First: what follows is text that a program may choose.
    let mut text = format!("own={place}:x64 parent=+{parent}({place}):x64");
    text += &format!(" path=+0(+{filename}($arg1)):string interp=+0(+{interp}($arg1)):string");
    for level in 0..DEPTH {
        text += &format!(" n{level}=+0(+{name}({place})):string");
        place = format!("+{parent}({place})");
    }
    Some(text)
}

impl Observer for Kprobes {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        self.make().map_err(broken)
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        self.missed = missed().map_err(broken)?;
        let marker = self.instance()?.begin().map_err(broken)?;
        watch.hooks.push(HeldHook {
            observer: KIND.name,
            call: Box::new(marker),
        });
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<super::Statement>, Failure> {
        let lines = self.instance()?.end().map_err(broken)?;
        let raw = event::events(&lines).map_err(|what| broken(anyhow!("the trace is {what}")))?;
        let mut events = event::place(&watch.run, raw);
        events.retain(|event| event.kind == event::Kind::Inside);
        let report = Report {
            events,
            ..Report::default()
        };
        let missed = missed().map_err(broken)?.saturating_sub(self.missed);
        super::Statement::told(
            &report,
            Lost {
                missed,
                ..Lost::default()
            },
        )
    }

    fn abandon(&mut self) {
        if let Some(instance) = &mut self.instance {
            // What a broken scenario left in the buffer is nobody's.
            let _ = instance.end();
        }
    }
}

/// How many hits of our probes were missed since the boot: `NAME HITS MISSED` a line.
fn missed() -> Result<u64> {
    let path = Path::new(TRACING).join("kprobe_profile");
    let profile = fs::read_to_string(&path).context("failed to read kprobe_profile")?;
    let mut missed = 0;
    for line in profile.lines() {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            [name, _, count] if FUNCTIONS.contains(name) => {
                missed += count
                    .parse::<u64>()
                    .context("failed to read kprobe_profile")?;
            }
            [_, _, _] | [] => {}
            _ => bail!("kprobe_profile has a line that is not understood: {line}"),
        }
    }
    Ok(missed)
}
