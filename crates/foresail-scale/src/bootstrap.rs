//! Bootstrap intervals over days: how far a late share or a cost could be off had the days fallen otherwise.
//!
//! Percentile bootstrap (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3) over blocks of 24 hours,
//! since ticks of one day depend on each other.

use foresail_core::SeededRng;

use crate::replay::Run;

/// An estimate with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// The value over all days.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
}

/// Intervals of one run over the scored days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intervals {
    /// Of the late share, 0 to 1.
    pub late_share: Interval,
    /// Of the replica-hours over the oracle's.
    pub cost_ratio: Interval,
}

/// Sums of one day.
#[derive(Clone, Copy, Default)]
struct Day {
    requests: f64,
    late: f64,
    paid: f64,
    oracle: f64,
}

/// Intervals of `coverage` (0 to 1) from `resamples` draws of as many days as were scored. A last part of a day counts as a
/// day. With a single day the interval is the estimate: there is nothing to resample. O(resamples · days).
pub fn bootstrap(run: &Run, oracle: &Run, coverage: f64, resamples: usize, rng: &mut SeededRng) -> Intervals {
    let days = days(run, oracle);
    let late_share = |day: &Day| if day.requests > 0.0 { day.late / day.requests } else { 0.0 };
    let cost_ratio = |day: &Day| if day.oracle > 0.0 { day.paid / day.oracle } else { 1.0 };
    let all = total(days.iter().copied());
    let mut lates = Vec::with_capacity(resamples);
    let mut costs = Vec::with_capacity(resamples);
    if !days.is_empty() {
        for _ in 0..resamples {
            let drawn = total((0..days.len()).map(|_| days[rng.below(days.len())]));
            lates.push(late_share(&drawn));
            costs.push(cost_ratio(&drawn));
        }
    }
    Intervals {
        late_share: interval(late_share(&all), lates, coverage),
        cost_ratio: interval(cost_ratio(&all), costs, coverage),
    }
}

fn days(run: &Run, oracle: &Run) -> Vec<Day> {
    let from = run.evaluate_from.min(run.requests.len());
    let ticks_a_day = ((86_400.0 / run.tick_s).round() as usize).max(1);
    let paid = run.paid.iter().zip(&oracle.paid).skip(from);
    let ticks: Vec<Day> = run.requests[from..]
        .iter()
        .zip(&run.late[from..])
        .zip(paid)
        .map(|((requests, late), (paid, oracle))| Day {
            requests: *requests,
            late: *late,
            paid: f64::from(*paid),
            oracle: f64::from(*oracle),
        })
        .collect();
    ticks.chunks(ticks_a_day).map(|day| total(day.iter().copied())).collect()
}

fn total(days: impl Iterator<Item = Day>) -> Day {
    days.fold(Day::default(), |sum, day| Day {
        requests: sum.requests + day.requests,
        late: sum.late + day.late,
        paid: sum.paid + day.paid,
        oracle: sum.oracle + day.oracle,
    })
}

/// The central `coverage` of the draws, by the nearest rank.
fn interval(estimate: f64, mut draws: Vec<f64>, coverage: f64) -> Interval {
    draws.sort_by(f64::total_cmp);
    let rank = |share: f64| ((share.clamp(0.0, 1.0) * draws.len() as f64) as usize).min(draws.len().saturating_sub(1));
    let tail = 0.5 * (1.0 - coverage);
    let at = |share| draws.get(rank(share)).copied().unwrap_or(estimate);
    Interval { low: at(tail), estimate, high: at(1.0 - tail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of 24 one-hour ticks of 100 requests; `late` and `paid` of each day.
    fn run(days: &[(f64, u32)]) -> Run {
        let each = |f: &dyn Fn(&(f64, u32)) -> f64| days.iter().flat_map(|d| vec![f(d); 24]).collect::<Vec<f64>>();
        let paid: Vec<u32> = days.iter().flat_map(|d| vec![d.1; 24]).collect();
        Run {
            policy: "test".into(),
            evaluate_from: 0,
            tick_s: 3_600.0,
            requests: each(&|_| 100.0),
            late: each(&|d| d.0),
            desired: paid.clone(),
            ready: paid.clone(),
            paid,
        }
    }

    #[test]
    fn the_interval_holds_the_estimate_and_is_the_same_for_the_same_seed() {
        let (ours, oracle) = (run(&[(0.0, 12), (1.0, 14), (0.0, 10), (5.0, 30), (0.0, 11)]), run(&[(0.0, 10); 5]));
        let draw = |seed| bootstrap(&ours, &oracle, 0.95, 2_000, &mut SeededRng::seed_from_u64(seed));
        let intervals = draw(7);
        assert!((intervals.late_share.estimate - 0.012).abs() < 1e-12);
        assert!((intervals.cost_ratio.estimate - 1.54).abs() < 1e-12);
        for interval in [intervals.late_share, intervals.cost_ratio] {
            assert!(interval.low < interval.estimate && interval.estimate < interval.high, "{interval:?}");
        }
        assert_eq!(intervals.late_share.low, 0.0);
        assert!(intervals.late_share.high <= 0.05);
        assert_eq!(draw(7), intervals);
    }

    #[test]
    fn alike_days_leave_no_doubt_and_no_days_no_panic() {
        let (ours, oracle) = (run(&[(1.0, 12); 4]), run(&[(0.0, 10); 4]));
        let intervals = bootstrap(&ours, &oracle, 0.9, 100, &mut SeededRng::seed_from_u64(1));
        assert!((intervals.cost_ratio.high - intervals.cost_ratio.low).abs() < 1e-12);
        let none = bootstrap(&run(&[]), &run(&[]), 0.9, 100, &mut SeededRng::seed_from_u64(1));
        assert_eq!(none.late_share, Interval { low: 0.0, estimate: 0.0, high: 0.0 });
    }
}
