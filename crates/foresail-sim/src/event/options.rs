//! What the event plant is made of.

use std::time::Duration;

use foresail_core::SeededRng;
use foresail_scale::{Error, Service};

/// How requests are spaced. The mean rate is always the scenario's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Arrivals {
    /// A Poisson process, as many independent clients make.
    #[default]
    Poisson,
    /// Evenly spaced.
    Even,
    /// A renewal process of hyperexponential gaps (two phases, balanced means; Whitt 1982).
    Bursty {
        /// Squared coefficient of variation of a gap, at least 1; 1 is Poisson.
        gap_cv2: f64,
    },
}

/// Distribution of service times. The mean is `workers / capacity_rps` seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ServiceTime {
    /// Exponential, so that the plant is an M/M/c queue.
    #[default]
    Exponential,
    /// Log-normal, as measured services often are.
    LogNormal {
        /// Coefficient of variation, above 0.
        cv: f64,
    },
    /// All alike.
    Deterministic,
}

impl ServiceTime {
    /// One draw, of mean 1.
    pub(super) fn draw(self, rng: &mut SeededRng) -> f64 {
        match self {
            Self::Exponential => rng.exponential(),
            Self::LogNormal { cv } => {
                let variance = cv.mul_add(cv, 1.0).ln(); // of the logarithm
                (variance.sqrt() * rng.normal() - 0.5 * variance).exp()
            }
            Self::Deterministic => 1.0,
        }
    }
}

/// Where a request waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dispatch {
    /// In one queue that all replicas take from, first come first served.
    #[default]
    SharedQueue,
    /// In the queue of a replica picked at random on arrival.
    Random,
    /// In the queue of the replica with the fewest requests on arrival. O(replicas) a request.
    LeastLoaded,
}

/// Time from an order to a replica that serves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Startup {
    /// The service's start-up delay, always.
    #[default]
    AsService,
    /// Log-normal.
    LogNormal {
        /// Half of the starts are quicker.
        median: Duration,
        /// Nine in ten are quicker; above the median.
        p90: Duration,
    },
}

/// Standard normal quantile of 0.9.
const NORMAL_P90: f64 = 1.281_551_565_544_600_4;

impl Startup {
    /// One draw, in microseconds.
    pub(super) fn draw(self, service: &Service, rng: &mut SeededRng) -> u64 {
        match self {
            Self::AsService => micros(service.startup()),
            Self::LogNormal { median, p90 } => {
                let sigma = (p90.as_secs_f64() / median.as_secs_f64()).ln() / NORMAL_P90;
                (median.as_secs_f64() * (sigma * rng.normal()).exp() * 1e6) as u64
            }
        }
    }
}

/// A new replica is slow at first: caches are cold, code is not compiled yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp {
    /// How long from the moment it serves.
    pub duration: Duration,
    /// Its speed meanwhile, as a share of full speed, above 0.
    pub speed: f64,
}

/// Clients try again when rejected or timed out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retries {
    /// Attempts a request in all, at least 1.
    pub max_attempts: u32,
    /// Longest pause before the second attempt; it doubles with each further one, and the pause is uniform below it.
    pub backoff: Duration,
    /// Retries allowed per first attempt, over all clients; allowance not used is kept, up to 100 retries. `None` is no
    /// budget at all.
    pub budget: Option<f64>,
}

/// How metrics reach the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Age of a sample when it becomes visible, beyond the end of its tick.
    pub lag: Duration,
    /// Share of the ticks whose samples are lost, 0 up to but not 1 (and at most `gap_ticks / (1 + gap_ticks)`, since a
    /// sample comes between two runs).
    pub gap_share: f64,
    /// Mean length of a run of lost samples, in ticks; at least 1 (less is read as 1).
    pub gap_ticks: f64,
}

/// The plant beside the service itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventOptions {
    /// How requests are spaced.
    pub arrivals: Arrivals,
    /// How long they take.
    pub service_time: ServiceTime,
    /// Where they wait.
    pub dispatch: Dispatch,
    /// Most requests that may wait: in the shared queue, or in each replica's. `None` is no limit.
    pub queue_limit: Option<u32>,
    /// Whether replicas work on requests whose clients have given up (they cannot tell). Otherwise these leave the queue.
    pub serve_abandoned: bool,
    /// Whether clients try again.
    pub retries: Option<Retries>,
    /// Start-up delay.
    pub startup: Startup,
    /// Slow first steps of a replica.
    pub warm_up: Option<WarmUp>,
    /// Share of the starts that fail, noticed when they should have served, and then started anew; 0 up to but not 1.
    pub failed_starts: f64,
    /// Lag and gaps of the metrics.
    pub metrics: Metrics,
}

