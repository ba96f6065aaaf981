//! Where the fields of the kernel's structs are, from the types that it describes itself (BTF).
//!
//! Source: Documentation/bpf/btf.rst.

/// The structs of a kernel, as far as offsets need them. Of the hundred thousand types three are looked at,
/// under emulation: the others are only passed by.
#[derive(Debug)]
pub struct Btf<'a> {
    bytes: &'a [u8],
    /// Names, each with a zero after it.
    strings: &'a [u8],
    /// Where each type begins; the first is void, and is not in the list.
    places: Vec<usize>,
    /// Which of them are structs.
    structs: Vec<usize>,
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
const STRUCT: usize = 4;
const UNION: usize = 5;
const ALIASES: [usize; 5] = [8, 9, 10, 11, 18];

impl<'a> Btf<'a> {
    /// Reads the types; none for what is damaged, or of a kind that is not known here.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Btf<'a>> {
        if bytes.get(..2)? != [0x9f, 0xeb] {
            return None;
        }
        let place = |at: usize| number_at(bytes, at).map(|number| number as usize);
        let header = place(4)?;
        let (from, length) = (header.checked_add(place(8)?)?, place(12)?);
        let strings = bytes.get(header.checked_add(place(16)?)?..)?;
        let end = from.checked_add(length)?;
        let (mut places, mut structs) = (vec![0], Vec::new());
        let mut at = from;
        while at < end {
            let info = number_at(bytes, at + 4)?;
            if kind(info) == STRUCT {
                structs.push(places.len());
            }
            places.push(at);
            let (fixed, each) = AFTER.get(kind(info))?;
            at += 12 + fixed + each * count(info);
        }
        (at <= bytes.len()).then_some(Btf {
            bytes,
            strings,
            places,
            structs,
        })
    }

    /// The distance in bytes of a field of a struct; it may lie in a struct without a name, and a
    /// path leads into structs inside of it.
    #[must_use]
    pub fn offset(&self, name: &str, path: &[&str]) -> Option<u32> {
        let mut structs = self.structs.iter().copied();
        let mut own = structs.find(|number| self.is_named(self.word(*number, 0), name))?;
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
            if self.is_named(Some(name), field) {
                return Some((bits, own));
            }
            if !self.is_named(Some(name), "") {
                return None;
            }
            let (further, own) = self.member(own, field)?;
            Some((bits + further, own))
        })
    }

    /// One of the words of a type.
    fn word(&self, number: usize, word: usize) -> Option<u32> {
        let at = self.places.get(number)?;
        number_at(self.bytes, at + 4 * word)
    }

    /// Whether the string at this place is that name.
    fn is_named(&self, at: Option<u32>, name: &str) -> bool {
        let text = at.and_then(|at| self.strings.get(at as usize..));
        let rest = text.and_then(|text| text.strip_prefix(name.as_bytes()));
        rest.is_some_and(|rest| rest.first() == Some(&0))
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

    /// Types as words: name, info, size or type, and what follows.
    fn btf(types: &[u32]) -> Option<Btf<'static>> {
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        let length = types.len() as u32 * 4;
        for word in [24, 0, length, length, NAMES.len() as u32]
            .iter()
            .chain(types)
        {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(NAMES);
        Btf::parse(bytes.leak())
    }

    /// An int, a union without a name that holds `b`, and `s` with `a`, that union and `c`, which is a `t`.
    fn example() -> Btf<'static> {
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
        assert!(Btf::parse(b"\x9f\xeb").is_none());
        assert!(btf(&[0, 31 << 24, 0]).is_none());
    }

    #[test]
    fn the_running_kernel_describes_the_structs_of_an_exec() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            return;
        };
        let btf = Btf::parse(&bytes).unwrap();
        assert!(btf.offset("linux_binprm", &["filename"]).is_some());
        assert!(btf.offset("file", &["f_path", "dentry"]).is_some());
        assert!(btf.offset("dentry", &["d_name", "name"]).is_some());
    }
}
