//! What the trials of a seed share: the site, what a guard has learned of it in virtual time, and what a decision costs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use foresail_core::Timestamp;
use foresail_sim::site::{Ask, Attack, World};
use serde::Serialize;

use crate::clock::Stopwatch;

/// Mean time of a request at the origin.
pub(super) const SERVICE_MS: u32 = 40;
/// Hours into the day after those that were learned from: an afternoon.
const HOURS: u32 = 14;
/// Requests that decisions are timed on.
const TIMED: usize = 100_000;

/// A site in the afternoon after some days.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) seed: u64,
    pub(super) world: World,
    /// What its guard has learned, as a proxy reads it.
    pub(super) state: PathBuf,
    /// Requests that the origin does at once, so that it can do four times the work of the busiest minute.
    pub(super) workers: u32,
    pub(super) cost: Cost,
}

/// What a decision takes in this process, ns, the reading of the clock left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cost {
    pub(crate) usual_p50_ns: f64,
    pub(crate) usual_p99_ns: f64,
    /// Of clients that were never seen before.
    pub(crate) strangers_p50_ns: f64,
    pub(crate) strangers_p99_ns: f64,
}

impl Ground {
    /// Plays so many days and an afternoon, which is `now`: usual traffic is learned by the hour, and the trials are held in
    /// this one. Takes some seconds.
    ///
    /// # Errors
    /// If what is learned cannot be written to `folder`.
    pub(super) fn learn(seed: u64, days: u32, now: Timestamp, folder: &Path) -> anyhow::Result<Self> {
        let hour = Duration::from_secs(3_600);
        let midnight = now.floor_to(hour) - hour * (24 * days + HOURS);
        let mut world = World::on_the_wire(seed, midnight, SERVICE_MS as f32);
        world.run_days(days.into());
        world.run_hours(HOURS.into());
        world.settle();
        let state = folder.join(format!("guard-{seed}.json"));
        let saved = serde_json::to_vec(&world.saved())?;
        std::fs::write(&state, saved).with_context(|| format!("cannot write {}", state.display()))?;
        let workers = (world.capacity() / 1_000.0).ceil().max(1.0) as u32;
        let cost = cost(&world);
        Ok(Self { seed, world, state, workers, cost })
    }
}

fn cost(world: &World) -> Cost {
    let usual = world.plan(Duration::from_secs(7_200)).into_iter().map(|planned| planned.ask).take(TIMED);
    let strangers = Attack::OneShot.plan(world.legit().site(), 1_000.0, 1).map(|(_, ask)| ask).take(TIMED);
    let [usual_p50_ns, usual_p99_ns] = time(world, usual);
    let [strangers_p50_ns, strangers_p99_ns] = time(world, strangers);
    Cost { usual_p50_ns, usual_p99_ns, strangers_p50_ns, strangers_p99_ns }
}

/// The median and the 99th percentile of a decision.
fn time(world: &World, asks: impl Iterator<Item = Ask>) -> [f64; 2] {
    let mut world = world.clone();
    let mut nothing = Vec::with_capacity(TIMED);
    let mut decisions = Vec::with_capacity(TIMED);
    for ask in asks {
        let ask = world.told(ask);
        let watch = Stopwatch::start();
        nothing.push(watch.elapsed().as_nanos());
        let watch = Stopwatch::start();
        std::hint::black_box(world.judge(std::hint::black_box(&ask)));
        decisions.push(watch.elapsed().as_nanos());
    }
    nothing.sort_unstable();
    decisions.sort_unstable();
    let at = |times: &[u128], level: f64| {
        let index = (level * times.len() as f64) as usize;
        times.get(index).map_or(0.0, |ns| *ns as f64)
    };
    let clock = at(&nothing, 0.5);
    [0.5, 0.99].map(|level| (at(&decisions, level) - clock).max(0.0))
}
