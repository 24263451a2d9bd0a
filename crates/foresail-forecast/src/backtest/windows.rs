//! Where forecasts are tested.

use std::ops::Range;

use crate::Error;

/// Rows of each window, oldest first: `wanted` of them (as many as fit if none is given), `horizon` rows each, evenly
/// spaced a whole number of horizons apart, the last ending at row `len`. The first starts no earlier than row `least`
/// unless that many would not fit otherwise; fewer than wanted come back where the rows do not suffice.
///
/// # Errors
/// [`Error::TooShort`] if no window fits after the first row; [`Error::BadParameter`] if horizon or count is 0.
pub(super) fn windows(
    len: usize,
    horizon: usize,
    least: usize,
    wanted: Option<usize>,
) -> Result<Vec<Range<usize>>, Error> {
    for (parameter, value) in [("horizon", horizon), ("windows", wanted.unwrap_or(1))] {
        if value == 0 {
            return Err(Error::BadParameter { parameter, value: "0".into(), range: "1 or more" });
        }
    }
    if len <= horizon {
        return Err(Error::TooShort { needed: horizon + 1, got: len });
    }
    let fitting = (len.saturating_sub(least) / horizon).max(1);
    let (count, apart) = match wanted {
        Some(wanted) if wanted <= fitting => (wanted, fitting / wanted * horizon),
        Some(wanted) => (wanted.min((len - 1) / horizon), horizon),
        None => (fitting, horizon),
    };
    Ok((0..count).rev().map(|back| len - back * apart - horizon..len - back * apart).collect())
}

/// Rows after which models are fitted anew, counted from the start of the series so that a forecast depends on nothing
/// but what precedes it: doubling from `first` until `day`, then daily until `every`, then each multiple of `every`.
pub(super) fn refits(len: usize, first: usize, day: usize, every: usize) -> Vec<usize> {
    let every = every.max(1);
    let day = day.clamp(1, every);
    let doubling = std::iter::successors(Some(first.max(1)), |row| Some(row * 2)).take_while(|row| *row < day);
    let daily = (1..).map(|count| count * day).take_while(|row| *row < every);
    doubling.chain(daily).chain((1..).map(|count| count * every)).take_while(|row| *row < len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(len: usize, horizon: usize, least: usize, wanted: Option<usize>, starts: &[usize]) {
        let windows = windows(len, horizon, least, wanted).unwrap();
        assert!(windows.iter().all(|w| w.len() == horizon));
        assert_eq!(windows.last().unwrap().end, len);
        assert_eq!(windows.iter().map(|w| w.start).collect::<Vec<_>>(), starts);
    }

    #[test]
    fn windows_are_spaced_evenly_and_end_with_the_file() {
        check(100, 10, 24, None, &[30, 40, 50, 60, 70, 80, 90]);
        check(100, 10, 24, Some(3), &[50, 70, 90]);
        check(100, 10, 24, Some(7), &[30, 40, 50, 60, 70, 80, 90]);
        check(100, 10, 24, Some(8), &[20, 30, 40, 50, 60, 70, 80, 90]);
        check(100, 10, 24, Some(50), &[10, 20, 30, 40, 50, 60, 70, 80, 90]);
        check(100, 80, 50, None, &[20]);
        check(11, 10, 24, Some(5), &[1]);
        assert_eq!(windows(10, 10, 1, None), Err(Error::TooShort { needed: 11, got: 10 }));
        assert!(windows(10, 0, 1, None).is_err());
        assert!(windows(10, 1, 1, Some(0)).is_err());
    }

    #[test]
    fn refits_come_ever_less_often_and_do_not_depend_on_the_end() {
        assert_eq!(refits(900, 32, 100, 300), [32, 64, 100, 200, 300, 600]);
        assert_eq!(refits(301, 32, 100, 300), [32, 64, 100, 200, 300]);
        assert_eq!(refits(100, 32, 24, 24), [24, 48, 72, 96]);
        assert_eq!(refits(100, 32, 24, 10), [10, 20, 30, 40, 50, 60, 70, 80, 90]);
        assert_eq!(refits(10, 32, 288, 288), [0_usize; 0]);
    }
}
