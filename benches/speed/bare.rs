//! A kernel that boots to an init that leaves: what no run can do without.

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, bail};
use exetrail::suite::{ReadyKernel, Stop};
use exetrail::vm::accel::Accel;
use exetrail::vm::image::Initramfs;
use exetrail::vm::machine::{Machine, Start, Terminal};
use exetrail::vm::session::{self, Breakdown, FOR_EVER, Limits};
use exetrail::vm::tree::{Entry, Tree};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// Boots a kernel whose init asks for a reboot, which ends QEMU.
pub fn boot(target: &ReadyKernel, accel: Accel, stop: &Stop) -> Result<()> {
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
    let image = Initramfs {
        file: file.into(),
        size,
    };
    let kernel = target
        .kernel
        .as_ref()
        .context("the running kernel is not booted")?;
    let machine = Machine {
        start: Start::Boot(kernel, image),
        accel,
        cpus: 1,
        parameters: "",
        terminal: Terminal::None,
        memory: 256,
    };
    let limits = Limits {
        boot: session::BOOT,
        whole: FOR_EVER,
    };
    match session::run(machine, &[], limits, stop.as_fd(), &mut |_| Ok(None)) {
        Err(Breakdown::Interrupted) => bail!("interrupted"),
        // It takes CPU for as long as it is waited for, beside which everything is cheap.
        Err(Breakdown::Broken(reason)) if reason.contains("the guest hangs") => {
            bail!("the bare boot: {reason}")
        }
        // It ends without a word, which is what a session calls broken.
        _ => Ok(()),
    }
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
