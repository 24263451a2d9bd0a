//! Learns from what all workers report, and publishes what they judge by.

use std::sync::Arc;
use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::account::{self, Account, Ledger};
use crate::baseline::Baseline;
use crate::client::ClientId;
use crate::config::GuardConfig;
use crate::excess;
use crate::geo::Coverage;
use crate::guard::Secrets;
use crate::isolation_forest::{Form, IsolationForest};
use crate::mix::{Dimension, GROUPS};
use crate::model::{Judge, Model};
use crate::origins::Origins;
use crate::pressure::{Load, Pressure};
use crate::profile::FEATURES;
use crate::report::Report;

/// Seconds over which the present is averaged.
pub(crate) const PRESENT_S: f32 = 2.0;
/// Seconds without pressure before anything is learned again.
const CALM: Duration = Duration::from_secs(60);
/// Rows that the forest is grown on, at least and at most.
const LEAST_ROWS: usize = 256;
const MOST_ROWS: usize = 4096;
/// Clients that may be pardoned at a time; a further one takes the place of the pardon that ends first.
const MOST_PARDONS: usize = 1024;
/// Of those, the most that may be from one part of the Internet.
const MOST_ROWS_OF_ONE: usize = MOST_ROWS / 20;

/// One per service, beside the workers. Costs some 50 µs a tick; an hourly one, which grows the forest, some 30 ms.
#[derive(Clone, Debug)]
pub struct Learner {
    config: GuardConfig,
    baseline: Baseline,
    /// What places and networks are learned by.
    coverage: Coverage,
    origins: Origins,
    pressure: Pressure,
    /// Requests a second in every group.
    now: Vec<f32>,
    now_rate: f32,
    refused: f64,
    attack_rps: f64,
    arrival_rps: f64,
    rows: Vec<([f32; FEATURES], u16)>,
    judge: Option<Arc<Judge>>,
    grown_hour: i64,
    /// Nothing is learned before then.
    calm_from: Option<Timestamp>,
    last: Option<Timestamp>,
    totals: Totals,
    ledger: Ledger,
    pardons: Vec<(ClientId, Timestamp)>,
    stands_down_until: Option<Timestamp>,
    /// What was published last.
    model: Option<Arc<Model>>,
    rng: SeededRng,
}

/// Requests since the learner began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// All that came.
    pub arrivals: u64,
    /// Taken for parts of attacks.
    pub attack: u64,
    /// Let through.
    pub passed: u64,
    /// Of those, such as something was held against: no part of what is learned from.
    #[serde(default)]
    pub doubtful: u64,
    /// Answered with a challenge.
    pub challenged: u64,
    /// Answered 429.
    pub throttled: u64,
    /// Answered 403.
    pub blocked: u64,
}

/// How things stand, for people and for whoever forecasts or scales.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Pressure on the origin, 0 to 1.
    pub pressure: f64,
    /// Whether the guard may act.
    pub is_engaged: bool,
    /// Requests a second.
    pub arrival_rps: f64,
    /// Those of them taken for parts of attacks: no demand.
    pub attack_rps: f64,
    /// How many requests a second every client may make.
    pub limit_rps: f32,
    /// Milliseconds of the origin a second that every client may cost; infinite while nothing is known.
    pub limit_cost: f32,
    /// The score of the isolation forest that one in a hundred ordinary clients surpasses, once there is one.
    pub forest_p99: Option<f64>,
    /// Requests so far.
    pub totals: Totals,
}

/// What a service's guards go on with after a restart: what was learned, and the secrets. Groups are hashes under them, so the
/// one is worth nothing without the other; and who holds clearance keeps it. Who can read it can make clearances.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// What nobody outside may know.
    pub secrets: Secrets,
    /// What is usual.
    pub learned: LearnerState,
}

/// What was learned, to go on with after a restart. The forest grows again from its rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LearnerState {
    baseline: Baseline,
    #[serde(default)]
    coverage: Coverage,
    rows: Vec<([f32; FEATURES], u16)>,
}

impl Learner {
    /// One that knows nothing yet.
    pub fn new(config: &GuardConfig, rng: SeededRng) -> Self {
        Self {
            config: config.clone(),
            baseline: Baseline::new(),
            coverage: Coverage::default(),
            origins: Origins::default(),
            pressure: Pressure::default(),
            now: vec![0.0; GROUPS],
            now_rate: 0.0,
            refused: 0.0,
            attack_rps: 0.0,
            arrival_rps: 0.0,
            rows: Vec::new(),
            judge: None,
            grown_hour: 0,
            calm_from: None,
            last: None,
            totals: Totals::default(),
            ledger: Ledger::default(),
            pardons: Vec::new(),
            stands_down_until: None,
            model: None,
            rng,
        }
    }

