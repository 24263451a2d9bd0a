//! Sweeps: every policy over its setting, and what a sweep says at equal lateness or equal cost.
//!
//! A single setting makes no fair comparison, since any policy buys punctuality with replicas. The runs of one sweep form a
//! curve of late share against cost; two policies are compared where both are equally late, or equally dear.

use crate::replay::Run;
use crate::service::ServiceKind;

/// Late shares below this (one request in ten million) count as this, so that a curve has a logarithm throughout.
const LEAST_LATE: f64 = 1e-7;

/// Ids of every setting over which a policy is swept; the bare name for one that has none.
///
/// Targets run from 0.40 to 0.94 in steps of 0.02; KEDA on a queue from a twentieth to four times what a worker takes within
/// the drain target.
pub fn sweep_settings(name: &str, kind: ServiceKind) -> Vec<String> {
    const LAG: [&str; 20] = [
        "0.05", "0.1", "0.15", "0.2", "0.25", "0.3", "0.35", "0.4", "0.45", "0.5", "0.55", "0.6", "0.65", "0.7", "0.8",
        "0.9", "1", "1.5", "2", "4",
    ];
    match name {
        "keda" if kind == ServiceKind::Queue => LAG.iter().map(|share| format!("keda@{share}")).collect(),
        "hpa" | "keda" | "aws-tt" | "aws-predictive" | "dsp" | "phpa" | "static" => {
            (20..=47).map(|half| format!("{name}@{:.2}", f64::from(half) / 50.0)).collect()
        }
        _ => vec![name.to_owned()],
    }
}

/// The run with the fewest replica-hours among those with at most `late_share` (0 to 1) late; the least late of equals.
pub fn cheapest_within<'a>(runs: impl IntoIterator<Item = &'a Run>, late_share: f64) -> Option<&'a Run> {
    runs.into_iter().filter(|run| run.late_share() <= late_share).min_by(|a, b| {
        (a.replica_hours().total_cmp(&b.replica_hours())).then(a.late_share().total_cmp(&b.late_share()))
    })
}

/// A policy's curve of late share against replica-hours: the runs of a sweep that no other run beats in both, joined by
/// straight lines of ln(late share) over replica-hours. It is not carried on beyond its ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Replica-hours ascending, ln(late share) descending.
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// The curve of a sweep.
    pub fn new<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Self {
        Self::from_points(runs.into_iter().map(|run| (run.replica_hours(), run.late_share())))
    }

    /// The curve through pairs of replica-hours and late share (0 to 1).
    pub fn from_points(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut all: Vec<(f64, f64)> =
            pairs.into_iter().map(|(cost, late)| (cost, late.max(LEAST_LATE).ln())).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut points: Vec<(f64, f64)> = Vec::new();
        for point in all {
            if points.last().is_none_or(|last| point.1 < last.1) {
                points.push(point);
            }
        }
        Self { points }
    }

    /// Replica-hours at which at most `late_share` is late; `None` if no run of the sweep reaches that. A share above that of
    /// the cheapest run costs what the cheapest run costs.
    pub fn cost_at(&self, late_share: f64) -> Option<f64> {
        let wanted = late_share.max(LEAST_LATE).ln();
        let above = self.points.partition_point(|(_, late)| *late > wanted + 1e-12);
        let reached = self.points.get(above)?;
        let Some(before) = above.checked_sub(1).map(|i| self.points[i]) else { return Some(reached.0) };
        Some(reached.0 - (reached.0 - before.0) * (wanted - reached.1) / (before.1 - reached.1))
    }

    /// Late share that `replica_hours` buy, 0 to 1; `None` if that is less than the cheapest run costs. More than the dearest
    /// run costs buys its late share.
    pub fn late_at(&self, replica_hours: f64) -> Option<f64> {
        let above = self.points.partition_point(|(cost, _)| *cost <= replica_hours);
        let before = *self.points.get(above.checked_sub(1)?)?;
        let late = match self.points.get(above) {
            Some(next) => before.1 + (next.1 - before.1) * (replica_hours - before.0) / (next.0 - before.0),
            None => before.1,
        };
        Some(late.exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_span_the_targets_and_suit_the_service() {
        let targets = sweep_settings("hpa", ServiceKind::Request);
        assert_eq!((targets.len(), targets[0].as_str(), targets[27].as_str()), (28, "hpa@0.40", "hpa@0.94"));
        assert_eq!(sweep_settings("keda", ServiceKind::Queue)[0], "keda@0.05");
        assert_eq!(sweep_settings("seed-reactive", ServiceKind::Request), ["seed-reactive"]);
    }

    #[test]
    fn a_curve_leaves_out_what_is_beaten_and_joins_the_rest_by_logarithm() {
        let curve = Curve::from_points([(100.0, 0.1), (200.0, 0.001), (150.0, 0.5), (300.0, 0.0), (320.0, 0.01)]);
        let cost = |late: f64| curve.cost_at(late).map(|c| (c * 1e6).round() / 1e6);
        assert_eq!(
            [cost(0.1), cost(0.01), cost(0.001), cost(0.5)],
            [Some(100.0), Some(150.0), Some(200.0), Some(100.0)]
        );
        assert_eq!(cost(0.0), Some(300.0));
        let late = |hours: f64| curve.late_at(hours).map(|l| (l * 1e9).round() / 1e9);
        assert_eq!([late(99.0), late(100.0), late(150.0)], [None, Some(0.1), Some(0.01)]);
        assert_eq!(late(1_000.0), Some(1e-7));
        assert_eq!(Curve::from_points([(10.0, 0.1)]).cost_at(0.01), None);
        assert_eq!(Curve::from_points([]).cost_at(0.01), None);
    }
}
