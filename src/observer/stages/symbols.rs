//! Where functions are that a name alone does not find: there are two ELF handlers of one name.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};

use crate::stages::Source;

/// The places of the functions whose return is probed.
#[derive(Debug, Default)]
pub struct Symbols {
    start: Option<u64>,
    /// Addresses in the kernel itself; none for a function of a module.
    found: BTreeMap<String, Vec<Option<u64>>>,
}

/// Reads the kernel's symbols, once: the list is long (proc_kallsyms(5)).
///
/// # Errors
///
/// There is no such list.
pub fn symbols() -> Result<Symbols> {
    let text = fs::read_to_string("/proc/kallsyms").context("failed to read kallsyms")?;
    let wanted: Vec<_> = Source::all()
        .filter_map(|source| match source {
            Source::Return(name) => Some(name),
            _ => None,
        })
        .collect();
    Ok(parse(&text, &wanted))
}

fn parse(text: &str, wanted: &[&str]) -> Symbols {
    let mut symbols = Symbols::default();
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (address, kind) = (fields.next(), fields.next());
        let (Some(address), Some("t" | "T"), Some(name)) = (address, kind, fields.next()) else {
            continue;
        };
        let own = wanted.contains(&name);
        if !own && name != "_text" {
            continue;
        }
        let Ok(address) = u64::from_str_radix(address, 16) else {
            continue;
        };
        if !own {
            symbols.start = Some(address);
            continue;
        }
        let address = Some(address).filter(|_| fields.next().is_none());
        symbols
            .found
            .entry(name.to_owned())
            .or_default()
            .push(address);
    }
    symbols
}

impl Symbols {
    /// The places of a function as a probe takes them: relative to the start of the kernel's code,
    /// or the name itself for a function of a module.
    #[must_use]
    pub fn places(&self, function: &str) -> Vec<String> {
        let Some(found) = self.found.get(function) else {
            return Vec::new();
        };
        let mut addresses: Vec<u64> = found.iter().flatten().copied().collect();
        addresses.sort_unstable();
        match self.start {
            Some(start) if addresses.len() == found.len() => addresses
                .iter()
                .map(|address| format!("_text+{:#x}", address.wrapping_sub(start)))
                .collect(),
            _ => vec![function.to_owned()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn two_functions_of_one_name_are_two_places() {
        let text = "ffffffff81000000 T _text\nffffffff81000300 t f\nffffffff81000100 t f\n\
                    ffffffff81000200 t f.cold\n";
        assert_eq!(
            parse(text, &["f"]).places("f"),
            ["_text+0x100", "_text+0x300"]
        );
    }

    #[test]
    fn a_function_of_a_module_is_probed_by_its_name() {
        let text = "ffffffff81000000 T _text\nffffffffc0000100 t f\t[m]\n";
        assert_eq!(parse(text, &["f"]).places("f"), ["f"]);
    }

    #[test]
    fn a_function_that_is_not_there_has_no_place() {
        assert!(
            parse("ffffffff81000000 T _text\n", &["f"])
                .places("f")
                .is_empty()
        );
    }
}
