//! Our own parser of fanotify events: it keeps the whole mask and every descriptor.

use thiserror::Error;

use crate::trail::Mask;

/// `FANOTIFY_METADATA_VERSION`.
const VERSION: u8 = 3;
/// Size of `struct fanotify_event_metadata`.
pub(super) const METADATA: usize = 24;
/// `FAN_EVENT_INFO_TYPE_RANGE`.
const RANGE: u8 = 6;

/// One event; the descriptor is still a number, which its reader has to take over or close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanEvent {
    /// All 64 bits.
    pub mask: Mask,
    /// The file, or a negative number where there is none: `FAN_NOFD`, or an errno.
    pub fd: i32,
    /// Process (or thread) that waits.
    pub pid: i32,
    /// The part of the file that is asked about, as offset and length, where the event names one.
    pub part: Option<(u64, u64)>,
}

/// Bytes that are no events.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum EventError {
    /// The kernel speaks another version of the interface.
    #[error("the kernel's fanotify events have version {0}, known is {VERSION}")]
    Version(u8),
    /// Lengths that do not fit.
    #[error("a fanotify event of {length} bytes where {left} are left")]
    Length {
        /// What the event says.
        length: usize,
        /// What there is.
        left: usize,
    },
}

/// Splits what was read from a fanotify group into events.
///
/// Records after the metadata are skipped by their length, but for the part of the file that a `FAN_PRE_ACCESS` names.
/// Source: fanotify(7), "Reading fanotify events".
///
/// # Errors
///
/// Another version of the interface, or lengths that do not fit.
pub fn parse_events(mut bytes: &[u8]) -> Result<Vec<FanEvent>, EventError> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let left = bytes.len();
        let short = EventError::Length {
            length: METADATA,
            left,
        };
        let metadata: &[u8; METADATA] = bytes.first_chunk().ok_or(short)?;
        let [
            l0,
            l1,
            l2,
            l3,
            version,
            _,
            _,
            _,
            mask @ ..,
            f0,
            f1,
            f2,
            f3,
            p0,
            p1,
            p2,
            p3,
        ] = *metadata;
        if version != VERSION {
            return Err(EventError::Version(version));
        }
        let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        if length < METADATA || length > left {
            return Err(EventError::Length { length, left });
        }
        events.push(FanEvent {
            mask: Mask(u64::from_ne_bytes(mask)),
            fd: i32::from_ne_bytes([f0, f1, f2, f3]),
            pid: i32::from_ne_bytes([p0, p1, p2, p3]),
            part: part(&bytes[METADATA..length]),
        });
        bytes = &bytes[length..];
    }
    Ok(events)
}

/// The one record that we know among those after the metadata: each has its type, a byte of nothing, its length;
/// this one four bytes of nothing, offset and count (`struct fanotify_event_info_range`).
fn part(mut records: &[u8]) -> Option<(u64, u64)> {
    while let Some(&[kind, _, l0, l1]) = records.first_chunk() {
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        if let (RANGE, Some(numbers)) = (kind, records.get(8..24)) {
            let (offset, count) = numbers.split_at(8);
            let number = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).ok();
            return Some((number(offset)?, number(count)?));
        }
        records = records.get(length.max(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: u32, version: u8, mask: u64, more: &[u8]) -> Vec<u8> {
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend([version, 0, 24, 0]);
        bytes.extend(mask.to_ne_bytes());
        bytes.extend(7_i32.to_ne_bytes());
        bytes.extend(100_i32.to_ne_bytes());
        bytes.extend(more);
        bytes
    }

    #[test]
    fn an_event_keeps_all_64_bits_of_its_mask() {
        let events = parse_events(&bytes(24, 3, 0x8000_0000_0004_0000, &[])).unwrap();
        assert_eq!(
            events,
            [FanEvent {
                mask: Mask(0x8000_0000_0004_0000),
                fd: 7,
                pid: 100,
                part: None,
            }]
        );
    }

    #[test]
    fn records_behind_the_metadata_are_skipped() {
        let mut two = bytes(32, 3, 1, &[9; 8]);
        two.extend(bytes(24, 3, 2, &[]));
        let masks: Vec<_> = parse_events(&two)
            .unwrap()
            .iter()
            .map(|event| event.mask.0)
            .collect();
        assert_eq!(masks, [1, 2]);
    }

    #[test]
    fn the_part_of_a_file_is_read_also_after_another_record() {
        let other = [4, 0, 8, 0, 9, 9, 9, 9];
        let mut range = vec![6, 0, 24, 0, 0, 0, 0, 0];
        range.extend(4096_u64.to_ne_bytes());
        range.extend(512_u64.to_ne_bytes());
        let records = [&other[..], &range].concat();
        let event = parse_events(&bytes(56, 3, 1, &records)).unwrap();
        assert_eq!(event[0].part, Some((4096, 512)));
        let cut = parse_events(&bytes(44, 3, 1, &range[..20])).unwrap();
        assert_eq!(cut[0].part, None);
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(
            parse_events(&bytes(24, 4, 1, &[])),
            Err(EventError::Version(4))
        );
    }

    #[test]
    fn a_cut_event_is_refused() {
        let cut = bytes(24, 3, 1, &[]);
        assert_eq!(
            parse_events(&cut[..20]),
            Err(EventError::Length {
                length: 24,
                left: 20
            })
        );
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        assert!(parse_events(&bytes(25, 3, 1, &[])).is_err());
    }

    #[test]
    fn a_length_of_nothing_does_not_loop_for_ever() {
        assert!(parse_events(&bytes(0, 3, 1, &[])).is_err());
    }
}
