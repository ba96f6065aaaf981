//! What the subject does, and how it is asked to: by variables of the environment, because
//! argument, name and path are what is under test.

/// The variable that names the role.
pub const ROLE: &str = "EXETRAIL_ROLE";
/// The variable that names the fields of [`Role::State`], parted by commas.
pub const STATE: &str = "EXETRAIL_STATE";
/// Where the report goes.
pub const TELL_FD: i32 = 101;
/// Where [`Role::Disguise`] and [`Role::DisguiseUnprivileged`] have the file that they take for their exe, and
/// what they open then.
pub const DISGUISE_FD: usize = 5;
/// See [`DISGUISE_FD`].
pub const OPENED: &str = "/tmp/opened";

/// What the subject does when a scenario executes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Says what it was told and exits with 0.
    Report,
    /// Says what it finds of its own state and exits with 0.
    State,
    /// Says what it was told, takes exe, comm and arguments of `/usr/bin/true`, and opens a file.
    Disguise,
    /// The same without a privilege, in a user namespace of its own; says also which calls were refused.
    DisguiseUnprivileged,
    /// Exits with 0.
    Exit,
    /// Dies of SIGABRT.
    Crash,
}

impl Role {
    /// The value of [`ROLE`].
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Report => "report",
            Role::State => "state",
            Role::Disguise => "disguise",
            Role::DisguiseUnprivileged => "disguise-unprivileged",
            Role::Exit => "exit",
            Role::Crash => "crash",
        }
    }

    /// The role with this name.
    #[must_use]
    pub fn of_name(name: &[u8]) -> Option<Role> {
        let roles = [
            Role::Report,
            Role::State,
            Role::Disguise,
            Role::DisguiseUnprivileged,
            Role::Exit,
            Role::Crash,
        ];
        roles
            .into_iter()
            .find(|role| name == role.name().as_bytes())
    }
}
