//! Which snapshot applies to a kernel, and what a run adds to the snapshots.
//!
//! A snapshot exists only for a kernel at which behaviour changed; the others inherit. [`Lineage`]
//! says from whom, [`plan`] which files a set of observed texts asks for, both pure. [`Store`]
//! reads the files, or the copies that are built into the binary.

mod lineage;
mod pending;
mod plan;
mod snapshot;
mod store;

pub use lineage::Lineage;
pub use pending::write_pending;
pub use plan::{Plan, plan};
pub use snapshot::read_snapshot;
pub use store::{Baselines, Store, scenarios};
