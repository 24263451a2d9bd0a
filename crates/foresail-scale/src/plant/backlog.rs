//! What waits before a fluid service, as a probability law, kept in one of three ways, each where it is good and cheap.
//!
//! - *Settled*: there is headroom, and the queue has the stationary law of Erlang's C formula.
//! - *Far*: a backlog far from zero is normal; its mean moves with the drift, and its variance grows with every arrival
//!   and every departure. So is the way from empty into a decided overload.
//! - *Near*: in between, at and about capacity, the law is kept on a [`Lattice`].

use super::lattice::{Lattice, Motion};
use super::normal;
use crate::service::Erlang;

/// A service under a constant load for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// Arrivals a second.
    pub(super) load: f64,
    /// Services a second with all workers busy, above 0.
    pub(super) capacity: f64,
    /// Workers.
    pub(super) servers: u32,
    /// Seconds of wait from which an arrival is late.
    pub(super) slo: f64,
    /// Seconds of wait after which clients leave; infinite if they never do.
    pub(super) patience: f64,
    /// Length.
    pub(super) seconds: f64,
}

impl Flow {
    fn drift(&self) -> f64 {
        self.load - self.capacity
    }

    /// Growth of the variance a second. With headroom it is the one whose stationary law is exactly Erlang's.
    fn variance(&self) -> f64 {
        self.capacity + self.load.max(self.capacity)
    }

    /// Backlog from which an arrival is late.
    fn limit(&self) -> f64 {
        self.capacity * self.slo
    }

    /// How long the queue takes to forget: the relaxation time of the diffusion.
    fn relaxation(&self) -> f64 {
        self.variance() / (self.drift() * self.drift())
    }

    /// How long a normal backlog stays [`CLEAR`] deviations from zero, within the tick.
    fn time_apart(&self, mean: f64, variance: f64) -> f64 {
        let far = CLEAR * CLEAR;
        // The lesser root of (mean + drift · t)² = far · (variance + growth · t).
        let (square, linear) = (self.drift() * self.drift(), 2.0 * mean * self.drift() - far * self.variance());
        let constant = mean * mean - far * variance;
        let root = (linear * linear - 4.0 * square * constant).max(0.0).sqrt();
        if mean > 0.0 && constant > 0.0 && root - linear > 0.0 {
            (2.0 * constant / (root - linear)).min(self.seconds)
        } else {
            0.0
        }
    }

    fn erlang(&self) -> Erlang {
        Erlang::new(self.servers, self.load / self.capacity)
    }

    /// So much headroom that nobody waits too long, one in ten million and fewer.
    fn is_ample(&self) -> bool {
        -self.drift() * self.slo > 16.0
    }

    fn motion(&self, erlang: Erlang) -> Motion {
        Motion {
            drift: self.drift(),
            variance: self.variance(),
            idle: erlang.idle_states(),
            most: self.capacity * self.patience,
            limit: self.limit(),
            seconds: self.seconds,
        }
    }
}

/// Share of a tick, or standard deviations, by which the regimes are told apart.
const QUICK: f64 = 0.1;
const CLEAR: f64 = 3.5;

#[derive(Clone, Debug)]
enum Law {
    /// Some are waiting with probability `waiting`, and then exponentially many with mean `scale`.
    Settled {
        waiting: f64,
        scale: f64,
    },
    Far {
        mean: f64,
        variance: f64,
    },
    Near(Box<Lattice>),
}

/// The requests that wait.
#[derive(Clone, Debug)]
pub(super) struct Backlog {
    law: Law,
}

impl Backlog {
    /// Nobody waits.
    pub(super) const EMPTY: Self = Self { law: Law::Settled { waiting: 0.0, scale: 0.0 } };

    /// How many wait, on average.
    pub(super) fn mean(&self) -> f64 {
        match &self.law {
            Law::Settled { waiting, scale } => waiting * scale,
            Law::Far { mean, .. } => *mean,
            Law::Near(lattice) => lattice.moments().0,
        }
    }

    /// Nobody is served: the backlog grows by `arrivals`, and no more than `most` stay.
    pub(super) fn stall(&mut self, arrivals: f64, most: f64) {
        let (mean, variance) = self.moments();
        self.law = Law::Far { mean: (mean + arrivals).min(most), variance: variance + arrivals };
    }

    /// Lets `flow` run; the share of its arrivals that are late.
    pub(super) fn tick(&mut self, flow: &Flow) -> f64 {
        match self.law {
            Law::Settled { waiting, scale } => self.tick_settled(flow, waiting, scale),
            Law::Far { mean, variance } => self.tick_far(flow, mean, variance),
            Law::Near(_) => self.tick_near(flow, flow.erlang(), flow.seconds),
        }
    }

    fn moments(&self) -> (f64, f64) {
        match &self.law {
            Law::Settled { waiting, scale } => (waiting * scale, waiting * (2.0 - waiting) * scale * scale),
            Law::Far { mean, variance } => (*mean, *variance),
            Law::Near(lattice) => lattice.moments(),
        }
    }

