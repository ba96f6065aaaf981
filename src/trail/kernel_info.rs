//! Which kernel it was, and where it ran.

use serde::{Deserialize, Serialize};

use crate::arch;

/// Which kernel, and where it ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KernelInfo {
    /// The id: the series, such as `6.12`, whatever release of it was run.
    pub id: String,
    /// What uname(2) says, such as `6.12.107+deb13-cloud-amd64`.
    pub release: String,
    /// What the release has behind its first hyphen, such as `cloud` or `rt`, without the parts between hyphens that are a
    /// number, `rc1` and the like, or the architecture; `generic` where nothing is left.
    pub flavour: String,
    /// Its architecture, as [`arch::NAME`] has it.
    pub arch: String,
    /// Where it ran.
    pub lab: LabKind,
}

impl KernelInfo {
    /// A kernel of this architecture by its id and release; the release tells the flavour.
    #[must_use]
    pub fn of(id: &str, release: &str, lab: LabKind) -> KernelInfo {
        KernelInfo {
            id: id.to_owned(),
            release: release.to_owned(),
            flavour: flavour(release),
            arch: arch::NAME.to_owned(),
            lab,
        }
    }

    /// Another release of the same kernel, as the guest says that it is.
    pub fn set_release(&mut self, release: &str) {
        *self = KernelInfo::of(&self.id, release, self.lab);
    }

    /// What its column is called: the id, and `native` for the running kernel, whose id a kernel of
    /// the table may have as well.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.lab {
            LabKind::Vm => &self.id,
            LabKind::Native => "native",
        }
    }
}

/// What stands after a release's numbers, without ABI numbers, release candidates and architecture.
fn flavour(release: &str) -> String {
    let known = |word: &&str| {
        let numbered = word.trim_start_matches("rc");
        !numbered.bytes().all(|byte| byte.is_ascii_digit())
            && ![arch::DEBIAN, arch::MACHINE].contains(word)
    };
    let words: Vec<_> = release.split('-').skip(1).filter(known).collect();
    match words.is_empty() {
        true => "generic".to_owned(),
        false => words.join("-"),
    }
}

/// Where scenarios run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LabKind {
    /// A kernel in QEMU.
    Vm,
    /// The running kernel, in private namespaces.
    Native,
}

#[cfg(test)]
mod tests {
    use super::{KernelInfo, LabKind, flavour};

    #[test]
    fn a_flavour_is_what_the_distribution_adds() {
        assert_eq!(flavour("6.12.107+deb13-cloud-amd64"), "cloud");
        assert_eq!(flavour("6.1.0-50-cloud-amd64"), "cloud");
        assert_eq!(flavour("6.18.12+deb13-rt-amd64"), "rt");
    }

    #[test]
    fn a_build_that_adds_nothing_is_generic() {
        assert_eq!(flavour("6.12.107+deb13-amd64"), "generic");
        assert_eq!(flavour("7.3.0-rc1"), "generic");
    }

    #[test]
    fn another_release_of_a_kernel_may_be_of_another_flavour() {
        let mut info = KernelInfo::of("6.12", "6.12.107+deb13-amd64", LabKind::Vm);
        info.set_release("6.12.108-acme");
        assert_eq!(info, KernelInfo::of("6.12", "6.12.108-acme", LabKind::Vm));
        assert_eq!((&*info.flavour, info.label()), ("acme", "6.12"));
        assert_eq!(
            KernelInfo::of("6.12", "6.12.1", LabKind::Native).label(),
            "native"
        );
    }
}
