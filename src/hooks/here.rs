//! What the running kernel offers.

use std::fs;

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};

use super::btf::Btf;
use super::{Lsm, Offer};

/// Looks at the running kernel, as root.
///
/// # Errors
///
/// The kernel's symbols cannot be read.
pub fn look(symbols: &[String]) -> Result<Vec<Offer>> {
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
    let symbols_of = Symbols {
        functions: text.lines().filter_map(function).collect(),
        ftrace: words(&read("/sys/kernel/tracing/available_filter_functions")),
        events: words(&read("/sys/kernel/tracing/available_events")),
        blacklist: read("/sys/kernel/debug/kprobes/blacklist")
            .lines()
            .filter_map(|line| Some(line.split_once('\t')?.1.to_owned()))
            .collect(),
        btf: fs::read("/sys/kernel/btf/vmlinux")
            .ok()
            .and_then(|bytes| Btf::parse(&bytes)),
        lsms: read("/sys/kernel/security/lsm"),
    };
    Ok(symbols
        .iter()
        .map(|symbol| symbols_of.offer(symbol))
        .collect())
}

/// `ffffffff81000000 T name`, of the kernel's text and no module's.
fn function(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    let (_, kind, name) = (words.next()?, words.next()?, words.next()?);
    (matches!(kind, "t" | "T" | "w" | "W") && words.next().is_none()).then(|| name.to_owned())
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
    fn offer(&self, symbol: &str) -> Offer {
        // What the compiler made of a function still has its name before the first dot.
        let own = |name: &&String| {
            name.strip_prefix(symbol).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('.') && !rest.starts_with(".cold")
            })
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
            functions: list(&["f", "f.isra.0", "f.cold", "fg"]),
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
    fn a_line_of_a_module_or_of_data_is_no_function() {
        assert_eq!(function("ffff T f"), Some("f".to_owned()));
        assert_eq!(function("ffff D f"), None);
        assert_eq!(function("ffff t f\t[mod]"), None);
    }
}
