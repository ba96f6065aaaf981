//! What the records of a run stand on, for the file beside them.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::records::{Kernel, Machine, Package, Program, Provenance};
use crate::suite::{Options, ReadyKernel, Suite};
use crate::vm::accel;
use crate::wire::BUILD;

/// These kernels, by the name that they have in records.
///
/// # Errors
///
/// One cannot be read.
pub fn kernels(targets: &[ReadyKernel]) -> Result<BTreeMap<String, Kernel>> {
    let kernel = |target: &ReadyKernel| -> Result<(String, Kernel)> {
        let packages = target.packages.iter().map(|package| Package {
            name: package.name.clone(),
            version: package.version.clone(),
            sha256: package.sha256.clone(),
        });
        let kernel = Kernel {
            release: target.release.clone(),
            packages: packages.collect(),
            image: target.image_sha256()?,
        };
        Ok((target.label(), kernel))
    };
    targets.iter().map(kernel).collect()
}

/// Of a run that has ended: how guests ran is known then.
#[must_use]
pub fn of(suite: &Suite, kernels: BTreeMap<String, Kernel>, options: &Options) -> Provenance {
    let machine = suite.accel().map(|choice| Machine {
        qemu: accel::qemu(),
        accelerator: choice.accel.name().to_owned(),
        cpu: choice.accel.cpu().to_owned(),
        cpus: options.cpus,
        parameters: options.parameters.clone(),
    });
    Provenance {
        exetrail: Program {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("EXETRAIL_COMMIT").map(ToOwned::to_owned),
            build: BUILD.to_owned(),
        },
        machine,
        fixture: suite.fixture.clone(),
        kernels,
    }
}
