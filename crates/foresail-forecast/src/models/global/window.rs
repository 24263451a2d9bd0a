//! Windows of all series in one unit.

use serde::{Deserialize, Serialize};

use super::layout::Layout;

/// Normalised values are cut at so many units, and what is to be learned of them at so many.
const CUT: f64 = 10.0;
pub(super) const FARTHEST: f64 = 30.0;
/// A unit smaller than this, over the magnitude of the series, is none.
const LEAST_UNIT: f64 = 1e-9;

/// What a window is measured from, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Norm {
    /// From the last value, in mean distances from it: series whose level is the news.
    Level,
    /// From the last season, in mean distances between seasons: series whose season is strict.
    Season,
}

/// How a window becomes numbers without a unit: everything is `(value − level) / unit`.
pub(super) struct View<'a> {
    /// The series up to the window's origin.
    pub(super) past: &'a [f64],
    pub(super) level: f64,
    pub(super) unit: f64,
    norm: Norm,
    season: usize,
}

impl<'a> View<'a> {
    /// At the end of `past`, which holds the context. `None` if the context does not vary.
    pub(super) fn new(norm: Norm, layout: &Layout, past: &'a [f64]) -> Option<Self> {
        let context = &past[past.len().checked_sub(layout.context)?..];
        let level = *context.last()?;
        let season = layout.season;
        let unit = match norm {
            Norm::Season if context.len() > season => {
                mean(context.windows(season + 1).map(|w| (w[season] - w[0]).abs()))
            }
            _ => mean(context.iter().map(|value| (value - level).abs())),
        };
        (unit > LEAST_UNIT).then_some(Self { past, level, unit, norm, season })
    }

    /// A value in this window's unit.
    pub(super) fn of(&self, value: f64) -> f64 {
        (value - self.level) / self.unit
    }

    /// A number of this window's unit as a value.
    pub(super) fn value(&self, number: f64) -> f64 {
        self.level + number * self.unit
    }

    /// What is expected `ahead` rows on (from 0) if nothing is learned, in the unit.
    pub(super) fn base(&self, ahead: usize) -> f64 {
        match self.norm {
            Norm::Level => 0.0,
            Norm::Season => {
                let back = self.season - ahead % self.season;
                self.past.len().checked_sub(back).map_or(0.0, |at| self.of(self.past[at]))
            }
        }
    }

    /// The numbers that the linear part reads, and a one.
    pub(super) fn write(&self, layout: &Layout, into: &mut Vec<f32>) {
        let context = &self.past[self.past.len() - layout.context..];
        layout.write(context, |value| self.of(value).clamp(-CUT, CUT) as f32, into);
        into.push(1.0);
    }

    /// What is to be learned of `value`, `ahead` rows on: its distance from the base.
    pub(super) fn target(&self, value: f64, ahead: usize) -> f64 {
        (self.of(value) - self.base(ahead)).clamp(-FARTHEST, FARTHEST)
    }
}

/// Which norms a layout allows.
pub(super) fn norms(layout: &Layout) -> &'static [Norm] {
    if layout.season > 0 && layout.context > layout.season { &[Norm::Level, Norm::Season] } else { &[Norm::Level] }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_the_same_at_any_level_and_scale() {
        let layout = Layout::of(&[4], 4, &[200]);
        let shape = [1.0, 5.0, 2.0, 3.0, 1.5, 5.0, 2.5, 3.5];
        let scaled: Vec<f64> = shape.iter().map(|v| 1000.0 + 50.0 * v).collect();
        for norm in [Norm::Level, Norm::Season] {
            let numbers = |past: &[f64]| {
                let view = View::new(norm, &layout, past).unwrap();
                let mut numbers = Vec::new();
                view.write(&layout, &mut numbers);
                numbers.push(view.base(1) as f32);
                numbers
            };
            for (a, b) in numbers(&shape).iter().zip(numbers(&scaled)) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
        assert!(View::new(Norm::Level, &layout, &[2.0; 8]).is_none());
        assert!(View::new(Norm::Season, &layout, &[1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]).is_none());
    }

    #[test]
    fn the_base_is_the_level_or_the_last_season() {
        let layout = Layout::of(&[4], 4, &[200]);
        let past = [1.0, 5.0, 2.0, 3.0, 1.5, 5.0, 2.5, 3.5];
        let base = |norm| {
            let view = View::new(norm, &layout, &past).unwrap();
            [0, 1, 5].map(|ahead| view.value(view.base(ahead)))
        };
        assert_eq!(base(Norm::Level), [3.5; 3]);
        let season = base(Norm::Season);
        assert!(season.iter().zip([1.5, 5.0, 5.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{season:?}");
    }
}
