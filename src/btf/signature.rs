//! What functions take and give, as C writes it.

use super::{Btf, CONST, ENUM, FUNC, FUNC_PROTO, PTR, STRUCT, UNION, count, kind};

impl Btf {
    /// Whether there is a function of this name.
    #[must_use]
    pub fn has(&self, function: &str) -> bool {
        self.function(function).is_some()
    }

    /// What a function takes and gives: `(struct file *file) -> int`.
    #[must_use]
    pub fn signature(&self, function: &str) -> Option<String> {
        let parameters = self.parameters(function)?.join(", ");
        let result = self.word(self.prototype(function)?, 2)? as usize;
        Some(format!("({parameters}) -> {}", self.told(result, 0)))
    }

    /// What a function takes, one by one: `struct file *file`.
    #[must_use]
    pub fn parameters(&self, function: &str) -> Option<Vec<String>> {
        let own = self.prototype(function)?;
        let parameters = (0..count(self.word(own, 1)?)).map(|part| {
            let word = |place| self.word(own, 3 + 2 * part + place);
            let name = String::from_utf8_lossy(self.text(word(0)?));
            let kind = self.told(word(1)? as usize, 0);
            Some(match name.as_ref() {
                "" => kind,
                name if kind.ends_with('*') => format!("{kind}{name}"),
                name => format!("{kind} {name}"),
            })
        });
        parameters.collect()
    }

    fn prototype(&self, function: &str) -> Option<usize> {
        let own = self.word(self.function(function)?, 2)? as usize;
        (kind(self.word(own, 1)?) == FUNC_PROTO).then_some(own)
    }

    fn function(&self, name: &str) -> Option<usize> {
        let all = self.functions.get_or_init(|| {
            let is_function = |number: &usize| self.word(*number, 1).map(kind) == Some(FUNC);
            let mut all: Vec<_> = (1..self.places.len()).filter(is_function).collect();
            all.sort_by(|a, b| self.name(*a).cmp(self.name(*b)));
            all
        });
        let found = all.binary_search_by(|number| self.name(*number).cmp(name.as_bytes()));
        found.ok().map(|place| all[place])
    }

    /// A type as C writes it.
    fn told(&self, number: usize, depth: usize) -> String {
        if number == 0 {
            return "void".to_owned();
        }
        let words = self.word(number, 1).zip(self.word(number, 2));
        let Some((info, to)) = words.filter(|_| depth < 16) else {
            return "?".to_owned();
        };
        let to = || self.told(to as usize, depth + 1);
        let name = String::from_utf8_lossy(self.name(number));
        match kind(info) {
            PTR => {
                let to = to();
                let gap = if to.ends_with('*') { "" } else { " " };
                format!("{to}{gap}*")
            }
            CONST => format!("const {}", to()),
            STRUCT => format!("struct {name}"),
            UNION => format!("union {name}"),
            ENUM => format!("enum {name}"),
            FUNC_PROTO => "function".to_owned(),
            // A name of its own, or a word before another type.
            _ if name.is_empty() => to(),
            _ => name.into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::btf_with;

    const NAMES: &[u8] = b"\0int\0file\0f\0g\0";

    /// `int f(struct file *file)`, and `void g(const struct file *)` before it.
    const TYPES: &[u32] = &[
        1,
        1 << 24,
        4,
        32, // 1: int
        5,
        4 << 24,
        0, // 2: struct file
        0,
        2 << 24,
        2, // 3: pointer to 2
        0,
        13 << 24 | 1,
        1,
        5,
        3, // 4: prototype
        12,
        12 << 24,
        8, // 5: g
        10,
        12 << 24,
        4, // 6: f
        0,
        10 << 24,
        2, // 7: const struct file
        0,
        13 << 24 | 1,
        0,
        0,
        9, // 8: prototype
        0,
        2 << 24,
        7, // 9: pointer to 7
    ];

    #[test]
    fn a_function_has_its_arguments_by_name_and_type() {
        let btf = btf_with(NAMES, TYPES).unwrap();
        assert_eq!(btf.signature("f").unwrap(), "(struct file *file) -> int");
        assert_eq!(btf.signature("g").unwrap(), "(const struct file *) -> void");
    }

    #[test]
    fn a_function_that_is_not_there_has_none() {
        let btf = btf_with(NAMES, TYPES).unwrap();
        assert!(btf.has("f") && !btf.has("h"));
        assert_eq!(btf.signature("file"), None);
    }

    #[test]
    fn what_is_cut_is_nothing() {
        assert!(btf_with(NAMES, &TYPES[..TYPES.len() - 1]).is_none());
    }
}
