//! Counting what a task does, by perf_event_open(2).

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{SysconfVar, sysconf};

/// `PERF_TYPE_TRACEPOINT` of include/uapi/linux/perf_event.h.
const TRACEPOINT: u32 = 2;
/// `PERF_FLAG_FD_CLOEXEC` of the same.
const CLOSE_ON_EXEC: libc::c_ulong = 8;

/// `struct perf_event_attr` in its second version, `PERF_ATTR_SIZE_VER1`: later fields are zero.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    rest: [u64; 7],
}

/// `PERF_EVENT_IOC_SET_FILTER` of the same.
const SET_FILTER: libc::c_ulong = 0x4008_2406;
/// Every task, or every CPU.
const ANY: i32 = -1;

/// How often a tracepoint or a function was passed since this was made.
#[derive(Debug)]
pub struct Passes(Vec<File>);

impl Passes {
    /// Begins to count on every CPU, whoever passes it, where the tracepoint with this number shows what the filter
    /// says (Documentation/trace/events.rst, "Event filtering").
    ///
    /// # Errors
    ///
    /// What the calls say: `EINVAL` for a filter that names what the tracepoint does not have.
    pub fn filtered(tracepoint: u64, filter: &CStr) -> nix::Result<Passes> {
        let attributes = numbered(tracepoint);
        let cpus = sysconf(SysconfVar::_NPROCESSORS_CONF)?.unwrap_or(1);
        let mut counters = Vec::new();
        for cpu in 0..cpus as i32 {
            let counter = match open(&attributes, ANY, cpu) {
                // It is not running.
                Err(Errno::ENODEV) => continue,
                counter => counter?,
            };
            set_filter(&counter, filter)?;
            counters.push(counter);
        }
        Ok(Passes(counters))
    }

    /// Begins to count, for the task with this id alone, the tracepoint with this number
    /// (`events/GROUP/NAME/id` of tracefs).
    ///
    /// # Errors
    ///
    /// What the call says: `ESRCH` for a task that is gone.
    pub fn of(task: i32, tracepoint: u64) -> nix::Result<Passes> {
        Ok(Passes(vec![open(&numbered(tracepoint), task, ANY)?]))
    }

    /// As [`Passes::of`], where the tracepoint shows what the filter says.
    ///
    /// # Errors
    ///
    /// As for [`Passes::of`] and [`Passes::filtered`].
    pub fn of_filtered(task: i32, tracepoint: u64, filter: &CStr) -> nix::Result<Passes> {
        let counter = open(&numbered(tracepoint), task, ANY)?;
        set_filter(&counter, filter)?;
        Ok(Passes(vec![counter]))
    }

    /// Begins to count, for the task with this id or this one with 0, the calls of a function of the kernel;
    /// `kind` is the number of the source `kprobe` (`/sys/bus/event_source/devices/kprobe/type`).
    ///
    /// # Errors
    ///
    /// What the call says: `ENOENT` or `EINVAL` for a function that the kernel does not have, `EADDRNOTAVAIL` where it has
    /// two of the name.
    pub fn of_function(task: i32, kind: u32, function: &CStr) -> nix::Result<Passes> {
        // `kprobe_func`.
        let probe = kprobe(kind, function.as_ptr().expose_provenance() as u64, 0);
        Ok(Passes(vec![open(&probe, task, ANY)?]))
    }

    /// As [`Passes::of_function`], all of the functions that begin at these addresses.
    ///
    /// # Errors
    ///
    /// What the call says: `EINVAL` for an address where no instruction begins.
    pub fn of_addresses(task: i32, kind: u32, addresses: &[u64]) -> nix::Result<Passes> {
        // `kprobe_addr`, where no name is given.
        let probes = addresses.iter().map(|address| kprobe(kind, 0, *address));
        let counters = probes.map(|probe| open(&probe, task, ANY));
        Ok(Passes(counters.collect::<Result<_, _>>()?))
    }

    /// How often so far; the task may have ended.
    ///
    /// # Errors
    ///
    /// What read(2) says.
    pub fn count(&self) -> io::Result<u64> {
        let count = |mut counter: &File| {
            let mut number = [0; 8];
            counter.read_exact(&mut number)?;
            Ok(u64::from_ne_bytes(number))
        };
        self.0.iter().map(count).sum()
    }
}

/// A tracepoint by its number.
fn numbered(tracepoint: u64) -> Attributes {
    Attributes {
        kind: TRACEPOINT,
        size: size_of::<Attributes>() as u32,
        config: tracepoint,
        ..Attributes::default()
    }
}

/// A function of the kernel, by where its name is or by its own address; of two fields the last ones of this version.
fn kprobe(kind: u32, name: u64, address: u64) -> Attributes {
    let mut attributes = Attributes {
        kind,
        size: size_of::<Attributes>() as u32,
        ..Attributes::default()
    };
    attributes.rest[5] = name;
    attributes.rest[6] = address;
    attributes
}

fn set_filter(counter: &File, filter: &CStr) -> nix::Result<()> {
    // SAFETY: the filter lives through the call.
    let set = unsafe { libc::ioctl(counter.as_raw_fd(), SET_FILTER as _, filter.as_ptr()) };
    Errno::result(set).map(drop)
}

fn open(attributes: &Attributes, task: i32, cpu: i32) -> nix::Result<File> {
    // SAFETY: the attributes, and the name in them, live through the call and are as large as they say; the result is
    // an error or a new descriptor, which nobody else has.
    let fd = unsafe {
        let fd = libc::syscall(
            libc::SYS_perf_event_open,
            &raw const *attributes,
            task,
            cpu,
            -1_i32,
            CLOSE_ON_EXEC,
        );
        OwnedFd::from_raw_fd(Errno::result(fd)? as i32)
    };
    Ok(File::from(fd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_by_address_is_as_long_as_the_field_of_the_address_asks() {
        let probe = kprobe(6, 0, 9);
        // `PERF_ATTR_SIZE_VER1`.
        assert_eq!(probe.size, 72);
        assert_eq!(probe.rest[5..], [0, 9]);
    }
}
