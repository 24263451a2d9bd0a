//! What a router says of itself.

use serde::Serialize;

use super::features::NAMES;
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
    /// Mean logarithm of the router's cost over that of least-request, and its standard error: of the contest if there is
    /// one, else of the requests held out.
    pub evidence: Option<(f64, f64)>,
    /// What the forest goes by: each feature's share; none before the first fit.
    pub importance: Vec<(&'static str, f64)>,
    /// The services.
    pub services: Vec<ServiceReport>,
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
    /// How each class fares there.
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
    /// Answers that this rests on, those long ago counting less.
    pub tries: f64,
}

impl Router {
    /// How it stands, and what it knows.
    pub fn report(&self) -> RouterReport {
        let state = &self.state;
        let class = |class: usize, at: usize| {
            let (kind, estimate) = (&state.classes.places()[class], self.known(class, at).estimate);
            ClassReport {
                class: kind.key(),
                latency_ms: estimate.latency.exp(),
                success: estimate.ok,
                resource: estimate.resource.exp_m1(),
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
            evidence: if acting == Acting::Learner { state.hold_out.evidence() } else { state.contest.evidence() },
            importance: NAMES.into_iter().zip(importance.into_iter().flatten()).collect(),
            services: (0..state.services.len()).map(service).collect(),
        }
    }
}
