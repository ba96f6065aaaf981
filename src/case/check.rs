//! Checks of a case that need no kernel.

use super::names::{CAPABILITIES, ERRNOS, FLAGS, LIMITS};
use super::rule;
use super::{
    By, Case, CaseExec, CaseMount, Deny, Kind, Made, Registered, Way, capability, errno,
    file_capability, flag, limit,
};

/// What a mount may be.
pub const MOUNT_OPTIONS: [&str; 4] = ["noexec", "nosuid", "nodev", "ro"];
/// With which words an event of a case begins.
const EVENTS: [&str; 2] = ["open", "execute"];
/// The longest deadline of a case, in seconds.
const LONGEST: u64 = 3600;

/// Something that is wrong with a case, and the key that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The keys that lead to it, as in `file.1.host`; the numbers count from 0.
    pub at: String,
    /// What is wrong.
    pub what: String,
}

fn problem<T>(at: impl Into<String>, what: impl Into<String>) -> Result<T, Problem> {
    Err(Problem {
        at: at.into(),
        what: what.into(),
    })
}

impl Case {
    /// Looks for what cannot be; `needs` are the names that the suite knows.
    ///
    /// # Errors
    ///
    /// The first problem.
    pub fn check(&self, needs: &[&str]) -> Result<(), Problem> {
        self.check_needs(needs)?;
        self.check_words()?;
        self.check_settings()?;
        for (place, mount) in self.mounts.iter().enumerate() {
            mount.check(&format!("mount.{place}"))?;
        }
        for (place, made) in self.files.iter().enumerate() {
            made.check(&format!("file.{place}"))?;
        }
        for (place, format) in self.formats.iter().enumerate() {
            format.check(&format!("binfmt.{place}"))?;
        }
        for (place, path) in self.watch.iter().enumerate() {
            absolute_or_root(&format!("watch.{place}"), path)?;
        }
        self.deny.iter().try_for_each(Deny::check)?;
        self.exec.check()
    }

    fn check_needs(&self, needs: &[&str]) -> Result<(), Problem> {
        for (place, need) in self.needs.iter().enumerate() {
            if !needs.contains(&need.as_str()) {
                let known = needs.join(", ");
                return problem(
                    format!("needs.{place}"),
                    format!("there is no need {need:?}: {known}"),
                );
            }
        }
        Ok(())
    }

    /// Looks at what is for readers, and at the time.
    fn check_words(&self) -> Result<(), Problem> {
        if self
            .deadline
            .is_some_and(|seconds| !(1..=LONGEST).contains(&seconds))
        {
            return problem("deadline", format!("a deadline has 1 to {LONGEST} seconds"));
        }
        let line_breaks = |text: &str| text.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
        if line_breaks(&self.summary) || self.summary.contains(hides) {
            return problem(
                "summary",
                "a summary is one line without control characters",
            );
        }
        if self.docs.replace(['\n', '\t'], "").contains(hides) {
            return problem("docs", "control characters are no text");
        }
        Ok(())
    }

    fn check_settings(&self) -> Result<(), Problem> {
        if self.root.is_some() && !self.parts.is_empty() {
            return problem(
                "parts",
                "parts are of the fixture, and root takes its place",
            );
        }
        for name in self.sysctl.keys() {
            let parts = name.split(['.', '/']).any(|part| matches!(part, "" | ".."));
            if parts || name.contains('\0') {
                return problem(
                    format!("sysctl.{name}"),
                    format!("{name:?} is no name of a setting"),
                );
            }
        }
        Ok(())
    }
}

impl CaseMount {
    fn check(&self, at: &str) -> Result<(), Problem> {
        absolute(&format!("{at}.at"), &self.at)?;
        // The runner itself lives there, and undoes what a case has made by what they tell.
        let ours = ["/proc", "/sys", "/dev", "/exetrail"];
        if let Some(ours) = ours.iter().find(|ours| below(&self.at, ours)) {
            return problem(
                format!("{at}.at"),
                format!("nothing is mounted over {ours}"),
            );
        }
        if let Some(from) = &self.from {
            without_nul(&format!("{at}.from"), from)?;
        }
        match (self.kind, &self.from) {
            (Kind::Bind | Kind::Overlay, None) => {
                return problem(at, "from says which directory is mounted, and is missing");
            }
            (Kind::Tmpfs, Some(_)) => {
                return problem(format!("{at}.from"), "a tmpfs is empty: it is from nowhere");
            }
            _ => {}
        }
        for option in &self.options {
            if !MOUNT_OPTIONS.contains(&option.as_str()) {
                let known = MOUNT_OPTIONS.join(", ");
                return problem(
                    format!("{at}.options"),
                    format!("there is no option {option:?}: {known}"),
                );
            }
        }
        Ok(())
    }
}

