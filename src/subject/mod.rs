//! The exec'd program: what scenarios need and Debian does not ship.
//!
//! `main.rs` is the root of a program of its own, which `build.rs` compiles without the standard
//! library and without a C library, and which lies in the host command as [`SUBJECT`]. It is static,
//! opens nothing that is watched, and nothing runs in it before it looks at its own state.
//!
//! [`state`], [`word`] and `role.rs` are compiled twice: into that program, and into this
//! library, because the caller of a call that failed says what it finds of its own state
//! ([`say_state`]). So they use `core`, `alloc` and `sys::bare` alone.

mod role;
mod state;
mod word;

use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt};

use nix::libc;

pub use role::{DISGUISE_FD, OPENED, ROLE, Role, STATE, TELL_FD};
pub use state::is_known as is_known_state;

use crate::sys::{self, bare};
use crate::trail::printable;

/// The program.
pub static SUBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/exetrail-subject"));

/// Writes what this process found, as one line, to who runs the scenario.
///
/// # Errors
///
/// Nobody listens.
pub fn say(name: &'static str, value: impl ToString) -> std::io::Result<()> {
    write(&[(name, value.to_string())])
}

/// Writes what this process finds of its own state; `names` are parted by commas.
///
/// # Errors
///
/// Nobody listens.
pub fn say_state(names: &str) -> std::io::Result<()> {
    write(&state::look(names, &given()))
}

fn write(found: &[word::Finding]) -> std::io::Result<()> {
    let line = word::line(nix::unistd::getpid().as_raw(), None, found);
    // The descriptor stays open: there may be more to say.
    let mut pipe = std::mem::ManuallyDrop::new(std::fs::File::from(sys::adopt_fd(TELL_FD)));
    pipe.write_all(line.as_bytes())
}

/// What this process was given by exec, as far as the standard library kept it.
fn given() -> bare::Given {
    bare::Given {
        argv: std::env::args_os().map(OsStringExt::into_vec).collect(),
        environment: std::env::vars_os()
            .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
            .collect(),
        secure: sys::auxv(libc::AT_SECURE),
        auxiliary_flags: sys::auxv(libc::AT_FLAGS),
        execfn: None,
        execfd: None,
        places: Vec::new(),
        registers: None,
    }
}
