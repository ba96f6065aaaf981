//! QEMU's command line, and nothing else of QEMU.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use command_fds::{CommandFdExt as _, FdMapping};
use nix::fcntl::OFlag;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::pipe2;

use super::accel::Accel;
use super::image::Image;
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

/// A machine before it is started.
#[derive(Debug)]
pub struct Machine<'a> {
    /// What it boots.
    pub kernel: &'a Kernel,
    /// What it boots with.
    pub image: Image,
    /// How it runs.
    pub accel: Accel,
    /// Number of virtual CPUs.
    pub cpus: u32,
    /// Parameters of the kernel beside ours; none are an empty text.
    pub parameters: &'a str,
    /// What the third serial port is connected to.
    pub terminal: Terminal,
    /// Memory in MiB; by the image's size where the user has not said.
    pub memory: Option<u64>,
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

/// A machine that runs; its output comes through pipes.
#[derive(Debug)]
pub struct Running {
    /// QEMU.
    pub child: Child,
    /// The first serial port.
    pub console: OwnedFd,
    /// The second serial port.
    pub records: OwnedFd,
    /// What QEMU itself says.
    pub complaints: OwnedFd,
    /// The third serial port, where we hand on our input.
    pub input: Option<OwnedFd>,
}

/// Numbers of the descriptors in QEMU.
const IMAGE_FD: i32 = 10;
const CONSOLE_FD: i32 = 11;
const RECORDS_FD: i32 = 12;
const KERNEL_FD: i32 = 13;
const INPUT_FD: i32 = 14;

impl Machine<'_> {
    /// Starts QEMU; it ends with the calling thread.
    ///
    /// # Errors
    ///
    /// There is no QEMU, or no descriptors for it.
    pub fn start(self) -> Result<Running> {
        let (console, console_end) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
        let (records, records_end) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
        let (complaints, complaints_end) =
            pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
        let mut command = Command::new(QEMU);
        command.args(self.arguments()).stderr(complaints_end);
        if self.terminal != Terminal::Ours {
            // A process group of its own: Ctrl-C is ours to handle.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            command.stdin(Stdio::null()).stdout(Stdio::null());
        }
        let mut fds = vec![
            FdMapping {
                parent_fd: self.image.file,
                child_fd: IMAGE_FD,
            },
            FdMapping {
                parent_fd: console_end,
                child_fd: CONSOLE_FD,
            },
            FdMapping {
                parent_fd: records_end,
                child_fd: RECORDS_FD,
            },
        ];
        if let Kernel::Memory(memory) = self.kernel {
            let copy = memory
                .try_clone()
                .context("failed to duplicate the kernel")?;
            fds.push(FdMapping {
                parent_fd: copy,
                child_fd: KERNEL_FD,
            });
        }
        let input = match self.terminal {
            Terminal::Host => {
                let flags = SockFlag::SOCK_CLOEXEC;
                let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags)
                    .context("failed to make a pair of sockets")?;
                fds.push(FdMapping {
                    parent_fd: theirs,
                    child_fd: INPUT_FD,
                });
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
        })
    }

    fn arguments(&self) -> Vec<String> {
        let kernel = match self.kernel {
            Kernel::File(path) => path.display().to_string(),
            Kernel::Memory(_) => format!("/dev/fd/{KERNEL_FD}"),
        };
        // QEMU emulates multi-threaded self-modifying code badly, which makes kernels crash at
        // random.
        let accel = match (self.accel, self.cpus) {
            (Accel::Tcg, 2..) => "tcg,thread=single",
            (accel, _) => accel.name(),
        };
        let mut arguments: Vec<String> = [
            "-no-user-config",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
            "-machine",
            arch::BOARD,
            "-cpu",
            self.accel.cpu(),
            "-accel",
            accel,
        ]
        .map(ToOwned::to_owned)
        .into();
        let file = |id: &str, fd| format!("file,id={id},path=/dev/fd/{fd}");
        arguments.extend(
            [
                ("-smp", self.cpus.to_string()),
                (
                    "-m",
                    format!("{}M", self.memory.unwrap_or(memory(self.image.size))),
                ),
                ("-kernel", kernel),
                ("-initrd", format!("/dev/fd/{IMAGE_FD}")),
                ("-append", append(self.parameters)),
                ("-chardev", file("console", CONSOLE_FD)),
                ("-serial", "chardev:console".to_owned()),
                ("-chardev", file("records", RECORDS_FD)),
                ("-serial", "chardev:records".to_owned()),
            ]
            .into_iter()
            .flat_map(|(option, value)| [option.to_owned(), value]),
        );
        let terminal = match self.terminal {
            Terminal::None => None,
            Terminal::Ours => Some("stdio,id=terminal,signal=off".to_owned()),
            Terminal::Host => Some(format!("socket,id=terminal,fd={INPUT_FD}")),
        };
        if let Some(terminal) = terminal {
            arguments.extend(["-chardev".to_owned(), terminal]);
            arguments.extend(["-serial", "chardev:terminal"].map(Into::into));
        }
        arguments
    }
}

/// The kernel's command line.
///
/// A panic ends QEMU (`panic=-1` with `-no-reboot`); crypto self-tests would take a third of the
/// boot; only errors go to the console, which is slow.
fn append(parameters: &str) -> String {
    format!(
        "console={} quiet panic=-1 {} cryptomgr.notests rdinit=/exetrail/launcher {parameters}",
        arch::CONSOLE,
        arch::PARAMETERS
    )
}

/// Memory of the guest in MiB: the image lies there as it is, unpacked, and once more as fixture.
fn memory(image: u64) -> u64 {
    256 + 4 * image.div_ceil(1 << 20)
}
