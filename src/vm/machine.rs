//! QEMU's command line, and its descriptors.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use command_fds::{CommandFdExt as _, FdMapping};
use nix::fcntl::OFlag;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::pipe2;

use super::accel::Accel;
use super::image::Initramfs;
use super::{sandbox, tsc};
use crate::arch::{self, QEMU};
use crate::sys;

/// The kernel that a machine boots.
#[derive(Clone, Debug)]
pub enum Kernel {
    /// An uncompressed kernel on disk.
    File(PathBuf),
    /// An uncompressed kernel in memory, taken out of an image that a user named.
    Memory(std::sync::Arc<OwnedFd>),
}

impl Kernel {
    /// A descriptor that QEMU can open again by its number, whoever it runs as.
    fn open(&self) -> Result<OwnedFd> {
        let path = match self {
            Kernel::File(path) => path,
            Kernel::Memory(memory) => {
                return memory.try_clone().context("failed to duplicate the kernel");
            }
        };
        let context = || format!("failed to read {}", path.display());
        let mut file = File::open(path).with_context(context)?;
        let mode = file.metadata().with_context(context)?.mode();
        if mode & 0o004 != 0 {
            return Ok(file.into());
        }
        // A file in memory is everybody's who has its descriptor.
        let memory = memfd_create(c"exetrail-vmlinux", MFdFlags::MFD_CLOEXEC)
            .context("failed to make a file in memory")?;
        let mut memory = File::from(memory);
        std::io::copy(&mut file, &mut memory).with_context(context)?;
        Ok(memory.into())
    }
}

/// Where a machine begins.
#[derive(Debug)]
pub enum Start<'a> {
    /// It boots this kernel with this image.
    Boot(&'a Kernel, Initramfs),
    /// As [`Start::Boot`], to be saved: its memory is this file.
    ToBeSaved(&'a Kernel, Initramfs, OwnedFd),
    /// It goes on where it was saved, with this memory, which stays as it is, and everything else
    /// from this file. QEMU opens the memory for writing and does not write to it.
    Saved(OwnedFd, OwnedFd),
}

impl Start<'_> {
    /// What QEMU needs of it.
    fn descriptors(self) -> Result<Vec<FdMapping>> {
        let booted = |kernel: &Kernel, image: Initramfs| {
            let kernel = as_number(kernel.open()?, KERNEL_FD);
            anyhow::Ok(vec![kernel, as_number(image.file, IMAGE_FD)])
        };
        match self {
            Start::Boot(kernel, image) => booted(kernel, image),
            Start::ToBeSaved(kernel, image, memory) => {
                let mut fds = booted(kernel, image)?;
                fds.push(as_number(memory, MEMORY_FD));
                Ok(fds)
            }
            Start::Saved(memory, state) => Ok(vec![
                as_number(memory, MEMORY_FD),
                as_number(state, STATE_FD),
            ]),
        }
    }
}

/// A descriptor of ours that has this number in QEMU.
fn as_number(parent_fd: OwnedFd, child_fd: i32) -> FdMapping {
    FdMapping {
        parent_fd,
        child_fd,
    }
}

/// A machine before it is started.
#[derive(Debug)]
pub struct Machine<'a> {
    /// Where it begins.
    pub start: Start<'a>,
    /// How it runs.
    pub accel: Accel,
    /// Number of virtual CPUs.
    pub cpus: u32,
    /// Parameters of the kernel beside ours; none are an empty text.
    pub parameters: &'a str,
    /// What the third serial port is connected to.
    pub terminal: Terminal,
    /// Memory in MiB.
    pub memory: u64,
}

/// What the third serial port is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Nothing.
    None,
    /// Our own standard input and output.
    Ours,
    /// Us, who hand on our standard input.
    Host,
}

/// A machine that runs, and our ends of its channels.
#[derive(Debug)]
pub struct Running {
    /// QEMU.
    pub child: Child,
    /// The first serial port.
    pub console: OwnedFd,
    /// The second serial port, in both directions.
    pub records: OwnedFd,
    /// What QEMU itself says.
    pub complaints: OwnedFd,
    /// The third serial port, where we hand on our input.
    pub input: Option<OwnedFd>,
    /// QEMU's own channel.
    pub control: OwnedFd,
}

