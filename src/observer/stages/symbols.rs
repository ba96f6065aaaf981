//! Where functions are that a name alone does not find: there are two ELF handlers of one name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use anyhow::{Context as _, Result};
use memchr::memrchr;

use crate::stages::Source;

/// The places of the functions whose return is probed.
#[derive(Debug, Default)]
pub struct Symbols {
    start: Option<u64>,
    /// Addresses in the kernel itself.
    found: BTreeMap<String, Vec<u64>>,
}

/// Reads the symbols of the kernel itself, once, and of them the code: the list is long
/// (proc_kallsyms(5)), sorted by address, and modules come last.
///
/// # Errors
///
/// There is no such list.
pub fn symbols() -> Result<Symbols> {
    let list = File::open("/proc/kallsyms").context("failed to read kallsyms")?;
    let wanted = Source::all().filter_map(|source| match source {
        Source::Return(name) => Some(name),
        _ => None,
    });
    let wanted: Vec<_> = wanted.collect();
    parse(BufReader::with_capacity(1 << 16, list), &wanted).context("failed to read kallsyms")
}

fn parse(mut list: impl BufRead, wanted: &[&str]) -> io::Result<Symbols> {
    let mut symbols = Symbols::default();
    let mut line = Vec::new();
    while list.read_until(b'\n', &mut line)? > 0 {
        let name = line.trim_ascii_end();
        let name = &name[memrchr(b' ', name).map_or(0, |space| space + 1)..];
        if name == b"_etext" {
            break;
        }
        let own = wanted.iter().find(|wanted| wanted.as_bytes() == name);
        if (own.is_some() || name == b"_text")
            && let Some(address) = code(&line)
        {
            match own {
                Some(own) => symbols
                    .found
                    .entry((*own).to_owned())
                    .or_default()
                    .push(address),
                None => symbols.start = Some(address),
            }
        }
        line.clear();
    }
    Ok(symbols)
}

/// The address of a line, where it is one of code.
fn code(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    let (address, kind) = text.split_once(' ')?;
    let is_code = kind.starts_with(['t', 'T']);
    u64::from_str_radix(address, 16).ok().filter(|_| is_code)
}

impl Symbols {
    /// The places of a function as a probe takes them: relative to the start of the kernel's code, or
    /// the name itself where the kernel has none, which may be of a module, or of nobody.
    #[must_use]
    pub fn places(&self, function: &str) -> Vec<String> {
        let found = self.found.get(function).map(Vec::as_slice);
        match (self.start, found) {
            (Some(start), Some(addresses)) => addresses
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

    fn places(list: &str) -> Vec<String> {
        parse(list.as_bytes(), &["f"]).unwrap().places("f")
    }

    #[test]
    fn two_functions_of_one_name_are_two_places() {
        let text = "ffffffff81000000 T _text\nffffffff81000100 t f\nffffffff81000200 t f.cold\n\
                    ffffffff81000300 t f\n";
        assert_eq!(places(text), ["_text+0x100", "_text+0x300"]);
    }

    #[test]
    fn what_is_no_code_is_no_place() {
        let text = "ffffffff81000000 T _text\nffffffff81000100 d f\n";
        assert_eq!(places(text), ["f"]);
    }

    #[test]
    fn a_function_of_a_module_is_probed_by_its_name() {
        let text =
            "ffffffff81000000 T _text\nffffffff82000000 T _etext\nffffffffc0000100 t f\t[m]\n";
        assert_eq!(places(text), ["f"]);
    }

    #[test]
    fn nothing_is_read_after_the_code() {
        let text = "ffffffff81000000 T _text\nffffffff82000000 T _etext\nffffffff83000000 t f\n";
        assert_eq!(places(text), ["f"]);
    }
}
