//! A page of the ring buffer.

/// What is common to all records of a page: the time of the first one, and how many bytes they take.
const HEADER: usize = 16;
/// Types of records that are no data: kernel/trace/ring_buffer.c, "enum ring_buffer_type".
const PADDING: u32 = 29;
const TIME_EXTEND: u32 = 30;
const TIME_STAMP: u32 = 31;
/// Bits of a record's first word that are its type; the others are the time since the record before.
const TYPE: u32 = 5;
/// Bits of a time that stand in the first word; the rest is in the second.
const TIME: u32 = 27;
/// Of the number of bytes, what is no number: that records are missing (`RB_MISSED_EVENTS`).
const MISSED: u64 = 1 << 31;
/// And what is: a page may be larger than one of the machine's.
const COMMIT: u64 = (1 << 27) - 1;

/// A record of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The clock when it was written.
    pub at: u64,
    /// The event, from its type on.
    pub data: &'a [u8],
}

/// The records of a page, as `trace_pipe_raw` gives it.
///
/// Source: `rb_update_event`, `rb_event_length` and `rb_update_read_stamp` in kernel/trace/ring_buffer.c.
///
/// # Errors
///
/// Records are missing, or do not fit.
pub fn records(page: &[u8]) -> Result<Vec<Record<'_>>, String> {
    let cut = || "cut within a page".to_owned();
    let (time, commit) = double(page, 0).zip(double(page, 8)).ok_or_else(cut)?;
    if commit & MISSED != 0 {
        return Err("incomplete: records were lost".to_owned());
    }
    let length = usize::try_from(commit & COMMIT).unwrap_or(usize::MAX);
    let mut rest = page
        .get(HEADER..)
        .and_then(|page| page.get(..length))
        .ok_or_else(cut)?;
    let mut at = time;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let head = word(rest, 0).ok_or_else(cut)?;
        let (kind, delta) = (head & ((1 << TYPE) - 1), u64::from(head >> TYPE));
        let long = || word(rest, 4).ok_or_else(cut);
        let (data, next) = match kind {
            // Nothing is behind it.
            PADDING if delta == 0 => break,
            // One that was taken back: its time counts for nothing.
            PADDING => (None, 4 + long()? as usize),
            TIME_EXTEND | TIME_STAMP => {
                let time = u64::from(long()?) << TIME | delta;
                at = match kind {
                    TIME_STAMP => time,
                    _ => at.wrapping_add(time),
                };
                (None, 8)
            }
            // Its length, with the word that says it.
            0 => {
                let length = long()? as usize;
                (Some(8), 4 + length)
            }
            words => (Some(4), 4 + 4 * words as usize),
        };
        let own = rest.get(..next).ok_or_else(cut)?;
        if let Some(from) = data {
            at = at.wrapping_add(delta);
            let data = own.get(from..).ok_or_else(cut)?;
            found.push(Record { at, data });
        }
        rest = &rest[next..];
    }
    Ok(found)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn double(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of these words, whose first record is at time 100.
    fn page(words: &[u32]) -> Vec<u8> {
        let length = words.len() as u64 * 4;
        let mut page = [100_u64, length].map(u64::to_ne_bytes).concat();
        page.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        page
    }

    fn head(kind: u32, delta: u32) -> u32 {
        kind | delta << TYPE
    }

    fn times(words: &[u32]) -> Vec<(u64, usize)> {
        let page = page(words);
        let records = records(&page).unwrap();
        records.iter().map(|one| (one.at, one.data.len())).collect()
    }

    #[test]
    fn a_short_record_has_its_length_in_its_type_and_a_long_one_in_a_word() {
        let words = [head(2, 0), 1, 2, head(0, 3), 12, 7, 8];
        assert_eq!(times(&words), [(100, 8), (103, 8)]);
    }

    #[test]
    fn time_is_added_and_set() {
        let words = [
            head(TIME_EXTEND, 1),
            1,
            head(1, 2),
            0,
            head(TIME_STAMP, 5),
            0,
            head(1, 0),
            0,
        ];
        assert_eq!(times(&words), [(100 + (1 << TIME) + 3, 4), (5, 4)]);
    }

    #[test]
    fn a_record_that_was_taken_back_is_passed_over() {
        let words = [head(PADDING, 9), 8, 0, head(1, 1), 0];
        assert_eq!(times(&words), [(101, 4)]);
    }

    #[test]
    fn nothing_comes_after_the_padding_of_a_page() {
        assert_eq!(times(&[head(1, 0), 0, head(PADDING, 0), 1, 2]), [(100, 4)]);
    }

    #[test]
    fn a_page_from_which_records_are_missing_is_an_error() {
        let mut page = page(&[head(1, 0), 0]);
        page[11] = 0x80;
        assert!(records(&page).unwrap_err().contains("lost"));
    }

    #[test]
    fn a_page_that_is_cut_is_an_error() {
        let whole = page(&[head(2, 0), 1, 2]);
        for length in [0, 15, 20, whole.len() - 1] {
            assert!(records(&whole[..length]).is_err(), "{length}");
        }
        for words in [&[head(3, 0), 1][..], &[head(0, 0)], &[head(0, 0), 0]] {
            assert!(records(&page(words)).is_err(), "{words:?}");
        }
    }
}
