//! The notifier in virtual time; the senders over loopback.

mod pacing;
mod senders;

use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_772_366_400) + Duration::from_secs(seconds)
}

fn alert(kind: &str, subject: &str, severity: Severity, began: u64) -> Alert {
    Alert { subject: subject.to_owned(), ..Alert::new("shop", kind, severity, format!("{kind} {subject}"), at(began)) }
}

fn rng() -> SeededRng {
    SeededRng::seed_from_u64(3)
}

const BUSY: Option<Failure> = Some(Failure { is_transient: true, retry_after: None });
const REFUSED: Option<Failure> = Some(Failure { is_transient: false, retry_after: None });

/// A message in short: `+` what lasts, `-` what has ended, by subject.
fn short(delivery: &Delivery) -> String {
    let sign = |n: &Notice| format!("{}{}", if n.ended.is_none() { '+' } else { '-' }, n.alert.subject);
    delivery.alerts.iter().map(sign).collect::<Vec<_>>().join(" ")
}
