//! A scenario with all that policies are told, from the arguments.

use std::time::Duration;

use clap::{Args, ValueEnum};
use foresail_core::{Frame, Limits, Replicas, Timestamp};
use foresail_scale::policies::PolicyOptions;
use foresail_scale::{Scenario, Service};

use super::ticks::{Scale, load_on_ticks};
use crate::args::{Span, fraction, positive};
use crate::failure::usage;

/// The service and what is asked of it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "The service")]
pub(crate) struct ServiceArgs {
    /// Whether someone waits for each request, or workers drain a queue of events
    #[arg(long, value_enum, default_value_t = Kind::Request)]
    pub(crate) service: Kind,
    /// Requests (events) a second that one replica can serve
    #[arg(long, value_name = "RPS", value_parser = positive)]
    pub(crate) capacity_rps: f64,
    /// Time from an order to a replica that serves
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    pub(crate) startup: Span,
    /// Queue: an event that waits longer is late
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    pub(crate) drain_target: Span,
    /// Share of requests that may be late
    #[arg(long, value_name = "SHARE", value_parser = fraction, default_value = "0.001")]
    pub(crate) late_fraction: f64,
    /// Fewest replicas
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) min: u32,
    /// Most replicas
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) max: u32,
}

/// How a service meets its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Late after a queue wait of 200 ms.
    Request,
    /// Late after the drain target.
    Queue,
}

impl ServiceArgs {
    /// A request service with every other setting at its default.
    pub(crate) fn request(capacity_rps: f64, startup: Duration) -> Self {
        Self {
            service: Kind::Request,
            capacity_rps,
            startup: Span(startup),
            drain_target: Span(Duration::from_secs(60)),
            late_fraction: 0.001,
            min: 1,
            max: 1000,
        }
    }

    /// The service they describe.
    ///
    /// # Errors
    /// What the service refuses.
    pub(crate) fn service(&self) -> anyhow::Result<Service> {
        let service = match self.service {
            Kind::Request => Service::request(self.capacity_rps, self.startup.0),
            Kind::Queue => Service::queue(self.capacity_rps, self.drain_target.0, self.startup.0),
        };
        service.map_err(|error| usage(error.to_string()))
    }

    fn limits(&self) -> anyhow::Result<Limits> {
        if self.min > self.max || self.max == 0 {
            return Err(usage(format!(
                "--min is {} and --max {}; accepted is min ≤ max and max ≥ 1",
                self.min, self.max
            )));
        }
        Ok(Limits { min: Replicas(self.min), max: Replicas(self.max) })
    }
}

/// How a series becomes a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Length of a tick.
    pub(crate) tick: Duration,
    /// Seconds that a value counts.
    pub(crate) per: Duration,
    /// Factor or peak.
    pub(crate) scale: Scale,
    /// Days that train and are not scored; `None` for [`default_train`].
    pub(crate) train: Option<Duration>,
}

/// A scenario with all that policies are told.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Load, service, limits, and what is scored.
    pub(crate) scenario: Scenario,
    /// What policies are told.
    pub(crate) options: PolicyOptions,
    /// What the series was multiplied with.
    pub(crate) factor: f64,
    /// Rows that were gaps and hold the value before.
    pub(crate) held_rows: usize,
}

impl Setup {
    /// Puts the target of `frame` on the service.
    ///
    /// # Errors
    /// A load or a combination of settings that cannot be replayed.
    pub(crate) fn new(frame: &Frame, shape: Shape, service: &ServiceArgs, seed: u64) -> anyhow::Result<Self> {
        let load = load_on_ticks(frame, shape.tick, shape.per, shape.scale)?;
        let length = Duration::from_micros(shape.tick.as_micros() as u64 * load.rps.len() as u64);
        let train = shape.train.unwrap_or_else(|| default_train(length));
        let evaluate_from = (train.as_micros() / shape.tick.as_micros()) as usize;
        if evaluate_from + 2 > load.rps.len() {
            let (lasts, train) = (Span(length), train.as_secs_f64() / 86_400.0);
            return Err(usage(format!(
                "--train-days is {train}, which leaves nothing to score; accepted is less than the selection, which lasts {lasts}"
            )));
        }
        let limits = service.limits()?;
        let scenario = Scenario {
            start: frame.start(),
            tick: shape.tick,
            load: load.rps,
            evaluate_from,
            service: service.service()?,
            limits,
        };
        scenario.check()?;
        let mut options = PolicyOptions::new(limits);
        options.late_fraction = service.late_fraction;
        options.zone = frame.zone().clone();
        options.seed = seed;
        options.resolution = (frame.step() > shape.tick).then_some(frame.step());
        options.scale_to_zero = limits.min == Replicas(0);
        options.resolution = Some(frame.step()).filter(|step| step.as_micros().is_multiple_of(shape.tick.as_micros()));
        Ok(Self { scenario, options, factor: load.factor, held_rows: load.held_rows })
    }

    /// Start of what is scored.
    pub(crate) fn evaluate_start(&self) -> Timestamp {
        self.scenario.time(self.scenario.evaluate_from)
    }

    /// Length of what is scored, in days.
    pub(crate) fn evaluate_days(&self) -> f64 {
        let ticks = self.scenario.load.len() - self.scenario.evaluate_from;
        ticks as f64 * self.scenario.tick.as_secs_f64() / 86_400.0
    }
}

/// Half of the series in whole days, at most eight; half of it to the tick where that is less than a day.
fn default_train(length: Duration) -> Duration {
    const DAY: u64 = 86_400;
    let half = length / 2;
    match half.as_secs() / DAY {
        0 => half,
        days => Duration::from_secs(days.min(8) * DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_takes_half_up_to_eight_days() {
        let day = Duration::from_secs(86_400);
        for (days, train) in [(20, 8.0), (16, 8.0), (7, 3.0), (2, 1.0), (1, 0.5)] {
            assert_eq!(default_train(day * days).as_secs_f64() / 86_400.0, train, "{days}");
        }
    }

    #[test]
    fn nothing_left_to_score_is_refused() {
        let frame = Frame::from_values(vec![10.0; 120]);
        let shape = |train| Shape {
            tick: Duration::from_secs(15),
            per: Duration::from_secs(1),
            scale: Scale::Factor(1.0),
            train: Some(Duration::from_secs(train)),
        };
        let service = ServiceArgs::request(100.0, Duration::from_secs(60));
        assert!(Setup::new(&frame, shape(7_200), &service, 0).is_err());
        let setup = Setup::new(&frame, shape(3_600), &service, 0).expect("an hour is left");
        assert_eq!((setup.scenario.load.len(), setup.scenario.evaluate_from), (480, 240));
    }
}
