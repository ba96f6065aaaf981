//! Where the fields of the kernel's structs are, from the types that it describes itself (BTF).
//!
//! Source: Documentation/bpf/btf.rst.

use std::collections::BTreeMap;

/// The structs of a kernel, as far as offsets need them.
#[derive(Debug, Default)]
pub struct Btf {
    types: Vec<Type>,
    /// Structs by name.
    named: BTreeMap<String, usize>,
}

#[derive(Debug)]
enum Type {
    /// A struct or a union.
    Members(Vec<Member>),
    /// Another name of a type, or the type with a qualifier.
    Alias(usize),
    /// What has no members to look into.
    Other,
}

#[derive(Debug)]
struct Member {
    name: String,
    kind: usize,
    bits: u32,
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

impl Btf {
    /// Reads the types; none for what is damaged, or of a kind that is not known here.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Btf> {
        let number = |at: usize| -> Option<u32> {
            let bytes = bytes.get(at..at.checked_add(4)?)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        if bytes.get(..2)? != [0x9f, 0xeb] {
            return None;
        }
        let place = |at: usize| number(at).map(|number| number as usize);
        let header = place(4)?;
        let (from, length) = (header.checked_add(place(8)?)?, place(12)?);
        let strings = bytes.get(header.checked_add(place(16)?)?..)?;
        let string = |at: usize| -> Option<String> {
            let text = strings.get(at..)?.split(|byte| *byte == 0).next()?;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        let mut btf = Btf::default();
        // The first type is void, and is not in the list.
        btf.types.push(Type::Other);
        let mut at = from;
        while at < from.checked_add(length)? {
            let (name, info, target) = (place(at)?, number(at + 4)?, place(at + 8)?);
            let (kind, count) = ((info >> 24 & 0x1f) as usize, (info & 0xffff) as usize);
            let (fixed, each) = AFTER.get(kind)?;
            let found = match kind {
                STRUCT | UNION => {
                    let own = string(name)?;
                    if kind == STRUCT && !own.is_empty() {
                        btf.named.entry(own).or_insert(btf.types.len());
                    }
                    let mut members = Vec::new();
                    for part in 0..count {
                        let part = at + 12 + part * 12;
                        // With bit fields among them, the upper byte is the size of the field.
                        let bits = number(part + 8)?;
                        members.push(Member {
                            name: string(place(part)?)?,
                            kind: place(part + 4)?,
                            bits: if info >> 31 == 1 {
                                bits & 0x00ff_ffff
                            } else {
                                bits
                            },
                        });
                    }
                    Type::Members(members)
                }
                kind if ALIASES.contains(&kind) => Type::Alias(target),
                _ => Type::Other,
            };
            btf.types.push(found);
            at += 12 + fixed + each * count;
        }
        Some(btf)
    }

    /// The distance in bytes of a field of a struct; it may lie in a struct without a name, and a
    /// path leads into structs inside of it.
    #[must_use]
    pub fn offset(&self, name: &str, path: &[&str]) -> Option<u32> {
        let mut kind = *self.named.get(name)?;
        let mut bits = 0;
        for field in path {
            let (own, next) = self.member(kind, field)?;
            bits += own;
            kind = next;
        }
        (bits % 8 == 0).then_some(bits / 8)
    }

    fn member(&self, kind: usize, field: &str) -> Option<(u32, usize)> {
        match self.types.get(kind)? {
            Type::Alias(other) if *other != kind => self.member(*other, field),
            Type::Members(members) => members.iter().find_map(|member| {
                if member.name == field {
                    return Some((member.bits, member.kind));
                }
                let (bits, kind) = match member.name.is_empty() {
                    true => self.member(member.kind, field)?,
                    false => return None,
                };
                Some((member.bits + bits, kind))
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Btf;

    const NAMES: &[u8] = b"\0s\0a\0b\0t\0c\0";

    /// Types as words: name, info, size or type, and what follows.
    fn btf(types: &[u32]) -> Option<Btf> {
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        let length = types.len() as u32 * 4;
        for word in [24, 0, length, length, NAMES.len() as u32]
            .iter()
            .chain(types)
        {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(NAMES);
        Btf::parse(&bytes)
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