impl EventOptions {
    /// What a live service is like: log-normal service and start-up times (p90 twice the service's start-up delay), the
    /// first 60 s at half speed, one start in a hundred failing, metrics 15 s old and 1 % of them lost.
    pub fn realistic(service: &Service) -> Self {
        let median = service.startup().max(Duration::from_micros(1));
        Self {
            service_time: ServiceTime::LogNormal { cv: 1.5 },
            dispatch: Dispatch::LeastLoaded,
            startup: Startup::LogNormal { median, p90: 2 * median },
            warm_up: Some(WarmUp { duration: Duration::from_secs(60), speed: 0.5 }),
            failed_starts: 0.01,
            metrics: Metrics { lag: Duration::from_secs(15), gap_share: 0.01, gap_ticks: 2.0 },
            ..Self::default()
        }
    }

    /// A service that can stay down after the load that felled it has gone (Bronson et al., "Metastable failures in
    /// distributed systems", HotOS 2021): its queue outlasts the clients' patience, replicas work on for those who
    /// left, and everybody tries three times without a budget.
    pub fn metastable() -> Self {
        Self {
            queue_limit: Some(100_000),
            serve_abandoned: true,
            retries: Some(Retries { max_attempts: 3, backoff: Duration::from_millis(500), budget: None }),
            ..Self::default()
        }
    }

    /// Refuses options out of their ranges.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn check(&self) -> Result<(), Error> {
        if let Arrivals::Bursty { gap_cv2 } = self.arrivals {
            check(gap_cv2.is_finite() && gap_cv2 >= 1.0, "gap_cv2", &gap_cv2, "a number from 1")?;
        }
        if let ServiceTime::LogNormal { cv } = self.service_time {
            check(cv.is_finite() && cv > 0.0, "cv", &cv, "a number above 0")?;
        }
        if let Startup::LogNormal { median, p90 } = self.startup {
            check(!median.is_zero(), "startup.median", &format!("{median:?}"), "a duration above 0")?;
            check(p90 > median, "startup.p90", &format!("{p90:?}"), "above the median")?;
        }
        if let Some(warm_up) = self.warm_up {
            let speed = warm_up.speed;
            check(speed.is_finite() && speed > 0.0, "warm_up.speed", &speed, "a number above 0")?;
        }
        if let Some(retries) = self.retries {
            check(retries.max_attempts >= 1, "max_attempts", &retries.max_attempts, "at least 1")?;
            let budget = retries.budget.unwrap_or(0.0);
            check(budget.is_finite() && budget >= 0.0, "budget", &budget, "a number from 0")?;
        }
        check((0.0..1.0).contains(&self.failed_starts), "failed_starts", &self.failed_starts, "0 up to but not 1")?;
        let metrics = self.metrics;
        check((0.0..1.0).contains(&metrics.gap_share), "gap_share", &metrics.gap_share, "0 up to but not 1")?;
        check(metrics.gap_ticks.is_finite(), "gap_ticks", &metrics.gap_ticks, "a number")
    }
}

/// Refuses `value` unless `accepted`.
pub(super) fn check(
    accepted: bool,
    parameter: &'static str,
    value: &impl ToString,
    range: &'static str,
) -> Result<(), Error> {
    if accepted { Ok(()) } else { Err(Error::BadParameter { parameter, value: value.to_string(), range }) }
}

/// Whole microseconds; what exceeds the type (never, for a client's patience) saturates.
pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_their_means() {
        let mut rng = SeededRng::seed_from_u64(3);
        for time in [ServiceTime::Exponential, ServiceTime::LogNormal { cv: 0.8 }, ServiceTime::Deterministic] {
            let mean = (0..100_000).map(|_| time.draw(&mut rng)).sum::<f64>() / 1e5;
            assert!((mean - 1.0).abs() < 0.02, "{time:?} {mean}");
        }
    }

    #[test]
    fn start_ups_have_their_median_and_p90() {
        let service = Service::request(100.0, Duration::from_secs(60)).expect("valid");
        let startup = Startup::LogNormal { median: Duration::from_secs(60), p90: Duration::from_secs(180) };
        let mut rng = SeededRng::seed_from_u64(5);
        let mut draws: Vec<u64> = (0..20_001).map(|_| startup.draw(&service, &mut rng)).collect();
        draws.sort_unstable();
        assert!((draws[10_000] as f64 / 60e6 - 1.0).abs() < 0.03, "{}", draws[10_000]);
        assert!((draws[18_000] as f64 / 180e6 - 1.0).abs() < 0.05, "{}", draws[18_000]);
    }

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        let options = EventOptions { failed_starts: 1.0, ..EventOptions::default() };
        let message = options.check().expect_err("out of range").to_string();
        assert_eq!(message, "failed_starts is 1, accepted is 0 up to but not 1");
        let startup = Startup::LogNormal { median: Duration::from_secs(2), p90: Duration::from_secs(1) };
        assert!(EventOptions { startup, ..EventOptions::default() }.check().is_err());
        let bursty = Arrivals::Bursty { gap_cv2: f64::NAN };
        assert!(EventOptions { arrivals: bursty, ..EventOptions::default() }.check().is_err());
        assert!(EventOptions::metastable().check().is_ok());
    }
}
