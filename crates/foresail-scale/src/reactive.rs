//! The reactive need: the replicas that the load measured now asks for. Model-free, and it cannot fail.
//!
//! It knows no forecast, no learner and no history but the last value of good quality of each metric. Whatever else
//! decides, the planner never goes below it. Samples that are not finite or below zero are ignored.

use std::collections::BTreeMap;
use std::time::Duration;

use foresail_core::{Metric, Quality, ReplicaCounts, Replicas, Sample};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;
use crate::service::{NeedTable, Service, ServiceKind};

/// Replicas up to which Erlang's formula is asked; beyond, pooling leaves one part in a hundred of room.
const TABLE_MOST: u32 = 2_048;

/// A metric that replicas are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricSpec {
    /// Which one.
    pub metric: Metric,
    /// What one replica of base size holds, in the unit of the metric: requests a second, bytes, connections; for a queue
    /// length the events a second that a worker takes. Above 0; utilisation has no use for it.
    #[serde(default = "one")]
    pub capacity_per_replica: f64,
    /// Share of that capacity to fill, above 0 and at most 1.
    #[serde(default = "one")]
    pub target: f64,
}

fn one() -> f64 {
    1.0
}

impl MetricSpec {
    /// Refuses numbers that no need can be computed from.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn check(&self) -> Result<(), Error> {
        let capacity = self.capacity_per_replica;
        check(capacity.is_finite() && capacity > 0.0, "capacity_per_replica", capacity, "a number above 0")?;
        check(self.target > 0.0 && self.target <= 1.0, "target", self.target, "above 0 and at most 1")
    }
}

/// How much attack traffic may scale: a sample attributed to an attack counts at most `over` times the last value that
/// was not; before any such value, at most what the replicas asked for so far hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackCap {
    /// Multiple of the last value of good quality, at least 1.
    pub over: f64,
}

impl Default for AttackCap {
    fn default() -> Self {
        Self { over: 1.5 }
    }
}

/// What is measured at an instant.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Newest sample of each metric.
    pub samples: &'a [Sample],
    /// The target as it stands.
    pub replicas: ReplicaCounts,
    /// Size of each replica as a factor of its base size.
    pub size: f64,
    /// Factor on every load, for "what if": 1 for what is measured.
    pub factor: f64,
}

/// Replicas needed for what is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReactiveNeed {
    /// The maximum over the metrics, in replicas of base size; 0 without a usable sample.
    pub replicas: Replicas,
    /// The metric that asks for most.
    pub metric: Option<Metric>,
    /// Its load, in its unit, after any cap.
    pub load: Option<f64>,
    /// Attack traffic was left out.
    pub attack_capped: bool,
    /// At least one metric was usable.
    pub measured: bool,
}

/// Computes the reactive need of one target.
#[derive(Clone, Debug)]
pub struct Reactive {
    specs: Vec<MetricSpec>,
    table: NeedTable,
    drain: Duration,
    cap: AttackCap,
    usual: BTreeMap<Metric, f64>,
}

impl Reactive {
    /// For `service`, counting by `specs`. A backlog is worked off within `drain`; by default the drain target of a queue
    /// service, one minute for a request service.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for a spec, fraction, drain time or cap out of range, or without any spec.
    pub fn new(
        service: Service,
        late_fraction: f64,
        specs: Vec<MetricSpec>,
        drain: Option<Duration>,
        cap: AttackCap,
    ) -> Result<Self, Error> {
        check(!specs.is_empty(), "metrics", "empty", "at least one metric")?;
        specs.iter().try_for_each(MetricSpec::check)?;
        check(cap.over >= 1.0, "attack_cap.over", cap.over, "at least 1")?;
        let drain = drain.unwrap_or(match service.kind() {
            ServiceKind::Queue => service.wait_slo(),
            ServiceKind::Request => Duration::from_secs(60),
        });
        check(!drain.is_zero(), "drain", format!("{drain:?}"), "a duration above 0")?;
        let table = NeedTable::new(service, late_fraction)?;
        Ok(Self { specs, table, drain, cap, usual: BTreeMap::new() })
    }

    /// From here on one replica is one of `service`; what was counted by the old one's own capacity is counted by the new
    /// one's.
    ///
    /// # Errors
    /// [`Error::BadParameter`] as for [`Reactive::new`].
    pub fn set_service(&mut self, service: Service) -> Result<(), Error> {
        let old = self.table.service().capacity_rps();
        self.table = NeedTable::new(service, self.table.late_fraction())?;
        for spec in &mut self.specs {
            if (spec.capacity_per_replica - old).abs() <= 1e-9 * old {
                spec.capacity_per_replica = service.capacity_rps();
            }
        }
        Ok(())
    }

