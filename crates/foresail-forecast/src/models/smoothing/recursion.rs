//! One step of exponential smoothing, and what a small change before it changes after it.
//!
//! With `y` taken for known, the recursion does not depend on how the error joins (Hyndman et al. 2008, tables 2.2 and 2.3,
//! the errors put in): additive and multiplicative noise differ in their likelihood alone. The step is compiled once for
//! each of the twelve kinds of trend and season, so that its loops hold no choices; [`specialised!`] picks the one.

use super::form::{Seasonal, Trend, Weights};

/// Kinds of trend that the compiler tells apart: an additive one is damped by a factor that may be 1, but a growing one
/// needs a power if damped.
pub(super) mod trend {
    pub(in super::super) const NONE: u8 = 0;
    pub(in super::super) const ADDED: u8 = 1;
    pub(in super::super) const GROWING: u8 = 2;
    pub(in super::super) const GROWING_DAMPED: u8 = 3;
}

/// Kinds of season that the compiler tells apart.
pub(super) mod seasonal {
    pub(in super::super) const NONE: u8 = 0;
    pub(in super::super) const ADDED: u8 = 1;
    pub(in super::super) const FACTOR: u8 = 2;
}

/// Calls `$function` compiled for a trend and a season.
macro_rules! specialised {
    ($trend:expr, $seasonal:expr, $function:ident($($argument:expr),* $(,)?)) => {{
        use $crate::models::smoothing::form::{Seasonal, Trend};
        use $crate::models::smoothing::recursion::{seasonal, trend};
        match ($trend, $seasonal) {
            (Trend::None, Seasonal::None) => $function::<{ trend::NONE }, { seasonal::NONE }>($($argument),*),
            (Trend::None, Seasonal::Additive) => $function::<{ trend::NONE }, { seasonal::ADDED }>($($argument),*),
            (Trend::None, Seasonal::Multiplicative) => {
                $function::<{ trend::NONE }, { seasonal::FACTOR }>($($argument),*)
            }
            (Trend::Additive | Trend::AdditiveDamped, Seasonal::None) => {
                $function::<{ trend::ADDED }, { seasonal::NONE }>($($argument),*)
            }
            (Trend::Additive | Trend::AdditiveDamped, Seasonal::Additive) => {
                $function::<{ trend::ADDED }, { seasonal::ADDED }>($($argument),*)
            }
            (Trend::Additive | Trend::AdditiveDamped, Seasonal::Multiplicative) => {
                $function::<{ trend::ADDED }, { seasonal::FACTOR }>($($argument),*)
            }
            (Trend::Multiplicative, Seasonal::None) => {
                $function::<{ trend::GROWING }, { seasonal::NONE }>($($argument),*)
            }
            (Trend::Multiplicative, Seasonal::Additive) => {
                $function::<{ trend::GROWING }, { seasonal::ADDED }>($($argument),*)
            }
            (Trend::Multiplicative, Seasonal::Multiplicative) => {
                $function::<{ trend::GROWING }, { seasonal::FACTOR }>($($argument),*)
            }
            (Trend::MultiplicativeDamped, Seasonal::None) => {
                $function::<{ trend::GROWING_DAMPED }, { seasonal::NONE }>($($argument),*)
            }
            (Trend::MultiplicativeDamped, Seasonal::Additive) => {
                $function::<{ trend::GROWING_DAMPED }, { seasonal::ADDED }>($($argument),*)
            }
            (Trend::MultiplicativeDamped, Seasonal::Multiplicative) => {
                $function::<{ trend::GROWING_DAMPED }, { seasonal::FACTOR }>($($argument),*)
            }
        }
    }};
}
pub(super) use specialised;

/// Level and slope; the slope is a difference, or a factor of a growing trend.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct Moving {
    pub(in super::super) level: f64,
    pub(in super::super) slope: f64,
}

impl Moving {
    /// The level one step on, and what it is moved by.
    #[inline(always)]
    pub(super) fn ahead<const T: u8>(self, phi: f64) -> (f64, f64) {
        match T {
            trend::NONE => (self.level, 0.0),
            trend::ADDED => {
                let drift = phi * self.slope;
                (self.level + drift, drift)
            }
            trend::GROWING => (self.level * self.slope, self.slope),
            _ => {
                let drift = self.slope.powf(phi);
                (self.level * drift, drift)
            }
        }
    }
}

/// The forecast that `base` and the effect of the season make.
#[inline(always)]
pub(super) fn joined<const S: u8>(base: f64, effect: f64) -> f64 {
    match S {
        seasonal::NONE => base,
        seasonal::ADDED => base + effect,
        _ => base * effect,
    }
}

/// A step as it was taken: what was before it, and what it was about to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    level: f64,
    slope: f64,
    effect: f64,
    drift: f64,
    base: f64,
    /// What was seen without its season, less `base`.
    miss: f64,
}

