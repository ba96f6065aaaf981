//! The messages of the process connector, as they come out of the socket.
//!
//! Source: `struct proc_event` in include/uapi/linux/cn_proc.h, `struct cn_msg` in
//! include/uapi/linux/connector.h.

use crate::event::{Child, Field, Fields, Kind, Raw};
use crate::observer::ended::ended;
use crate::trail::printable;

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct cn_msg` without its data.
const CONNECTOR: usize = 20;
/// What comes before the data of an event: what, cpu and time.
const EVENT: usize = 16;
/// The connector's number for events of processes (`CN_IDX_PROC`, `CN_VAL_PROC`).
const PROC: u32 = 1;

/// One event with its place among those of its CPU.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The CPU, and how many events it has sent.
    pub number: (u32, u32),
    /// What it tells; none for an answer to us, or for what is not known here.
    pub raw: Option<Raw>,
}

/// The message that subscribes (`PROC_CN_MCAST_LISTEN`).
#[must_use]
pub fn listen() -> Vec<u8> {
    let data = 1_u32;
    let mut message = Vec::new();
    let total = (HEADER + CONNECTOR + 4) as u32;
    message.extend(total.to_ne_bytes());
    message.extend(3_u16.to_ne_bytes()); // NLMSG_DONE
    message.extend([0; 2 + 4 + 4]);
    message.extend(PROC.to_ne_bytes());
    message.extend(PROC.to_ne_bytes());
    message.extend([0; 4 + 4]);
    message.extend(4_u16.to_ne_bytes());
    message.extend([0; 2]);
    message.extend(data.to_ne_bytes());
    message
}

/// Reads one datagram; none for what is no event of a process.
#[must_use]
pub fn parse(datagram: &[u8], after: Option<usize>) -> Option<Message> {
    let message = datagram.get(HEADER..)?;
    if number(message, 0)? != PROC || number(message, 1)? != PROC {
        return None;
    }
    let seq = number(message, 2)?;
    let event = message.get(CONNECTOR..)?;
    let (what, cpu) = (number(event, 0)?, number(event, 1)?);
    let data = event.get(EVENT..)?;
    Some(Message {
        number: (cpu, seq),
        raw: raw(what, data).map(|raw| Raw { after, ..raw }),
    })
}

fn raw(what: u32, data: &[u8]) -> Option<Raw> {
    let at = |place: usize| number(data, place);
    let id = |place: usize| at(place).map(u32::cast_signed);
    let mut fields = Fields::new();
    let mut child = None;
    let (kind, source) = match what {
        0x1 => {
            let (tid, pid) = (id(2)?, id(3)?);
            child = Some(match tid == pid {
                true => Child::Process(pid),
                false => Child::Thread(tid),
            });
            (Kind::Fork, "FORK")
        }
        0x2 => (Kind::Exec, "EXEC"),
        0x4 => {
            fields.insert(Field::Uid, format!("{}/{}", at(2)?, at(3)?));
            (Kind::Ids, "UID")
        }
        0x40 => {
            fields.insert(Field::Gid, format!("{}/{}", at(2)?, at(3)?));
            (Kind::Ids, "GID")
        }
        0x80 => (Kind::Session, "SID"),
        0x100 => {
            fields.insert(Field::Parent, id(3)?.to_string());
            (Kind::Trace, "PTRACE")
        }
        0x200 => {
            let comm = data.get(8..24)?.split(|byte| *byte == 0).next()?;
            fields.insert(Field::Comm, printable(comm));
            (Kind::Comm, "COMM")
        }
        0x4000_0000 => {
            fields.insert(Field::Parent, id(3)?.to_string());
            (Kind::Dump, "COREDUMP")
        }
        0x8000_0000 => {
            // The parent is told as well, unless it has reaped by then: that is random.
            fields.insert(Field::Result, ended(at(2)?));
            (Kind::Exit, "EXIT")
        }
        _ => return None,
    };
    Some(Raw {
        kind,
        source: source.to_owned(),
        tid: id(0)?,
        pid: Some(id(1)?),
        child,
        after: None,
        fields,
    })
}

/// The `place`-th number of 32 bits.
fn number(bytes: &[u8], place: usize) -> Option<u32> {
    let bytes = bytes.get(place * 4..place * 4 + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// How many events are missing: the numbers of each CPU rise by one.
#[must_use]
pub fn missing(numbers: &[(u32, u32)]) -> u64 {
    let mut last = std::collections::BTreeMap::new();
    let mut missing = 0;
    for (cpu, seq) in numbers {
        if let Some(before) = last.insert(*cpu, *seq) {
            missing += u64::from(seq.wrapping_sub(before).wrapping_sub(1));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(what: u32, data: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        let head = [1, 1, 9, 0, 0, what, 3, 0, 0];
        bytes.extend(head.iter().chain(data).flat_map(|word| word.to_ne_bytes()));
        bytes
    }

    fn raw_of(what: u32, data: &[u32]) -> Raw {
        parse(&datagram(what, data), Some(2)).unwrap().raw.unwrap()
    }

    #[test]
    fn an_exec_has_a_thread_and_its_process() {
        let raw = raw_of(2, &[8, 7]);
        let found = (raw.kind, raw.tid, raw.pid, raw.after);
        assert_eq!(found, (Kind::Exec, 8, Some(7), Some(2)));
    }

    #[test]
    fn a_fork_tells_a_thread_from_a_process() {
        assert_eq!(raw_of(1, &[7, 7, 9, 9]).child, Some(Child::Process(9)));
        assert_eq!(raw_of(1, &[7, 7, 9, 7]).child, Some(Child::Thread(9)));
    }

    #[test]
    fn an_end_has_its_status_and_says_nothing_of_a_core() {
        let result =
            |code| raw_of(0x8000_0000, &[7, 7, code, 17, 1, 1]).fields[&Field::Result].clone();
        assert_eq!(result(0x300), "exit 3");
        assert_eq!(result(0x8b), "signal SIGSEGV");
    }

    #[test]
    fn a_comm_ends_with_its_zero() {
        let comm = [u32::from_ne_bytes(*b"ls\0x"), 0, 0, 0];
        let data: Vec<u32> = [7, 7].into_iter().chain(comm).collect();
        assert_eq!(raw_of(0x200, &data).fields[&Field::Comm], "ls");
    }

    #[test]
    fn an_answer_is_no_event_and_has_a_number() {
        let message = parse(&datagram(0, &[0]), None).unwrap();
        assert_eq!((message.raw, message.number), (None, (3, 9)));
    }

    #[test]
    fn what_is_cut_or_of_somebody_else_is_nothing() {
        assert_eq!(parse(&datagram(2, &[8, 7])[..30], None), None);
        let mut other = datagram(2, &[8, 7]);
        other[HEADER] = 5;
        assert_eq!(parse(&other, None), None);
    }

    #[test]
    fn a_hole_in_the_numbers_of_one_cpu_is_a_loss() {
        assert_eq!(missing(&[(0, 4), (1, 9), (0, 5), (1, 10)]), 0);
        assert_eq!(missing(&[(0, 4), (0, 7)]), 2);
        assert_eq!(missing(&[(0, u32::MAX), (0, 0)]), 0);
    }
}
