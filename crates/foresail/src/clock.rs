//! The only place that reads a clock. Everything that learns or decides is handed its time.
#![allow(clippy::disallowed_methods)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use foresail_core::Timestamp;

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds since the start.
    pub(crate) fn seconds(self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

/// Measures how much CPU time the process takes, over all its threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuWatch(Duration);

impl CpuWatch {
    /// Starts.
    pub(crate) fn start() -> Self {
        Self(cpu_time())
    }

    /// CPU seconds since the start.
    pub(crate) fn seconds(self) -> f64 {
        cpu_time().saturating_sub(self.0).as_secs_f64()
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// The clock of a service: the wall clock, or, in a demonstration, one that runs `speed` times as fast from a given
/// instant on. It never runs backwards: when the wall clock is set back, it goes on from where it stood.
#[derive(Clone, Debug)]
pub(crate) struct Tempo {
    started: Instant,
    origin: Timestamp,
    speed: f64,
    /// Follow the wall clock when it is set forward.
    follows_wall: bool,
    anchor: Arc<Mutex<Anchor>>,
}

/// How far the wall clock has been set forward since the start.
#[derive(Debug, Default)]
struct Anchor {
    ahead: Duration,
}

/// A wall clock that is this far ahead of its own past has been set.
const SET_FORWARD: Duration = Duration::from_secs(2);

impl Tempo {
    /// The wall clock; it goes on from `last`, the last time that is remembered, where it has been set back behind that.
    pub(crate) fn wall(last: Option<Timestamp>) -> Self {
        let wall = wall_now();
        let origin = last.map_or(wall, |last| wall.max(last));
        if origin > wall + SET_FORWARD {
            tracing::warn!(
                "the clock was set back by {:.1} s; time goes on from where it stood",
                origin.since(wall).as_secs_f64()
            );
        }
        Self { follows_wall: true, ..Self::paced(origin, 1.0) }
    }

    /// A clock that stands at `origin` now and runs `speed` times as fast as the wall clock.
    pub(crate) fn paced(origin: Timestamp, speed: f64) -> Self {
        Self { started: Instant::now(), origin, speed, follows_wall: false, anchor: Arc::default() }
    }

    /// Seconds of this clock in a second.
    pub(crate) fn speed(&self) -> f64 {
        self.speed
    }

    /// This clock's time.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.origin + self.started.elapsed().mul_f64(self.speed);
        if !self.follows_wall {
            return now;
        }
        let mut anchor = self.anchor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let wall = wall_now();
        let now = now + anchor.ahead;
        if wall > now + SET_FORWARD {
            tracing::warn!("the clock was set forward by {:.1} s", wall.since(now).as_secs_f64());
            anchor.ahead += wall.since(now);
            return wall;
        }
        now
    }

    /// `span` of this clock, in real time.
    pub(crate) fn real(&self, span: Duration) -> Duration {
        span.div_f64(self.speed)
    }

    /// A real rate (a second) as a rate of this clock.
    pub(crate) fn rate(&self, real_rps: f64) -> f64 {
        real_rps / self.speed
    }

    /// A rate of this clock as a real rate.
    pub(crate) fn real_rate(&self, rps: f64) -> f64 {
        rps * self.speed
    }
}

/// The wall clock.
pub(crate) fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH + since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_back_goes_on_from_the_last_time_remembered() {
        let hour = Duration::from_secs(3_600);
        let ahead = wall_now() + hour;
        let tempo = Tempo::wall(Some(ahead));
        let now = tempo.now();
        assert!(now >= ahead && now.since(ahead) < hour, "{now} {ahead}");
        assert!(tempo.now() >= now);
        let tempo = Tempo::wall(Some(wall_now() - hour));
        assert!(tempo.now().since(wall_now()) < hour && tempo.now() + hour > wall_now());
    }
}
