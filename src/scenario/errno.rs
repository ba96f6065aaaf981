//! A claim about an errno: each stated reason is produced, other reasons are noted.

use anyhow::Result;
use nix::errno::Errno;

use super::{Evidence, Exec, Seen, System};
use crate::trail::How;

/// A claim that some reasons give an errno; every trigger is a case of the scenario's trail.
#[derive(Debug)]
pub struct ErrnoClaim<'a> {
    system: &'a mut System,
    claim: Evidence,
    errno: How,
}

impl<'a> ErrnoClaim<'a> {
    /// A claim by its id, such as `error/E2BIG`, and the errno that it promises.
    #[must_use]
    pub fn new(system: &'a mut System, id: &'static str, errno: Errno) -> ErrnoClaim<'a> {
        ErrnoClaim {
            system,
            claim: Evidence::new(id),
            errno: How::Errno(format!("{errno:?}")),
        }
    }

    /// The system, to prepare the next trigger.
    pub fn system(&mut self) -> &mut System {
        self.system
    }

    /// A stated reason: it should give the errno.
    ///
    /// # Errors
    ///
    /// As for [`System::look`].
    pub fn stated(&mut self, what: &str, exec: &Exec) -> Result<()> {
        let seen = self.system.look(what, exec)?;
        self.claim.stated(what, &self.errno, &seen.how);
        Ok(())
    }

    /// A stated reason under a condition that is not stated.
    ///
    /// # Errors
    ///
    /// As for [`System::look`].
    pub fn stated_if(&mut self, condition: &str, what: &str, exec: &Exec) -> Result<()> {
        let seen = self.system.look(&format!("{what}, {condition}"), exec)?;
        self.claim
            .stated_if(condition, what, &self.errno, &seen.how);
        Ok(())
    }

    /// The other side of a trigger: the program starts and exits with 0.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn starts(&mut self, what: &str, exec: &Exec) -> Result<()> {
        let seen = self.system.look(what, exec)?;
        self.claim.control(what, How::Exit(0), seen.how)
    }

    /// Another reason, which is not stated: noted when it gives the errno as well.
    ///
    /// # Errors
    ///
    /// As for [`System::look`].
    pub fn other(&mut self, what: &str, exec: &Exec) -> Result<Seen> {
        let seen = self.system.look(what, exec)?;
        if seen.how == self.errno {
            self.claim.also(what);
        }
        Ok(seen)
    }

    /// Puts the verdict into the trail.
    ///
    /// # Errors
    ///
    /// Nothing was tried.
    pub fn verdict(self) -> Result<()> {
        self.system.verdict(&self.claim)
    }
}
