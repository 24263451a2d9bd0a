//! AWS predictive scaling beside target tracking: a forecast sets the minimum hour by hour, target tracking does the rest,
//! and the larger capacity holds.
//!
//! As documented: hourly values of up to 14 days, at least 24 hours of them; a forecast of 48 hours every 6 hours; the
//! capacity of an hour is the minimum from 300 s (`SchedulingBufferTime`) before its start to its end; the forecast never
//! scales in. How AWS forecasts is not disclosed. Our model of it: the mean of the same hour of earlier days, weighted by half
//! every three days, the same day of the week counting four times; times the recent level, which is the ratio of the last
//! 24 hours to what that profile says of them from the days before, between 0.5 and 2.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{Decision, Driver, Limits, Metric, Observation, Policy, Replicas, Timestamp};

use super::PolicyOptions;
use super::aws_tt::AwsTargetTracking;
use super::grid::Grid;
use crate::service::Service;

const HOUR: Duration = Duration::from_secs(3_600);
const BUFFER: Duration = Duration::from_secs(300);
const REMAKE: Duration = Duration::from_secs(6 * 3_600);
const DAY: usize = 24;
const HISTORY: usize = 14 * DAY;
const HORIZON: usize = 2 * DAY;

/// Hourly forecast as a floor under target tracking.
#[derive(Clone, Debug)]
pub struct AwsPredictive {
    name: String,
    limits: Limits,
    per_replica: f64,
    tracking: AwsTargetTracking,
    hours: Grid,
    next_forecast: Option<Timestamp>,
    /// Start of the first forecast hour, and the loads.
    forecast: Option<(Timestamp, Vec<f64>)>,
}

impl AwsPredictive {
    /// Holds utilisation, and forecast load over capacity, at `target`.
    pub(super) fn new(name: String, target: f64, service: &Service, options: &PolicyOptions) -> Self {
        Self {
            tracking: AwsTargetTracking::new(name.clone(), target, options),
            name,
            limits: options.limits,
            per_replica: target * service.capacity_rps(),
            hours: Grid::new(HOUR, HISTORY),
            next_forecast: None,
            forecast: None,
        }
    }

    /// Forecast load of the hours that hold at `now`: the one there is, and within the buffer the next.
    fn scheduled(&self, now: Timestamp) -> Option<f64> {
        let (start, loads) = self.forecast.as_ref()?;
        let load = |time: Timestamp| {
            let index = time.as_micros().checked_sub(start.as_micros())?.div_euclid(HOUR.as_micros() as i64);
            loads.get(usize::try_from(index).ok()?).copied()
        };
        [load(now), load(now + BUFFER)].into_iter().flatten().reduce(f64::max)
    }
}

impl Policy for AwsPredictive {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let now = observation.time;
        self.hours.push(observation.sample(Metric::RequestRate));
        if self.next_forecast.is_none_or(|next| now >= next)
            && let Some(loads) = forecast(self.hours.closed())
        {
            self.next_forecast = Some(now.floor_to(REMAKE) + REMAKE);
            self.forecast = Some((self.hours.end(), loads));
        }
        let load = self.scheduled(now);
        let predicted = load.map(|load| Replicas::holding(load / self.per_replica));
        let mut decision = self.tracking.decide_above(observation, predicted.unwrap_or(self.limits.min));
        decision.reason.predicted = predicted;
        if predicted.is_some_and(|p| self.limits.clamp(p) == decision.desired && decision.reason.reactive < p) {
            decision.reason.driver = Driver::Predicted;
            decision.reason.load = load;
        }
        if decision.desired != observation.replicas.desired && decision.reason.note.is_empty() {
            decision.reason.note = format!("hourly forecast of {:.0} a second", load.unwrap_or(0.0));
        }
        decision
    }
}

