//! Runs a policy on the event-driven plant.

use foresail_core::{Decision, Metric, Observation, Policy, Quality, Sample, SeededRng, Timestamp};
use foresail_scale::{Error, Run, Scenario};

use super::options::{EventOptions, check, micros};
use super::plant::EventPlant;
use super::sensor::Sensor;

/// How the wait of an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A worker took it.
    Started,
    /// Its client gave up.
    TimedOut,
    /// The queue was full.
    Rejected,
}

/// The end of an attempt's wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// When it arrived.
    pub arrived: Timestamp,
    /// When its wait ended.
    pub time: Timestamp,
    /// 0 for a first attempt, 1 for its first retry.
    pub attempt: u32,
    /// How.
    pub fate: Fate,
}

/// Sees what happens in a run. `()` looks away.
pub trait Watch {
    /// The policy has decided, at the start of a tick (all of them, those before the scored part too).
    fn decided(&mut self, observation: &Observation, decision: &Decision) {
        let _ = (observation, decision);
    }
    /// The wait of an attempt has ended.
    fn settled(&mut self, settled: &Settled) {
        let _ = settled;
    }
}

impl Watch for () {}

/// Counts over a whole run. `attempts = served + timed_out + rejected + in_system`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Attempts that arrived, retries included.
    pub attempts: u64,
    /// Of them, retries.
    pub retries: u64,
    /// Taken by a worker.
    pub started: u64,
    /// Finished.
    pub served: u64,
    /// Left by their clients while waiting.
    pub timed_out: u64,
    /// Turned away by a full queue.
    pub rejected: u64,
    /// Waiting or being served at the end: one wait limit after the last tick.
    pub in_system: u64,
    /// Times a worker served somebody who had left.
    pub wasted: u64,
    /// Starts that failed and were begun anew.
    pub failed_starts: u64,
    /// Events: arrivals, departures, time-outs, retries, starts.
    pub events: u64,
}

/// What a policy did with a scenario, request by request.
#[derive(Clone, Debug)]
pub struct EventRun {
    /// As the fluid plant tells it: a request counts in the tick in which it arrived, retries do not count; late is one
    /// whose first attempt waited longer than the limit, was rejected or timed out.
    pub run: Run,
    /// Attempts a tick, retries included: the load that the service felt.
    pub attempts: Vec<u64>,
    /// Totals.
    pub totals: Totals,
}

impl From<EventRun> for Run {
    fn from(outcome: EventRun) -> Self {
        outcome.run
    }
}

/// Replays `scenario` against `policy` on the event-driven plant. The same seed gives the same run, and the same
/// arrivals to every policy.
///
/// # Errors
/// As [`Scenario::check`] and [`EventOptions::check`]; [`Error::BadParameter`] for more than 10¹⁰ requests or a limit of
/// more than a million replicas, which an event simulation would never end.
pub fn run(scenario: &Scenario, options: &EventOptions, policy: &mut dyn Policy, seed: u64) -> Result<EventRun, Error> {
    run_watched(scenario, options, policy, seed, &mut ())
}

/// Like [`run`], showing `watch` every decision and the end of every wait.
///
/// # Errors
/// As [`run`].
pub fn run_watched(
    scenario: &Scenario,
    options: &EventOptions,
    policy: &mut dyn Policy,
    seed: u64,
    watch: &mut impl Watch,
) -> Result<EventRun, Error> {
    scenario.check()?;
    options.check()?;
    let expected = scenario.load.iter().sum::<f64>() * scenario.tick.as_secs_f64();
    check(expected <= 1e10, "load", &expected, "at most 1e10 requests in all")?;
    check(scenario.limits.max.0 <= 1_000_000, "limits.max", &scenario.limits.max, "at most 1000000 replicas")?;
    let ticks = scenario.load.len();
    let tick = micros(scenario.tick);
    let mut plant = EventPlant::new(scenario.service, options, scenario.initial_replicas(), scenario.start, seed);
    let mut sensor = Sensor::new(options.metrics, SeededRng::seed_from_u64(seed).fork(5));
    let (mut desired, mut ready, mut paid, mut attempts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, load) in scenario.load.iter().enumerate() {
        let now = scenario.time(index);
        let replicas = plant.replicas();
        let observation = Observation { time: now, tick: scenario.tick, samples: sensor.read(now), replicas };
        let decision = policy.decide(&observation);
        watch.decided(&observation, &decision);
        let wanted = scenario.limits.clamp(decision.desired);
        plant.scale_to(wanted, watch);
        let counts = plant.replicas();
        desired.push(wanted.0);
        ready.push(counts.ready.0);
        paid.push(counts.desired.0);
        plant.tick(tick.saturating_mul(index as u64 + 1), *load, watch);
        attempts.push(plant.attempts);
        sensor.measure(scenario.time(index + 1), samples(scenario, index, &plant));
    }
    plant.close(watch);
    plant.totals.in_system = plant.in_system();
    debug_assert_eq!(desired.len(), ticks);
    let as_real = |counts: &[u64]| counts.iter().map(|count| *count as f64).collect();
    let run = Run {
        policy: policy.name().to_owned(),
        evaluate_from: scenario.evaluate_from,
        tick_s: scenario.tick.as_secs_f64(),
        requests: as_real(&plant.requests),
        late: as_real(&plant.late),
        desired,
        ready,
        paid,
    };
    Ok(EventRun { run, attempts, totals: plant.totals })
}

/// What is measured in tick `index`. Demand is counted at arrival, so it includes what the queue turned away.
fn samples(scenario: &Scenario, index: usize, plant: &EventPlant) -> Vec<Sample> {
    let utilisation = plant.utilisation();
    // Workers are idle for a moment between two requests only where nobody waits, so 1 is rare even when saturated.
    let saturated = utilisation >= 0.995;
    let sample = |metric, value, saturated: bool| Sample {
        metric,
        time: scenario.time(index + 1),
        interval: scenario.tick,
        value,
        quality: if saturated { Quality::Saturated } else { Quality::Good },
    };
    vec![
        sample(Metric::RequestRate, plant.attempts as f64 / scenario.tick.as_secs_f64(), false),
        sample(Metric::Utilisation, utilisation, saturated),
        sample(Metric::QueueLength, plant.queued() as f64, false),
    ]
}