    /// One that knows what another has learned.
    ///
    /// # Errors
    /// [`Error::BadState`] if that is of another version or damaged.
    pub fn restore(config: &GuardConfig, state: LearnerState, rng: SeededRng) -> Result<Self, Error> {
        let LearnerState { baseline, coverage, mut rows } = state;
        rows.truncate(MOST_ROWS);
        if rows.iter().flat_map(|(row, _)| row).any(|x| !x.is_finite()) {
            return Err(Error::BadState("a row is not finite".to_owned()));
        }
        let mut learner = Self { baseline: baseline.check()?, coverage, rows, ..Self::new(config, rng) };
        learner.grow();
        Ok(learner)
    }

    /// What it has learned.
    pub fn state(&self) -> LearnerState {
        LearnerState { baseline: self.baseline.clone(), coverage: self.coverage, rows: self.rows.clone() }
    }

    /// Goes by other settings from now on.
    pub fn set_config(&mut self, config: &GuardConfig) {
        self.config = config.clone();
    }

    /// What the guards' database tells from now on. Where countries come to stand for regions, or the other way round, everybody
    /// is from a place never seen before, which must not be taken for an attack: what is usual is learned anew there. The same
    /// with autonomous systems and networks.
    pub fn set_coverage(&mut self, coverage: Coverage) {
        let is_new = |before: bool, now: bool, dimension: Dimension| (before != now).then_some(dimension);
        let changed = [
            is_new(self.coverage.countries, coverage.countries, Dimension::Place),
            is_new(self.coverage.systems, coverage.systems, Dimension::Network),
        ];
        self.coverage = coverage;
        for dimension in changed.into_iter().flatten() {
            self.baseline.forget(dimension);
            self.now[dimension.range()].fill(0.0);
        }
    }

    /// Lets a client in until then, whatever it does, and forgives what it did.
    pub fn pardon(&mut self, client: ClientId, until: Timestamp) {
        self.pardons.retain(|(known, _)| *known != client);
        if self.pardons.len() >= MOST_PARDONS
            && let Some(first) = (0..self.pardons.len()).min_by_key(|i| self.pardons[*i].1)
        {
            self.pardons.swap_remove(first);
        }
        self.pardons.push((client, until));
    }

    /// Judges and tells, and lets everything through until then; with none, acts again as configured.
    pub fn stand_down(&mut self, until: Option<Timestamp>) {
        self.stands_down_until = until;
    }

    /// Takes in what came since the last tick and how the origin bears it; what workers are to judge by until the next. To be
    /// called once or twice a second.
    pub fn tick(&mut self, at: Timestamp, report: &Report, load: &Load) -> Arc<Model> {
        let seconds = self.last.map_or(0.5, |last| at.since(last).as_secs_f64()).max(1e-3);
        self.last = Some(at);
        self.take_in(report, seconds);
        self.pressure.update(load, self.refused, seconds);
        let now_s = at.as_micros().div_euclid(1_000_000);
        self.learn(at, now_s, report);
        self.ledger.take_in(&report.sights, at);
        self.origins.renew(&report.origins);
        self.pardons.retain(|(_, until)| at < *until);
        self.stands_down_until = self.stands_down_until.filter(|until| at < *until);
        let model = self.publish(now_s);
        self.model = Some(Arc::clone(&model));
        model
    }

    fn take_in(&mut self, report: &Report, seconds: f64) {
        let step = 1.0 - (-seconds as f32 / PRESENT_S).exp();
        let per_second = 1.0 / seconds as f32;
        for (now, count) in self.now.iter_mut().zip(&report.groups) {
            *now += step * (count * per_second - *now);
        }
        self.now_rate += step * (report.weight * per_second - self.now_rate);
        let step = f64::from(step);
        let held = report.challenged + report.throttled + report.blocked;
        let refused = held as f64 / (report.arrivals as f64).max(1.0);
        self.refused += step * (refused - self.refused);
        self.arrival_rps += step * (report.arrivals as f64 / seconds - self.arrival_rps);
        self.attack_rps += step * (report.attack as f64 / seconds - self.attack_rps);
        let totals = &mut self.totals;
        totals.arrivals += report.arrivals;
        totals.attack += report.attack;
        totals.passed += report.passed;
        totals.doubtful += report.doubtful;
        totals.challenged += report.challenged;
        totals.throttled += report.throttled;
        totals.blocked += report.blocked;
    }

