//! Which mix when.

use foresail_core::SeededRng;

use super::{Mix, WorkloadType};

/// How mixes follow one another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleOptions {
    /// Intervals of the whole.
    pub intervals: usize,
    /// Intervals that a mix lasts, from and to.
    pub lasts: (usize, usize),
    /// Intervals over which one mix gives way to the next, at most as many as the shortest lasts.
    pub transition: usize,
    /// Share of changes that go to the usual successor of a type rather than to any other, 0 to 1.
    pub habit: f64,
}

impl Default for ScheduleOptions {
    fn default() -> Self {
        Self { intervals: 2_160, lasts: (60, 120), transition: 30, habit: 0.9 }
    }
}

/// A mix, and from when on it comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// The interval at which the one before begins to give way to it.
    pub start: usize,
    /// What it gives way to.
    pub mix: Mix,
}

/// Draws a series of mixes, each dominated by one type; the successor of a type is usually the next of a cycle drawn once, as a
/// business day has its order. Gives the mix of each interval, and the episodes.
pub fn schedule(options: &ScheduleOptions, rng: &mut SeededRng) -> (Vec<Mix>, Vec<Episode>) {
    let mut cycle = WorkloadType::ALL;
    rng.shuffle(&mut cycle);
    let (shortest, longest) = (options.lasts.0.max(1), options.lasts.1.max(options.lasts.0).max(1));
    let mut place = rng.below(6);
    let mut before = Mix::dominated_by(cycle[place], rng);
    let mut episodes = vec![Episode { start: 0, mix: before }];
    let mut mixes = Vec::with_capacity(options.intervals);
    while mixes.len() < options.intervals {
        let mix = episodes[episodes.len() - 1].mix;
        let start = mixes.len();
        for since in 0..shortest + rng.below(longest - shortest + 1) {
            let share = (since + 1) as f64 / (options.transition + 1) as f64;
            mixes.push(before.towards(&mix, if start == 0 { 1.0 } else { share }));
        }
        // Any of the five others, where habit does not decide.
        place = if rng.uniform() < options.habit { (place + 1) % 6 } else { (place + 1 + rng.below(5)) % 6 };
        before = mix;
        episodes.push(Episode { start: mixes.len(), mix: Mix::dominated_by(cycle[place], rng) });
    }
    mixes.truncate(options.intervals);
    episodes.retain(|episode| episode.start < options.intervals);
    (mixes, episodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_last_and_give_way_gradually() {
        let options = ScheduleOptions::default();
        let (mixes, episodes) = schedule(&options, &mut SeededRng::seed_from_u64(5));
        assert_eq!(mixes.len(), options.intervals);
        for pair in episodes.windows(2) {
            let lasts = pair[1].start - pair[0].start;
            assert!((60..=120).contains(&lasts));
            assert_ne!(pair[0].mix.dominant(), pair[1].mix.dominant());
            assert_eq!(mixes[pair[1].start - 1].dominant(), pair[0].mix.dominant());
        }
        for pair in mixes.windows(2) {
            let step: f64 = pair[0].shares().iter().zip(pair[1].shares()).map(|(a, b)| (a - b).abs()).sum();
            assert!(step < 0.1, "{step}");
        }
        let short = ScheduleOptions { intervals: 3, lasts: (0, 0), transition: 0, habit: 0.0 };
        assert_eq!(schedule(&short, &mut SeededRng::seed_from_u64(5)).0.len(), 3);
    }
}
