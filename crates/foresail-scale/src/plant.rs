//! The fluid plant: a service under a load, weeks in seconds.
//!
//! Load is constant within a tick. What arrives beyond capacity joins a backlog; an arrival that finds backlog `b` before
//! capacity `K` waits `b / K`. The backlog is random, because arrivals and service times are: the plant keeps its law
//! (Erlang's with headroom, a diffusion's near capacity and above), so that late shares agree with an event-by-event
//! simulation of the same M/M/c queue. Replicas ordered at `t` serve from `t + startup` on and are paid from the order;
//! removed ones stop at once.

mod backlog;
#[cfg(test)]
mod exact;
mod lattice;
pub(crate) mod normal;

use std::collections::VecDeque;

use foresail_core::{ReplicaCounts, Replicas, Timestamp};

use self::backlog::{Backlog, Flow};
use crate::service::{Service, ServiceKind};

/// What happened in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Requests that arrived.
    pub requests: f64,
    /// Of them, late, rejected or timed out.
    pub late: f64,
    /// Replicas that served throughout the tick.
    pub ready: u32,
    /// Replicas paid for: ready and starting.
    pub paid: u32,
    /// Mean utilisation of the ready replicas, 0 to 1.
    pub utilisation: f64,
    /// Requests waiting at the end, on average.
    pub backlog: f64,
}

/// A service in virtual time.
#[derive(Clone, Debug)]
pub struct FluidPlant {
    service: Service,
    ready: u32,
    /// Batches on their way: when they serve, and how many.
    starting: VecDeque<(Timestamp, u32)>,
    backlog: Backlog,
}

impl FluidPlant {
    /// A plant with `replicas` already serving.
    pub fn new(service: Service, replicas: Replicas) -> Self {
        Self { service, ready: replicas.0, starting: VecDeque::new(), backlog: Backlog::EMPTY }
    }

    /// Replicas by state.
    pub fn replicas(&self) -> ReplicaCounts {
        let starting: u32 = self.starting.iter().map(|(_, n)| n).sum();
        ReplicaCounts {
            desired: Replicas(self.ready + starting),
            ready: Replicas(self.ready),
            starting: Replicas(starting),
        }
    }

