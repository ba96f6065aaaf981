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
