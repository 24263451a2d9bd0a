//! What is shown of the request router.

use serde::{Deserialize, Serialize};

/// How the request router stands, and what it knows of the services between which it chooses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterView {
    /// Who decides at this moment: `cold_start` (least-request, for too little is known), `learned` or `baseline`.
    pub phase: String,
    /// Who may choose: `learner`, `baseline`, or `contest` while they take turns.
    pub acting: String,
    /// What a request costs by the router over what it costs by least-request, and the 95 % interval of that: of the contest
    /// while there is one, else of the requests held out.
    pub cost_ratio: Option<(f64, f64, f64)>,
    /// The same of the last contest.
    pub contest_ratio: Option<(f64, f64, f64)>,
    /// Answers learned from.
    pub outcomes: u64,
    /// Answers not learned from, because the learner had fallen behind.
    pub lost: u64,
    /// Changes found of what a service is good at.
    pub changes: u64,
    /// What the forest goes by, with the share of each, largest first; none before it is first fitted.
    pub importance: Vec<(String, f64)>,
    /// The services.
    pub services: Vec<RoutedServiceView>,
    /// Classes of requests, most frequent first: as many as are worth showing.
    pub classes: Vec<RoutedClassView>,
}

/// A service as the router knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoutedServiceView {
    /// Its name; empty for endpoints that are in none.
    pub name: String,
    /// Median latency at the usual load of all that it does, ms.
    pub latency_ms: f64,
    /// Share of successes.
    pub success: f64,
    /// What one more request in flight adds to latency, as a share of it.
    pub steepness: f64,
}

/// A class of requests at each of the services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoutedClassView {
    /// What requests of it ask for, or their header; none where it is not known yet.
    pub name: Option<String>,
    /// How it fares at each service, in their order.
    pub services: Vec<RoutedPairView>,
}

/// A class of requests at a service.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoutedPairView {
    /// Median latency at the usual load, ms.
    pub latency_ms: f64,
    /// Share of successes.
    pub success: f64,
    /// Of the resource that answers name, or else ms of latency.
    pub resource: f64,
    /// What a request is expected to cost.
    pub cost: f64,
    /// Answers that this rests on, those long ago counting less.
    pub tries: f64,
}
