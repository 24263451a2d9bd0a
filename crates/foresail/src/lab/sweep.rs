//! Every setting of every policy: what a user could have got by tuning, in hindsight and as far as it could be known.

use foresail_scale::{Curve, Run, ServiceKind, policies, replay, sweep_settings};
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde::Serialize;

use super::score::{late_share, replica_hours};
use super::setup::Setup;

/// The policies that people run today and that Foresail has to beat at their best setting.
pub(crate) const RIVALS: [&str; 4] = ["hpa", "keda", "aws-tt", "aws-predictive"];

/// A late share below one in ten million counts as this, so that how many times less late is a number.
const LEAST_LATE: f64 = 1e-7;

/// One setting, over the scored ticks and over those before them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Point {
    /// Policy and setting.
    pub(crate) policy: String,
    /// Late share of the scored ticks, 0 to 1.
    pub(crate) late_share: f64,
    /// Replica-hours of the scored ticks.
    pub(crate) replica_hours: f64,
    /// Changes of the wanted number an hour.
    pub(crate) actions_per_hour: f64,
    /// Late share of the training ticks, 0 to 1.
    pub(crate) training_late_share: f64,
    /// Replica-hours of the training ticks.
    pub(crate) training_replica_hours: f64,
}

impl Point {
    /// The point of a run.
    pub(crate) fn of(run: &Run) -> Self {
        Self {
            policy: run.policy.clone(),
            late_share: run.late_share(),
            replica_hours: run.replica_hours(),
            actions_per_hour: run.actions_per_hour(),
            training_late_share: late_share(run, 0..run.evaluate_from),
            training_replica_hours: replica_hours(run, 0..run.evaluate_from),
        }
    }

    /// The policy without its setting.
    pub(crate) fn id(&self) -> &str {
        self.policy.split('@').next().unwrap_or(&self.policy)
    }
}

/// All settings of some policies on one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    /// A point a setting, policies in the order asked for.
    pub(crate) points: Vec<Point>,
}

/// The settings of `ids` that a sweep replays; policies without a setting are left out.
pub(crate) fn settings(ids: &[String], kind: ServiceKind) -> Vec<String> {
    let bare = |id: &String| id.split('@').next().unwrap_or(id).to_owned();
    let mut all: Vec<String> = Vec::new();
    for id in ids.iter().map(bare) {
        let settings = sweep_settings(&id, kind);
        if settings.len() > 1 && !all.contains(&settings[0]) {
            all.extend(settings);
        }
    }
    all
}

impl Sweep {
    /// Replays every setting in parallel. Only the sums of each run are kept.
    ///
    /// # Errors
    /// What building or replaying a policy refuses.
    pub(crate) fn run(setup: &Setup, settings: &[String], bar: &ProgressBar) -> anyhow::Result<Self> {
        let points: anyhow::Result<Vec<Point>> = settings
            .par_iter()
            .map(|name| {
                let mut policy = policies::build(name, &setup.scenario.service, &setup.options)?;
                let run = replay(&setup.scenario, policy.as_mut(), |_, _| {})?;
                bar.inc(1);
                Ok(Point::of(&run))
            })
            .collect();
        Ok(Self { points: points? })
    }

    fn rivals(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|p| RIVALS.contains(&p.id()))
    }

    /// H: the cheapest setting of the rivals with at most `late_fraction` late in the scored ticks. Nobody could have known.
    pub(crate) fn hindsight(&self, late_fraction: f64) -> Option<&Point> {
        let within = self.rivals().filter(|p| p.late_share <= late_fraction);
        within.min_by(|a, b| a.replica_hours.total_cmp(&b.replica_hours).then(a.late_share.total_cmp(&b.late_share)))
    }

    /// The setting of the rivals that was cheapest within `late_fraction` on the training ticks, the least late one if none
    /// was within: what a careful user could have known.
    pub(crate) fn foreseeable(&self, late_fraction: f64) -> Option<&Point> {
        let within = self.rivals().filter(|p| p.training_late_share <= late_fraction);
        within
            .min_by(|a, b| a.training_replica_hours.total_cmp(&b.training_replica_hours))
            .or_else(|| self.rivals().min_by(|a, b| a.training_late_share.total_cmp(&b.training_late_share)))
    }

    /// The late share that the rivals' best curve buys for `replica_hours`; `None` if that is less than any setting costs.
    pub(crate) fn rivals_late_at(&self, replica_hours: f64) -> Option<f64> {
        Curve::from_points(self.rivals().map(|p| (p.replica_hours, p.late_share))).late_at(replica_hours)
    }

    /// Replica-hours at which each swept policy would be exactly `late_fraction` late; none where no setting is.
    pub(crate) fn cost_at_equal_lateness(&self, late_fraction: f64) -> Vec<(String, Option<f64>)> {
        self.ids().into_iter().map(|id| (id.to_owned(), self.cost_of(id, late_fraction))).collect()
    }

    /// Replica-hours at which the policy `id` would be exactly `late_fraction` late; none where no setting is.
    pub(crate) fn cost_of(&self, id: &str, late_fraction: f64) -> Option<f64> {
        let points = self.points.iter().filter(|p| p.id() == id).map(|p| (p.replica_hours, p.late_share));
        Curve::from_points(points).cost_at(late_fraction)
    }

    /// The policies swept.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.points.iter().map(Point::id).collect();
        ids.dedup();
        ids
    }
}

