//! Kernel modules of a kernel that the user names: found by name, decompressed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use memchr::memmem;

use crate::bound;
use crate::fetch::read_module;
use crate::trail::printable;

/// The modules with these names below a directory such as `/lib/modules/RELEASE`.
///
/// # Errors
///
/// The directory cannot be read, holds no module at all, or a module cannot be read.
pub fn below(directory: &Path, names: &[String]) -> Result<BTreeMap<String, Arc<[u8]>>> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut any = false;
    for path in all(directory)? {
        let Some(name) = name(&path) else {
            continue;
        };
        any = true;
        // Those in `updates/` stand in the place of the others (depmod.d(5)).
        let is_update = |path: &Path| path.starts_with(directory.join("updates"));
        let old = found.get(&name);
        if names.contains(&name) && old.is_none_or(|old| !is_update(old) && is_update(&path)) {
            found.insert(name, path);
        }
    }
    if !any {
        bail!("{} holds no kernel modules (*.ko)", directory.display());
    }
    let read = |(name, path): (String, PathBuf)| Ok((name, read(&path)?));
    found.into_iter().map(read).collect()
}

/// The files below a directory, in the order of their paths.
fn all(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        let context = || format!("failed to list the modules in {}", directory.display());
        for entry in fs::read_dir(&directory).with_context(context)? {
            let entry = entry.with_context(context)?;
            // `build` and `source` are links that lead out of the directory.
            let kind = entry.file_type().with_context(context)?;
            match kind.is_dir() {
                true => left.push(entry.path()),
                false if kind.is_file() => found.push(entry.path()),
                false => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The modules with these names in a build tree, by its `modules.order`.
///
/// # Errors
///
/// A module cannot be read.
pub fn of_tree(tree: &Path, names: &[String]) -> Result<BTreeMap<String, Arc<[u8]>>> {
    // A kernel without modules has no such file.
    let order = bound::text(&tree.join("modules.order"), bound::TEXT).unwrap_or_default();
    let mut found = BTreeMap::new();
    for line in order.lines() {
        // Older kernels write where it is installed, below `kernel/`; the tree has a directory of that name as well.
        let lines = [Some(line), line.strip_prefix("kernel/")];
        let paths = lines.into_iter().flatten();
        let mut paths = paths.map(|line| tree.join(line).with_extension("ko"));
        if let Some(path) = paths.find(|path| path.is_file())
            && let Some(name) = name(&path).filter(|name| names.contains(name))
        {
            found.insert(name, read(&path)?);
        }
    }
    Ok(found)
}

/// Refuses modules that were built with another kernel: one of them keeps a whole guest from coming up.
///
/// # Errors
///
/// The first one whose `vermagic` this kernel does not have (`check_modinfo` in kernel/module/main.c).
pub fn check(modules: &BTreeMap<String, Arc<[u8]>>, release: &str, vmlinux: &[u8]) -> Result<()> {
    let mut known: &[u8] = b"";
    for (name, bytes) in modules {
        let magic = vermagic(bytes)
            .with_context(|| format!("{name}.ko is no kernel module: it has no vermagic"))?;
        if magic != known && memmem::find(vmlinux, magic).is_none() {
            let magic = printable(magic.strip_suffix(b"\0").unwrap_or(magic));
            bail!(
                "{name}.ko was built with another kernel, by its vermagic ({}), and {release} does not load it: \
                 build the modules as well (make modules), or name those of {release} with --modules",
                magic.trim_end()
            );
        }
        known = magic;
    }
    Ok(())
}

/// What a module says of the kernel that it was built with, and the NUL at its end (include/linux/vermagic.h).
fn vermagic(module: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b"vermagic=";
    let at = memmem::find(module, KEY)?;
    let magic = module.get(at + KEY.len()..)?;
    let end = magic.iter().position(|byte| *byte == 0)?;
    magic.get(..=end)
}

/// `binfmt_misc` for `fs/binfmt_misc.ko.xz`; none for what is no module.
fn name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let (stem, rest) = file.split_once('.')?;
    matches!(rest, "ko" | "ko.xz" | "ko.gz" | "ko.zst").then(|| stem.replace('-', "_"))
}

fn read(path: &Path) -> Result<Arc<[u8]>> {
    let module = read_module(bound::file(path, bound::FILE)?);
    let module = module.with_context(|| format!("failed to read {}", path.display()))?;
    Ok(module.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_found_by_its_name_however_deep() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("kernel/fs")).unwrap();
        fs::write(dir.path().join("kernel/fs/overlay.ko"), "module").unwrap();
        let found = below(dir.path(), &["overlay".into()]).unwrap();
        assert_eq!(&*found["overlay"], b"module");
    }

    #[test]
    fn of_two_modules_of_one_name_the_update_is_taken_and_else_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let put = |place: &str| {
            let place = dir.path().join(place);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(
                &place,
                place.strip_prefix(dir.path()).unwrap().to_str().unwrap(),
            )
            .unwrap();
        };
        let found = || {
            below(dir.path(), &["loop".into()])
                .unwrap()
                .remove("loop")
                .unwrap()
        };
        for (place, taken) in [
            ("kernel/b/loop.ko", "kernel/b/loop.ko"),
            ("kernel/a/loop.ko", "kernel/a/loop.ko"),
            ("updates/dkms/loop.ko", "updates/dkms/loop.ko"),
            ("extra/loop.ko", "updates/dkms/loop.ko"),
        ] {
            put(place);
            assert_eq!(&*found(), taken.as_bytes());
        }
    }

    #[test]
    fn a_module_above_the_limit_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(dir.path().join("overlay.ko")).unwrap();
        file.set_len(bound::FILE + 1).unwrap();
        let error = format!("{:#}", below(dir.path(), &["overlay".into()]).unwrap_err());
        assert!(
            error.contains("overlay.ko: ") && error.contains("512 MiB"),
            "{error}"
        );
    }

    #[test]
    fn a_directory_without_modules_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let error = below(dir.path(), &[]).unwrap_err().to_string();
        assert!(error.contains(&*dir.path().to_string_lossy()), "{error}");
    }

    #[test]
    fn a_build_tree_lists_its_modules() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("fs")).unwrap();
        fs::write(dir.path().join("fs/binfmt_misc.ko"), "module").unwrap();
        fs::write(dir.path().join("modules.order"), "fs/binfmt_misc.o\n").unwrap();
        let found = of_tree(dir.path(), &["binfmt_misc".into()]).unwrap();
        assert_eq!(found.len(), 1);
    }

    /// What is said of a module with this vermagic beside a kernel with that one.
    fn checked(module: &str, kernel: &str) -> Result<()> {
        let module = format!("license=GPL\0vermagic={module}\0name=loop\0");
        let modules = BTreeMap::from([("loop".to_owned(), module.into_bytes().into())]);
        check(&modules, "6.12.2", format!("\0{kernel}\0").as_bytes())
    }

    #[test]
    fn a_module_of_another_build_is_an_error_that_names_both() {
        checked("6.12.2 SMP mod_unload ", "6.12.2 SMP mod_unload ").unwrap();
        for stale in ["6.12.1 SMP mod_unload ", "6.12.2 SMP "] {
            let error = checked(stale, "6.12.2 SMP mod_unload ")
                .unwrap_err()
                .to_string();
            let words = format!(
                "by its vermagic ({}), and 6.12.2 does not",
                stale.trim_end()
            );
            assert!(
                error.contains(&words) && error.contains("make modules"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_module_of_the_directory_kernel_is_found_with_and_without_where_it_is_installed() {
        for line in ["kernel/torture.o\n", "kernel/kernel/torture.ko\n"] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("kernel")).unwrap();
            fs::write(dir.path().join("kernel/torture.ko"), "module").unwrap();
            fs::write(dir.path().join("modules.order"), line).unwrap();
            let found = of_tree(dir.path(), &["torture".into()]).unwrap();
            assert_eq!(found.len(), 1, "{line}");
        }
    }
}
