//! `exetrail hooks`: what a kernel offers to hook, symbol by symbol, and when an exec passes it.
//!
//! [`here`] looks at the kernel that it runs on and traces its execs ([`exec`]), [`recorded`] reads from accepted stages when a symbol
//! is passed; what a symbol is on several kernels is joined by [`table`]. Only `here` is not pure.

mod exec;
mod here;
mod recorded;
mod table;

pub use exec::{Step, page};
pub use here::{exec, look};
pub use recorded::{Passed, is_recorded, passed};
pub use table::{Hook, Side, show};

use serde::{Deserialize, Serialize};

/// What a kernel offers of one symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The symbol as it was asked for.
    pub symbol: String,
    /// Its names in the kernel's text, with what the compiler hung on them (`.isra.0`).
    pub functions: Vec<String>,
    /// Those that the function tracer takes.
    pub ftrace: Vec<String>,
    /// Those that no kprobe may be set on.
    pub blacklisted: Vec<String>,
    /// Tracepoints of this name, `group:event`.
    pub tracepoints: Vec<String>,
    /// What BTF says of the function: arguments and result; none where it has no such function.
    pub signature: Option<String>,
    /// The LSM hook of this name that eBPF can attach to, and whether it is active here.
    pub lsm: Option<Lsm>,
}

/// An LSM hook for eBPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lsm {
    /// `bpf` is among the active modules (`/sys/kernel/security/lsm`).
    Active,
    /// A program loads and attaches, and is never called.
    Deaf,
}

impl Offer {
    /// The ways by which it can be hooked, in the words of those who write probes.
    #[must_use]
    pub fn ways(&self) -> Vec<String> {
        let mut ways = Vec::new();
        let exact = self.functions.contains(&self.symbol);
        let allowed = self
            .functions
            .iter()
            .filter(|name| !self.blacklisted.contains(name));
        for name in allowed {
            ways.push(match *name == self.symbol {
                true => "kprobe".to_owned(),
                false => format!("kprobe as {name}"),
            });
        }
        for name in &self.ftrace {
            ways.push(match *name == self.symbol {
                true => "ftrace".to_owned(),
                false => format!("ftrace as {name}"),
            });
        }
        if exact && self.signature.is_some() && self.ftrace.contains(&self.symbol) {
            ways.push("fentry".to_owned());
        }
        ways.extend(
            self.tracepoints
                .iter()
                .map(|name| format!("tracepoint {name}")),
        );
        match self.lsm {
            Some(Lsm::Active) => ways.push("lsm".to_owned()),
            Some(Lsm::Deaf) => {
                ways.push("lsm, which is never called with these parameters".to_owned())
            }
            None => {}
        }
        ways
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Offer {
        Offer {
            symbol: "f".into(),
            ..Offer::default()
        }
    }

    #[test]
    fn a_function_under_another_name_has_no_fentry() {
        let found = Offer {
            functions: vec!["f.isra.0".into()],
            ftrace: vec!["f.isra.0".into()],
            signature: Some("()".into()),
            ..offer()
        };
        assert_eq!(found.ways(), ["kprobe as f.isra.0", "ftrace as f.isra.0"]);
    }

    #[test]
    fn a_function_that_is_blacklisted_has_no_kprobe() {
        let found = Offer {
            functions: vec!["f".into()],
            blacklisted: vec!["f".into()],
            ..offer()
        };
        assert_eq!(found.ways(), [""; 0]);
    }

    #[test]
    fn a_plain_function_has_all_three() {
        let found = Offer {
            functions: vec!["f".into()],
            ftrace: vec!["f".into()],
            signature: Some("()".into()),
            ..offer()
        };
        assert_eq!(found.ways(), ["kprobe", "ftrace", "fentry"]);
    }
}
