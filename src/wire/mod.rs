//! What host and guest tell each other, and how: lines of JSON.
//!
//! The host writes a [`GuestPlan`] into the image or sends it as an [`Order`]; the guest sends [`Message`]s over the second serial
//! port (or a pipe, in the native lab). Inside the guest the runner, the launcher and the monitor
//! talk over a [`Link`].

mod bytes;
mod chunk;
mod link;
mod message;
mod place;
mod plan;
mod policy;
mod submit;
mod wrote;

pub use chunk::Chunk;
pub use link::{Link, LinkError, until};
pub use message::{Failure, Lost, Message, Sent, Shrunk, Stream};
pub use place::{BUILD, FILES, HOME, IDENTITY, LAUNCHER, MARKER, SUBJECT};
pub use plan::{AgentCommand, Ask, Fault, GuestPlan, Input, Job, Order, Written};
pub use policy::{Act, Policy};
pub use submit::Submit;
pub use wrote::Wrote;
