//! How often the kernel did not call a program because it was running already on that CPU.
//!
//! Who runs it may lose the CPU to somebody who comes by the same place. `recursion_misses` counts that
//! (`bpf_prog_show_fdinfo` in kernel/bpf/syscall.c); a kernel that does not count it says nothing.

use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::programs::Program;

/// What the kernel says of each program of an object, held open: it is asked twice a watch.
pub struct Misses(Vec<File>);

impl Misses {
    /// Those of the programs that were loaded.
    ///
    /// # Errors
    ///
    /// `/proc` does not tell of a descriptor of ours.
    pub fn of(programs: &Ebpf) -> Result<Misses> {
        let loaded = programs.programs();
        let descriptors = loaded.filter_map(|(_, program): (_, &Program)| program.fd().ok());
        let files = descriptors.map(|fd| {
            let path = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
            File::open(&path).with_context(|| format!("failed to open {path}"))
        });
        Ok(Misses(files.collect::<Result<_>>()?))
    }

    /// How many calls were left out since the programs were loaded.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn count(&self) -> Result<u64> {
        let mut text = [0; 1024];
        let mut all = 0_u64;
        for file in &self.0 {
            let length = file.read_at(&mut text, 0);
            let length =
                length.context("failed to read what the kernel says of an eBPF program")?;
            all = all.wrapping_add(counted(&text[..length]));
        }
        Ok(all)
    }
}

/// The number in a text of `fdinfo`; 0 where the kernel has none.
fn counted(text: &[u8]) -> u64 {
    let mut lines = text.split(|byte| *byte == b'\n');
    let number = lines.find_map(|line| line.strip_prefix(b"recursion_misses:"));
    let number = number.and_then(|number| std::str::from_utf8(number).ok()?.trim().parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn the_number_has_a_line() {
        let text =
            b"pos:\t0\nprog_type:\t26\nrun_cnt:\t7\nrecursion_misses:\t3\nverified_insns:\t9\n";
        assert_eq!(counted(text), 3);
    }

    #[test]
    fn a_kernel_that_does_not_count_says_nothing() {
        assert_eq!(counted(b"pos:\t0\nprog_type:\t26\n"), 0);
    }
}