    fn tick_settled(&mut self, flow: &Flow, waiting: f64, scale: f64) -> f64 {
        let drift = flow.drift();
        if flow.is_ample() && waiting * scale < 0.1 * flow.limit() {
            *self = Self::EMPTY;
            return 0.0;
        }
        let erlang = flow.erlang();
        if drift < 0.0 {
            let (now_waiting, now_scale) = (erlang.c(), flow.capacity / -drift);
            let (before, after) = (waiting * scale, now_waiting * now_scale);
            // Either the queue forgets within the tick, or there is next to nothing to forget.
            let memory = flow.relaxation() / flow.seconds;
            if memory < QUICK || (after - before).abs() * memory < QUICK * QUICK * after {
                self.law = Law::Settled { waiting: now_waiting, scale: now_scale };
                return now_waiting * (drift * flow.slo).exp();
            }
        }
        let spread = (flow.variance() * flow.seconds).sqrt();
        if drift * flow.seconds > CLEAR * spread {
            let (mean, variance) = self.moments();
            return self.drift_on(flow, mean, variance);
        }
        self.law = Law::Near(Box::new(Lattice::exponential(waiting, scale, &flow.motion(erlang))));
        self.tick_near(flow, erlang, flow.seconds)
    }

    fn tick_far(&mut self, flow: &Flow, mean: f64, variance: f64) -> f64 {
        let mean = mean.min(flow.capacity * flow.patience);
        let end = mean + flow.drift() * flow.seconds;
        let deviation = (variance + flow.variance() * flow.seconds).sqrt();
        if end > CLEAR * deviation {
            return self.drift_on(flow, mean, variance);
        }
        let erlang = flow.erlang();
        if end < -CLEAR * deviation && flow.relaxation() < QUICK * flow.seconds {
            // It drains, and from then on the queue is a settled one.
            let late = Crossing { mean, variance }.share_above(flow.limit(), flow);
            let drained = 1.0 - Crossing { mean, variance }.share_above(0.0, flow);
            let waiting = erlang.c();
            self.law = Law::Settled { waiting, scale: flow.capacity / -flow.drift() };
            return (late + drained * waiting * (flow.drift() * flow.slo).exp()).min(1.0);
        }
        // Near zero only at the end: until then it is a normal that drifts, which a lattice would smear.
        let apart = Flow { seconds: flow.time_apart(mean, variance), ..*flow };
        let late = if apart.seconds > 0.0 { self.drift_on(&apart, mean, variance) } else { 0.0 };
        let (mean, variance) = if apart.seconds > 0.0 { self.moments() } else { (mean, variance) };
        self.law = Law::Near(Box::new(Lattice::normal(mean, variance, &flow.motion(erlang))));
        let rest = flow.seconds - apart.seconds;
        (late * apart.seconds + self.tick_near(flow, erlang, rest) * rest) / flow.seconds
    }

    /// A tick at the end of which the backlog is far from zero.
    fn drift_on(&mut self, flow: &Flow, mean: f64, variance: f64) -> f64 {
        let late = Crossing { mean, variance }.share_above(flow.limit(), flow);
        let mut end = mean + flow.drift() * flow.seconds;
        let mut spread = variance + flow.variance() * flow.seconds;
        let most = flow.capacity * flow.patience;
        let deviation = spread.sqrt();
        let room = (most - end) / deviation;
        if room < CLEAR {
            // What would go above the clients' patience stays at it: moments of a censored normal. Where the drift
            // presses on, it is below by an exponential.
            let below = deviation * normal::cdf_integral(room);
            let second = spread * ((room * room + 1.0) * normal::cdf(room) + room * normal::pdf(room));
            let pressed = if flow.drift() > 0.0 { 0.5 * flow.variance() / flow.drift() } else { 0.0 };
            end = most - below.max(0.0);
            spread = (second - below * below).max(pressed * pressed).min(spread);
        }
        self.law = Law::Far { mean: end, variance: spread };
        late
    }

    /// The last `seconds` of a tick, on the lattice.
    fn tick_near(&mut self, flow: &Flow, erlang: Erlang, seconds: f64) -> f64 {
        let Law::Near(lattice) = &mut self.law else {
            return 0.0;
        };
        let (late, end) = lattice.tick(&flow.motion(erlang), seconds);
        let (mean, variance) = lattice.moments();
        let drift = flow.drift();
        if mean > (CLEAR + 0.5) * variance.sqrt() {
            self.law = Law::Far { mean, variance };
        } else if drift < 0.0 {
            let (waiting, scale) = (erlang.c(), flow.capacity / -drift);
            let settled_late = waiting * (drift * flow.slo).exp();
            let is_quick = flow.relaxation() < QUICK * flow.seconds || flow.is_ample();
            let tolerance = if is_quick { 0.1 } else { 0.03 };
            let close = |found: f64, settled: f64, least: f64| (found - settled).abs() <= tolerance * settled + least;
            if close(mean, waiting * scale, 1e-3 * flow.limit()) && close(end, settled_late, 1e-6) {
                self.law = Law::Settled { waiting, scale };
            }
        }
        late
    }
}

/// A normal backlog that drifts.
struct Crossing {
    mean: f64,
    variance: f64,
}

impl Crossing {
    /// Share of the time that it is above `level`.
    fn share_above(&self, level: f64, flow: &Flow) -> f64 {
        let (ahead, drift, seconds) = (self.mean - level, flow.drift(), flow.seconds);
        let way = drift * seconds;
        // The spread at the moment of crossing is what matters; where there is none, any will do.
        let crossing = if drift == 0.0 { 0.0 } else { (-ahead / drift).clamp(0.0, seconds) };
        let deviation = |time: f64| (self.variance + flow.variance() * time).sqrt().max(1e-9 * flow.capacity);
        let s = deviation(crossing);
        let share = if way.abs() > 0.5 * s {
            s / way * (normal::cdf_integral((ahead + way) / s) - normal::cdf_integral(ahead / s))
        } else {
            let at = |time: f64| normal::cdf((ahead + drift * time) / deviation(time));
            (at(0.0) + 4.0 * at(0.5 * seconds) + at(seconds)) / 6.0
        };
        share.clamp(0.0, 1.0)
    }
}