    /// Learns, unless there is pressure or has just been: what is usual is learned from usual times.
    fn learn(&mut self, at: Timestamp, now_s: i64, report: &Report) {
        if self.pressure.is_engaged() {
            self.calm_from = Some(at + CALM);
            self.baseline.drop_minute(now_s);
        }
        if self.calm_from.is_some_and(|from| at < from) {
            return;
        }
        self.baseline.learn(now_s, &report.trusted, report.trusted_weight);
        self.baseline.learn_clients(&report.rates, &report.costs, &report.busy);
        for (row, part) in &report.rows {
            self.take_row(*row, *part);
        }
        let hour = now_s.div_euclid(3600);
        if hour != self.grown_hour && self.rows.len() >= LEAST_ROWS {
            self.grown_hour = hour;
            self.grow();
        }
    }

    /// Grows the forest on the rows there are, if they are enough.
    fn grow(&mut self) {
        if self.rows.len() < LEAST_ROWS {
            return;
        }
        let rows: Vec<&[f32]> = self.rows.iter().map(|(row, _)| &row[..]).collect();
        // Rows are finite and alike, so it can only fail for want of them, and then the last forest stays.
        if let Ok(forest) = IsolationForest::fit(&rows, Form::Paper, &mut self.rng) {
            self.judge = Some(Arc::new(Judge::new(forest, &self.rows)));
        }
    }

    /// Keeps a row in the place of another, so that no part of the Internet has more than a twentieth of them.
    fn take_row(&mut self, row: [f32; FEATURES], part: u16) {
        if row.iter().any(|x| !x.is_finite()) {
            return;
        }
        let same = self.rows.iter().filter(|(_, p)| *p == part).count();
        if same >= MOST_ROWS_OF_ONE {
            let nth = self.rng.below(same);
            if let Some(place) = self.rows.iter_mut().filter(|(_, p)| *p == part).nth(nth) {
                *place = (row, part);
            }
        } else if self.rows.len() < MOST_ROWS {
            self.rows.push((row, part));
        } else {
            let place = self.rng.below(MOST_ROWS);
            self.rows[place] = (row, part);
        }
    }

    fn publish(&self, now_s: i64) -> Arc<Model> {
        let (limit_rps, limit_cost) = self.limits();
        let mut pardoned: Vec<ClientId> = self.pardons.iter().map(|(client, _)| *client).collect();
        pardoned.sort_unstable();
        let mut model = Model {
            pardoned: Arc::new(pardoned),
            stands_down: self.stands_down_until.is_some(),
            pressure: self.pressure.value() as f32,
            is_engaged: self.pressure.is_engaged(),
            busy: Arc::clone(self.baseline.busy()),
            usual: Arc::clone(self.baseline.most_shares()),
            judge: self.judge.clone(),
            hour: now_s.div_euclid(3600) as u8,
            limit_cost,
            ..Model::ignorant(limit_rps)
        };
        if let Some(usual) = self.baseline.usual(now_s) {
            excess::judge(&mut model, &usual, &self.now, self.now_rate);
        }
        Arc::new(model)
    }

    /// What every client may do: requests, and milliseconds of the origin, a second.
    fn limits(&self) -> (f32, f32) {
        let (rate, cost) = self.baseline.client_rates();
        let margin = self.config.margin;
        let limit_cost = if cost > 0.0 { (cost * margin).max(LEAST_COST) } else { f32::INFINITY };
        ((rate * margin).max(self.config.least_limit_rps), limit_cost)
    }

    /// How things stand.
    pub fn summary(&self) -> Summary {
        let (limit_rps, limit_cost) = self.limits();
        Summary {
            pressure: self.pressure.value(),
            is_engaged: self.pressure.is_engaged(),
            arrival_rps: self.arrival_rps,
            attack_rps: self.attack_rps,
            limit_rps,
            limit_cost,
            forest_p99: self.judge.as_ref().map(|judge| judge.p99()),
            totals: self.totals,
        }
    }

    /// All that there is to see.
    pub fn account(&self) -> Account {
        Account {
            at: self.last.unwrap_or(Timestamp::from_secs(0)),
            mode: self.config.mode,
            summary: self.summary(),
            clients: self.ledger.clients(),
            groups: self.model.as_deref().map(|model| account::groups(model, &self.origins)).unwrap_or_default(),
            notes: self.ledger.notes(),
            pardons: self.pardons.clone(),
            stands_down_until: self.stands_down_until,
        }
    }

    /// The most of every group's share in a minute of seven days, one after the other: what shares are held against.
    pub fn usual_shares(&self) -> Vec<f32> {
        self.baseline.most_shares().to_vec()
    }
}

/// Milliseconds of the origin a second that every client may cost.
const LEAST_COST: f32 = 500.0;