impl Registered {
    fn check(&self, at: &str) -> Result<(), Problem> {
        let name = self.name.as_str();
        if matches!(name, "" | "." | "..") || name.contains(['/', ':', '\0']) {
            return problem(
                format!("{at}.name"),
                format!("{name:?} is no name of an entry"),
            );
        }
        without_nul(&format!("{at}.rule"), &self.rule)?;
        rule::check(&self.rule).or_else(|what| {
            problem(
                format!("{at}.rule"),
                format!("{:?} is no rule: {what}", self.rule),
            )
        })
    }
}

impl Deny {
    fn check(&self) -> Result<(), Problem> {
        match self {
            Deny::Event(0) | Deny::Always(0) | Deny::Errno(0, _) => {
                problem("deny", "events count from 1")
            }
            Deny::Path(words) if !EVENTS.contains(&words.split(' ').next().unwrap_or("")) => {
                problem(
                    "deny",
                    format!(
                        "{words:?} begins no event: {} and a path",
                        EVENTS.join(", ")
                    ),
                )
            }
            Deny::Errno(_, name) if errno(name).is_none() => {
                problem("deny", format!("there is no errno {name:?}: {ERRNOS}"))
            }
            _ => Ok(()),
        }
    }
}

impl CaseExec {
    fn check(&self) -> Result<(), Problem> {
        self.check_strings()?;
        self.check_call()?;
        self.check_caller()
    }

    /// Looks at what the call is given.
    fn check_strings(&self) -> Result<(), Problem> {
        let opened = self.fd.as_ref().map(|fd| ("exec.fd.path", &fd.path));
        let first = self.argv0.as_ref().map(|argv0| ("exec.argv0", argv0));
        let arguments = self.arguments.iter();
        let arguments = arguments.map(|argument| ("exec.arguments", argument));
        let one = [("exec.path", &self.path)].into_iter();
        for (at, text) in one.chain(opened).chain(first).chain(arguments) {
            without_nul(at, text)?;
        }
        for (name, value) in &self.environment {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return problem(
                    format!("exec.environment.{name}"),
                    format!("{name:?} is no variable"),
                );
            }
        }
        for name in self.limits.keys() {
            if limit(name).is_none() {
                return problem(
                    format!("exec.limits.{name}"),
                    format!("there is no limit {name:?}: {LIMITS}"),
                );
            }
        }
        Ok(())
    }

    /// Looks whether there is such a call.
    fn check_call(&self) -> Result<(), Problem> {
        for (place, word) in self.flags.iter().enumerate() {
            if flag(word).is_none() {
                return problem(
                    format!("exec.flags.{place}"),
                    format!("there is no flag {word:?}: {FLAGS}"),
                );
            }
        }
        if self.call != Way::Execveat {
            if self.fd.is_some() {
                return problem("exec.fd", "a descriptor is for call = \"execveat\"");
            }
            if !self.flags.is_empty() {
                return problem("exec.flags", "flags are for call = \"execveat\"");
            }
        }
        if let Some(fd) = &self.fd
            && !(3..=90).contains(&fd.number)
        {
            return problem("exec.fd.number", "a descriptor has a number from 3 to 90");
        }
        if let Some(directory) = &self.directory {
            absolute_or_root("exec.directory", directory)?;
        }
        if self.by != By::Itself && self.call != Way::Execve {
            return problem("exec.by", "somebody else makes no call but \"execve\"");
        }
        if self.no_arguments && (self.argv0.is_some() || !self.arguments.is_empty()) {
            return problem("exec.no_arguments", "there are arguments");
        }
        Ok(())
    }

    /// Looks whether somebody can be this caller.
    fn check_caller(&self) -> Result<(), Problem> {
        if let Some(directory) = &self.chroot {
            absolute_or_root("exec.chroot", directory)?;
        }
        for (key, names) in [
            ("exec.dropped", &self.dropped),
            ("exec.inheritable", &self.inheritable),
        ] {
            for (place, name) in names.iter().enumerate() {
                if capability(name).is_none() {
                    let known = CAPABILITIES.join(", ");
                    return problem(
                        format!("{key}.{place}"),
                        format!("there is no capability {name:?}: {known}"),
                    );
                }
            }
        }
        if let Some(name) = &self.filtered
            && errno(name).is_none()
        {
            return problem(
                "exec.filtered",
                format!("there is no errno {name:?}: {ERRNOS}"),
            );
        }
        let whose = [
            ("exec.user", self.user.as_slice()),
            ("exec.group", self.group.as_slice()),
            ("exec.groups", &self.groups),
        ];
        for (key, ids) in whose {
            somebody(key, ids)?;
        }
        if self.group.is_some() && self.user.is_none() {
            return problem("exec.group", "a group goes with a user");
        }
        Ok(())
    }
}

