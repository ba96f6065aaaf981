//! What the six first scenarios cost on top of booting a kernel at all: `cargo bench --bench boot`.
//!
//! For each kernel five pairs, one after the other: QEMU's start to the last record, and the same
//! kernel with an initramfs that holds nothing but an init that leaves. Quote the ratio: seconds
//! depend on the machine. Then the wall time of the whole matrix.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use exetrail::project::{Project, cache_directory};
use exetrail::scenario::{Registered, select};
use exetrail::suite::{Options, Stop, Suite, Target, Wanted, Work};
use exetrail::vm::accel::Accel;
use exetrail::vm::image::Image;
use exetrail::vm::machine::{Machine, Terminal};
use exetrail::vm::session;
use exetrail::vm::tree::{Entry, Tree};
use nix::sys::memfd::{MFdFlags, memfd_create};

const PAIRS: usize = 5;
const SCENARIOS: [&str; 6] = [
    "start/core_pattern_kworker",
    "start/direct_ldso",
    "start/fexecve",
    "start/ld_preload",
    "start/normal",
    "start/shebang",
];

fn main() -> Result<()> {
    let stop = Stop::listen()?;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let project = Project::open_at(Some(root), cache_directory()?)?;
    let mut targets = Vec::new();
    for entry in &project.table.kernels {
        if let Wanted::Ready(target) = Wanted::of_table(&project, &entry.id)? {
            targets.push(target);
        }
    }
    let first = targets
        .first()
        .context("no kernel is fetched: run vm/setup")?;
    let program = Path::new(env!("CARGO_BIN_EXE_exetrail"));
    let suite = Suite::prepare(&project, program, first, &stop)?;
    let accel = suite.accel().context("nothing that is booted")?;
    let scenarios = select(&SCENARIOS.map(ToOwned::to_owned))?;

    println!("kernel  six scenarios  bare boot  ratio (medians of {PAIRS} pairs)");
    for target in &targets {
        let mut pairs = Vec::new();
        for _ in 0..PAIRS {
            let full = matrix(&suite, std::slice::from_ref(target), &scenarios, &stop);
            pairs.push((full, bare(target, accel.accel, &stop)?));
        }
        let ratio = median(
            pairs
                .iter()
                .map(|(full, bare)| full.as_secs_f64() / bare.as_secs_f64()),
        );
        let full = median(pairs.iter().map(|(full, _)| full.as_secs_f64()));
        let bare = median(pairs.iter().map(|(_, bare)| bare.as_secs_f64()));
        println!(
            "{:<6}  {full:>11.2} s  {bare:>7.2} s  {ratio:.2}",
            target.id
        );
    }
    let whole = matrix(&suite, &targets, &scenarios, &stop);
    println!(
        "whole matrix, {} kernels: {:.1} s",
        targets.len(),
        whole.as_secs_f64()
    );
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Boots kernels, as many side by side as there are CPUs, and runs the scenarios on each.
fn matrix(
    suite: &Suite,
    targets: &[Target],
    scenarios: &[&'static Registered],
    stop: &Stop,
) -> Duration {
    let work = targets.iter().cloned();
    let work: Vec<_> = work
        .map(|target| Work {
            target,
            scenarios: scenarios.to_vec(),
        })
        .collect();
    let start = Instant::now();
    suite.run(&work, &Options::default(), stop, &mut |_| {});
    start.elapsed()
}

/// Boots a kernel whose init asks for a reboot, which ends QEMU.
fn bare(target: &Target, accel: Accel, stop: &Stop) -> Result<Duration> {
    let mut tree = Tree::default();
    tree.add("dev", Entry::Directory(0o755))?;
    tree.add(
        "exetrail/launcher",
        Entry::File {
            mode: 0o755,
            bytes: leaving_init().into(),
        },
    )?;
    let memory = memfd_create(c"bare", MFdFlags::MFD_CLOEXEC).context("failed to make a file")?;
    let mut file = std::fs::File::from(memory);
    tree.write_cpio(&mut file)?;
    let size = file.metadata()?.len();
    let image = Image {
        file: file.into(),
        size,
    };
    let kernel = target
        .kernel
        .as_ref()
        .context("the running kernel is not booted")?;
    let machine = Machine {
        kernel,
        image,
        accel,
        cpus: 1,
        parameters: "",
        terminal: Terminal::None,
        memory: None,
    };
    let start = Instant::now();
    // It ends without a word, which is what a session calls broken.
    let _ = session::run(machine, session::BOOT, stop.as_fd(), &mut |_| None);
    Ok(start.elapsed())
}

/// A static ELF program: reboot(2) with `LINUX_REBOOT_CMD_RESTART`.
fn leaving_init() -> Vec<u8> {
    let address = 0x40_0000_u64;
    let code = [
        0xbf, 0xad, 0xde, 0xe1, 0xfe, // mov edi, 0xfee1dead
        0xbe, 0x69, 0x19, 0x12, 0x28, // mov esi, 0x28121969
        0xba, 0x67, 0x45, 0x23, 0x01, // mov edx, 0x01234567
        0xb8, 0xa9, 0x00, 0x00, 0x00, // mov eax, 169
        0x0f, 0x05, // syscall
        0xeb, 0xfe, // jmp .
    ];
    let size = 120 + code.len() as u64;
    let words = |words: &[u64]| {
        words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    file.extend(words(&[address + 120, 64, 0]));
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    file.extend(words(&[0, address, address, size, size, 4096]));
    file.extend(code);
    file
}
