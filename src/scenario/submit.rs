//! How the child submits itself to an observer that changes what it watches.

use std::borrow::Cow;
use std::io::Read as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};

use anyhow::{Context as _, Result};

use super::Exec;
use crate::observer::apparmor::take_on;
use crate::sys;
use crate::wire::Submit;

/// The start with what it takes into its environment.
///
/// # Errors
///
/// None that a name of ours has.
pub fn submitted<'a>(exec: &'a Exec, submits: &[Submit]) -> Result<Cow<'a, Exec>> {
    // Some have megabytes of arguments, or hundreds of thousands.
    let mut exec = Cow::Borrowed(exec);
    for submit in submits {
        if let Submit::Library(place) = submit {
            exec = Cow::Owned(exec.into_owned().preloaded(place)?);
        }
    }
    Ok(exec)
}

/// Does it, in the child, as the user that the launcher is.
///
/// # Errors
///
/// What the calls say; a tracer that does not come.
pub fn submit(submit: &Submit) -> Result<()> {
    match submit {
        Submit::Tracer(name) => {
            sys::stop_at_execs().context("failed to have execs stop for a tracer")?;
            let address =
                SocketAddr::from_abstract_name(name).context("failed to name a tracer")?;
            let mut tracer = UnixStream::connect_addr(&address).context("no tracer listens")?;
            let traced = tracer.read_exact(&mut [0]);
            traced.context("the tracer does not trace")
        }
        // It is in the environment already.
        Submit::Library(_) => Ok(()),
        Submit::Profile(name) => {
            take_on(name).with_context(|| format!("failed to take on the profile {name}"))
        }
    }
}
