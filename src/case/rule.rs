//! An entry of binfmt_misc, as `create_entry` takes it apart (fs/binfmt_misc.c).

/// Where a magic ends at the latest: the kernel compares with the file's first bytes (`BINPRM_BUF_SIZE`,
/// include/uapi/linux/binfmts.h).
const HEAD: usize = 256;
/// The letters of `check_special_flags`; T and L are of 7.3.
const FLAGS: &str = "POCFTL";

/// Says what is wrong with `M:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS`, or `E::EXTENSION::INTERPRETER:FLAGS`.
///
/// # Errors
///
/// Every kernel refuses it.
pub fn check(rule: &str) -> Result<(), String> {
    let fields: Vec<_> = rule.split(':').collect();
    let &[kind, offset, magic, mask, interpreter, flags] = fields.as_slice() else {
        return Err("it has six fields: M:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS".to_owned());
    };
    match kind {
        "M" => bytes_of_the_head(offset, magic, mask)?,
        "E" if magic.is_empty() => return Err("it has no extension".to_owned()),
        "E" if magic.contains('/') => return Err(format!("{magic:?} is no extension")),
        "E" => {}
        _ => {
            return Err(format!(
                "it begins with M (magic) or E (extension), not {kind:?}"
            ));
        }
    }
    if interpreter.is_empty() {
        return Err("it has no interpreter".to_owned());
    }
    match flags.chars().find(|flag| !FLAGS.contains(*flag)) {
        Some(flag) => Err(format!("there is no flag {flag:?}: {FLAGS}")),
        None => Ok(()),
    }
}

fn bytes_of_the_head(offset: &str, magic: &str, mask: &str) -> Result<(), String> {
    let first = match offset {
        "" => 0,
        _ => offset
            .parse::<usize>()
            .map_err(|_| format!("its offset {offset:?} is no number"))?,
    };
    let length = unescaped(magic)?;
    if length == 0 {
        return Err("it has no magic".to_owned());
    }
    let masked = unescaped(mask)?;
    if !mask.is_empty() && masked != length {
        return Err(format!("its mask has {masked} bytes, its magic {length}"));
    }
    if first.saturating_add(length) > HEAD {
        return Err(format!("its magic ends behind the first {HEAD} bytes"));
    }
    Ok(())
}

/// How many bytes a text has where `\x` and two digits are one (`scanarg`).
fn unescaped(text: &str) -> Result<usize, String> {
    let mut rest = text;
    let mut length = 0;
    while let Some(first) = rest.chars().next() {
        rest = match rest.strip_prefix("\\x") {
            Some(after) => {
                let digits = after.get(..2);
                digits
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
                    .and_then(|_| after.get(2..))
                    .ok_or_else(|| format!("{text:?}: two hexadecimal digits follow \\x"))?
            }
            None => rest.get(first.len_utf8()..).unwrap_or_default(),
        };
        length += first.len_utf8();
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::check;

    fn wrong(rule: &str) -> String {
        check(rule).unwrap_err()
    }

    #[test]
    fn a_magic_may_have_an_offset_a_mask_and_flags() {
        assert_eq!(check(r"M:2:\xfeAB:\xff\xff\x00:/bin/int:POCF"), Ok(()));
        assert_eq!(check("M::MAGIC::/bin/int:"), Ok(()));
    }

    #[test]
    fn an_extension_has_no_magic() {
        assert_eq!(check("E::jar::/bin/int:"), Ok(()));
        assert_eq!(wrong("E::::/bin/int:"), "it has no extension");
        assert!(wrong("E::a/b::/bin/int:").contains("no extension"));
    }

    #[test]
    fn a_mask_is_as_long_as_its_magic() {
        let said = wrong(r"M::ABC:\xff:/bin/int:");
        assert_eq!(said, "its mask has 1 bytes, its magic 3");
    }

    #[test]
    fn a_magic_is_in_the_files_head() {
        assert_eq!(check("M:253:ABC::/bin/int:"), Ok(()));
        assert!(wrong("M:254:ABC::/bin/int:").contains("256"));
        assert!(wrong("M:x:ABC::/bin/int:").contains("no number"));
    }

    #[test]
    fn an_escape_has_two_digits() {
        assert!(wrong(r"M::\xf::/bin/int:").contains("two hexadecimal digits"));
    }

    #[test]
    fn what_is_left_out_is_named() {
        assert_eq!(wrong("M::::/bin/int:"), "it has no magic");
        assert_eq!(wrong("M::A:::"), "it has no interpreter");
        assert!(wrong("X::A::/bin/int:").contains("not \"X\""));
        assert!(wrong("M::A::/bin/int:Z").contains("'Z'"));
        assert!(wrong("M::A").contains("six fields"));
    }
}