/// Numbers of the descriptors in QEMU.
const IMAGE_FD: i32 = 10;
const CONSOLE_FD: i32 = 11;
const RECORDS_FD: i32 = 12;
const KERNEL_FD: i32 = 13;
const INPUT_FD: i32 = 14;
const CONTROL_FD: i32 = 15;
const MEMORY_FD: i32 = 16;
/// What a machine is restored from.
pub const STATE_FD: i32 = 17;

impl Machine<'_> {
    /// Starts QEMU; it ends with the calling thread.
    ///
    /// # Errors
    ///
    /// There is no QEMU, or no descriptors for it.
    pub fn run(self) -> Result<Running> {
        let (console, console_end) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
        let (records, records_end) = sockets()?;
        let (complaints, complaints_end) =
            pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
        let mut command = Command::new(QEMU);
        if sandbox::drops_root(self.accel) {
            sandbox::drop_root(&mut command, &console_end)?;
        }
        command.args(self.arguments()).stderr(complaints_end);
        command.args(sandbox::options());
        if self.terminal != Terminal::Ours {
            // A process group of its own: Ctrl-C is ours to handle.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            command.stdin(Stdio::null()).stdout(Stdio::null());
        }
        let (control, control_end) = sockets()?;
        let mut fds = vec![
            as_number(console_end, CONSOLE_FD),
            as_number(records_end, RECORDS_FD),
            as_number(control_end, CONTROL_FD),
        ];
        fds.extend(self.start.descriptors()?);
        let input = match self.terminal {
            Terminal::Host => {
                let (ours, theirs) = sockets()?;
                fds.push(as_number(theirs, INPUT_FD));
                Some(ours)
            }
            Terminal::None | Terminal::Ours => None,
        };
        command
            .fd_mappings(fds)
            .context("failed to prepare QEMU's descriptors")?;
        let child = sys::on_exec(&mut command).spawn().with_context(|| {
            format!(
                "failed to start {QEMU}: install it with vm/setup (package {})",
                arch::QEMU_PACKAGE
            )
        })?;
        Ok(Running {
            child,
            console,
            records,
            complaints,
            input,
            control,
        })
    }

    fn arguments(&self) -> Vec<String> {
        let flags = ["-no-user-config", "-nodefaults", "-no-reboot"].map(ToOwned::to_owned);
        let mut arguments: Vec<String> = flags.into();
        arguments.extend(["-display", "none"].map(ToOwned::to_owned));
        arguments.extend(hardware(self.accel, self.cpus, self.memory));
        let mut add = |options: &[(&str, String)]| {
            let options = options.iter();
            arguments.extend(options.flat_map(|(name, value)| [(*name).to_owned(), value.clone()]));
        };
        add(&[
            (
                "-chardev",
                format!("file,id=console,path=/dev/fd/{CONSOLE_FD}"),
            ),
            ("-serial", "chardev:console".to_owned()),
            ("-chardev", format!("socket,id=records,fd={RECORDS_FD}")),
            ("-serial", "chardev:records".to_owned()),
            ("-chardev", format!("socket,id=control,fd={CONTROL_FD}")),
            ("-mon", "chardev=control,mode=control".to_owned()),
        ]);
        if !matches!(self.start, Start::Saved(..)) {
            add(&[
                ("-kernel", format!("/dev/fd/{KERNEL_FD}")),
                ("-initrd", format!("/dev/fd/{IMAGE_FD}")),
                ("-append", append(self.accel, self.parameters)),
            ]);
        }
        let share = match &self.start {
            Start::Boot(..) => None,
            Start::ToBeSaved(..) => Some("on"),
            Start::Saved(..) => Some("off"),
        };
        if let Some(share) = share {
            let size = self.memory;
            add(&[
                (
                    "-object",
                    format!(
                        "memory-backend-file,id=memory,size={size}M,mem-path=/dev/fd/{MEMORY_FD},\
                         share={share}"
                    ),
                ),
                ("-machine", "memory-backend=memory".to_owned()),
            ]);
        }
        if matches!(self.start, Start::Saved(..)) {
            add(&[("-incoming", "defer".to_owned())]);
        }
        let terminal = match self.terminal {
            Terminal::None => None,
            Terminal::Ours => Some("stdio,id=terminal,signal=on".to_owned()),
            Terminal::Host => Some(format!("socket,id=terminal,fd={INPUT_FD}")),
        };
        if let Some(terminal) = terminal {
            arguments.extend(["-chardev".to_owned(), terminal]);
            arguments.extend(["-serial", "chardev:terminal"].map(Into::into));
        }
        arguments
    }
}

