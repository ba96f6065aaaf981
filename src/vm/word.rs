//! Words of a table that become part of a path, a URI or a line for apt, checked where they are
//! read.

use anyhow::{Result, bail};

/// Checks the name of a Debian suite, such as `trixie-backports`.
///
/// # Errors
///
/// The key and the word: it would be more than one word of sources.list(5), or another directory.
pub fn suite(key: &str, word: &str) -> Result<()> {
    let first = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    match first && only(word, "._+~-") {
        true => Ok(()),
        false => bail!("{key} = {word:?} is not a name of a Debian suite"),
    }
}

/// Checks a package name (Debian Policy, 5.6.1), which may have `{release}` in it.
///
/// # Errors
///
/// The key and the word.
pub fn package(key: &str, word: &str) -> Result<()> {
    let plain = word.replacen("{release}", "0", 1);
    let first = plain.starts_with(|c: char| c.is_ascii_alphanumeric());
    match first && only(&plain, "+.-") {
        true => Ok(()),
        false => bail!("{key} = {word:?} is not a name of a Debian package"),
    }
}

/// Checks the pattern of a kernel's releases, such as `6.12.*+deb13*`.
///
/// # Errors
///
/// The key and the word.
pub fn release(key: &str, word: &str) -> Result<()> {
    match !word.is_empty() && only(word, "*+.~-") {
        true => Ok(()),
        false => bail!("{key} = {word:?} is not a pattern of releases"),
    }
}

/// Checks the name of a part of the fixture, which is its archive's name as well.
///
/// # Errors
///
/// The key and the word.
pub fn part(key: &str, word: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match !word.is_empty() && word.chars().all(plain) {
        true => Ok(()),
        false => bail!("{key} = {word:?} is no name of a part: lower case letters, digits and -"),
    }
}

/// Checks the name of a kernel module.
///
/// # Errors
///
/// The key and the word.
pub fn module(key: &str, word: &str) -> Result<()> {
    match !word.is_empty() && only(word, "_-") {
        true => Ok(()),
        false => bail!("{key} = {word:?} is not a name of a kernel module"),
    }
}

/// Letters, digits and these, all of ASCII.
fn only(word: &str, others: &str) -> bool {
    word.chars()
        .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of each kind that would be another path, another line or another option.
    const HOSTILE: [&str; 6] = [
        "",
        "../x",
        "/x",
        "x\ndeb [trusted=yes] file:/x y",
        "x y",
        "x\"y",
    ];

    #[test]
    fn a_hostile_word_is_an_error_that_names_the_key() {
        for check in [suite, package, release, module] {
            for word in HOSTILE {
                let error = check("the key", word).unwrap_err().to_string();
                assert!(
                    error.starts_with(&format!("the key = {word:?} ")),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn an_option_is_no_suite_and_no_package() {
        assert!(suite("k", "-o").is_err() && package("k", "--x").is_err());
    }

    #[test]
    fn words_of_the_real_tables_are_taken() {
        suite("k", "trixie-security").unwrap();
        package("k", "linux-image-{release}-cloud-amd64-unsigned").unwrap();
        package("k", "libstdc++6").unwrap();
        release("k", "6.12.*+deb13*").unwrap();
        module("k", "binfmt_misc").unwrap();
    }
}
