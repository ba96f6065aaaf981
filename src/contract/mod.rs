//! What is claimed of a system call, claim by claim, and what became of it, kernel by kernel.
//!
//! A [`Specification`] is data (`scenarios/contract/*.toml`). The scenarios of family `contract/`
//! put verdicts into their trails, so that snapshots hold them; [`Table`] gathers them for a list
//! of kernels. `exetrail contract` shows it, and `docs/contract.md` is its Markdown.

mod show;
mod specification;
mod table;

pub use show::{claims, json, markdown, text};
pub use specification::{Claim, Group, Specification, Status, specifications};
pub use table::{Column, Row, Table, all_known};
