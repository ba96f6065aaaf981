//! The kernel's types, as it describes them itself: where the fields of its structs are, and what its functions take.
//!
//! Source: Documentation/bpf/btf.rst.

mod signature;

use std::cell::OnceCell;

/// The types of a kernel. Of the hundred thousand a few are looked at, under emulation: the others are only passed by.
#[derive(Debug)]
pub struct Btf {
    bytes: Vec<u8>,
    /// Where the names begin, each with a zero after it.
    names: usize,
    /// Where each type begins; the first is void, and is not in the list.
    places: Vec<usize>,
    /// Which of them are structs.
    structs: Vec<usize>,
    /// Which of them are functions, in the order of their names.
    functions: OnceCell<Vec<usize>>,
}

/// How many bytes follow a type of each kind: a fixed number, and one for each of its parts.
const AFTER: [(usize, usize); 20] = [
    (0, 0),
    (4, 0),  // INT
    (0, 0),  // PTR
    (12, 0), // ARRAY
    (0, 12), // STRUCT
    (0, 12), // UNION
    (0, 8),  // ENUM
    (0, 0),  // FWD
    (0, 0),  // TYPEDEF
    (0, 0),  // VOLATILE
    (0, 0),  // CONST
    (0, 0),  // RESTRICT
    (0, 0),  // FUNC
    (0, 8),  // FUNC_PROTO
    (4, 0),  // VAR
    (0, 12), // DATASEC
    (0, 0),  // FLOAT
    (4, 0),  // DECL_TAG
    (0, 0),  // TYPE_TAG
    (0, 12), // ENUM64
];
const PTR: usize = 2;
const STRUCT: usize = 4;
const UNION: usize = 5;
const ENUM: usize = 6;
const CONST: usize = 10;
const FUNC: usize = 12;
const FUNC_PROTO: usize = 13;
/// typedef, volatile, const, restrict, type_tag
const ALIASES: [usize; 5] = [8, 9, CONST, 11, 18];

impl Btf {
    /// Reads `/sys/kernel/btf/vmlinux`; none for what is damaged, or of a kind that is not known here.
    #[must_use]
    pub fn parse(bytes: Vec<u8>) -> Option<Btf> {
        if bytes.get(..2)? != [0x9f, 0xeb] {
            return None;
        }
        let place = |at: usize| number_at(&bytes, at).map(|number| number as usize);
        let header = place(4)?;
        let (from, length) = (header.checked_add(place(8)?)?, place(12)?);
        let names = header.checked_add(place(16)?)?;
        bytes.get(names..)?;
        let end = from.checked_add(length)?;
        let (mut places, mut structs) = (vec![0], Vec::new());
        let mut at = from;
        while at < end {
            let info = number_at(&bytes, at + 4)?;
            if kind(info) == STRUCT {
                structs.push(places.len());
            }
            places.push(at);
            let (fixed, each) = AFTER.get(kind(info))?;
            at += 12 + fixed + each * count(info);
        }
        (at == end && end <= bytes.len()).then_some(Btf {
            bytes,
            names,
            places,
            structs,
            functions: OnceCell::new(),
        })
    }

    /// The distance in bytes of a field of a struct; it may lie in a struct without a name, and a
    /// path leads into structs inside of it.
    #[must_use]
    pub fn offset(&self, name: &str, path: &[&str]) -> Option<u32> {
        let mut structs = self.structs.iter().copied();
        let mut own = structs.find(|number| self.name(*number) == name.as_bytes())?;
        let mut bits = 0;
        for field in path {
            let (further, next) = self.member(own, field)?;
            bits += further;
            own = next;
        }
        (bits % 8 == 0).then_some(bits / 8)
    }

    /// Where a field lies in a type, in bits, and of which type it is.
    fn member(&self, number: usize, field: &str) -> Option<(u32, usize)> {
        let info = self.word(number, 1)?;
        if ALIASES.contains(&kind(info)) {
            let other = self.word(number, 2)? as usize;
            return (other != number)
                .then(|| self.member(other, field))
                .flatten();
        }
        if !matches!(kind(info), STRUCT | UNION) {
            return None;
        }
        (0..count(info)).find_map(|part| {
            let word = |place| self.word(number, 3 + 3 * part + place);
            let (name, own) = (word(0)?, word(1)? as usize);
            // With bit fields among them, the upper byte is the size of the field.
            let bits = match info >> 31 {
                1 => word(2)? & 0x00ff_ffff,
                _ => word(2)?,
            };
            if self.text(name) == field.as_bytes() {
                return Some((bits, own));
            }
            if !self.text(name).is_empty() {
                return None;
            }
            let (further, own) = self.member(own, field)?;
            Some((bits + further, own))
        })
    }

