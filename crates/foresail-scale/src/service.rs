//! What one replica can do, and how many of them a load needs.
//!
//! A `request` service answers within a wait of [`Service::wait_slo`]; a replica is `workers` parallel servers with a mean
//! service time of `workers / capacity_rps` seconds, so that `n` replicas are an M/M/c queue with `c = n · workers`
//! (Erlang's C formula). A `queue` service works off a backlog and is late when an event has waited longer than the drain
//! target.

use std::time::Duration;

use foresail_core::Replicas;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;
use crate::plant::normal;

/// How a service meets its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceKind {
    /// Requests that someone waits for.
    Request,
    /// Events that wait in a queue until a worker takes them.
    Queue,
}

/// A service as the planner and the plants see it. Checked at construction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    kind: ServiceKind,
    capacity_rps: f64,
    workers: u32,
    wait_slo: Duration,
    client_timeout: Duration,
    startup: Duration,
}

impl Service {
    /// A request service of `capacity_rps` requests a second per replica (8 parallel workers each), late after a queue
    /// wait of 200 ms, clients giving up after 10 s, with a start-up delay of `startup`.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if the capacity is not a positive number.
    pub fn request(capacity_rps: f64, startup: Duration) -> Result<Self, Error> {
        check(capacity_rps.is_finite() && capacity_rps > 0.0, "capacity_rps", capacity_rps, "a number above 0")?;
        Ok(Self {
            kind: ServiceKind::Request,
            capacity_rps,
            workers: 8,
            wait_slo: Duration::from_millis(200),
            client_timeout: Duration::from_secs(10),
            startup,
        })
    }

    /// A queue service whose workers take `rate` events a second each; an event is late when it waited longer than
    /// `drain_target`.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if the rate or the target is not positive.
    pub fn queue(rate: f64, drain_target: Duration, startup: Duration) -> Result<Self, Error> {
        check(!drain_target.is_zero(), "drain_target", format!("{drain_target:?}"), "a duration above 0")?;
        let service = Self::request(rate, startup)?;
        Ok(Self {
            kind: ServiceKind::Queue,
            workers: 1,
            wait_slo: drain_target,
            client_timeout: Duration::MAX,
            ..service
        })
    }

    /// With another capacity of a replica.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if it is not a positive number.
    pub fn with_capacity_rps(self, capacity_rps: f64) -> Result<Self, Error> {
        check(capacity_rps.is_finite() && capacity_rps > 0.0, "capacity_rps", capacity_rps, "a number above 0")?;
        Ok(Self { capacity_rps, ..self })
    }

    /// With another time after which a client gives up.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if it is zero.
    pub fn with_client_timeout(self, client_timeout: Duration) -> Result<Self, Error> {
        check(!client_timeout.is_zero(), "client_timeout", format!("{client_timeout:?}"), "a duration above 0")?;
        Ok(Self { client_timeout, ..self })
    }

    /// With another number of parallel workers in a replica.
    ///
    /// # Errors
    /// [`Error::BadParameter`] outside 1 to 1024.
    pub fn with_workers(self, workers: u32) -> Result<Self, Error> {
        check((1..=1024).contains(&workers), "workers", workers, "1 to 1024")?;
        Ok(Self { workers, ..self })
    }

    /// With another wait after which a request is late.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if it is zero.
    pub fn with_wait_slo(self, wait_slo: Duration) -> Result<Self, Error> {
        check(!wait_slo.is_zero(), "wait_slo", format!("{wait_slo:?}"), "a duration above 0")?;
        Ok(Self { wait_slo, ..self })
    }

    /// Request or queue.
    pub fn kind(&self) -> ServiceKind {
        self.kind
    }

    /// Requests (events) a second that one replica can serve.
    pub fn capacity_rps(&self) -> f64 {
        self.capacity_rps
    }

    /// Parallel workers in a replica.
    pub fn workers(&self) -> u32 {
        self.workers
    }

    /// Wait after which a request is late: the queue wait limit, or the drain target.
    pub fn wait_slo(&self) -> Duration {
        self.wait_slo
    }

    /// How long a client waits before it gives up; [`Duration::MAX`] for events, which never do.
    pub fn client_timeout(&self) -> Duration {
        self.client_timeout
    }

    /// Time from an order to a replica that serves.
    pub fn startup(&self) -> Duration {
        self.startup
    }