/// What a state depends on beside what its machine was booted from; the memory is in MiB.
#[must_use]
pub fn hardware(accel: Accel, cpus: u32, memory: u64) -> Vec<String> {
    // QEMU emulates multi-threaded self-modifying code badly, which makes kernels crash at
    // random.
    let threads = match (accel, cpus) {
        (Accel::Tcg, 2..) => "tcg,thread=single",
        (accel, _) => accel.name(),
    };
    let smp = cpus.to_string();
    let memory = format!("{memory}M");
    [
        ("-machine", arch::BOARD),
        ("-cpu", accel.cpu()),
        ("-accel", threads),
        ("-smp", &smp),
        ("-m", &memory),
    ]
    .into_iter()
    .flat_map(|(option, value)| [option.to_owned(), value.to_owned()])
    .collect()
}

/// The kernel's command line.
///
/// A panic ends QEMU (`panic=-1` with `-no-reboot`); the crypto API's self-tests would take a third of the
/// boot, and two modules that test themselves all the same are left out; only errors go to the console, which is slow.
/// An emulated kernel is told how fast its counter runs ([`tsc`]).
fn append(accel: Accel, parameters: &str) -> String {
    let counter = match accel {
        Accel::Tcg => tsc::khz().map(|khz| format!("{}={khz} ", arch::COUNTER)),
        // It is told by the host's kernel (kvmclock).
        Accel::Kvm => None,
    };
    format!(
        "console={} quiet panic=-1 {} {}cryptomgr.notests initcall_blacklist={TESTING} rdinit=/exetrail/launcher {parameters}",
        arch::CONSOLE,
        arch::PARAMETERS,
        counter.unwrap_or_default(),
    )
}

/// How long a kernel's command line is at the most; it cuts a longer one (`COMMAND_LINE_SIZE`,
/// arch/x86/include/asm/setup.h, with the NUL).
const LONGEST: usize = 2047;

/// Refuses parameters of a user that no kernel takes.
///
/// # Errors
///
/// They are too long beside our own, or no line.
pub fn check_parameters(text: &str) -> Result<()> {
    if text.contains(char::is_control) {
        bail!("--append: parameters are one line without control characters");
    }
    if text
        .split_whitespace()
        .any(|word| word.starts_with("rdinit="))
    {
        bail!("--append: rdinit= is ours: guests of exetrail begin with its launcher");
    }
    let (own, length) = (append(Accel::Tcg, "").len(), text.len());
    if own + length > LONGEST {
        bail!(
            "--append: a kernel takes {LONGEST} bytes, {own} of them are ours, and these are {length}"
        );
    }
    Ok(())
}

/// Random numbers from jitter, and key derivation, which test themselves when they begin: 0.2 to 0.5 s under
/// emulation (crypto/jitterentropy-kcapi.c, crypto/kdf_sp800108.c).
const TESTING: &str = "jent_mod_init,crypto_kdf108_init";

/// Memory of a guest in MiB: the image lies there as it is, unpacked, and once more as fixture.
#[must_use]
pub fn memory(image: u64) -> u64 {
    256 + 4 * image.div_ceil(1 << 20)
}

/// Two ends that are connected; ours and QEMU's.
fn sockets() -> Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    socketpair(AddressFamily::Unix, SockType::Stream, None, flags)
        .context("failed to make a pair of sockets")
}

#[cfg(test)]
mod tests {
    use super::check_parameters;

    #[test]
    fn parameters_that_a_kernel_would_cut_are_refused() {
        assert!(check_parameters(&"x".repeat(1500)).is_ok());
        let said = check_parameters(&"x".repeat(2047)).unwrap_err().to_string();
        assert!(said.contains("a kernel takes 2047 bytes"), "{said}");
    }

    #[test]
    fn nobody_takes_the_launchers_place() {
        assert!(check_parameters("quiet rdinit=/bin/sh").is_err());
        assert!(check_parameters("init=/bin/sh").is_ok());
    }

    #[test]
    fn parameters_are_one_line() {
        assert!(check_parameters("quiet\nloud").is_err());
    }
}
