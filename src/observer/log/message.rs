//! What is said to the audit subsystem, and how its answers come.
//!
//! Source: `struct audit_status` and `struct audit_rule_data` in include/uapi/linux/audit.h.

/// `struct nlmsghdr`.
const HEADER: usize = 16;

/// `AUDIT_GET`: asks for the status.
pub const GET: u16 = 1000;
/// `AUDIT_SET`: changes it.
pub const SET: u16 = 1001;
/// `AUDIT_ADD_RULE`.
pub const ADD_RULE: u16 = 1011;
/// `AUDIT_TRUSTED_APP`: a word of user space, which is queued behind all records before it.
pub const WORD: u16 = 1121;

/// An architecture, as rules name it, with the numbers that execve and execveat have there.
pub const RULES: [(u32, [usize; 2]); 2] = [(0xc000_003e, [59, 322]), (0x4000_0003, [11, 358])];

/// A message of a kind with its data.
#[must_use]
pub fn message(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    message.extend(((HEADER + data.len()) as u32).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(1_u16.to_ne_bytes()); // NLM_F_REQUEST
    message.extend([0; 8]);
    message.extend(data);
    message
}

/// A status that turns auditing on, with room for many records, and has nobody wait for more room
/// (`audit_log_start` in kernel/audit.c): what has none is lost, which the log says, and no exec stands still.
#[must_use]
pub fn status() -> Vec<u8> {
    // AUDIT_STATUS_ENABLED, AUDIT_STATUS_BACKLOG_LIMIT and AUDIT_STATUS_BACKLOG_WAIT_TIME.
    let words = [0x0001 | 0x0010 | 0x0020, 1, 0, 0, 0, 8192, 0, 0, 0, 0];
    words
        .iter()
        .flat_map(|word: &u32| word.to_ne_bytes())
        .collect()
}

/// A rule that records each exec of an architecture when the call ends.
#[must_use]
pub fn rule((arch, calls): (u32, [usize; 2])) -> Vec<u8> {
    const FIELDS: usize = 64;
    let mut mask = [0_u32; FIELDS];
    for call in calls {
        mask[call / 32] |= 1 << (call % 32);
    }
    // AUDIT_FILTER_EXIT, AUDIT_ALWAYS, and one field: AUDIT_ARCH is equal (AUDIT_EQUAL).
    let mut words = vec![4, 2, 1];
    words.extend(mask);
    for first in [11, arch, 0x4000_0000] {
        words.push(first);
        words.extend([0; FIELDS - 1]);
    }
    words.push(0);
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// Kind and data of a message that came; none for one that is cut.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    Some((kind, bytes.get(HEADER..)?))
}

/// How many records the kernel has lost since it was booted, from the answer to [`GET`].
#[must_use]
pub fn lost(data: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(data.get(24..28)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_a_bit_for_each_call_and_the_size_of_the_kernels_struct() {
        let rule = rule(RULES[0]);
        assert_eq!(rule.len(), 1040);
        // 59 is bit 27 of the second word of the mask, 322 bit 2 of the eleventh.
        assert_eq!(rule[12 + 4..12 + 8], (1_u32 << 27).to_ne_bytes());
        assert_eq!(rule[12 + 40..12 + 44], (1_u32 << 2).to_ne_bytes());
    }

    #[test]
    fn a_message_comes_apart_as_it_was_made() {
        let message = message(SET, &status());
        let (kind, data) = parse(&message).unwrap();
        assert_eq!((kind, data.len()), (SET, 40));
        assert_eq!(lost(data), Some(0));
        assert_eq!(parse(&message[..8]), None);
    }
}
