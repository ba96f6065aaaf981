//! How many processes were seen, in memory that does not grow with them.

/// The start of a process that was gone when it was looked at; process 0 alone has it else.
const GONE: u64 = 0;

/// Counts processes by id and start.
///
/// One number an id, up to the next power of two above the largest that was seen:
/// 16 MB at the kernel's own limit (`PID_MAX_LIMIT`, 4194304).
#[derive(Debug, Default)]
pub struct Census {
    starts: Vec<u32>,
    count: u64,
}

impl Census {
    /// Notes a process; `start` in clock ticks since boot tells it from an earlier one of that id.
    pub fn meet(&mut self, pid: i32, start: u64) {
        let Ok(place) = usize::try_from(pid) else {
            return;
        };
        if place >= self.starts.len() {
            self.starts.resize((place + 1).next_power_of_two(), 0);
        }
        // 0 is "never seen": shift by one. Ticks that differ by 2^32 are 500 days apart.
        let shifted = u32::try_from((start + 1) & 0xffff_ffff).unwrap_or(0);
        let known = &mut self.starts[place];
        // One that was gone at the look has no start: it is taken for the one that was seen under this id.
        let is_same = match (*known, start) {
            (0, _) => false,
            (_, GONE) => true,
            (known, _) => known == shifted,
        };
        if !is_same {
            *known = shifted;
            self.count += 1;
        }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::Census;

    fn count(seen: &[(i32, u64)]) -> u64 {
        let mut census = Census::default();
        seen.iter()
            .for_each(|(pid, start)| census.meet(*pid, *start));
        census.count()
    }

    #[test]
    fn a_process_counts_once() {
        assert_eq!(count(&[(5, 0), (5, 0), (7, 0)]), 2);
    }

    #[test]
    fn one_that_is_gone_is_the_one_that_was_there() {
        assert_eq!(count(&[(5, 10), (5, 0), (5, 10)]), 1);
        assert_eq!(count(&[(7, 0), (7, 0)]), 1);
    }

    #[test]
    fn an_id_that_is_used_again_is_another_process() {
        assert_eq!(count(&[(5, 10), (5, 11)]), 2);
    }
}
