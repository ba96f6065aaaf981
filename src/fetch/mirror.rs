//! Where the Debian archive is: the machine's own mirror, or the one that the user names.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::trail::printable;

/// Addresses of the two archives that the tables' suites are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The main archive.
    pub debian: String,
    /// The security archive, where `bullseye-security` and its like live.
    pub security: String,
}

impl Mirror {
    /// Takes `EXETRAIL_MIRROR`, or what the system's apt uses.
    ///
    /// # Errors
    ///
    /// There is no apt, or it knows no Debian archive (on Ubuntu, say).
    pub fn find() -> Result<Mirror> {
        if let Some(mirror) = std::env::var("EXETRAIL_MIRROR")
            .ok()
            .filter(|value| !value.is_empty())
        {
            // It becomes a word of sources.list(5).
            if mirror.contains(|c: char| c.is_whitespace() || c.is_control() || c == '[') {
                bail!("EXETRAIL_MIRROR={mirror:?} is not a URI");
            }
            return Ok(Mirror::named(&mirror));
        }
        let mut command = Command::new("apt-get");
        command.args(["indextargets", "--format", "$(REPO_URI)"]);
        Mirror::of(&mut command)
    }

    /// What this command of apt's knows.
    fn of(command: &mut Command) -> Result<Mirror> {
        let output = command.output().context(
            "failed to run apt-get: kernels and fixture come from Debian packages; on a \
             machine without apt, point EXETRAIL_CACHE at a cache that `vm/setup` filled \
             elsewhere, then `exetrail run -k path/to/bzImage` works",
        )?;
        if !output.status.success() {
            let complaint = printable(output.stderr.trim_ascii()).replace("\\x0a", "\n");
            bail!("apt-get does not tell which archives it has:\n{complaint}");
        }
        Mirror::among(&String::from_utf8_lossy(&output.stdout))
    }

    fn named(mirror: &str) -> Mirror {
        let debian = mirror.trim_end_matches('/').to_owned();
        Mirror {
            security: format!("{debian}-security"),
            debian,
        }
    }

    fn among(uris: &str) -> Result<Mirror> {
        let uris: Vec<_> = uris.lines().map(|uri| uri.trim_end_matches('/')).collect();
        let Some(debian) = uris.iter().find(|uri| uri.ends_with("/debian")) else {
            bail!(
                "this system's apt names no Debian archive: set \
                 EXETRAIL_MIRROR to one, such as http://MIRROR/debian; the security archive is \
                 looked for beside it as http://MIRROR/debian-security"
            );
        };
        let security = uris.iter().find(|uri| uri.ends_with("/debian-security"));
        Ok(Mirror {
            security: match security {
                Some(security) => (*security).to_owned(),
                None => Mirror::named(debian).security,
            },
            debian: (*debian).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_archives_are_taken() {
        let mirror = Mirror::among("http://a/debian-security/\nhttp://b/debian/\n").unwrap();
        assert_eq!(
            (&*mirror.debian, &*mirror.security),
            ("http://b/debian", "http://a/debian-security")
        );
    }

    #[test]
    fn the_security_archive_is_beside_the_main_one_by_default() {
        let mirror = Mirror::among("http://b/debian\n").unwrap();
        assert_eq!(mirror.security, "http://b/debian-security");
    }

    #[test]
    fn what_apt_complains_of_is_told() {
        let mut apt = Command::new("sh");
        apt.args([
            "-c",
            "echo http://b/debian; echo 'E: Malformed line 1' >&2; exit 100",
        ]);
        let error = Mirror::of(&mut apt).unwrap_err().to_string();
        assert!(error.ends_with("\nE: Malformed line 1"), "{error}");
    }

    #[test]
    fn a_system_without_a_debian_archive_is_told_of_the_variable() {
        let error = Mirror::among("http://a/ubuntu\n").unwrap_err().to_string();
        assert!(error.contains("EXETRAIL_MIRROR"), "{error}");
    }
}
