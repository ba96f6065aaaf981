//! Programs that are another user's, or are not, after all.

use proptest::option;
use proptest::prelude::Strategy;
use proptest::sample::select;

use super::{alone, format, made, program};
use crate::arch;
use crate::case::{Case, CaseMount, Kind, Namespace};
use crate::cases::parts::LIBRARIES;
use crate::cases::twist::need;

/// A program, its caller, and what the loader is told.
#[derive(Clone, Debug)]
pub struct OtherUser {
    owner: (u32, u32),
    mode: u32,
    capability: Option<&'static str>,
    /// The file is a text, and a format of these flags interprets it.
    format: Option<&'static str>,
    nosuid: bool,
    no_new_privileges: bool,
    unmapped: bool,
    dropped: bool,
    root: bool,
    variable: (&'static str, &'static str),
    /// Of the library in the default directories, and of the one that the file of preloads names.
    modes: (u32, u32),
}

/// Any of them.
pub fn other_user() -> impl Strategy<Value = OtherUser> {
    let owner = select(vec![(0, 0), (1000, 1000), (0, 1000), (1000, 0)]);
    let mode = select(vec![0o755, 0o4755, 0o2755, 0o6755, 0o2745, 0o4711]);
    let capability = option::weighted(0.3, select(vec!["net_raw", "dac_override"]));
    let format = option::weighted(0.25, select(vec!["C", "O", ""]));
    let seldom = || proptest::bool::weighted(0.2);
    let variables = vec![
        ("LD_PRELOAD", "/tmp/b"),
        ("LD_PRELOAD", "libown.so"),
        ("LD_LIBRARY_PATH", "/tmp"),
    ];
    let modes = (select(vec![0o755, 0o4755]), select(vec![0o755, 0o600]));
    let caller = (seldom(), seldom(), seldom(), seldom(), seldom());
    let file = (owner, mode, capability, format);
    (file, caller, select(variables), modes).prop_map(
        |((owner, mode, capability, format), caller, variable, modes)| {
            let (nosuid, no_new_privileges, unmapped, dropped, root) = caller;
            OtherUser {
                owner,
                mode,
                capability,
                format,
                nosuid,
                no_new_privileges,
                unmapped,
                dropped,
                root,
                variable,
                modes,
            }
        },
    )
}

impl OtherUser {
    /// Makes it the program of a case.
    pub fn apply(self, case: &mut Case) {
        alone(case);
        let at = if self.nosuid { "/tmp/m/a" } else { "/tmp/a" };
        if self.nosuid {
            case.exec.path = at.to_owned();
            case.mounts = vec![CaseMount {
                kind: Kind::Tmpfs,
                at: "/tmp/m".to_owned(),
                from: None,
                options: vec!["nosuid".to_owned()],
            }];
        }
        let mut own = made(at, |made| {
            made.owner = Some(self.owner);
            made.mode = Some(self.mode);
            match self.format {
                Some(_) => made.text = Some("EXETRAIL\n".to_owned()),
                None => made.copy = Some("/usr/bin/true".to_owned()),
            }
        });
        if let Some(name) = self.capability {
            own.capabilities = vec![name.to_owned()];
            need(case, "file-capabilities");
        }
        let library = |path: &str, mode| {
            let mut made = program(path, |program| {
                // Nothing else has a dynamic section.
                program.interpreter = Some(format!("{}\0", arch::LOADER));
                program.needed = vec!["libcap.so.2".to_owned()];
            });
            made.mode = Some(mode);
            made
        };
        case.files = vec![
            own,
            library("/tmp/b", 0o755),
            library(&format!("{LIBRARIES}/libown.so"), self.modes.0),
            library("/tmp/c", self.modes.1),
            made("/etc/ld.so.preload", |made| {
                made.text = Some("/tmp/c\n".to_owned());
                made.mode = Some(0o644);
            }),
        ];
        if let Some(flags) = self.format {
            format(case, flags);
        }
        let exec = &mut case.exec;
        exec.user = (!self.root).then_some(1000);
        exec.no_new_privileges = self.no_new_privileges;
        if self.dropped {
            exec.dropped = vec!["dac_override".to_owned()];
        }
        let (name, value) = self.variable;
        exec.environment.insert(name.to_owned(), value.to_owned());
        if self.unmapped {
            exec.namespaces = vec![Namespace::User];
            need(case, "user-namespaces");
        }
    }
}
