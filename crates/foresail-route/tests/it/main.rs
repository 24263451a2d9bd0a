//! What the learning balancers promise, and how they fare against the simple ones in virtual time.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests, their helpers too; they print tables")]

mod concurrency;
mod exchange;
mod learning;
mod properties;
mod router;
mod scenarios;
#[cfg(feature = "tower")]
mod tower;
mod virtual_fleet;

use foresail_route::BalancerKind;

/// A policy as the configuration names it.
fn kind(text: &str) -> BalancerKind {
    let kind: BalancerKind = serde_json::from_str(text).unwrap();
    kind.check().unwrap();
    kind
}

/// Every learning policy, in every mode.
fn learners() -> Vec<(&'static str, BalancerKind)> {
    vec![
        ("epsilon_greedy faithful", kind(r#"{"policy":"epsilon_greedy","mode":"faithful"}"#)),
        ("epsilon_greedy fixed", kind(r#"{"policy":"epsilon_greedy"}"#)),
        ("thompson faithful", kind(r#"{"policy":"thompson","mode":"faithful"}"#)),
        ("thompson fixed", kind(r#"{"policy":"thompson"}"#)),
        ("ucb faithful", kind(r#"{"policy":"ucb","mode":"faithful"}"#)),
        ("ucb fixed", kind(r#"{"policy":"ucb"}"#)),
        ("contextual", kind(r#"{"policy":"contextual","key":{"header":"x-client"}}"#)),
        ("learned", kind(r#"{"policy":"learned"}"#)),
    ]
}
