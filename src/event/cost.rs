//! What was measured of ways of watching by `benches/observers`, as its file has it.

use std::collections::BTreeMap;

use super::sign::Sign;

/// `KERNEL, COMMIT, WAY, ratio, RATIO` and `KERNEL, COMMIT, SIGN, caught, COUNT/EXECS`, parted by tabs.
const RECORDED: &str = include_str!("../../benches/results/observers.tsv");

/// Whether anything is recorded.
#[must_use]
pub fn is_measured() -> bool {
    !RECORDED.is_empty()
}

/// What was measured on some kernels.
#[derive(Debug)]
pub struct Measured<'a> {
    /// The last value of each kernel, by what was measured of whom.
    known: BTreeMap<(&'a str, &'a str), BTreeMap<&'a str, &'a str>>,
}

impl Measured<'static> {
    /// What is recorded.
    #[must_use]
    pub fn recorded() -> Measured<'static> {
        Measured::of(RECORDED)
    }
}

impl<'a> Measured<'a> {
    fn of(text: &'a str) -> Measured<'a> {
        let mut known: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for line in text.lines() {
            if let [kernel, _, whose, what, value] = *line.split('\t').collect::<Vec<_>>() {
                let of_whom = known.entry((what, whose)).or_default();
                of_whom.insert(kernel, value);
            }
        }
        Measured { known }
    }

    /// What the observer of a sign adds to an exec, in hundredths of it, on all kernels where that was measured.
    #[must_use]
    pub fn adds(&self, sign: &Sign) -> String {
        let of = |whose| self.known.get(&("ratio", whose));
        let ratios = of(sign.name).or_else(|| of(sign.view));
        let ratios = ratios.into_iter().flatten();
        let ratios = ratios.filter_map(|(_, ratio)| ratio.parse::<f64>().ok());
        // What is less than nothing is what a measurement is off by.
        range(ratios.map(|ratio| ((ratio - 1.0) * 100.0).round().max(0.0) as usize))
    }

    /// How many execs of a hundred a sign tells of while the machine is busy.
    #[must_use]
    pub fn caught(&self, sign: &Sign) -> String {
        let counts = self.known.get(&("caught", sign.name));
        let counts = counts.into_iter().flatten();
        let shares = counts.filter_map(|(_, count)| {
            let (caught, execs) = count.split_once('/')?;
            let (caught, execs) = (caught.parse::<usize>().ok()?, execs.parse::<usize>().ok()?);
            (caught * 100).checked_div(execs)
        });
        range(shares)
    }
}

/// The least and the most of them.
fn range(shares: impl Iterator<Item = usize>) -> String {
    let mut shares: Vec<_> = shares.collect();
    shares.sort_unstable();
    match (shares.first(), shares.last()) {
        (Some(least), Some(most)) if least == most => format!("{least} %"),
        (Some(least), Some(most)) => format!("{least} to {most} %"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign::SIGNS;
    use super::*;

    fn sign(name: &str) -> &'static Sign {
        SIGNS.iter().find(|sign| sign.name == name).unwrap()
    }

    #[test]
    fn the_last_line_of_a_kernel_counts() {
        let text = "5.10\tc\taudit\tratio\t1.50\n5.10\td\taudit\tratio\t1.20\n7.3\td\taudit\tratio\t1.04\n";
        assert_eq!(Measured::of(text).adds(sign("audit, exe")), "4 to 20 %");
    }

    #[test]
    fn what_is_measured_of_a_sign_itself_comes_first() {
        let text = "7.3\tc\tproc-poll\tratio\t1.00\n7.3\tc\t/proc, polled\tratio\t1.90\n";
        assert_eq!(Measured::of(text).adds(sign("/proc, polled")), "90 %");
    }

    #[test]
    fn less_than_nothing_is_nothing_and_what_was_not_measured_is_a_dash() {
        let measured = Measured::of("7.3\tc\taudit\tratio\t0.98\n");
        assert_eq!(measured.adds(sign("audit, exe")), "0 %");
        assert_eq!(measured.adds(sign("process connector")), "-");
    }

    #[test]
    fn what_is_caught_is_a_share() {
        let measured = Measured::of("7.3\tc\t/proc, polled\tcaught\t12/50\n");
        assert_eq!(measured.caught(sign("/proc, polled")), "24 %");
    }
}