/// The next 48 hours from hourly means, oldest first; `None` from fewer than 24 hours.
fn forecast(hours: &VecDeque<Option<f64>>) -> Option<Vec<f64>> {
    let known = hours.len();
    if known < DAY {
        return None;
    }
    let hours: Vec<Option<f64>> = hours.iter().copied().collect();
    let (mut seen, mut expected) = (0.0, 0.0);
    for hour in known - DAY..known {
        if let (Some(value), Some(profile)) = (hours[hour], profile(&hours, hour, 0)) {
            seen += value;
            expected += profile;
        }
    }
    let level = if expected > 0.0 { (seen / expected).clamp(0.5, 2.0) } else { 1.0 };
    let predicted = |ahead: usize| {
        // The level says how the last day stands to the days before it, so it multiplies a profile of those days.
        let days_on = ahead / DAY;
        let earlier = profile(&hours, known + ahead, days_on + 1).map(|value| value * level);
        earlier.or_else(|| profile(&hours, known + ahead, days_on)).unwrap_or(0.0)
    };
    Some((0..HORIZON).map(predicted).collect())
}

/// Weighted mean of the same hour on the days before `hour`, leaving out the `skip` newest.
fn profile(hours: &[Option<f64>], hour: usize, skip: usize) -> Option<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for day in skip + 1..=HISTORY / DAY + skip {
        let Some(index) = hour.checked_sub(day * DAY) else { break };
        let Some(value) = hours.get(index).copied().flatten() else { continue };
        let weight = 0.5_f64.powf(day as f64 / 3.0) * if day % 7 == 0 { 4.0 } else { 1.0 };
        sum += weight * value;
        weights += weight;
    }
    (weights > 0.0).then(|| sum / weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_day_is_forecast_and_a_higher_level_carried_on() {
        let day = |hour: usize| 100.0 + 10.0 * (hour % DAY) as f64;
        let hours: VecDeque<Option<f64>> = (0..3 * DAY).map(|h| Some(day(h))).collect();
        let predicted = forecast(&hours).expect("enough");
        assert_eq!(predicted.len(), HORIZON);
        assert!(predicted.iter().enumerate().all(|(h, v)| (v - day(h)).abs() < 1e-9), "{predicted:?}");
        let raised: VecDeque<Option<f64>> =
            (0..3 * DAY).map(|h| Some(day(h) * if h < 2 * DAY { 1.0 } else { 1.5 })).collect();
        let predicted = forecast(&raised).expect("enough");
        assert!(predicted.iter().enumerate().all(|(h, v)| (v - 1.5 * day(h)).abs() < 1e-9), "{predicted:?}");
        let single: VecDeque<Option<f64>> = (0..DAY).map(|h| Some(day(h))).collect();
        assert!((forecast(&single).expect("enough")[DAY + 5] - day(5)).abs() < 1e-9);
        assert_eq!(forecast(&hours.iter().take(DAY - 1).copied().collect()), None);
    }

    #[test]
    fn an_hour_holds_from_five_minutes_before_its_start() {
        let service = Service::request(100.0, Duration::from_secs(60)).expect("valid");
        let limits = Limits { min: Replicas(1), max: Replicas(100) };
        let mut policy = AwsPredictive::new("aws-predictive".into(), 0.5, &service, &PolicyOptions::new(limits));
        policy.forecast = Some((Timestamp::EPOCH, vec![100.0, 400.0, 50.0]));
        let at = |second| policy.scheduled(Timestamp::from_secs(second));
        assert_eq!([at(0), at(3_299), at(3_300), at(3_600)], [Some(100.0), Some(100.0), Some(400.0), Some(400.0)]);
        assert_eq!([at(7_000), at(7_200), at(10_800), at(-1)], [Some(400.0), Some(50.0), None, Some(100.0)]);
    }

    #[test]
    fn the_forecast_is_a_floor_that_target_tracking_may_exceed() {
        let service = Service::request(100.0, Duration::from_secs(60)).expect("valid");
        let limits = Limits { min: Replicas(1), max: Replicas(100) };
        let mut policy = AwsPredictive::new("aws-predictive".into(), 0.5, &service, &PolicyOptions::new(limits));
        policy.forecast = Some((Timestamp::EPOCH, vec![400.0]));
        for (current, expected, driver) in [(3, 8, Driver::Predicted), (20, 20, Driver::Held)] {
            let replicas = foresail_core::ReplicaCounts { desired: Replicas(current), ..Default::default() };
            let observation = Observation { time: Timestamp::EPOCH, tick: HOUR, samples: Vec::new(), replicas };
            let decision = policy.decide(&observation);
            assert_eq!((decision.desired, decision.reason.driver), (Replicas(expected), driver));
        }
    }
}
