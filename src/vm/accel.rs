//! How a guest runs: as the user says, else with KVM when a real kernel booted under it, else by emulation.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::{arch, bound, files};

/// How a guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// Hardware virtualisation.
    Kvm,
    /// QEMU's own emulation.
    Tcg,
}

/// What was chosen and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The accelerator.
    pub accel: Accel,
    /// The reason, in words.
    pub why: String,
}

impl Accel {
    /// What QEMU calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        }
    }

    /// The CPU model of a guest. It is the same with both, so that trails are too, but for what
    /// emulation cannot do.
    #[must_use]
    pub fn cpu(self) -> &'static str {
        match self {
            Accel::Kvm => arch::CPU,
            Accel::Tcg => arch::CPU_EMULATED,
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, because {}", self.accel.name(), self.why)
    }
}

/// What stands in the cache: the verdict of a trial boot on this host.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    /// Host kernel and QEMU for which it holds.
    host: String,
    choice: Choice,
}

/// How a boot under KVM went.
#[derive(Clone, Debug)]
pub enum Trial {
    /// The kernel came up.
    Booted,
    /// KVM is of no use here; why.
    Failed(String),
    /// It may as well be the kernel: what was in the way. Nothing is remembered.
    Unclear(String),
}

/// Chooses; `trial` boots a real kernel under KVM and says how that went.
///
/// `EXETRAIL_ACCEL` is `tcg`, `kvm` or `auto` (the default). A remembered verdict holds until host
/// kernel or QEMU change; removing `accel.json` from the cache forgets it.
///
/// # Errors
///
/// An unknown value of the variable, or a trial that was interrupted.
pub fn choose(cache: &Path, trial: impl FnOnce() -> Result<Trial>) -> Result<Choice> {
    let asked = std::env::var("EXETRAIL_ACCEL").unwrap_or_default();
    let forced = |accel| Choice {
        accel,
        why: format!("EXETRAIL_ACCEL is {asked}"),
    };
    match asked.as_str() {
        "tcg" => return Ok(forced(Accel::Tcg)),
        "kvm" => return Ok(forced(Accel::Kvm)),
        "" | "auto" => {}
        other => bail!("EXETRAIL_ACCEL=\"{other}\" is unknown: it is tcg, kvm or auto"),
    }
    if let Some(why) = quick_no() {
        return Ok(Choice {
            accel: Accel::Tcg,
            why,
        });
    }
    tried(&cache.join("accel.json"), host(), trial)
}

/// The verdict in this file where it is of this host, else that of a trial, which is kept there.
fn tried(file: &Path, host: String, trial: impl FnOnce() -> Result<Trial>) -> Result<Choice> {
    let known = bound::file(file, bound::TEXT)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    if let Some(Remembered { choice, .. }) = known.filter(|known: &Remembered| known.host == host) {
        return Ok(choice);
    }
    let emulated = |what: &str, why: &str| {
        let first = why.lines().next().unwrap_or_default();
        Choice {
            accel: Accel::Tcg,
            why: format!("{what} under KVM: {first}"),
        }
    };
    let choice = match trial()? {
        Trial::Booted => Choice {
            accel: Accel::Kvm,
            why: "a kernel booted under KVM".to_owned(),
        },
        Trial::Failed(why) => emulated("no kernel boots", &why),
        Trial::Unclear(why) => return Ok(emulated("this kernel does not boot", &why)),
    };
    let remembered = serde_json::to_vec_pretty(&Remembered {
        host,
        choice: choice.clone(),
    })?;
    // A cache that cannot be written is tried each time, which costs time alone.
    let _ = files::replace(file, &remembered);
    Ok(choice)
}

/// What is known without a boot: no for a reason, or nothing.
fn quick_no() -> Option<String> {
    if Path::new("/sys/module/kvm_pvm").exists() {
        return Some(
            "the host's KVM is a software one (kvm_pvm), under which stock kernels die".into(),
        );
    }
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if !cpus
        .split_ascii_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm")
    {
        return Some("the CPU has no virtualisation (vmx or svm)".into());
    }
    match fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
    {
        Ok(_) => None,
        Err(error) => Some(format!("/dev/kvm cannot be opened: {error}")),
    }
}

/// The first line of what QEMU says of its version; empty when it cannot be asked.
#[must_use]
pub fn qemu() -> String {
    let output = std::process::Command::new(arch::QEMU)
        .arg("--version")
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn host() -> String {
    let version = fs::read_to_string("/proc/version").unwrap_or_default();
    format!("{}; {}", version.trim(), qemu())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is chosen, and whether it is remembered.
    fn after(trial: Result<Trial>) -> (Option<Accel>, bool) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("accel.json");
        let choice = tried(&file, "host".to_owned(), || trial).ok();
        (choice.map(|choice| choice.accel), file.exists())
    }

    #[test]
    fn what_says_nothing_of_kvm_is_not_remembered() {
        let why = || "it hangs".to_owned();
        assert_eq!(after(Ok(Trial::Booted)), (Some(Accel::Kvm), true));
        assert_eq!(after(Ok(Trial::Failed(why()))), (Some(Accel::Tcg), true));
        assert_eq!(after(Ok(Trial::Unclear(why()))), (Some(Accel::Tcg), false));
        assert_eq!(after(Err(anyhow::anyhow!("interrupted"))), (None, false));
    }
}
