//! The fluid plant: a service under a load, weeks in seconds.
//!
//! Load is constant within a tick. What arrives beyond capacity joins a backlog; an arrival that finds backlog `b` before
//! capacity `K` waits `b / K`, and where there is headroom the random part of the wait comes from Erlang's C formula.
//! Replicas ordered at `t` serve from `t + startup` on and are paid from the order; removed ones stop at once.

use std::collections::VecDeque;

use foresail_core::{ReplicaCounts, Replicas, Timestamp};

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
    /// Requests waiting at the end.
    pub backlog: f64,
}

/// A service in virtual time.
#[derive(Clone, Debug)]
pub struct FluidPlant {
    service: Service,
    ready: u32,
    /// Batches on their way: when they serve, and how many.
    starting: VecDeque<(Timestamp, u32)>,
    backlog: f64,
}

impl FluidPlant {
    /// A plant with `replicas` already serving.
    pub fn new(service: Service, replicas: Replicas) -> Self {
        Self { service, ready: replicas.0, starting: VecDeque::new(), backlog: 0.0 }
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

    /// Requests waiting.
    pub fn backlog(&self) -> f64 {
        self.backlog
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
        let offered = requests + self.backlog;
        let utilisation =
            if capacity > 0.0 { (offered / (capacity * seconds)).min(1.0) } else { f64::from(u8::from(offered > 0.0)) };
        let late = self.late_share(load, capacity, seconds) * requests;
        let mut backlog = (self.backlog + (load - capacity) * seconds).max(0.0);
        if self.service.kind() == ServiceKind::Request {
            // Clients give up: nobody waits longer than the time-out. With no capacity at all, everybody has left.
            backlog = backlog.min(capacity * self.service.client_timeout().as_secs_f64());
        }
        self.backlog = backlog;
        Outcome { requests, late, ready: self.ready, paid, utilisation, backlog }
    }

    /// Share of the arrivals of a tick that are late: the part of the tick with more backlog than the limit, and for the
    /// rest the random wait.
    fn late_share(&self, load: f64, capacity: f64, seconds: f64) -> f64 {
        if load <= 0.0 {
            return 0.0;
        }
        if capacity <= 0.0 {
            return 1.0;
        }
        let limit = capacity * self.service.wait_slo().as_secs_f64(); // backlog at which an arrival waits too long
        let slope = load - capacity;
        let start = self.backlog;
        let over = if slope > 0.0 {
            1.0 - ((limit - start) / slope / seconds).clamp(0.0, 1.0)
        } else if start > limit {
            if slope == 0.0 { 1.0 } else { ((start - limit) / -slope / seconds).clamp(0.0, 1.0) }
        } else {
            0.0
        };
        let random = match self.service.kind() {
            ServiceKind::Queue => 0.0,
            // Below the limit: headroom is what is left of the wait after the mean backlog of the tick.
            ServiceKind::Request if slope < 0.0 => {
                let mean_backlog = 0.5 * (start.min(limit) + (start.min(limit) + slope * seconds).max(0.0));
                let wait = self.service.wait_slo().as_secs_f64() - mean_backlog / capacity;
                self.service.late_share(load, Replicas(self.ready), wait.max(0.0))
            }
            ServiceKind::Request => 0.0,
        };
        over + (1.0 - over) * random
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        assert!((outcome.late / outcome.requests - 0.9).abs() < 1e-9, "{outcome:?}");
        assert_eq!(outcome.backlog, 2_000.0);
        // 500 a second: 1,800 too many drain at 500 a second, 3.6 s of ten, and then Erlang's C says next to nothing.
        let outcome = plant.tick(Timestamp::EPOCH, 10.0, 500.0);
        assert!((outcome.late / outcome.requests - 0.36).abs() < 1e-3, "{outcome:?}");
    }
}
