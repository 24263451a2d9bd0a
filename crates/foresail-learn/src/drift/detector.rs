//! The two stages joined.

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::options::DriftOptions;
use super::suspicion::Suspicion;
use super::verdict::{Verdict, judge};
use crate::Error;

/// Points after which the charts are tuned to the autocorrelation anew.
const RETUNE: u32 = 256;
/// Looks at the points of a suspicion at most: one, and more if it leaves the verdict open.
const LOOKS: usize = 3;
/// A suspicion that sees no points for so many times its window ends as it stands.
const PATIENCE: usize = 4;
/// Weight of the newest point in the displacement that is reacted to.
const RECENT: f64 = 0.16;
/// Quantile of a 90 % interval of a normal value.
const Z90: f64 = 1.644_853_626_951_47;

/// What a detector found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum DriftEvent {
    /// Something is different: widen, add headroom, do not learn.
    Suspected,
    /// The level has changed for good: learn faster, forget what was before, fit again.
    Permanent {
        /// By how much the median moved, in the unit of the residuals.
        shift: f64,
        /// The same in standard deviations, with its sign.
        size: f64,
        /// Spread after over spread before.
        ratio: f64,
        /// Points judged: the change is at least so many points ago.
        points: usize,
    },
    /// The spread has changed for good, the level has not: intervals are to be learned anew.
    Spread {
        /// Spread after over spread before.
        ratio: f64,
        /// Points judged.
        points: usize,
    },
    /// What raised suspicion has passed: go on as before.
    Spike {
        /// Points judged.
        points: usize,
    },
}

/// Where a detector stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftPhase {
    /// Learns what is usual.
    WarmUp,
    /// All is as usual.
    Calm,
    /// Something is different; the verdict is awaited.
    Suspect,
}

/// Tells permanent changes of a forecaster's residuals from spikes, in two stages.
///
/// It learns what is usual (location, spread, autocorrelation) while calm. Charts of the innovations raise suspicion; from
/// then on nothing is learned, and once the points since are worth [`DriftOptions::evidence`] independent ones, the shift of
/// their median is held against its standard error. After a permanent change the new is the usual. Memory is O(most points
/// of a verdict), a point costs O(1), a verdict O(points).
///
/// A model that learns from what it sees hides a change from its own residuals: while [`DriftDetector::is_suspect`], it should
/// learn with [`AdaptiveRate::weight`](super::AdaptiveRate::weight) only. After it was fitted anew, call
/// [`DriftDetector::model_refitted`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct DriftDetector {
    options: DriftOptions,
    phase: DriftPhase,
    /// None while warming up.
    usual: Option<Usual>,
    /// Points of the warm-up, or since the suspicion.
    window: Vec<f64>,
    /// Ticks of the phase, missing ones included, and looks taken in it.
    ticks: usize,
    looks: usize,
    /// How far the last points lie from the usual, in standard deviations.
    recent: f64,
    found: Found,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Usual {
    baseline: Baseline,
    suspicion: Suspicion,
    since_tuned: u32,
}

/// How often what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    suspicions: u64,
    permanents: u64,
    spreads: u64,
    spikes: u64,
}

impl Usual {
    fn new(baseline: Baseline, options: &DriftOptions) -> Self {
        let suspicion = Suspicion::new(options, baseline.phi());
        Self { baseline, suspicion, since_tuned: 0 }
    }

    /// Learns a calm point; true if it raises suspicion.
    fn push(&mut self, value: f64, options: &DriftOptions) -> bool {
        let is_suspect = if self.baseline.is_flat() {
            // Of a flat line, more of the same is no news, and anything else is.
            value != self.baseline.location && self.suspicion.push(self.baseline.score(value))
        } else {
            self.suspicion.push(self.baseline.innovation(value))
        };
        self.baseline.learn(value);
        self.since_tuned += 1;
        if self.since_tuned >= RETUNE && self.suspicion.is_quiet() {
            *self = Self::new(self.baseline.clone(), options);
        }
        is_suspect
    }
}

impl DriftDetector {
    /// A detector that has seen nothing.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for an option out of its range.
    pub fn new(options: DriftOptions) -> Result<Self, Error> {
        options.check()?;
        let phase = DriftPhase::WarmUp;
        Ok(Self {
            options,
            phase,
            usual: None,
            window: Vec::new(),
            ticks: 0,
            looks: 0,
            recent: 0.0,
            found: Found::default(),
        })
    }

    /// Takes in the residual of one point, actual less forecast; `None`, and what is not finite, is a gap.
    pub fn push(&mut self, residual: Option<f64>) -> Option<DriftEvent> {
        let residual = residual.filter(|v| v.is_finite()).map(|v| v.clamp(-1e90, 1e90));
        self.ticks = self.ticks.saturating_add(1);
        if let (Some(value), Some(usual)) = (residual, &self.usual) {
            self.recent += RECENT * (usual.baseline.score(value).clamp(-20.0, 20.0) - self.recent);
        }
        match (&mut self.usual, self.phase) {
            (Some(usual), DriftPhase::Calm) => {
                let Some(value) = residual else {
                    usual.baseline.skip(None);
                    return None;
                };
                usual.push(value, &self.options).then(|| self.suspect())
            }
            (Some(usual), _) => {
                usual.baseline.skip(residual);
                self.window.extend(residual);
                self.decide()
            }
            (None, _) => {
                self.window.extend(residual);
                if self.window.len() >= self.options.warm_up {
                    self.settle();
                }
                None
            }
        }
    }