    /// One of the words of a type.
    fn word(&self, number: usize, word: usize) -> Option<u32> {
        let at = self.places.get(number)?;
        number_at(&self.bytes, at + 4 * word)
    }

    /// The name of a type; empty where it has none.
    fn name(&self, number: usize) -> &[u8] {
        self.word(number, 0).map_or(&[], |at| self.text(at))
    }

    /// The text at this place among the names.
    fn text(&self, at: u32) -> &[u8] {
        let names = self.bytes.get(self.names..).unwrap_or_default();
        let text = names.get(at as usize..).unwrap_or_default();
        &text[..memchr::memchr(0, text).unwrap_or(text.len())]
    }
}

fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn kind(info: u32) -> usize {
    (info >> 24 & 0x1f) as usize
}

fn count(info: u32) -> usize {
    (info & 0xffff) as usize
}

#[cfg(test)]
mod tests {
    use super::Btf;

    const NAMES: &[u8] = b"\0s\0a\0b\0t\0c\0";

    fn btf(types: &[u32]) -> Option<Btf> {
        btf_with(NAMES, types)
    }

    /// Types as words: name, info, size or type, and what follows.
    pub fn btf_with(names: &[u8], types: &[u32]) -> Option<Btf> {
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        let length = types.len() as u32 * 4;
        for word in [24, 0, length, length, names.len() as u32]
            .iter()
            .chain(types)
        {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(names);
        Btf::parse(bytes)
    }

    /// An int, a union without a name that holds `b`, and `s` with `a`, that union and `c`, which is a `t`.
    fn example() -> Btf {
        btf(&[
            0,
            1 << 24,
            4,
            32, // 1: int
            0,
            5 << 24 | 1,
            4,
            5,
            1,
            0, // 2: union { b }
            7,
            4 << 24 | 1,
            8,
            5,
            1,
            32, // 3: struct t { b at 4 }
            0,
            10 << 24,
            3, // 4: const struct t
            1,
            4 << 24 | 3,
            24,
            3,
            1,
            0,
            0,
            2,
            64,
            9,
            4,
            128, // 5: struct s
        ])
        .unwrap()
    }

    #[test]
    fn a_field_is_found_by_its_name() {
        assert_eq!(example().offset("s", &["a"]), Some(0));
        assert_eq!(example().offset("s", &["x"]), None);
        assert_eq!(example().offset("x", &["a"]), None);
    }

    #[test]
    fn a_field_of_a_union_without_a_name_is_one_of_the_struct() {
        assert_eq!(example().offset("s", &["b"]), Some(8));
    }

    #[test]
    fn a_path_leads_through_qualifiers_into_another_struct() {
        assert_eq!(example().offset("s", &["c", "b"]), Some(20));
    }

    #[test]
    fn with_bit_fields_the_upper_byte_is_no_distance() {
        let btf = btf(&[
            0,
            1 << 24,
            4,
            32,
            1,
            1 << 31 | 4 << 24 | 1,
            8,
            3,
            1,
            5 << 24 | 32,
        ]);
        assert_eq!(btf.unwrap().offset("s", &["a"]), Some(4));
    }

    #[test]
    fn what_is_cut_or_of_an_unknown_kind_is_nothing() {
        assert!(Btf::parse(b"\x9f\xeb".to_vec()).is_none());
        assert!(btf(&[0, 31 << 24, 0]).is_none());
    }

    #[test]
    fn the_running_kernel_describes_the_structs_of_an_exec() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            let required = std::env::var("EXETRAIL_REQUIRE").is_ok_and(|value| value == "all");
            assert!(!required, "this kernel has no BTF");
            eprintln!("not tried: this kernel has no BTF");
            return;
        };
        let btf = Btf::parse(bytes).unwrap();
        assert!(btf.offset("linux_binprm", &["filename"]).is_some());
        assert!(btf.offset("file", &["f_path", "dentry"]).is_some());
        assert!(btf.offset("dentry", &["d_name", "name"]).is_some());
    }
}