    /// Lets the replicas serve whose start-up has ended by `now`.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((when, batch)) = self.starting.front().copied() {
            if when > now {
                break;
            }
            self.ready += batch;
            self.starting.pop_front();
        }
    }

    /// From here on replicas are those of `service`.
    pub(crate) fn set_service(&mut self, service: Service) {
        self.service = service;
    }

    /// Requests waiting, on average.
    pub fn backlog(&self) -> f64 {
        self.backlog.mean()
    }

    /// Brings the plant to `desired` replicas: starts what is missing, cancels the youngest starts first, then removes.
    pub fn scale_to(&mut self, desired: Replicas, now: Timestamp) {
        let counts = self.replicas();
        if desired > counts.desired {
            self.starting.push_back((now + self.service.startup(), desired.0 - counts.desired.0));
        }
        let mut surplus = counts.desired.0.saturating_sub(desired.0);
        while surplus > 0 {
            let Some((_, batch)) = self.starting.back_mut() else {
                self.ready -= surplus.min(self.ready);
                break;
            };
            let cancelled = surplus.min(*batch);
            *batch -= cancelled;
            surplus -= cancelled;
            if *batch == 0 {
                self.starting.pop_back();
            }
        }
    }

    /// One tick of `seconds` from `now`, with `load_rps` arriving throughout.
    pub fn tick(&mut self, now: Timestamp, seconds: f64, load_rps: f64) -> Outcome {
        self.advance(now);
        let paid = self.ready + self.starting.iter().map(|(_, n)| n).sum::<u32>();
        let load = load_rps.max(0.0);
        let capacity = f64::from(self.ready) * self.service.capacity_rps();
        let requests = load * seconds;
        let offered = requests + self.backlog.mean();
        let utilisation =
            if capacity > 0.0 { (offered / (capacity * seconds)).min(1.0) } else { f64::from(u8::from(offered > 0.0)) };
        let patience = match self.service.kind() {
            ServiceKind::Request => self.service.client_timeout().as_secs_f64(),
            ServiceKind::Queue => f64::INFINITY,
        };
        let late = if capacity > 0.0 {
            let servers = self.ready.saturating_mul(self.service.workers());
            let slo = self.service.wait_slo().as_secs_f64();
            requests * self.backlog.tick(&Flow { load, capacity, servers, slo, patience, seconds })
        } else {
            // Those stay who came within their patience.
            let most = if patience.is_finite() { load * patience } else { f64::INFINITY };
            self.backlog.stall(requests, most);
            requests
        };
        Outcome { requests, late, ready: self.ready, paid, utilisation, backlog: self.backlog.mean() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn plant(replicas: u32) -> FluidPlant {
        let service = Service::request(100.0, Duration::from_secs(60)).expect("valid");
        FluidPlant::new(service, Replicas(replicas))
    }

    #[test]
    fn an_order_serves_after_the_start_up_delay_and_is_paid_at_once() {
        let mut plant = plant(2);
        let start = Timestamp::EPOCH;
        plant.scale_to(Replicas(5), start);
        for second in 0..59 {
            let outcome = plant.tick(start + Duration::from_secs(second), 1.0, 10.0);
            assert_eq!((outcome.ready, outcome.paid), (2, 5));
        }
        assert_eq!(plant.tick(start + Duration::from_secs(60), 1.0, 10.0).ready, 5);
    }

    #[test]
    fn scaling_down_cancels_starts_before_it_removes() {
        let mut plant = plant(4);
        plant.scale_to(Replicas(8), Timestamp::EPOCH);
        plant.scale_to(Replicas(5), Timestamp::EPOCH);
        assert_eq!(plant.replicas(), ReplicaCounts { desired: Replicas(5), ready: Replicas(4), starting: Replicas(1) });
        plant.scale_to(Replicas(3), Timestamp::EPOCH);
        assert_eq!(plant.replicas(), ReplicaCounts { desired: Replicas(3), ready: Replicas(3), starting: Replicas(0) });
    }

    #[test]
    fn overload_is_late_once_the_backlog_passes_the_limit_and_until_it_has_drained() {
        let mut plant = plant(10);
        // 1,200 a second before 1,000: 200 wait after a second, the limit; so the first second of ten is in time.
        let outcome = plant.tick(Timestamp::EPOCH, 10.0, 1_200.0);
        assert!((outcome.late / outcome.requests - 0.9).abs() < 2e-3, "{outcome:?}");
        assert!((outcome.backlog - 2_000.0).abs() < 1.0, "{outcome:?}");
        // 500 a second: 1,800 too many drain at 500 a second, 3.6 s of ten, and then Erlang's C says next to nothing.
        let outcome = plant.tick(Timestamp::EPOCH, 10.0, 500.0);
        assert!((outcome.late / outcome.requests - 0.36).abs() < 2e-3, "{outcome:?}");
    }

    proptest! {
        /// Whatever the load and the replicas do, what is late has arrived, and what waits is a number.
        #[test]
        fn outcomes_are_sane(
            ticks in vec((0..60_u32, 0.0..8_000.0_f64, 0.1..600.0_f64), 1..60),
            is_queue in any::<bool>(),
        ) {
            let startup = Duration::from_secs(30);
            let service = if is_queue {
                Service::queue(20.0, Duration::from_secs(60), startup)
            } else {
                Service::request(100.0, startup)
            };
            let mut plant = FluidPlant::new(service.expect("valid"), Replicas(5));
            let mut now = Timestamp::EPOCH;
            for (replicas, load, seconds) in ticks {
                plant.scale_to(Replicas(replicas), now);
                let outcome = plant.tick(now, seconds, load);
                prop_assert!(outcome.late >= 0.0 && outcome.late <= outcome.requests * (1.0 + 1e-9), "{outcome:?}");
                prop_assert!(outcome.backlog >= 0.0 && outcome.backlog.is_finite(), "{outcome:?}");
                prop_assert!((0.0..=1.0).contains(&outcome.utilisation), "{outcome:?}");
                now = now + Duration::from_secs_f64(seconds);
            }
        }
    }
}
