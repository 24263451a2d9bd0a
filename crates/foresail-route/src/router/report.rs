//! What a router says of itself.

use serde::{Deserialize, Serialize};

use super::cell::NONE;
use super::features::NAMES;
use super::model::{self, Known};
use super::{Phase, Router};
use crate::Acting;

/// How a router stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouterReport {
    /// Who decides.
    pub phase: Phase,
    /// Whether the router has to prove itself, or has lost.
    pub acting: Acting,
    /// Answers learned from.
    pub outcomes: u64,
    /// Changes of a service's speciality that were found.
    pub changes: u64,
    /// The last of them.
    pub last_change: Option<SpecialityChange>,
    /// Mean logarithm of the router's cost over that of least-request, and its standard error: of the contest if there is
    /// one, else of the requests held out.
    pub evidence: Option<(f64, f64)>,
    /// The same of the present contest or else the last one.
    pub contest: Option<(f64, f64)>,
    /// What the forest goes by: each feature's share; none before the first fit.
    pub importance: Vec<(&'static str, f64)>,
    /// The services.
    pub services: Vec<ServiceReport>,
}

/// A change of what a service is good at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecialityChange {
    /// The class that showed it; 0 for all that found no place.
    pub class: u64,
    /// The service, by its key.
    pub service: u64,
    /// Whether the class is slower there than was expected, or else faster.
    pub is_slower: bool,
}

/// What is known of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceReport {
    /// Its key.
    pub key: u64,
    /// Median latency in ms at the usual load, of all that it does.
    pub latency_ms: f64,
    /// Share of successes.
    pub success: f64,
    /// What one more request in flight adds to latency, as a share of it.
    pub steepness: f64,
    /// How each class fares there. The first one is all classes that found no place.
    pub classes: Vec<ClassReport>,
}

/// A class at a service.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassReport {
    /// The class; 0 for all that found no place.
    pub class: u64,
    /// Median latency in ms at the usual load.
    pub latency_ms: f64,
    /// Share of successes.
    pub success: f64,
    /// Resource used.
    pub resource: f64,
    /// All of that as a cost, for the profile alone.
    pub cost: f64,
    /// Answers that this rests on, those long ago counting less.
    pub tries: f64,
}

impl Router {
    /// How it stands, and what it knows.
    pub fn report(&self) -> RouterReport {
        let state = &self.state;
        let class = |class: usize, at: usize| {
            let (kind, known) = (&state.classes.places()[class], self.known(class, at));
            let estimate = known.estimate;
            ClassReport {
                class: kind.key(),
                latency_ms: estimate.latency.exp(),
                success: estimate.ok,
                resource: estimate.resource.exp_m1(),
                cost: model::expected(&self.config, &model::plain(&estimate), &Known { correction: NONE, ..known })
                    .cost,
                tries: kind.here[at].cell.tries(),
            }
        };
        let service = |at: usize| {
            let estimate = self.of_service(at);
            ServiceReport {
                key: state.services[at].key,
                latency_ms: estimate.latency.exp(),
                success: estimate.ok,
                steepness: self.lines[at].steepness,
                classes: (0..state.classes.places().len()).map(|c| class(c, at)).collect(),
            }
        };
        let importance = state.forest.as_ref().map(|forest| forest.importance().iter().copied());
        let acting = state.contest.acting();
        RouterReport {
            phase: self.phase(),
            acting,
            outcomes: state.outcomes,
            changes: state.changes,
            last_change: state.last_change,
            evidence: if acting == Acting::Learner { state.hold_out.evidence() } else { state.contest.evidence() },
            contest: state.contest.evidence(),
            importance: NAMES.into_iter().zip(importance.into_iter().flatten()).collect(),
            services: (0..state.services.len()).map(service).collect(),
        }
    }
}
