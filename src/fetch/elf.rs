//! What an ELF program of the fixture needs: its interpreter and its libraries, by goblin.

use anyhow::{Context as _, Result, bail};
use goblin::elf::Elf;

use crate::arch;
use crate::vm::tree::{Entry, Tree};

/// Where the loaders of the fixture look for a library (ld.so(8)).
fn library_paths() -> impl Iterator<Item = &'static str> {
    let all = [arch::LIBRARIES, arch::LIBRARIES_NARROW];
    let all = all.into_iter().flat_map(|list| list.split(':'));
    all.chain([arch::LIBRARIES_MUSL])
}

/// Checks that every program and library of a tree finds its interpreter and its libraries there.
///
/// # Errors
///
/// The first file that needs something that is not there, with both names.
pub fn check_needs(tree: &Tree) -> Result<()> {
    for (path, entry) in tree.iter() {
        let Entry::File { bytes, .. } = entry else {
            continue;
        };
        if !bytes.starts_with(b"\x7fELF") {
            continue;
        }
        let elf = Elf::parse(bytes).with_context(|| format!("failed to read /{path} as ELF"))?;
        if let Some(interpreter) = elf.interpreter
            && tree.resolve(interpreter).is_none()
        {
            bail!(
                "/{path} asks for the ELF interpreter {interpreter}, which no package of the \
                     fixture brings: add it to vm/fixture.toml"
            );
        }
        for library in &elf.libraries {
            let found = library_paths()
                .any(|directory| tree.resolve(&format!("{directory}/{library}")).is_some());
            if !found {
                bail!(
                    "/{path} needs the library {library}, which no package of the fixture brings: \
                     add it to vm/fixture.toml"
                );
            }
        }
    }
    Ok(())
}

/// The modules that a kernel module depends on, from its `.modinfo` section.
///
/// # Errors
///
/// The bytes are no ELF file.
pub fn module_depends(bytes: &[u8]) -> Result<Vec<String>> {
    let elf = Elf::parse(bytes).context("failed to read a kernel module as ELF")?;
    for section in &elf.section_headers {
        if elf.shdr_strtab.get_at(section.sh_name) != Some(".modinfo") {
            continue;
        }
        let Some(range) = section.file_range() else {
            continue;
        };
        let info = bytes.get(range).unwrap_or_default();
        let depends = info
            .split(|byte| *byte == 0)
            .find_map(|entry| entry.strip_prefix(b"depends="));
        let names = String::from_utf8_lossy(depends.unwrap_or_default()).into_owned();
        return Ok(names
            .split(',')
            .filter(|name| !name.is_empty())
            .map(Into::into)
            .collect());
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Elf as Builder;

    /// What is said of a tree with these files.
    fn said(files: &[(&str, Vec<u8>)]) -> String {
        let mut tree = Tree::default();
        for (path, bytes) in files {
            let bytes = bytes.as_slice().into();
            tree.add(path, Entry::File { mode: 0o755, bytes }).unwrap();
        }
        check_needs(&tree).map_or_else(|error| format!("{error:#}"), |()| "all is there".to_owned())
    }

    #[test]
    fn an_interpreter_that_no_package_brings_is_named_with_who_asks_for_it() {
        let program = || Builder::new().interpreter("/lib/ld.so").build();
        let said_of =
            |path: &str| said(&[("usr/bin/a", program()), (path, Builder::new().build())]);
        assert_eq!(said_of("lib/ld.so"), "all is there");
        let text = said_of("lib/other.so");
        assert!(
            text.starts_with("/usr/bin/a asks for the ELF interpreter /lib/ld.so, "),
            "{text}"
        );
    }

    #[test]
    fn a_library_is_looked_for_where_the_loaders_look() {
        let said_of = |directory: &str| {
            let program = Builder::new().interpreter("/ld.so").needs("libown.so");
            let library = || Builder::new().build();
            said(&[
                ("usr/bin/a", program.build()),
                ("ld.so", library()),
                (&format!("{directory}/libown.so"), library()),
            ])
        };
        for directory in library_paths() {
            assert_eq!(said_of(directory.trim_start_matches('/')), "all is there");
        }
        let text = said_of("opt");
        assert!(
            text.starts_with("/usr/bin/a needs the library libown.so, "),
            "{text}"
        );
    }

    #[test]
    fn what_is_no_elf_file_needs_nothing_and_one_that_is_cut_is_named() {
        assert_eq!(said(&[("a", b"#!/bin/sh".to_vec())]), "all is there");
        assert!(said(&[("a", b"\x7fELF".to_vec())]).starts_with("failed to read /a as ELF"));
    }

    /// A module with this `.modinfo`: the header, three sections, their names, and the content.
    fn module(info: &[u8]) -> Vec<u8> {
        const NAMES: &[u8] = b"\0.modinfo\0.shstrtab\0";
        const SECTION: usize = 64;
        let names = 64 + 3 * SECTION;
        let mut bytes = vec![0; 64];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        // e_type, e_machine and e_version; then e_shoff, and from e_ehsize on the sizes and numbers of what there is.
        bytes[16..24].copy_from_slice(&[1, 0, 62, 0, 1, 0, 0, 0]);
        bytes[40] = 64;
        bytes[52] = 64;
        bytes[58..64].copy_from_slice(&[SECTION as u8, 0, 3, 0, 2, 0]);
        bytes.extend([0; SECTION]);
        for (name, kind, place, size) in [
            (1_u32, 1_u32, names + NAMES.len(), info.len()),
            (10, 3, names, NAMES.len()),
        ] {
            let mut section = [0; SECTION];
            section[..4].copy_from_slice(&name.to_le_bytes());
            section[4..8].copy_from_slice(&kind.to_le_bytes());
            section[24..32].copy_from_slice(&(place as u64).to_le_bytes());
            section[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            bytes.extend(section);
        }
        [&bytes, NAMES, info].concat()
    }

    #[test]
    fn what_a_module_depends_on_stands_in_its_modinfo() {
        let of = |info: &[u8]| module_depends(&module(info)).unwrap();
        assert_eq!(of(b"name=x\0depends=a,b\0"), ["a", "b"]);
        assert_eq!(of(b"depends=\0"), [""; 0]);
        assert_eq!(of(b"name=x\0"), [""; 0]);
        assert!(module_depends(b"no module").is_err());
    }
}
