//! A model beside the baseline, over several sets.

use foresail_core::SeededRng;
use serde::Serialize;

use super::score::Sums;
use super::{Dataset, Pooled, WindowScore};
use crate::metrics::{geometric_mean, percentile};

/// Resamples behind an interval.
const RESAMPLES: usize = 1_000;
/// Seed of the resamples: the same scores give the same interval.
const SEED: u64 = 20_241_010;

/// A ratio with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The ratio itself.
    pub value: f64,
    /// 2.5 % of the resamples lie below.
    pub low: f64,
    /// 2.5 % of the resamples lie above.
    pub high: f64,
}

/// The geometric mean over `sets` of what `figure` reads from a model's scores over what it reads from the baseline's.
///
/// The interval comes from resampling, within each set, what is independent of one another: the series where each has one
/// window, else the origins, each with the windows of all series there (variates of one system err together). Model and
/// baseline are resampled alike. None if a figure is undefined or 0 in any set.
pub fn relative(
    sets: &[(&Dataset, &[WindowScore], &[WindowScore])],
    figure: impl Fn(&Pooled) -> Option<f64>,
) -> Option<Interval> {
    let clusters: Vec<Vec<(Sums, Sums)>> = sets.iter().map(|(set, own, base)| clusters(set, own, base)).collect();
    let joined = |draw: &mut dyn FnMut(usize) -> usize, all: bool| {
        let ratios = clusters.iter().map(|of_set| {
            let (mut own, mut base) = (Sums::default(), Sums::default());
            for i in 0..of_set.len() {
                let (a, b) = &of_set[if all { i } else { draw(of_set.len()) }];
                own.merge(a);
                base.merge(b);
            }
            Some(figure(&own.pooled())? / figure(&base.pooled())?)
        });
        geometric_mean(ratios.collect::<Option<Vec<f64>>>()?)
    };
    let value = joined(&mut |_| 0, true)?;
    Some(resampled(value, |draw| joined(draw, false)))
}

/// The bootstrap interval around `value`: `figure` computes it anew from what `draw(count)` picks, one of `count` at a time,
/// with replacement. A resample that it does not exist for (all its magnitudes 0) says nothing and is left out.
pub fn resampled(value: f64, figure: impl Fn(&mut dyn FnMut(usize) -> usize) -> Option<f64>) -> Interval {
    let mut rng = SeededRng::seed_from_u64(SEED);
    let resampled: Vec<f64> = (0..RESAMPLES).filter_map(|_| figure(&mut |count| rng.below(count))).collect();
    let at = |level: f64| percentile(&resampled, level).unwrap_or(value);
    Interval { value, low: at(0.025), high: at(0.975) }
}

fn clusters(set: &Dataset, own: &[WindowScore], base: &[WindowScore]) -> Vec<(Sums, Sums)> {
    let by_origin = set.windows() > 1;
    let count = if by_origin { set.windows() } else { set.series().len() };
    let mut sums = vec![(Sums::default(), Sums::default()); count];
    for (a, b) in own.iter().zip(base) {
        debug_assert_eq!((a.series, a.window), (b.series, b.window));
        let (of_own, of_base) = &mut sums[if by_origin { a.window } else { a.series }];
        of_own.add(a, 1.0);
        of_base.add(b, 1.0);
    }
    sums
}

/// The window on which a model did worst.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worst {
    /// Name of the series.
    pub series: String,
    /// Index of the window, the oldest 0.
    pub window: usize,
    /// The model's scaled error there.
    pub mase: f64,
    /// That error over the larger of the baseline's there and the baseline's over the whole set.
    pub ratio: f64,
}

/// Where `own` is worst, measured by the larger of the baseline's scaled error on that window and its mean over the set
/// (so that a window which is easy for the baseline by chance is no disgrace). None if nothing has a scaled error.
pub fn worst_window(set: &Dataset, own: &[WindowScore], base: &[WindowScore]) -> Option<Worst> {
    let mean = super::pooled(base).mase?;
    let place = |(a, b): (&WindowScore, &WindowScore)| {
        let mase = a.mase()?;
        let ratio = mase / b.mase().unwrap_or(0.0).max(mean);
        Some(Worst { series: set.series()[a.series].0.clone(), window: a.window, mase, ratio })
    };
    own.iter().zip(base).filter_map(place).max_by(|a, b| a.ratio.total_cmp(&b.ratio))
}

#[cfg(test)]
mod tests {
    use foresail_core::Frame;

    use super::*;

    fn set(series: usize, windows: usize) -> Dataset {
        let frame = || ("s".to_owned(), Frame::from_values((0..100).map(f64::from)));
        Dataset::new("set", (0..series).map(|_| frame()).collect(), 2, 3).unwrap().with_windows(windows).unwrap()
    }

    fn scores(set: &Dataset, mase: impl Fn(usize, usize) -> f64) -> Vec<WindowScore> {
        let one = |(series, window)| WindowScore {
            series,
            window,
            points: 2,
            absolute: 2.0 * mase(series, window),
            scale: Some(1.0),
            magnitude: 10.0,
            pinball: mase(series, window),
            within: 2,
        };
        set.places().map(one).collect()
    }

    #[test]
    fn ratios_are_joined_by_their_geometric_mean() {
        let (one, two) = (set(4, 1), set(2, 3));
        let (base_one, base_two) = (scores(&one, |_, _| 2.0), scores(&two, |_, _| 1.0));
        let (own_one, own_two) = (scores(&one, |_, _| 1.0), scores(&two, |_, _| 2.0));
        let sets = [(&one, &own_one[..], &base_one[..]), (&two, &own_two[..], &base_two[..])];
        let both = relative(&sets, |p| p.mase).unwrap();
        assert!((both.value - 1.0).abs() < 1e-12 && (both.low - 1.0).abs() < 1e-12, "{both:?}");
        let first = relative(&sets[..1], |p| p.wql).unwrap();
        assert!((first.value - 0.5).abs() < 1e-12, "{first:?}");
        assert_eq!(relative(&sets, |_| None), None);
    }

    #[test]
    fn an_interval_holds_its_ratio_and_is_the_same_each_time() {
        let set = set(20, 1);
        let (own, base) = (scores(&set, |s, _| 1.0 + s as f64), scores(&set, |s, _| 12.0 + (s % 3) as f64));
        let interval = || relative(&[(&set, &own, &base)], |p| p.mase).unwrap();
        let found = interval();
        assert!(found.low < found.value && found.value < found.high, "{found:?}");
        assert_eq!(found, interval());
    }

    #[test]
    fn the_worst_window_is_told() {
        let set = set(2, 3);
        let base = scores(&set, |s, w| if (s, w) == (1, 1) { 0.1 } else { 1.0 });
        let own = scores(&set, |s, w| if (s, w) == (1, 1) { 1.7 } else { 1.0 });
        let worst = worst_window(&set, &own, &base).unwrap();
        assert_eq!((worst.window, worst.mase), (1, 1.7));
        assert!((worst.ratio - 1.7 / 0.85).abs() < 1e-12);
    }
}