    fn suspect(&mut self) -> DriftEvent {
        (self.phase, self.ticks, self.looks) = (DriftPhase::Suspect, 0, 0);
        self.window.clear();
        self.found.suspicions += 1;
        DriftEvent::Suspected
    }

    /// What is in the window is the usual from now on.
    fn settle(&mut self) {
        let baseline = Baseline::of(&self.window, self.options.memory);
        self.usual = Some(Usual::new(baseline, &self.options));
        self.calm();
    }

    fn calm(&mut self) {
        (self.phase, self.ticks, self.looks) = (DriftPhase::Calm, 0, 0);
        self.window.clear();
        self.recent = 0.0;
    }

    fn decide(&mut self) -> Option<DriftEvent> {
        let usual = self.usual.as_ref()?;
        let points = self.window.len();
        let wanted = self.options.wanted(usual.baseline.phi());
        // A second and a third look come half of that later each.
        let look = |looks: usize| wanted + looks * wanted / 2;
        let is_due = points >= look(self.looks);
        let is_stale = self.ticks >= PATIENCE * look(self.looks);
        if !is_due && !is_stale {
            return None;
        }
        let verdict =
            if 2 * points < wanted { Verdict::Spike } else { judge(&self.window, &usual.baseline, &self.options) };
        let is_last = is_stale || self.looks + 1 >= LOOKS || look(self.looks + 1) > self.options.most_points;
        if verdict == Verdict::Undecided && !is_last {
            self.looks += 1;
            return None;
        }
        Some(match verdict {
            Verdict::Permanent { size, ratio } => {
                let shift = size * usual.baseline.scale;
                self.found.permanents += 1;
                self.settle();
                DriftEvent::Permanent { shift, size, ratio, points }
            }
            Verdict::Spread { ratio } => {
                self.found.spreads += 1;
                self.settle();
                DriftEvent::Spread { ratio, points }
            }
            Verdict::Spike | Verdict::Undecided => {
                // The later half is what the spike has gone from; a change too small to matter is learned from it.
                let mut baseline = usual.baseline.clone();
                baseline.skip(None);
                self.window[points / 2..].iter().for_each(|v| baseline.learn(*v));
                self.usual = Some(Usual::new(baseline, &self.options));
                self.found.spikes += 1;
                self.calm();
                DriftEvent::Spike { points }
            }
        })
    }

    /// The model behind the residuals was fitted anew: they are expected around 0 again, and whatever was suspected of the old
    /// one is moot.
    pub fn model_refitted(&mut self) {
        if let Some(usual) = &self.usual {
            let mut baseline = usual.baseline.clone();
            baseline.recentre(self.options.warm_up as f64 / 4.0);
            self.usual = Some(Usual::new(baseline, &self.options));
            self.calm();
        }
    }

    /// Where it stands.
    pub fn phase(&self) -> DriftPhase {
        self.phase
    }

    /// Whether a verdict is awaited.
    pub fn is_suspect(&self) -> bool {
        self.phase == DriftPhase::Suspect
    }

    /// What intervals should be widened by while the verdict is awaited, 1 or more: a 90 % interval times this still covers a
    /// level displaced as the last points are. 1 while calm.
    pub fn interval_factor(&self) -> f64 {
        if self.is_suspect() { 1.0 + self.recent.abs() / Z90 } else { 1.0 }
    }

    /// What should be added to the forecast while the verdict is awaited, in the unit of the residuals, 0 or more: how far
    /// the last points lay above it. 0 while calm.
    pub fn headroom(&self) -> f64 {
        match &self.usual {
            Some(usual) if self.is_suspect() => self.recent.max(0.0) * usual.baseline.scale,
            _ => 0.0,
        }
    }

    /// Standard deviation of the residuals while nothing changes, and the autocorrelation of neighbours; `None` while warming
    /// up.
    pub fn usual(&self) -> Option<(f64, f64)> {
        self.usual.as_ref().map(|usual| (usual.baseline.scale, usual.baseline.phi()))
    }

    /// How often suspicion was raised.
    pub fn suspicions(&self) -> u64 {
        self.found.suspicions
    }

    /// How many suspicions were confirmed: permanent changes of the level, and of the spread alone.
    pub fn confirmed(&self) -> (u64, u64) {
        (self.found.permanents, self.found.spreads)
    }

    /// How many suspicions were dismissed as spikes.
    pub fn spikes(&self) -> u64 {
        self.found.spikes
    }
}

#[derive(Deserialize)]
struct Saved {
    options: DriftOptions,
    phase: DriftPhase,
    usual: Option<Usual>,
    window: Vec<f64>,
    ticks: usize,
    looks: usize,
    recent: f64,
    found: Found,
}

impl TryFrom<Saved> for DriftDetector {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        let Saved { options, phase, usual, window, ticks, looks, recent, found } = saved;
        options.check()?;
        let is_sound = window.len() <= options.most_points.max(options.warm_up)
            && window.iter().all(|v| v.is_finite())
            && recent.abs() <= 20.0
            && looks < LOOKS
            && usual.is_some() == (phase != DriftPhase::WarmUp)
            && usual.as_ref().is_none_or(|usual| usual.baseline.is_sound());
        if is_sound {
            Ok(Self { options, phase, usual, window, ticks, looks, recent, found })
        } else {
            let value = format!("a state of {} points in phase {phase:?}", window.len());
            Err(Error::BadParameter { parameter: "drift_detector", value, range: "what was saved" })
        }
    }
}
