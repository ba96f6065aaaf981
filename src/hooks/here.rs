//! What the running kernel offers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MsFlags, mount};

use super::exec::{Step, leads, passed};
use super::{Lsm, Offer};
use crate::btf::Btf;

/// Looks at the running kernel, as root.
///
/// # Errors
///
/// The kernel's symbols cannot be read.
pub fn look(symbols: &[String]) -> Result<Vec<Offer>> {
    let known = Symbols::read()?;
    Ok(symbols.iter().map(|symbol| known.offer(symbol)).collect())
}

/// How many execs are traced: what only some of them pass is chance, as an interrupt is.
const EXECS: usize = 6;
/// Where the tracer is; the function graph is for the whole machine, and no instance has it everywhere.
const TRACING: &str = "/sys/kernel/tracing";
/// The call, by its name in the kernel's text.
const CALL: &str = "__x64_sys_execve";

/// Executes a script under the function graph, as root of a machine that nobody else uses.
///
/// # Errors
///
/// The tracer refuses something, or the script does not run.
pub fn exec() -> Result<Vec<Step>> {
    let put = |name: &str, value: &str| {
        let path = format!("{TRACING}/{name}");
        fs::write(&path, value).with_context(|| format!("failed to write {value} to {path}"))
    };
    put("tracing_on", "0")?;
    put("buffer_size_kb", "16384")?;
    put("set_graph_function", CALL)?;
    put("current_tracer", "function_graph")?;
    for column in ["cpu", "duration", "overhead", "irqs"] {
        put(&format!("options/funcgraph-{column}"), "0")?;
    }
    let own = std::env::current_exe().context("failed to find this program")?;
    let script = "/tmp/exetrail-exec";
    fs::create_dir_all("/tmp").context("failed to make /tmp")?;
    fs::write(script, format!("#!{} --version\n", own.display()))?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755))?;
    let mut traces = Vec::new();
    for _ in 0..EXECS {
        put("trace", "")?;
        put("tracing_on", "1")?;
        let output = Command::new(script).output();
        put("tracing_on", "0")?;
        let output = output.with_context(|| format!("failed to execute {script}"))?;
        ensure!(
            output.status.success(),
            "{script} ended with {}",
            output.status
        );
        traces.push(
            fs::read_to_string(format!("{TRACING}/trace")).context("failed to read the trace")?,
        );
    }
    let known = Symbols::read()?;
    let steps = passed(&traces).into_iter().filter_map(|function| {
        let (arguments, leads) = leads(&known.btf.as_ref()?.parameters(&function)?)?;
        Some(Step {
            ways: known.offer(&function).ways(),
            function,
            arguments,
            leads: leads.to_owned(),
        })
    });
    let steps: Vec<_> = steps.collect();
    ensure!(
        !steps.is_empty(),
        "the function graph shows nothing of {CALL}"
    );
    Ok(steps)
}

/// `ffffffff81000000 T name`, and behind it `[module]` where the function is a loaded module's.
fn function(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    let (_, kind, name) = (words.next()?, words.next()?, words.next()?);
    matches!(kind, "t" | "T" | "w" | "W").then(|| name.to_owned())
}

/// Whether this may stand behind a function's name: what the compiler has hung on it (`.isra.0`). What was moved out of it
/// as unlikely (`.cold`) is a part of it, which no call enters.
fn is_hung_on(rest: &str) -> bool {
    rest.starts_with('.') && !rest.split('.').any(|part| part == "cold")
}

fn words(text: &str) -> Vec<String> {
    let first = text
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().next());
    first.map(ToOwned::to_owned).collect()
}

struct Symbols {
    functions: Vec<String>,
    ftrace: Vec<String>,
    events: Vec<String>,
    blacklist: Vec<String>,
    btf: Option<Btf>,
    lsms: String,
}

impl Symbols {
    fn read() -> Result<Symbols> {
        // The kprobes that are not allowed are listed in debugfs and nowhere else.
        for (kind, place) in [
            ("debugfs", "/sys/kernel/debug"),
            ("securityfs", "/sys/kernel/security"),
        ] {
            // Mounted already, or not built in: then there is no list.
            let _ = mount(
                Some(kind),
                place,
                Some(kind),
                MsFlags::empty(),
                None::<&str>,
            );
        }
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let text =
            fs::read_to_string("/proc/kallsyms").context("failed to read the kernel's symbols")?;
        Ok(Symbols {
            functions: text.lines().filter_map(function).collect(),
            ftrace: words(&read("/sys/kernel/tracing/available_filter_functions")),
            events: words(&read("/sys/kernel/tracing/available_events")),
            blacklist: read("/sys/kernel/debug/kprobes/blacklist")
                .lines()
                .filter_map(|line| Some(line.split_once('\t')?.1.to_owned()))
                .collect(),
            btf: fs::read("/sys/kernel/btf/vmlinux")
                .ok()
                .and_then(Btf::parse),
            lsms: read("/sys/kernel/security/lsm"),
        })
    }

    fn offer(&self, symbol: &str) -> Offer {
        // What the compiler made of a function still has its name before the first dot.
        let own = |name: &&String| {
            name.strip_prefix(symbol)
                .is_some_and(|rest| rest.is_empty() || is_hung_on(rest))
        };
        let of = |names: &[String]| {
            let mut found: Vec<_> = names.iter().filter(own).cloned().collect();
            found.sort();
            found.dedup();
            found
        };
        let events = self.events.iter().filter(|event| {
            let name = event.split_once(':').map(|(_, name)| name);
            *event == symbol || name == Some(symbol)
        });
        let signature = self.btf.as_ref().and_then(|btf| btf.signature(symbol));
        let lsm = self
            .btf
            .as_ref()
            .is_some_and(|btf| btf.has(&format!("bpf_lsm_{symbol}")));
        let active = self.lsms.trim().split(',').any(|name| name == "bpf");
        Offer {
            symbol: symbol.to_owned(),
            functions: of(&self.functions),
            ftrace: of(&self.ftrace),
            blacklisted: of(&self.blacklist),
            tracepoints: events.cloned().collect(),
            signature,
            lsm: lsm.then_some(match active {
                true => Lsm::Active,
                false => Lsm::Deaf,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols() -> Symbols {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Symbols {
            functions: list(&["f", "f.isra.0", "f.cold", "f.isra.0.cold", "fg"]),
            ftrace: list(&["f"]),
            events: list(&["a:f", "f:b"]),
            blacklist: Vec::new(),
            btf: None,
            lsms: String::new(),
        }
    }

    #[test]
    fn a_symbol_is_found_with_what_the_compiler_hung_on_it_and_nothing_longer() {
        let offer = symbols().offer("f");
        assert_eq!(offer.functions, ["f", "f.isra.0"]);
        assert_eq!(offer.tracepoints, ["a:f"]);
    }

    #[test]
    fn a_tracepoint_is_found_by_its_group_and_name_as_well() {
        assert_eq!(symbols().offer("f:b").tracepoints, ["f:b"]);
    }

    #[test]
    fn a_line_of_data_is_no_function_and_one_of_a_module_is() {
        assert_eq!(function("ffff T f"), Some("f".to_owned()));
        assert_eq!(function("ffff D f"), None);
        assert_eq!(function("ffff t f\t[mod]"), Some("f".to_owned()));
    }
}