/// Takes in `value` (which counts by `seen`, 0 for a gap and 1 else) and gives the forecast of it, and the step.
#[inline(always)]
pub(super) fn advance<const T: u8, const S: u8>(
    weights: &Weights,
    moving: &mut Moving,
    effect: &mut f64,
    value: f64,
    seen: f64,
) -> (f64, Step) {
    let Moving { level, slope } = *moving;
    let before = *effect;
    let (base, drift) = moving.ahead::<T>(weights.phi);
    let miss = seen
        * match S {
            seasonal::NONE => value - base,
            seasonal::ADDED => value - before - base,
            _ => value / before - base,
        };
    moving.level = base + weights.alpha * miss;
    moving.slope = match T {
        trend::NONE => 0.0,
        trend::ADDED => drift + weights.beta * miss,
        _ => drift + weights.beta * miss / level,
    };
    match S {
        seasonal::NONE => {}
        seasonal::ADDED => *effect = before + weights.gamma * miss,
        // value / base - before, for what is seen.
        _ => *effect = before + weights.gamma * miss * before / base,
    }
    (joined::<S>(base, before), Step { level, slope, effect: before, drift, base, miss })
}

/// How the objective changes with what a pass began with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Gradient {
    pub(super) alpha: f64,
    pub(super) beta: f64,
    pub(super) gamma: f64,
    pub(super) phi: f64,
    pub(super) level: f64,
    pub(super) slope: f64,
}

impl Gradient {
    /// Goes back over a step: `self.level`, `self.slope` and `on_effect` say how the objective changes with what came out
    /// of it, and then with what went in; `on_forecast` how it changes with the forecast made there.
    #[inline(always)]
    pub(super) fn back<const T: u8, const S: u8>(
        &mut self,
        weights: &Weights,
        step: &Step,
        seen: f64,
        on_forecast: f64,
        on_effect: &mut f64,
    ) {
        let Step { level, slope, effect, drift, base, miss } = *step;
        let (on_level, on_slope, on_season) = (self.level, self.slope, *on_effect);
        self.alpha += on_level * miss;
        let mut on_miss = weights.alpha * on_level;
        let mut to_level = 0.0;
        match T {
            trend::NONE => {}
            trend::ADDED => {
                self.beta += on_slope * miss;
                on_miss += weights.beta * on_slope;
            }
            _ => {
                let share = miss / level;
                self.beta += on_slope * share;
                on_miss += weights.beta * on_slope / level;
                to_level = -weights.beta * on_slope * share / level;
            }
        }
        let mut on_base = on_level;
        match S {
            seasonal::NONE => on_base += on_forecast - seen * on_miss,
            seasonal::ADDED => {
                self.gamma += on_season * miss;
                on_miss += weights.gamma * on_season;
                on_base += on_forecast - seen * on_miss;
                *on_effect = on_season + on_forecast - seen * on_miss;
            }
            _ => {
                // effect + gamma (value / base - effect), whose value / effect is miss + base where it was seen.
                let ratio = effect / base;
                self.gamma += on_season * miss * ratio;
                let value = (miss + base) * effect;
                let on_quotient = seen * weights.gamma * on_season;
                on_base += on_forecast * effect - seen * on_miss - on_quotient * value / (base * base);
                *on_effect = on_season - on_quotient + on_forecast * base - seen * on_miss * value / (effect * effect);
            }
        }
        let on_drift = match T {
            trend::NONE => 0.0,
            trend::ADDED => on_slope + on_base,
            _ => on_slope + on_base * level,
        };
        match T {
            trend::NONE => self.level = on_base,
            trend::ADDED => {
                self.phi += on_drift * slope;
                self.slope = weights.phi * on_drift;
                self.level = on_base;
            }
            trend::GROWING => {
                self.slope = on_drift;
                self.level = to_level + on_base * drift;
            }
            _ => {
                self.phi += on_drift * drift * slope.ln();
                self.slope = on_drift * weights.phi * drift / slope;
                self.level = to_level + on_base * drift;
            }
        }
    }
}

/// The forecasts of the next `horizon` rows from `moving` and the effects in `season`, the first at `slot`.
pub(super) fn ahead(
    (trend, seasonal): (Trend, Seasonal),
    phi: f64,
    moving: Moving,
    (season, slot): (&[f64], usize),
    horizon: usize,
) -> Vec<f64> {
    specialised!(trend, seasonal, steps_ahead(phi, moving, season, slot, horizon))
}

fn steps_ahead<const T: u8, const S: u8>(
    phi: f64,
    mut moving: Moving,
    season: &[f64],
    slot: usize,
    horizon: usize,
) -> Vec<f64> {
    let mut place = slot;
    (0..horizon)
        .map(|_| {
            let (level, drift) = moving.ahead::<T>(phi);
            moving = Moving { level, slope: drift };
            let effect = season.get(place).copied().unwrap_or(0.0);
            place = if place + 1 < season.len() { place + 1 } else { 0 };
            joined::<S>(level, effect)
        })
        .collect()
}
