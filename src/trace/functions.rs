//! The functions whose entries are traced, by where they are.

use std::collections::BTreeMap;

/// How far behind a function's beginning the tracer may stand: behind `endbr64`, where the kernel has that.
const SLACK: u64 = 16;

/// Names by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    known: BTreeMap<u64, String>,
    /// Where the kernel's own code ends, and the only function that is traced behind that: a module's.
    behind: Option<(u64, String)>,
}

impl Functions {
    /// Adds a function; its name without what the compiler hung on it.
    pub fn add(&mut self, address: u64, symbol: &str) {
        self.known.insert(address, plain(symbol).to_owned());
    }

    /// Whether a function of that name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.known.values().any(|known| known == name)
    }

    /// Says which one is traced behind the end of the kernel's own code, wherever it lies there.
    pub fn only_behind(&mut self, end: u64, name: &str) {
        self.behind = Some((end, name.to_owned()));
    }

    /// The function that the tracer stands in.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<&str> {
        let before = self.known.range(..=address).next_back();
        let known = before.filter(|(start, _)| address - *start <= SLACK);
        let behind = self.behind.as_ref().filter(|(end, _)| address >= *end);
        known
            .map(|(_, name)| name.as_str())
            .or(behind.map(|(_, name)| name.as_str()))
    }
}

/// The name of a function without the compiler's suffix (`.isra.0`, `.part.0`, `.constprop.0`).
#[must_use]
pub fn plain(symbol: &str) -> &str {
    symbol.split_once('.').map_or(symbol, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::Functions;

    #[test]
    fn a_function_is_known_without_the_compilers_suffix_and_behind_its_first_instruction() {
        let mut functions = Functions::default();
        functions.add(0x100, "do_open_execat.isra.0");
        assert_eq!(functions.at(0x104), Some("do_open_execat"));
        assert_eq!((functions.at(0xff), functions.at(0x111)), (None, None));
        assert!(functions.has("do_open_execat") && !functions.has("do_open"));
    }

    #[test]
    fn the_only_one_of_a_module_is_known_wherever_it_lies_behind_the_kernel() {
        let mut functions = Functions::default();
        functions.add(0x100, "do_open_execat");
        functions.only_behind(0x1000, "load_misc_binary");
        let found = [0x100, 0x200, 0x1000, 0x5000].map(|address| functions.at(address));
        let misc = Some("load_misc_binary");
        assert_eq!(found, [Some("do_open_execat"), None, misc, misc]);
    }
}
