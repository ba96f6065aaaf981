//! Functions and their types in BTF, the kernel's own debug information (Documentation/bpf/btf.rst).

use std::collections::BTreeMap;

/// Types by their ids, as far as functions need them.
#[derive(Debug, Default)]
pub struct Btf {
    types: Vec<Type>,
    functions: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Default)]
struct Type {
    kind: u32,
    name: String,
    /// What it points to, or is another name of.
    to: usize,
    parameters: Vec<(String, usize)>,
}

const PTR: u32 = 2;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const CONST: u32 = 10;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;

/// A reader of 32-bit words, little endian as everything here.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*word))
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }
}

impl Btf {
    /// Reads `/sys/kernel/btf/vmlinux`; nothing for what is no such file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Btf> {
        let mut head = Words(bytes);
        // The magic, the version and the flags are the first word.
        if head.next()? & 0xffff != 0xeb9f {
            return None;
        }
        let start = usize::try_from(head.next()?).ok()?;
        let sizes = [head.next()?, head.next()?, head.next()?, head.next()?];
        let [types_at, types_size, names_at, names_size] = sizes.map(|size| size as usize);
        let piece = |at: usize, size: usize| bytes.get(start + at..start + at + size);
        let names = piece(names_at, names_size)?;
        let name = |at: u32| {
            let text = names.get(at as usize..).unwrap_or_default();
            let end = memchr::memchr(0, text).unwrap_or(text.len());
            String::from_utf8_lossy(&text[..end]).into_owned()
        };
        // The first type is void.
        let mut types = vec![Type::default()];
        let mut functions = BTreeMap::new();
        let mut words = Words(piece(types_at, types_size)?);
        while !words.0.is_empty() {
            let (name_at, info, to) = (words.next()?, words.next()?, words.next()?);
            let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
            let mut found = Type {
                kind,
                name: name(name_at),
                to: to as usize,
                parameters: Vec::new(),
            };
            match kind {
                FUNC_PROTO => {
                    for _ in 0..count {
                        let (name_at, to) = (words.next()?, words.next()?);
                        found.parameters.push((name(name_at), to as usize));
                    }
                }
                FUNC => drop(functions.insert(found.name.clone(), types.len())),
                _ => words.skip(after(kind, count)?)?,
            }
            types.push(found);
        }
        Some(Btf { types, functions })
    }

    /// Whether there is a function of this name.
    #[must_use]
    pub fn has(&self, function: &str) -> bool {
        self.functions.contains_key(function)
    }

    /// What a function takes and gives: `(struct file *file) -> int`.
    #[must_use]
    pub fn signature(&self, function: &str) -> Option<String> {
        let parameters = self.parameters(function)?.join(", ");
        let result = self.name(self.prototype(function)?.to, 0);
        Some(format!("({parameters}) -> {result}"))
    }

    fn prototype(&self, function: &str) -> Option<&Type> {
        let place = self.functions.get(function)?;
        self.types.get(self.types.get(*place)?.to)
    }

    /// What a function takes, one by one: `struct file *file`.
    #[must_use]
    pub fn parameters(&self, function: &str) -> Option<Vec<String>> {
        let proto = self.prototype(function)?;
        let parameters = proto.parameters.iter().map(|(name, to)| {
            let kind = self.name(*to, 0);
            match name.as_str() {
                "" => kind,
                name if kind.ends_with('*') => format!("{kind}{name}"),
                name => format!("{kind} {name}"),
            }
        });
        Some(parameters.collect())
    }

    fn name(&self, id: usize, depth: usize) -> String {
        let Some(found) = self.types.get(id).filter(|_| depth < 16) else {
            return "?".to_owned();
        };
        let to = || self.name(found.to, depth + 1);
        match found.kind {
            0 => "void".to_owned(),
            PTR => {
                let to = to();
                let gap = if to.ends_with('*') { "" } else { " " };
                format!("{to}{gap}*")
            }
            CONST => format!("const {}", to()),
            STRUCT => format!("struct {}", found.name),
            UNION => format!("union {}", found.name),
            ENUM => format!("enum {}", found.name),
            FUNC_PROTO => "function".to_owned(),
            // A name of its own, or a word before another type.
            _ if found.name.is_empty() => to(),
            _ => found.name.clone(),
        }
    }
}

/// How many bytes follow the three words of a type.
fn after(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        // int, var, decl_tag
        1 | 14 | 17 => 4,
        // array, enum64 and struct have three words, enum and datasec two or three
        3 => 12,
        4 | 5 | 15 | 19 => 12 * count,
        6 => 8 * count,
        // ptr, fwd, typedef, volatile, const, restrict, float, type_tag
        2 | 7 | 8 | 9 | 10 | 11 | 16 | 18 => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BTF of `int f(struct file *file)`.
    fn sample() -> Vec<u8> {
        let names = b"\0int\0file\0f\0";
        let types: [u32; 17] = [
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
            10,
            12 << 24, // 5: f ..
        ];
        let mut all: Vec<u32> = types.to_vec();
        all.push(4);
        let size = u32::try_from(all.len() * 4).unwrap();
        let head = [0x0001_eb9f, 24, 0, size, size, names.len() as u32];
        let words = head.iter().chain(&all).flat_map(|word| word.to_le_bytes());
        words.chain(names.iter().copied()).collect()
    }

    #[test]
    fn a_function_has_its_arguments_by_name_and_type() {
        let btf = Btf::parse(&sample()).unwrap();
        assert_eq!(btf.signature("f").unwrap(), "(struct file *file) -> int");
        assert!(!btf.has("g"));
    }

    #[test]
    fn what_is_cut_or_something_else_is_nothing() {
        let whole = sample();
        assert!(Btf::parse(&whole[..whole.len() - 20]).is_none());
        assert!(Btf::parse(b"\x7fELF").is_none());
    }
}