    /// Share of requests that wait longer than `wait` seconds when `replicas` serve `load_rps` in steady state, by
    /// Erlang's C formula: `C(c, a) · exp(−(c·μ − λ)·wait)`. 1 at or above capacity.
    pub fn late_share(&self, load_rps: f64, replicas: Replicas, wait: f64) -> f64 {
        if load_rps <= 0.0 {
            return 0.0;
        }
        let capacity = replicas.as_f64() * self.capacity_rps;
        if load_rps >= capacity {
            return 1.0;
        }
        let exponent = (capacity - load_rps) * wait;
        if exponent > 16.0 {
            return 0.0; // below 1.2e-7 whatever Erlang says
        }
        let servers = replicas.0.saturating_mul(self.workers);
        Erlang::new(servers, load_rps / capacity).c() * (-exponent).exp()
    }

    /// The greatest steady load, requests a second, at which `replicas` keep the late share within `late_fraction`.
    /// 40 evaluations of Erlang's formula.
    pub fn sustainable_rps(&self, replicas: Replicas, late_fraction: f64) -> f64 {
        let capacity = replicas.as_f64() * self.capacity_rps;
        if self.kind == ServiceKind::Queue {
            return capacity;
        }
        let wait = self.wait_slo.as_secs_f64();
        let (mut low, mut high) = (0.0, capacity);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if self.late_share(middle, replicas, wait) <= late_fraction { low = middle } else { high = middle }
        }
        low
    }
}

/// Erlang's formulas for a number of servers at a utilisation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Erlang {
    /// Erlang B: the share of arrivals that would be lost if nobody could wait.
    b: f64,
    utilisation: f64,
}

/// From here on the uniform asymptotic expansion is good to 1 part in 10,000.
const MANY_SERVERS: u32 = 24;

impl Erlang {
    /// `servers` at least 1, offered `utilisation` times as much as they can serve (which may be above 1).
    pub(crate) fn new(servers: u32, utilisation: f64) -> Self {
        let b =
            if servers < MANY_SERVERS { few_servers(servers, utilisation) } else { many_servers(servers, utilisation) };
        Self { b, utilisation }
    }

    /// Erlang's C formula: the probability that an arrival has to wait; 1 from a utilisation of 1 on.
    pub(crate) fn c(&self) -> f64 {
        if self.utilisation >= 1.0 { 1.0 } else { self.b / (1.0 - self.utilisation * (1.0 - self.b)) }
    }

    /// Probability that some server is idle, as a multiple of the probability that all are busy and nobody waits. Holds
    /// at any utilisation, for these states come into balance much sooner than the queue does.
    pub(crate) fn idle_states(&self) -> f64 {
        (1.0 - self.b) / self.b.max(f64::MIN_POSITIVE)
    }
}

/// Erlang B by its recursion over the number of servers. O(servers).
fn few_servers(servers: u32, utilisation: f64) -> f64 {
    let offered = utilisation * f64::from(servers);
    (1..=servers).fold(1.0, |b, k| offered * b / (f64::from(k) + offered * b))
}

/// Erlang B as an incomplete gamma function, by Temme's uniform expansion (DLMF 8.12): with `s` servers offered `a`,
/// `1/B = 1 + s · Γ(s, a) · exp(a) / a^s`.
fn many_servers(servers: u32, utilisation: f64) -> f64 {
    let s = f64::from(servers);
    if utilisation <= 0.0 {
        return 0.0;
    }
    let away = utilisation - 1.0;
    let eta = (2.0 * (away - away.ln_1p())).max(0.0).sqrt().copysign(away);
    let y = eta * s.sqrt();
    if y < -35.0 {
        return 0.0; // below 1e-260
    }
    let (c0, c1) = if eta.abs() < 0.02 {
        // The closed forms cancel here.
        let c0 = -1.0 / 3.0 + eta * (1.0 / 12.0 + eta * (-2.0 / 135.0 + eta / 864.0));
        (c0, -1.0 / 540.0 - eta / 288.0)
    } else {
        let c0 = 1.0 / away - 1.0 / eta;
        let c1 = eta.powi(-3) - away.powi(-3) - away.powi(-2) - 1.0 / (12.0 * away);
        (c0, c1)
    };
    let tail = normal::scaled_tail(y.abs());
    let tail = if y < 0.0 { (0.5 * y * y).exp() - tail } else { tail };
    let stirling = 1.0 + 1.0 / (12.0 * s) + 1.0 / (288.0 * s * s);
    1.0 / (1.0 + stirling * ((std::f64::consts::TAU * s).sqrt() * tail + c0 + c1 / s))
}

