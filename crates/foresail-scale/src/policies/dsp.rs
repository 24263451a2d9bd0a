//! A prediction by signal processing under an autoscaler, after crane's EffectiveHPA with its DSP algorithm.
//!
//! Every 12 hours a period is looked for in the last 7 days of one-minute request rates: a day, or else (in 14 days, which a
//! user of crane has to ask for) a week. At least two full periods are needed and a gap of over an hour forgets what was
//! before it; without a period there is no prediction and the autoscaler is alone. The prediction of a minute is the highest
//! value of that minute over the periods (`MaxValue` estimator, margin 0); the highest prediction of the next hour goes to the
//! autoscaler as a second metric, so the greater of real and predicted need holds.
//!
//! A series has a period, as in crane's `IsPeriodic`, if its frequency is stronger than every lower one in the spectrum: of a
//! signal of `m` whole periods only the first `m` lines of the Fourier transform are needed.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{Decision, Metric, Observation, Policy, Timestamp};

use super::PolicyOptions;
use super::behavior::{Recommendation, ReconcileLoop, Rules};
use super::grid::Grid;
use super::keda::replicas_for_average;
use super::utilisation::UtilisationMetric;
use crate::service::Service;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: usize = 1_440;
const WEEK: usize = 7 * DAY;
const UPDATE: Duration = Duration::from_secs(12 * 3_600);
/// Minutes of the prediction that are looked at.
const AHEAD: usize = 60;
/// Longest gap that is bridged, minutes.
const GAP: usize = 60;

/// Period detection and maximum over periods, through an autoscaler.
#[derive(Clone, Debug)]
pub struct Dsp {
    name: String,
    /// Load for one replica at the target.
    per_replica: f64,
    metric: UtilisationMetric,
    reconcile: ReconcileLoop,
    minutes: Grid,
    next_update: Option<Timestamp>,
    /// Start of the first predicted minute, and the minutes.
    prediction: Option<(Timestamp, Vec<f64>)>,
}

impl Dsp {
    /// Holds utilisation, and predicted load over capacity, at `target`.
    pub(super) fn new(name: String, target: f64, service: &Service, options: &PolicyOptions) -> Self {
        Self {
            name,
            per_replica: target * service.capacity_rps(),
            metric: UtilisationMetric::new(target, service.startup()),
            reconcile: ReconcileLoop::new(Rules::kubernetes(), options.limits),
            minutes: Grid::new(MINUTE, 2 * WEEK),
            next_update: None,
            prediction: None,
        }
    }

    /// The highest predicted load of the next hour.
    fn predicted_peak(&self, now: Timestamp) -> Option<f64> {
        let (start, values) = self.prediction.as_ref()?;
        let first = (now.floor_to(MINUTE).since(*start).as_secs() / 60) as usize;
        values.iter().skip(first).take(AHEAD + 1).copied().reduce(f64::max)
    }
}

impl Policy for Dsp {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        self.minutes.push(observation.sample(Metric::RequestRate));
        if self.next_update.is_none_or(|next| observation.time >= next) {
            self.next_update = Some(observation.time + UPDATE);
            self.prediction = predict(self.minutes.closed()).map(|cycle| (self.minutes.end(), cycle));
        }
        let real = self.metric.recommend(observation);
        let replicas = observation.replicas;
        let peak = self.predicted_peak(observation.time);
        let predicted =
            peak.map(|peak| replicas_for_average(peak, self.per_replica, replicas.ready.0 + replicas.starting.0));
        let recommendation = match (real, predicted) {
            (Some(real), _) => {
                Some(Recommendation { replicas: real.replicas.max(predicted.unwrap_or(0)), predicted, ..real })
            }
            // One metric of two: the autoscaler goes up on what is left of its metrics and never down.
            (None, Some(predicted)) => {
                let replicas = predicted.max(replicas.desired.0);
                Some(Recommendation { replicas, load: peak.unwrap_or(0.0), reactive: 0, predicted: Some(predicted) })
            }
            (None, None) => None,
        };
        self.reconcile.decide(observation, recommendation, || match (real, peak) {
            (Some(real), Some(peak)) => {
                format!("utilisation {:.2}; predicted peak of an hour {peak:.0} a second", real.load)
            }
            (Some(real), None) => format!("utilisation {:.2}; no prediction without a period", real.load),
            (None, _) => String::new(),
        })
    }
}

