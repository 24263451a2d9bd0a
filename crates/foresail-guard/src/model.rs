//! What all workers judge by: published by the learner, read by everyone, changed by nobody.

use std::sync::Arc;

use crate::client::ClientId;
use crate::isolation_forest::IsolationForest;
use crate::mix::{Dimension, GROUPS, Places, UNJUDGED};
use crate::profile::FEATURES;

/// A client that is fast every day may be so much faster than on its fastest.
const BUSY_MARGIN: f32 = 1.5;

/// A snapshot of what is learned and measured.
#[derive(Clone, Debug)]
pub struct Model {
    /// Pressure on the origin, 0 to 1.
    pub(crate) pressure: f32,
    /// Whether the guard may act.
    pub(crate) is_engaged: bool,
    /// Logarithm of how much more a group's share of the excess is than its usual share.
    pub(crate) ratios: Vec<f32>,
    /// Requests a second in each group and in all, and the most of each group's share in seven days.
    pub(crate) now: Vec<f32>,
    pub(crate) rate: f32,
    pub(crate) usual: Arc<Vec<f32>>,
    /// Logarithm of the excess over what is usual; negative infinity where there is none.
    pub(crate) prior: f32,
    /// What every client may do: requests, and milliseconds of the origin, a second.
    pub(crate) limit_rps: f32,
    pub(crate) limit_cost: f32,
    /// Clients that were faster than others on days before, in order.
    pub(crate) busy: Arc<Vec<(ClientId, f32)>>,
    pub(crate) judge: Option<Arc<Judge>>,
    /// Whom an operator has let in, in order.
    pub(crate) pardoned: Arc<Vec<ClientId>>,
    /// Whether an operator wants nothing done.
    pub(crate) stands_down: bool,
    /// The hour, so that each client lends itself to training once in it.
    pub(crate) hour: u8,
}

impl Model {
    /// Before anything is known: nothing is unusual.
    pub(crate) fn ignorant(limit_rps: f32) -> Self {
        Self {
            pressure: 0.0,
            is_engaged: false,
            ratios: vec![0.0; GROUPS],
            now: Vec::new(),
            rate: 0.0,
            usual: Arc::default(),
            prior: f32::NEG_INFINITY,
            limit_rps,
            limit_cost: f32::INFINITY,
            busy: Arc::default(),
            judge: None,
            pardoned: Arc::default(),
            stands_down: false,
            hour: 0,
        }
    }

    /// Pressure on the origin, 0 to 1.
    pub fn pressure(&self) -> f32 {
        self.pressure
    }

    /// Whether there is pressure enough for the guard to act.
    pub fn is_engaged(&self) -> bool {
        self.is_engaged
    }

    /// Logarithm of the odds that a request belongs to what there is too much of (the conditional legitimate probability of
    /// Kim et al., "PacketScore", IEEE TDSC 2006, turned around: groups are taken to be independent).
    #[inline]
    pub(crate) fn evidence(&self, places: &Places) -> f32 {
        self.prior + places.iter().map(|place| self.ratios[usize::from(*place)]).sum::<f32>()
    }

    /// What speaks most for it: the dimension, the share of the group now, and its most in seven days.
    pub(crate) fn foremost(&self, places: &Places) -> (Dimension, f32, f32) {
        let ratio = |place: u16| self.ratios[usize::from(place)];
        let most = Dimension::ALL.into_iter().zip(*places).max_by(|a, b| ratio(a.1).total_cmp(&ratio(b.1)));
        let (dimension, place) = most.unwrap_or((Dimension::Path, 0));
        let of = |values: &[f32]| values.get(usize::from(place)).copied().unwrap_or(0.0);
        (dimension, of(&self.now) / self.rate.max(f32::MIN_POSITIVE), of(&self.usual))
    }

    /// Whether an operator has let it in.
    #[inline]
    pub(crate) fn is_pardoned(&self, client: ClientId) -> bool {
        !self.pardoned.is_empty() && self.pardoned.binary_search(&client).is_ok()
    }

    /// How many requests a second a client may make.
    #[inline]
    pub(crate) fn limit_of(&self, client: ClientId) -> f32 {
        let known = self.busy.binary_search_by_key(&client, |(client, _)| *client);
        known.map_or(self.limit_rps, |at| self.limit_rps.max(BUSY_MARGIN * self.busy[at].1))
    }
}

/// A forest, and which scores are how usual.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    forest: IsolationForest,
    cuts: [f64; CUTS.len()],
}

/// Shares of ordinary clients below each cut: finer where it matters.
const CUTS: [f64; 15] = [0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999];

impl Judge {
    /// `rows` are those the forest was grown on.
    pub(crate) fn new(forest: IsolationForest, rows: &[([f32; FEATURES], u16)]) -> Self {
        let mut scores: Vec<f64> = rows.iter().map(|(row, _)| forest.score(row)).collect();
        scores.sort_unstable_by(f64::total_cmp);
        let at = |q: f64| scores.get((q * scores.len() as f64) as usize).or(scores.last()).copied().unwrap_or(1.0);
        Self { forest, cuts: CUTS.map(at) }
    }

    /// In which part of ordinary clients a client is, 0 the most ordinary, 15 odder than 99.9 %.
    pub(crate) fn oddness(&self, row: &[f32; FEATURES]) -> u8 {
        let score = self.forest.score(row);
        self.cuts.iter().filter(|cut| score > **cut).count() as u8
    }

    /// The score that one in a hundred ordinary clients surpasses.
    pub(crate) fn p99(&self) -> f64 {
        self.cuts[12]
    }
}

const _: () = assert!(CUTS.len() < UNJUDGED as usize);