/// Replicas needed for a steady load, by table: `need(load)` is the fewest whose late share stays within the fraction.
/// The table grows as it is asked for more, so a decision costs a binary search.
#[derive(Clone, Debug)]
pub struct NeedTable {
    service: Service,
    late_fraction: f64,
    sustainable: Vec<f64>,
}

impl NeedTable {
    /// For `service`, with at most `late_fraction` of requests late in steady state.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if the fraction is outside (0, 1).
    pub fn new(service: Service, late_fraction: f64) -> Result<Self, Error> {
        check(late_fraction > 0.0 && late_fraction < 1.0, "late_fraction", late_fraction, "above 0 and below 1")?;
        Ok(Self { service, late_fraction, sustainable: vec![0.0] })
    }

    /// The fewest replicas that sustain `load_rps`; 0 for no load, at most `most`. A load that is not a number needs 0.
    pub fn need(&mut self, load_rps: f64, most: Replicas) -> Replicas {
        while *self.sustainable.last().expect("starts with one entry") < load_rps
            && self.sustainable.len() <= most.0 as usize
        {
            let next = Replicas(self.sustainable.len() as u32);
            self.sustainable.push(self.service.sustainable_rps(next, self.late_fraction));
        }
        let need = self.sustainable.partition_point(|sustained| *sustained < load_rps);
        Replicas((need as u32).min(most.0))
    }

    /// The greatest load that `replicas` sustain.
    pub fn sustainable_rps(&mut self, replicas: Replicas) -> f64 {
        while self.sustainable.len() <= replicas.0 as usize {
            let next = Replicas(self.sustainable.len() as u32);
            self.sustainable.push(self.service.sustainable_rps(next, self.late_fraction));
        }
        self.sustainable[replicas.0 as usize]
    }

    /// Share of requests that may be late.
    pub fn late_fraction(&self) -> f64 {
        self.late_fraction
    }

    /// The service it speaks of.
    pub fn service(&self) -> &Service {
        &self.service
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden values of Erlang C from the standard recursion in exact arithmetic.
    #[test]
    fn erlang_c_agrees_with_tables() {
        for (servers, offered, expected) in
            [(1, 0.5, 0.5), (2, 1.0, 1.0 / 3.0), (10, 7.0, 0.221_732), (10, 9.0, 0.668_732)]
        {
            let c = Erlang::new(servers, offered / f64::from(servers)).c();
            assert!((c - expected).abs() < 1e-5, "{servers} {offered} {c}");
        }
    }

    #[test]
    fn the_expansion_for_many_servers_agrees_with_the_recursion() {
        for servers in [MANY_SERVERS, 40, 400, 4_000] {
            for utilisation in
                [0.3, 0.7, 0.9, 0.95, 0.97, 0.979, 0.985, 0.99, 0.999, 1.0, 1.001, 1.015, 1.03, 1.1, 1.5, 3.0]
            {
                let (exact, fast) = (few_servers(servers, utilisation), many_servers(servers, utilisation));
                assert!((fast - exact).abs() <= 1e-4 * exact + 1e-200, "{servers} {utilisation} {exact} {fast}");
            }
        }
    }

    #[test]
    fn need_is_the_fewest_that_sustain() {
        let service = Service::request(100.0, Duration::from_secs(60)).expect("valid");
        let mut table = NeedTable::new(service, 0.001).expect("valid");
        for load in [0.0, 1.0, 49.0, 99.0, 500.0, 4_975.0] {
            let need = table.need(load, Replicas(1000));
            assert!(load == 0.0 || service.late_share(load, need, 0.2) <= 0.001, "{load}");
            assert!(need.0 == 0 || service.late_share(load, Replicas(need.0 - 1), 0.2) > 0.001, "{load}");
        }
        assert_eq!(table.need(f64::INFINITY, Replicas(7)), Replicas(7));
        assert_eq!(table.need(f64::NAN, Replicas(7)), Replicas(0));
    }
}
