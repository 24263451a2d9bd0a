//! The predictive rule of the founding exercise (document 000, exercise 3).
//!
//! From one-minute rows of a week (10,080), the exercise's ensemble (0.4 pattern, 0.3 trend, 0.3 random forest) forecasts
//! utilisation and request rate. Of the forecasts whose confidence `e^(−t/30)`, `t` in minutes, exceeds
//! 0.5, the highest of the next 15 minutes counts: `max(N · peak utilisation / 80 %, peak rate / capacity)` replicas are
//! needed, and a change of more than 10 % is made, with 300 s of cooldown after any. With fewer than 60 rows the reactive
//! rule acts. As written, there is no floor under the forecast.
//!
//! Departure: the exercise retrains every 60 rows. Here pattern and trend learn with every row, and the whole is fitted anew
//! whenever the history has doubled during the first day and once a day from then on.

use std::time::Duration;

use foresail_core::{Decision, Driver, Limit, Metric, Observation, Policy, Reason, Replicas};
use foresail_forecast::models::SeedEnsemble;
use foresail_forecast::registry::{self, ModelOptions};

use super::PolicyOptions;
use super::grid::Grid;
use super::online_model::OnlineModel;
use super::seed_reactive::{SeedReactive, cooling};
use crate::Error;
use crate::service::Service;

const MINUTE: Duration = Duration::from_secs(60);
const HISTORY: usize = 10_080;
const FIRST_FIT: usize = 60;
const DAY: usize = 1_440;
/// Minutes within which the peak is looked for.
const PEAK_WITHIN: usize = 15;
const UTILISATION_TARGET: f64 = 0.8;
const LEAST_CHANGE: f64 = 0.1;

/// The exercise's forecast, confidence gate and thresholds.
pub struct SeedPredictive {
    capacity_rps: f64,
    reactive: SeedReactive,
    utilisation: Grid,
    rate: Grid,
    utilisation_model: OnlineModel,
    rate_model: OnlineModel,
    /// Peaks of utilisation and rate, forecast from the newest minute; made when asked for.
    peaks: Option<Option<(f64, f64)>>,
}

impl SeedPredictive {
    /// For `service`.
    ///
    /// # Errors
    /// [`Error::NoModel`] if the forecasters' registry does not have the exercise's ensemble.
    pub(super) fn new(service: &Service, options: &PolicyOptions) -> Result<Self, Error> {
        let model = |label| {
            let model = registry::build("seed_ensemble", &ModelOptions::default())?;
            let seed = options.seed.wrapping_add(label);
            Ok::<_, Error>(OnlineModel::new(model, FIRST_FIT, |rows| rows.min(DAY), options.known.clone(), seed))
        };
        Ok(Self {
            capacity_rps: service.capacity_rps(),
            reactive: SeedReactive::new(options),
            utilisation: Grid::new(MINUTE, HISTORY),
            rate: Grid::new(MINUTE, HISTORY),
            utilisation_model: model(0)?,
            rate_model: model(1)?,
            peaks: None,
        })
    }

    fn forecast_peaks(&self) -> Option<(f64, f64)> {
        let peak = |model: &OnlineModel| {
            let ahead = model.predict(PEAK_WITHIN)?;
            let confidence = |minute: u32| SeedEnsemble::confidence(MINUTE * minute);
            let trusted = ahead.into_iter().zip(1..).filter(|(_, minute)| confidence(*minute) > 0.5);
            trusted.map(|(value, _)| value).filter(|v| v.is_finite()).reduce(f64::max)
        };
        Some((peak(&self.utilisation_model)?, peak(&self.rate_model)?))
    }
}

impl Policy for SeedPredictive {
    fn name(&self) -> &str {
        "seed-predictive"
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        self.reactive.observe(observation);
        let utilisation = self.utilisation.push(observation.sample(Metric::Utilisation));
        let rate = self.rate.push(observation.sample(Metric::RequestRate));
        if utilisation + rate > 0 {
            self.utilisation_model.follow(&self.utilisation, utilisation);
            self.rate_model.follow(&self.rate, rate);
            self.peaks = None;
        }
        let current = observation.replicas.desired;
        if self.reactive.is_cooling(observation.time) {
            return cooling(self.reactive.within(current));
        }
        let peaks = match self.peaks {
            Some(peaks) => peaks,
            None => *self.peaks.insert(self.forecast_peaks()),
        };
        let Some((peak_utilisation, peak_rate)) = peaks else {
            return self.reactive.step(observation);
        };
        let for_utilisation = current.as_f64() * peak_utilisation / UTILISATION_TARGET;
        let needed = Replicas::holding(for_utilisation.max(peak_rate / self.capacity_rps));
        let mut reason = Reason::new(Driver::Predicted);
        reason.load = Some(peak_rate);
        reason.predicted = Some(needed);
        let change = (needed.as_f64() - current.as_f64()).abs();
        if change <= LEAST_CHANGE * current.as_f64() {
            reason.limits.push(Limit::Hysteresis);
            return Decision { desired: self.reactive.within(current), reason };
        }
        let desired = self.reactive.act(observation, needed);
        if desired != current {
            reason.note = format!("within 15 minutes utilisation {peak_utilisation:.2} and {peak_rate:.0} a second");
        }
        Decision { desired, reason }
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::{Limits, Quality, ReplicaCounts, Sample, Timestamp};

    use super::*;

    /// A steady 500 a second on ten replicas of 100: the reactive rule sees 50 % and rests until the 60th minute, when the
    /// forecast of 50 % asks for ten times 50 over 80 (7, more than the 5 that the rate asks for), a change of over 10 %.
    #[test]
    fn an_hour_of_minutes_ends_the_reactive_rule() {
        let service = Service::request(100.0, MINUTE).expect("valid");
        let options = PolicyOptions::new(Limits { min: Replicas(1), max: Replicas(100) });
        let mut policy = SeedPredictive::new(&service, &options).expect("the registry has the ensemble");
        let start = Timestamp::from_secs(1_704_067_200);
        for minute in 0..=60_u32 {
            let time = start + MINUTE * minute;
            let sample = |metric, value| Sample { metric, time, interval: MINUTE, value, quality: Quality::Good };
            let seen = vec![sample(Metric::RequestRate, 500.0), sample(Metric::Utilisation, 0.5)];
            let observation = Observation {
                time,
                tick: MINUTE,
                samples: if minute > 0 { seen } else { Vec::new() },
                replicas: ReplicaCounts { desired: Replicas(10), ready: Replicas(10), starting: Replicas(0) },
            };
            let decision = policy.decide(&observation);
            let expected = if minute < 60 { (Replicas(10), None) } else { (Replicas(7), Some(Replicas(7))) };
            assert_eq!((decision.desired, decision.reason.predicted), expected, "minute {minute}");
        }
    }
}
