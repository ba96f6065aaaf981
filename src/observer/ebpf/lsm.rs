//! `ebpf-lsm`: programs on LSM hooks.

use std::fs;

use anyhow::{Context as _, Result};

use super::{Object, Programs, needs};
use crate::observer::{Kind, securityfs};

/// Its programs are those of `lsm.bpf.c`.
pub const KIND: Kind = Kind {
    name: "ebpf-lsm",
    needs: needs::LSM,
    takes: None,
    wants: &[],
    make: || Box::new(Programs::of(&OBJECT)),
};

static OBJECT: Object = Object {
    name: KIND.name,
    bytes: super::object!("lsm"),
    begin: |_| Ok(()),
};

/// Why such programs are attached and never called: the kernel calls the modules of its list
/// alone (`ordered_lsm_init` in security/security.c, `lsm_order_parse` in security/lsm_init.c on newer kernels), and
/// attaching asks nobody.
///
/// # Errors
///
/// The list of modules cannot be read.
pub fn deaf() -> Result<Option<String>> {
    let modules = fs::read_to_string(securityfs::mounted()?.join("lsm"));
    Ok(without_bpf(
        &modules.context("failed to read the list of security modules")?,
    ))
}

fn without_bpf(modules: &str) -> Option<String> {
    let mut names = modules.trim().split(',');
    (!names.any(|name| name == "bpf")).then(|| format!("lsm={} has no bpf", modules.trim()))
}

#[cfg(test)]
mod tests {
    use super::without_bpf;

    #[test]
    fn without_bpf_in_the_list_nobody_calls() {
        let found = without_bpf("lockdown,apparmor\n");
        assert_eq!(found.as_deref(), Some("lsm=lockdown,apparmor has no bpf"));
        assert_eq!(without_bpf("lockdown,bpf,ipe\n"), None);
    }
}