impl Made {
    fn check(&self, at: &str) -> Result<(), Problem> {
        absolute(&format!("{at}.path"), &self.path)?;
        let kinds = "text, copy, host, symlink, hardlink, directory, program";
        let said = [
            self.text.is_some(),
            self.copy.is_some(),
            self.host.is_some(),
            self.symlink.is_some(),
            self.hardlink.is_some(),
            self.directory,
            self.program.is_some(),
        ];
        match said.into_iter().filter(|said| *said).count() {
            1 => {}
            0 => return problem(at, format!("nothing says what it is: one of {kinds}")),
            _ => return problem(at, format!("it is several things at once: one of {kinds}")),
        }
        let paths = [
            ("copy", &self.copy),
            ("host", &self.host),
            ("symlink", &self.symlink),
            ("hardlink", &self.hardlink),
        ];
        for (key, path) in paths {
            if let Some(path) = path {
                without_nul(&format!("{at}.{key}"), path)?;
            }
        }
        if let Some((user, group)) = self.owner {
            somebody(&format!("{at}.owner"), &[user, group])?;
        }
        if self.mode.is_some_and(|mode| mode > 0o7777) {
            return problem(format!("{at}.mode"), "a mode is at most 0o7777");
        }
        if let Some(mode) = self.mode.filter(|mode| is_meant_octal(*mode)) {
            let text = format!("{mode} is 0o{mode:o}: a mode is written 0o{mode}");
            return problem(format!("{at}.mode"), text);
        }
        if self.symlink.is_some() && (self.mode.is_some() || !self.capabilities.is_empty()) {
            return problem(
                at,
                "a symlink has neither a mode nor capabilities of its own",
            );
        }
        for (place, name) in self.capabilities.iter().enumerate() {
            if file_capability(name).is_none() {
                let known = CAPABILITIES.join(", ");
                return problem(
                    format!("{at}.capabilities.{place}"),
                    format!("there is no capability {name:?}, nor with sets such as +ep: {known}"),
                );
            }
        }
        Ok(())
    }
}

/// Whether a mode is one like 755, whose zero and letter were forgotten: as it is written it has the sticky bit.
fn is_meant_octal(mode: u32) -> bool {
    let digits = mode.to_string();
    (512..=777).contains(&mode) && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit))
}

/// A character that moves the cursor, or the text about it.
fn hides(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn below(path: &str, directory: &str) -> bool {
    std::path::Path::new(path).starts_with(directory)
}

/// Refuses the id that stands for nobody: setresuid(2) and chown(2) take it for one that is not to be changed.
fn somebody(at: &str, ids: &[u32]) -> Result<(), Problem> {
    match ids.contains(&u32::MAX) {
        true => problem(at, format!("{} is no id of a user or group", u32::MAX)),
        false => Ok(()),
    }
}

/// Refuses what would be a string of C and be cut.
fn without_nul(at: &str, text: &str) -> Result<(), Problem> {
    match text.contains('\0') {
        true => problem(at, "no call takes a NUL inside of a string"),
        false => Ok(()),
    }
}

fn absolute_or_root(at: &str, path: &str) -> Result<(), Problem> {
    match path {
        "/" => Ok(()),
        path => absolute(at, path),
    }
}

fn absolute(at: &str, path: &str) -> Result<(), Problem> {
    let parts = path.split('/').any(|part| part == "..");
    match path.starts_with('/') && path != "/" && !parts && !path.contains('\0') {
        true => Ok(()),
        false => problem(
            at,
            format!("{path:?} is no absolute path of something below \"/\" without \"..\""),
        ),
    }
}
