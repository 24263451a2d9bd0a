//! How fast to learn, given what was found.

use serde::{Deserialize, Serialize};

use super::detector::DriftEvent;
use crate::Error;

/// Parameters of an [`AdaptiveRate`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateOptions {
    /// Learning rate while nothing changes: the weight of a new point, above 0 and at most 1. Its inverse is the memory in
    /// points.
    pub base: f64,
    /// The rate after a confirmed change of one standard deviation is base × (1 + gain); 0 to 10⁶.
    pub gain: f64,
    /// Points in which the excess over the base halves, 1 to 10⁷.
    pub half_life: f64,
    /// Weight of a point seen while a verdict is awaited, 0 to 1.
    pub suspect_weight: f64,
}

impl Default for RateOptions {
    fn default() -> Self {
        Self { base: 0.001, gain: 6.0, half_life: 250.0, suspect_weight: 0.1 }
    }
}

/// A learning rate of base × (1 + gain × size) after a confirmed change of `size` standard deviations, decaying to the base;
/// points seen under suspicion count little, and a spike changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct AdaptiveRate {
    options: RateOptions,
    /// gain × size, decayed.
    boost: f64,
    is_suspect: bool,
    /// Points since the last permanent change began.
    since_change: Option<u64>,
}

impl AdaptiveRate {
    /// At the base rate.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for an option out of its range.
    pub fn new(options: RateOptions) -> Result<Self, Error> {
        let check = |parameter, holds: bool, value: f64, range| {
            let value = value.to_string();
            if holds { Ok(()) } else { Err(Error::BadParameter { parameter, value, range }) }
        };
        let RateOptions { base, gain, half_life, suspect_weight } = options;
        check("base", base > 0.0 && base <= 1.0, base, "above 0, at most 1")?;
        check("gain", (0.0..=1e6).contains(&gain), gain, "0 to 1,000,000")?;
        check("half_life", (1.0..=1e7).contains(&half_life), half_life, "1 to 10,000,000")?;
        check("suspect_weight", (0.0..=1.0).contains(&suspect_weight), suspect_weight, "0 to 1")?;
        Ok(Self { options, boost: 0.0, is_suspect: false, since_change: None })
    }

    /// Goes on by one point, with what the detector found at it.
    pub fn step(&mut self, event: Option<DriftEvent>) {
        self.boost *= (-self.options.half_life.recip()).exp2();
        self.since_change = self.since_change.map(|points| points.saturating_add(1));
        let Some(event) = event else { return };
        self.is_suspect = matches!(event, DriftEvent::Suspected);
        let (size, points) = match event {
            DriftEvent::Permanent { size, ratio, points, .. } => (size.abs().max(ratio.ln().abs()), points),
            DriftEvent::Spread { ratio, points } => (ratio.ln().abs(), points),
            DriftEvent::Suspected | DriftEvent::Spike { .. } => return,
        };
        self.boost = self.boost.max(self.options.gain * size.min(1e6));
        self.since_change = Some(points as u64);
    }

    /// The learning rate, 0 to 1.
    pub fn rate(&self) -> f64 {
        (self.options.base * (1.0 + self.boost)).min(1.0)
    }

    /// Weight of the newest point, 0 to 1: what a learner multiplies its step by.
    pub fn weight(&self) -> f64 {
        if self.is_suspect { self.options.suspect_weight } else { 1.0 }
    }

    /// Points that a learner of a moving window should look back: the inverse of the rate, and never to before the change.
    pub fn window(&self) -> usize {
        let window = self.rate().recip().round() as usize;
        let since = self.since_change.map_or(usize::MAX, |points| usize::try_from(points).unwrap_or(usize::MAX));
        window.min(since).max(1)
    }

    /// Points since the last permanent change began, at least; `None` if there was none.
    pub fn since_change(&self) -> Option<u64> {
        self.since_change
    }
}

#[derive(Deserialize)]
struct Saved {
    options: RateOptions,
    boost: f64,
    is_suspect: bool,
    since_change: Option<u64>,
}

impl TryFrom<Saved> for AdaptiveRate {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        let Saved { options, boost, is_suspect, since_change } = saved;
        if !(0.0..=1e12).contains(&boost) {
            return Err(Error::BadParameter { parameter: "boost", value: boost.to_string(), range: "0 to 10¹²" });
        }
        Ok(Self { boost, is_suspect, since_change, ..Self::new(options)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_with_a_permanent_change_and_decays_to_the_base() {
        let options = RateOptions { base: 0.01, gain: 4.0, half_life: 10.0, suspect_weight: 0.1 };
        let mut rate = AdaptiveRate::new(options).unwrap();
        rate.step(Some(DriftEvent::Suspected));
        assert_eq!((rate.rate(), rate.weight()), (0.01, 0.1));
        rate.step(Some(DriftEvent::Spike { points: 60 }));
        assert_eq!((rate.rate(), rate.weight(), rate.window()), (0.01, 1.0, 100));
        rate.step(Some(DriftEvent::Suspected));
        rate.step(Some(DriftEvent::Permanent { shift: 3.0, size: 1.5, ratio: 1.0, points: 60 }));
        assert!((rate.rate() - 0.07).abs() < 1e-12 && rate.weight() == 1.0);
        assert_eq!((rate.window(), rate.since_change()), (14, Some(60)));
        (0..10).for_each(|_| rate.step(None));
        assert!((rate.rate() - 0.04).abs() < 1e-12);
        (0..1_000).for_each(|_| rate.step(None));
        assert!((rate.rate() - 0.01).abs() < 1e-12);
        let text = serde_json::to_string(&rate).unwrap();
        assert_eq!(serde_json::from_str::<AdaptiveRate>(&text).unwrap(), rate);
        assert!(serde_json::from_str::<AdaptiveRate>(&text.replace("\"base\":0.01", "\"base\":-1.0")).is_err());
    }

    #[test]
    fn options_out_of_range_are_named() {
        let error = AdaptiveRate::new(RateOptions { base: 0.0, ..RateOptions::default() }).err().unwrap();
        assert_eq!(error.to_string(), "base is 0, accepted is above 0, at most 1");
    }
}