/// The next period, minute by minute, if the history has one.
fn predict(minutes: &VecDeque<Option<f64>>) -> Option<Vec<f64>> {
    let signal = bridged(minutes);
    for (period, longest) in [(DAY, WEEK), (WEEK, 2 * WEEK)] {
        let recent = &signal[signal.len().saturating_sub(longest)..];
        let periods = recent.len() / period;
        let whole = &recent[recent.len() - periods * period..];
        if is_periodic(whole, periods) {
            let highest = |minute: usize| whole[minute..].iter().step_by(period).copied().fold(0.0, f64::max);
            return Some((0..period).map(highest).collect());
        }
    }
    None
}

/// The history since the last long gap, with short ones bridged by a straight line.
fn bridged(minutes: &VecDeque<Option<f64>>) -> Vec<f64> {
    let mut signal: Vec<f64> = Vec::new();
    let mut missing = 0;
    for minute in minutes {
        let Some(value) = minute else {
            missing += 1;
            continue;
        };
        match signal.last().copied() {
            Some(_) if missing >= GAP => signal.clear(),
            Some(before) => {
                let slope = (value - before) / (missing + 1) as f64;
                signal.extend((1..=missing).map(|i| before + slope * i as f64));
            }
            None => {}
        }
        signal.push(*value);
        missing = 0;
    }
    if missing >= GAP { Vec::new() } else { signal }
}

/// Whether the frequency of `periods` cycles over the whole of `signal` is stronger than every lower one.
fn is_periodic(signal: &[f64], periods: usize) -> bool {
    if periods < 2 {
        return false;
    }
    let power = |cycles: usize| {
        let (mut re, mut im) = (0.0, 0.0);
        let turn = std::f64::consts::TAU * cycles as f64 / signal.len() as f64;
        for (i, value) in signal.iter().enumerate() {
            let (sin, cos) = (turn * i as f64).sin_cos();
            re += value * cos;
            im += value * sin;
        }
        re * re + im * im
    };
    let wanted = power(periods);
    // What rounding leaves of a constant is no period.
    let noise = 1e-12 * signal.iter().map(|v| v.abs()).sum::<f64>().powi(2);
    wanted > noise && (1..periods).all(|cycles| power(cycles) < wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(days: usize, period_days: f64) -> VecDeque<Option<f64>> {
        let turn = std::f64::consts::TAU / (period_days * DAY as f64);
        (0..days * DAY).map(|i| Some(100.0 + 50.0 * (turn * i as f64).sin() + (i / DAY) as f64)).collect()
    }

    #[test]
    fn a_daily_wave_is_predicted_by_the_highest_day() {
        let cycle = predict(&wave(3, 1.0)).expect("periodic");
        assert_eq!(cycle.len(), DAY);
        assert!((cycle[DAY / 4] - 152.0).abs() < 1e-9, "{}", cycle[DAY / 4]);
        assert_eq!(predict(&wave(1, 1.0)), None);
    }

    #[test]
    fn a_weekly_wave_needs_two_weeks_and_anything_else_is_refused() {
        let slow: VecDeque<Option<f64>> =
            wave(14, 7.0).into_iter().enumerate().map(|(i, v)| v.map(|v| v - (i / DAY) as f64)).collect();
        assert_eq!(predict(&slow).map(|cycle| cycle.len()), Some(WEEK));
        assert_eq!(predict(&slow.iter().skip(DAY).copied().collect()), None);
        assert_eq!(predict(&VecDeque::from(vec![Some(5.0); 3 * DAY])), None);
    }

    #[test]
    fn a_long_gap_forgets_what_was_before_it_and_a_short_one_is_bridged() {
        let mut minutes = wave(4, 1.0);
        minutes.range_mut(100..150).for_each(|v| *v = None);
        assert!(predict(&minutes).is_some());
        minutes.range_mut(3 * DAY - 60..3 * DAY).for_each(|v| *v = None);
        assert_eq!(predict(&minutes), None);
    }
}
