//! The cgroups of a process: `/proc/PID/cgroup`.

/// Where a process is in the hierarchies.
#[derive(Clone, Debug)]
pub struct Cgroups(String);

impl Cgroups {
    /// Reads our own; empty where there are none (cgroups(7), `/proc/[pid]/cgroup`).
    #[must_use]
    pub fn own() -> Cgroups {
        Cgroups(super::text("/proc/self/cgroup").unwrap_or_default())
    }

    /// Reads those of a process; empty where there are none, or it is gone.
    #[must_use]
    pub fn of(pid: i32) -> Cgroups {
        Cgroups(super::text(format!("/proc/{pid}/cgroup")).unwrap_or_default())
    }

    /// The path in the hierarchy of cgroup v2.
    #[must_use]
    pub fn v2(&self) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix("0::"))
    }

    /// The path in the hierarchy of cgroup v1 that has a controller.
    #[must_use]
    pub fn v1(&self, controller: &str) -> Option<&str> {
        self.0.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let mut controllers = controllers.split(',');
            controllers.any(|name| name == controller).then_some(path)
        })
    }
}

impl From<&str> for Cgroups {
    fn from(text: &str) -> Cgroups {
        Cgroups(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Cgroups;

    #[test]
    fn a_controller_is_one_of_several() {
        let own = Cgroups::from("8:cpu,pids:/a\n7:memory:/b\n0::/c\n");
        assert_eq!(own.v1("pids"), Some("/a"));
        assert_eq!(own.v1("pid"), None);
        assert_eq!(own.v2(), Some("/c"));
    }
}
