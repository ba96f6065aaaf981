//! Where functions are that a name alone does not find: there are two ELF handlers of one name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use anyhow::{Context as _, Result};
use memchr::{memchr, memrchr};

use crate::stages::Source;
use crate::trace::Functions;

/// Where functions are whose return is probed, or whose entry is traced.
#[derive(Debug, Default)]
pub struct Symbols {
    start: Option<u64>,
    /// Addresses in the kernel itself, of those whose return is probed.
    found: BTreeMap<String, Vec<u64>>,
    /// Those whose entry is traced.
    pub functions: Functions,
}

/// Reads the symbols of the kernel itself, once, and of them the code: the list is long
/// (proc_kallsyms(5)), sorted by address, and modules come last. Those are read where two of these functions, which
/// are traced, were not found before.
///
/// # Errors
///
/// There is no such list.
pub fn symbols(traced: &[&str]) -> Result<Symbols> {
    let list = File::open("/proc/kallsyms").context("failed to read kallsyms")?;
    let probed = Source::all().filter_map(|source| match source {
        Source::Return(name) => Some(name),
        _ => None,
    });
    let probed: Vec<_> = probed.collect();
    parse(BufReader::with_capacity(1 << 16, list), &probed, traced)
        .context("failed to read kallsyms")
}

fn parse(mut list: impl BufRead, probed: &[&str], traced: &[&str]) -> io::Result<Symbols> {
    let mut symbols = Symbols::default();
    let mut wanted: Vec<&str> = [probed, traced, &[START, END]].concat();
    wanted.sort_unstable();
    // Of a hundred thousand lines, each under emulation, nearly all are somebody else's: by two letters.
    let mut begins = vec![false; 1 << 16];
    for name in &wanted {
        begins[pair(name.as_bytes())] = true;
    }
    let mut line = Vec::new();
    let mut whose = Whose::Kernel;
    while list.read_until(b'\n', &mut line)? > 0 {
        if begins[pair(line.get(NAME..).unwrap_or_default())] {
            let name = name(&line);
            if let Ok(place) = wanted.binary_search_by(|own| own.as_bytes().cmp(bare(name)))
                && let Some(address) = code(&line)
            {
                symbols.add(wanted[place], name, address, whose);
                if name == END.as_bytes() {
                    whose = Whose::Modules;
                    if symbols.is_enough(traced, address) {
                        break;
                    }
                }
            }
        }
        line.clear();
    }
    Ok(symbols)
}

/// Where the name begins on each line, behind 16 digits and a letter (`s_show` in kernel/kallsyms.c).
const NAME: usize = 19;

/// The first two letters as a number.
fn pair(name: &[u8]) -> usize {
    match name {
        [first, second, ..] => usize::from(u16::from_le_bytes([*first, *second])),
        _ => 0,
    }
}

/// Whose code a line is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The kernel's own, up to its end.
    Kernel,
    /// What comes behind it: modules'.
    Modules,
}

/// Where the kernel's code begins, and where it ends.
const START: &str = "_text";
const END: &str = "_etext";

/// The name on a line, without its module.
fn name(line: &[u8]) -> &[u8] {
    let words = line.trim_ascii_end();
    let words = &words[..memchr(b'\t', words).unwrap_or(words.len())];
    &words[memrchr(b' ', words).map_or(0, |space| space + 1)..]
}

/// A name without what the compiler hung on it.
fn bare(name: &[u8]) -> &[u8] {
    &name[..memchr(b'.', name).unwrap_or(name.len())]
}

/// The address of a line, where it is one of code.
fn code(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    let (address, kind) = text.split_once(' ')?;
    let is_code = kind.starts_with(['t', 'T', 'w', 'W']);
    u64::from_str_radix(address, 16).ok().filter(|_| is_code)
}

impl Symbols {
    /// Whether nothing has to be looked for among the symbols of modules, behind the kernel's own code that ends there: a
    /// function that alone is none of the kernel's is of a module.
    fn is_enough(&mut self, traced: &[&str], end: u64) -> bool {
        let missing = traced.iter().filter(|name| !self.functions.has(name));
        match missing.collect::<Vec<_>>()[..] {
            [] => true,
            [only] => {
                self.functions.only_behind(end, only);
                true
            }
            _ => false,
        }
    }

    /// Adds a line of code with this name, which is of a function that is wanted.
    fn add(&mut self, own: &str, name: &[u8], address: u64, whose: Whose) {
        let is_whole = name == own.as_bytes();
        if own == START {
            self.start = self.start.or(Some(address));
        }
        if matches!(own, START | END) {
            return;
        }
        self.functions.add(address, own);
        if is_whole && whose == Whose::Kernel {
            let found = self.found.entry(own.to_owned()).or_default();
            found.push(address);
        }
    }

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
        parse(list.as_bytes(), &["fork"], &[])
            .unwrap()
            .places("fork")
    }

    #[test]
    fn two_functions_of_one_name_are_two_places() {
        let text = "ffffffff81000000 T _text\nffffffff81000100 t fork\nffffffff81000200 t fork.cold\n\
                    ffffffff81000300 t fork\n";
        assert_eq!(places(text), ["_text+0x100", "_text+0x300"]);
    }

    #[test]
    fn what_is_no_code_is_no_place() {
        let text = "ffffffff81000000 T _text\nffffffff81000100 d fork\n";
        assert_eq!(places(text), ["fork"]);
    }

    #[test]
    fn a_function_of_a_module_is_probed_by_its_name() {
        let text =
            "ffffffff81000000 T _text\nffffffff82000000 T _etext\nffffffffc0000100 t fork\t[m]\n";
        assert_eq!(places(text), ["fork"]);
    }

    #[test]
    fn a_function_that_is_traced_is_known_by_its_place_also_in_a_module() {
        let text = "ffffffff81000000 T _text\nffffffff81000100 t grow.isra.0\nffffffff82000000 T _etext\n\
                    ffffffffc0000100 t fork\t[m]\n";
        let symbols = parse(text.as_bytes(), &[], &["fork", "grow"]).unwrap();
        let known =
            [0xffff_ffff_8100_0104, 0xffff_ffff_c000_0100].map(|at| symbols.functions.at(at));
        assert_eq!(known, [Some("grow"), Some("fork")]);
    }

    #[test]
    fn two_functions_of_modules_are_looked_for_among_their_symbols() {
        let text = "ffffffff81000000 T _text\nffffffff82000000 T _etext\nffffffffc0000100 t fork\t[m]\n\
                    ffffffffc0000200 t grow\t[n]\n";
        let symbols = parse(text.as_bytes(), &[], &["fork", "grow"]).unwrap();
        let known =
            [0xffff_ffff_c000_0100, 0xffff_ffff_c000_0200].map(|at| symbols.functions.at(at));
        assert_eq!(known, [Some("fork"), Some("grow")]);
    }

    #[test]
    fn nothing_is_read_after_the_code() {
        let text = "ffffffff81000000 T _text\nffffffff82000000 T _etext\nffffffff83000000 t fork\n";
        assert_eq!(places(text), ["fork"]);
    }
}
