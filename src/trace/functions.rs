//! The functions whose entries are traced, by where they are.

use std::collections::BTreeMap;

/// How far behind a function's beginning the tracer may stand: behind `endbr64`, where the kernel has that.
const SLACK: u64 = 16;

/// Names by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions(BTreeMap<u64, String>);

impl Functions {
    /// Adds a function; its name without what the compiler hung on it.
    pub fn add(&mut self, address: u64, symbol: &str) {
        self.0.insert(address, plain(symbol).to_owned());
    }

    /// Whether a function of that name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.values().any(|known| known == name)
    }

    /// The function that the tracer stands in.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<&str> {
        let (start, name) = self.0.range(..=address).next_back()?;
        (address - start <= SLACK).then_some(name)
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
}