    /// The metrics it counts by.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> + '_ {
        self.specs.iter().map(|spec| spec.metric)
    }

    /// Last value of good quality of each metric, to be kept over a restart.
    pub fn usual(&self) -> &BTreeMap<Metric, f64> {
        &self.usual
    }

    /// Takes up the values that [`Reactive::usual`] gave; what is no number is left out.
    pub fn restore_usual(&mut self, usual: &BTreeMap<Metric, f64>) {
        self.usual = usual.iter().filter(|(_, v)| v.is_finite()).map(|(m, v)| (*m, *v)).collect();
    }

    /// Remembers the values of good quality, against which attacks are capped.
    pub fn observe(&mut self, samples: &[Sample]) {
        for sample in samples.iter().filter(|s| s.quality == Quality::Good && s.value.is_finite()) {
            self.usual.insert(sample.metric, sample.value.max(0.0));
        }
    }

    /// Replicas needed, at most `most`. Where a sample is a lower bound (taken under saturation), no fewer than the
    /// replicas that were saturated.
    pub fn need(&mut self, situation: &Situation<'_>, most: Replicas) -> ReactiveNeed {
        let mut need = ReactiveNeed::default();
        for index in 0..self.specs.len() {
            let spec = self.specs[index];
            let Some(sample) = usable(situation, spec.metric) else { continue };
            let (value, capped) = self.capped(sample, &spec, situation);
            let load = value * situation.factor.max(0.0);
            let mut replicas = self.replicas_for(&spec, load, situation, most);
            if sample.quality == Quality::Saturated {
                let size = if situation.size > 0.0 { situation.size } else { 1.0 };
                replicas = replicas.max(Replicas::holding(situation.replicas.ready.as_f64() * size));
            }
            let replicas = replicas.min(most);
            need.attack_capped |= capped;
            if !need.measured || replicas > need.replicas {
                need = ReactiveNeed { replicas, metric: Some(spec.metric), load: Some(load), ..need };
            }
            need.measured = true;
        }
        need
    }

    /// The value that counts, and whether it was capped.
    fn capped(&self, sample: &Sample, spec: &MetricSpec, situation: &Situation<'_>) -> (f64, bool) {
        if sample.quality != Quality::Attack {
            return (sample.value, false);
        }
        let held = situation.replicas.desired.as_f64() * spec.capacity_per_replica * spec.target;
        let most = match self.usual.get(&spec.metric) {
            Some(usual) => usual * self.cap.over,
            None if spec.metric == Metric::Utilisation => spec.target,
            None if spec.metric == Metric::QueueLength => held * self.drain.as_secs_f64(),
            None => held,
        };
        (sample.value.min(most), sample.value > most)
    }

    fn replicas_for(&mut self, spec: &MetricSpec, load: f64, situation: &Situation<'_>, most: Replicas) -> Replicas {
        let fill = spec.capacity_per_replica * spec.target;
        match spec.metric {
            Metric::Utilisation => {
                let size = if situation.size > 0.0 { situation.size } else { 1.0 };
                Replicas::holding(load * situation.replicas.ready.as_f64() * size / spec.target)
            }
            Metric::QueueLength => {
                let arrivals = usable(situation, Metric::RequestRate).map_or(0.0, |s| {
                    let spec = MetricSpec { metric: Metric::RequestRate, ..*spec };
                    self.capped(s, &spec, situation).0 * situation.factor.max(0.0)
                });
                Replicas::holding((arrivals + load / self.drain.as_secs_f64()) / fill)
            }
            Metric::RequestRate => Replicas::holding(load / fill).max(self.erlang(spec, load, most)),
            _ => Replicas::holding(load / fill),
        }
    }

    /// What the late share allows, where the metric speaks of the service's own capacity.
    fn erlang(&mut self, spec: &MetricSpec, load: f64, most: Replicas) -> Replicas {
        let service = *self.table.service();
        let same = (spec.capacity_per_replica - service.capacity_rps()).abs() <= 1e-9 * service.capacity_rps();
        if service.kind() != ServiceKind::Request || !same {
            return Replicas(0);
        }
        if load > f64::from(TABLE_MOST) * 0.98 * service.capacity_rps() {
            return Replicas::holding(1.01 * load / service.capacity_rps());
        }
        self.table.need(load, Replicas(most.0.min(TABLE_MOST)))
    }
}

/// The sample of `metric`, if it is a number that can be a load.
fn usable<'a>(situation: &Situation<'a>, metric: Metric) -> Option<&'a Sample> {
    situation.samples.iter().find(|s| s.metric == metric && s.value.is_finite() && s.value >= 0.0)
}

#[cfg(test)]
mod tests {
    use foresail_core::Timestamp;

