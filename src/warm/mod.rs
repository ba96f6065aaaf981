//! Machines that were saved where their guest waits for its plan, and are restored in a tenth of a second.
//!
//! A state is an entry of the cache below `warm/`: the guest's memory, which restored machines map
//! privately, so that it is never written again, and what QEMU saved of everything else. Its name has
//! a hash of all that it was made from ([`Key`]): what is not the same is another state, and an old one is
//! never restored by mistake. It is made beside its place and renamed when whole, so a run that is killed
//! leaves a whole one or none; like all of the cache it is not believed: a file that was changed or
//! cut is no state. [`Store::prune`] keeps all of them together below a limit.

mod key;
mod memory;
mod store;

pub use key::Key;
pub use memory::{load, new_memory};
pub use store::{Draft, Kept, LIMIT, State, Store};