/// Foresail against the rivals' best.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    /// H, where any setting stays within the late fraction.
    pub(crate) hindsight: Option<Point>,
    /// What was cheapest on the training ticks.
    pub(crate) foreseeable: Option<Point>,
    /// Foresail, where it was replayed.
    pub(crate) foresail: Option<Point>,
    /// Replica-hours of the oracle.
    pub(crate) oracle_replica_hours: f64,
    /// Share of the replica-hours between H and the oracle that Foresail saved; 1 is the oracle.
    pub(crate) gap_closed: Option<f64>,
    /// Late share of the rivals at Foresail's cost over Foresail's own: how many times less late it is for the same money.
    pub(crate) times_less_late_at_equal_cost: Option<f64>,
    /// Foresail is both later and dearer than the foreseeable setting.
    pub(crate) worse_than_foreseeable_in_both: Option<bool>,
    /// Foresail's changes an hour over H's.
    pub(crate) actions_over_hindsight: Option<f64>,
}

impl Verdict {
    /// Weighs `foresail` against `sweep`.
    pub(crate) fn new(sweep: &Sweep, foresail: Option<&Run>, oracle: &Run, late_fraction: f64) -> Self {
        let foresail = foresail.map(Point::of);
        let hindsight = sweep.hindsight(late_fraction).cloned();
        let foreseeable = sweep.foreseeable(late_fraction).cloned();
        let oracle_replica_hours = oracle.replica_hours();
        let pair = hindsight.as_ref().zip(foresail.as_ref());
        let gap_closed = pair.and_then(|(h, f)| {
            let gap = h.replica_hours - oracle_replica_hours;
            (gap > 0.0).then(|| (h.replica_hours - f.replica_hours) / gap)
        });
        let times_less_late_at_equal_cost = foresail
            .as_ref()
            .and_then(|f| Some(sweep.rivals_late_at(f.replica_hours)?.max(LEAST_LATE) / f.late_share.max(LEAST_LATE)));
        let worse_than_foreseeable_in_both = foreseeable
            .as_ref()
            .zip(foresail.as_ref())
            .map(|(t, f)| f.late_share > t.late_share && f.replica_hours > t.replica_hours);
        let actions_over_hindsight =
            pair.and_then(|(h, f)| (h.actions_per_hour > 0.0).then(|| f.actions_per_hour / h.actions_per_hour));
        Self {
            hindsight,
            foreseeable,
            foresail,
            oracle_replica_hours,
            gap_closed,
            times_less_late_at_equal_cost,
            worse_than_foreseeable_in_both,
            actions_over_hindsight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(policy: &str, late: f64, cost: f64, training_late: f64) -> Point {
        Point {
            policy: policy.to_owned(),
            late_share: late,
            replica_hours: cost,
            actions_per_hour: 10.0,
            training_late_share: training_late,
            training_replica_hours: cost,
        }
    }

    #[test]
    fn hindsight_and_what_could_be_known_differ() {
        let sweep = Sweep {
            points: vec![
                point("hpa@0.50", 0.0, 200.0, 0.0),
                point("hpa@0.70", 0.0005, 150.0, 0.01),
                point("keda@0.70", 0.002, 140.0, 0.0005),
                point("dsp@0.70", 0.0, 100.0, 0.0), // no rival
            ],
        };
        assert_eq!(sweep.hindsight(0.001).expect("one").policy, "hpa@0.70");
        assert_eq!(sweep.foreseeable(0.001).expect("one").policy, "keda@0.70");
        assert_eq!(sweep.cost_at_equal_lateness(0.001).len(), 3);
        let none = Sweep { points: vec![point("hpa@0.50", 0.5, 200.0, 0.5), point("hpa@0.70", 0.6, 150.0, 0.6)] };
        assert!(none.hindsight(0.001).is_none());
        assert_eq!(none.foreseeable(0.001).expect("the least late").policy, "hpa@0.50");
    }

    #[test]
    fn only_policies_with_settings_are_swept_and_each_once() {
        let ids = ["hpa@0.7", "hpa", "seed-reactive", "keda"].map(str::to_owned);
        let all = settings(&ids, ServiceKind::Request);
        assert_eq!(all.len(), 56);
        assert!(all.iter().all(|s| s.starts_with("hpa@") || s.starts_with("keda@")));
    }
}