    use super::*;

    fn sample(metric: Metric, value: f64, quality: Quality) -> Sample {
        Sample { metric, time: Timestamp::EPOCH, interval: Duration::from_secs(15), value, quality }
    }

    fn spec(metric: Metric, capacity_per_replica: f64, target: f64) -> MetricSpec {
        MetricSpec { metric, capacity_per_replica, target }
    }

    fn reactive(specs: Vec<MetricSpec>) -> Reactive {
        let service = Service::request(100.0, Duration::from_secs(60)).expect("valid");
        Reactive::new(service, 0.001, specs, None, AttackCap::default()).expect("valid")
    }

    fn check(specs: &[MetricSpec], samples: &[Sample], expected: u32) {
        let replicas = ReplicaCounts { desired: Replicas(10), ready: Replicas(10), starting: Replicas(0) };
        let situation = Situation { samples, replicas, size: 1.0, factor: 1.0 };
        let need = reactive(specs.to_vec()).need(&situation, Replicas(1_000));
        assert_eq!(need.replicas, Replicas(expected), "{specs:?} {samples:?}");
    }

    #[test]
    fn each_metric_asks_for_its_own_and_the_greatest_wins() {
        let good = Quality::Good;
        let rate = spec(Metric::RequestRate, 100.0, 0.5);
        let cpu = spec(Metric::Utilisation, 1.0, 0.7);
        let memory = spec(Metric::Memory, 4e9, 0.8);
        let queue = spec(Metric::QueueLength, 50.0, 1.0);
        check(&[rate], &[sample(Metric::RequestRate, 501.0, good)], 11);
        check(&[cpu], &[sample(Metric::Utilisation, 0.84, good)], 12);
        check(&[memory], &[sample(Metric::Memory, 33e9, good)], 11);
        check(&[spec(Metric::Connections, 100.0, 0.9)], &[sample(Metric::Connections, 450.0, good)], 5);
        // 100 a second arrive and 3,000 wait, to be gone within a minute: 150 a second at 50 each.
        let queued = [sample(Metric::QueueLength, 3_000.0, good), sample(Metric::RequestRate, 100.0, good)];
        check(&[queue], &queued, 3);
        let all = [sample(Metric::RequestRate, 501.0, good), sample(Metric::Utilisation, 0.84, good)];
        check(&[rate, cpu, memory], &all, 12);
        check(&[cpu], &[sample(Metric::Utilisation, 1.0, Quality::Saturated)], 15);
        // A memory reading taken under saturation is a lower bound: no fewer than now.
        check(&[memory], &[sample(Metric::Memory, 3e9, Quality::Saturated)], 10);
    }

    #[test]
    fn the_late_share_counts_where_the_capacity_is_the_services() {
        // One replica of eight workers sustains about half its capacity.
        check(&[spec(Metric::RequestRate, 100.0, 1.0)], &[sample(Metric::RequestRate, 99.0, Quality::Good)], 2);
        check(&[spec(Metric::RequestRate, 99.0, 1.0)], &[sample(Metric::RequestRate, 99.0, Quality::Good)], 1);
    }

    #[test]
    fn what_is_no_load_is_ignored() {
        let rate = spec(Metric::RequestRate, 100.0, 1.0);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -3.0] {
            check(&[rate], &[sample(Metric::RequestRate, value, Quality::Good)], 0);
        }
        check(&[rate], &[sample(Metric::RequestRate, f64::MAX, Quality::Good)], 1_000);
        check(&[rate], &[], 0);
    }

    #[test]
    fn an_attack_is_capped_by_what_was_usual_or_by_what_is_there() {
        let mut reactive = reactive(vec![spec(Metric::RequestRate, 50.0, 1.0)]);
        let replicas = ReplicaCounts { desired: Replicas(10), ready: Replicas(10), starting: Replicas(0) };
        let attack = [sample(Metric::RequestRate, 90_000.0, Quality::Attack)];
        let situation = Situation { samples: &attack, replicas, size: 1.0, factor: 1.0 };
        let need = reactive.need(&situation, Replicas(1_000));
        assert_eq!((need.replicas, need.attack_capped), (Replicas(10), true));
        reactive.observe(&[sample(Metric::RequestRate, 400.0, Quality::Good)]);
        reactive.observe(&attack);
        assert_eq!(reactive.need(&situation, Replicas(1_000)).replicas, Replicas(12)); // 600 a second
    }

    #[test]
    fn a_spec_out_of_range_is_refused() {
        for bad in [spec(Metric::Memory, 0.0, 0.5), spec(Metric::Memory, f64::NAN, 0.5), spec(Metric::Memory, 1.0, 1.1)]
        {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
