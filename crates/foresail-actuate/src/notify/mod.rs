//! Telling people: alerts gathered, told, repeated while they last, and taken back.
//!
//! A [`Notifier`] is a pure state machine that decides what is to be told when: it is handed the clock and the
//! randomness, and hands out [`Delivery`]s. Make one for each receiver, since each is repeated until its own receiver has
//! it. A [`Sender`] carries a delivery out: [`Webhook`] and [`Alertmanager`]. [`deliver`] joins the two.
//!
//! ```
//! use foresail_actuate::notify::{Alert, Notifier, NotifierOptions, Severity};
//! use foresail_core::{SeededRng, Timestamp};
//! use std::time::Duration;
//!
//! let mut notifier = Notifier::new(NotifierOptions::default());
//! let noon = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
//! notifier.raise(noon, Alert::new("shop", "silent", Severity::Critical, "no fresh metrics for 60 s", noon));
//! assert!(notifier.due(noon).is_empty()); // what begins together is told together
//! let told = notifier.due(noon + Duration::from_secs(10));
//! assert_eq!(told[0].alerts[0].alert.text, "no fresh metrics for 60 s");
//! notifier.sent(noon + Duration::from_secs(11), told[0].id, None, &mut SeededRng::seed_from_u64(1));
//! ```

mod alert;
mod alertmanager;
mod delivery;
mod group;
mod notifier;
mod options;
mod sender;
#[cfg(test)]
mod tests;
mod webhook;

pub use alert::{Alert, Severity};
pub use alertmanager::{Alertmanager, AlertmanagerOptions};
pub use delivery::{Delivery, Failure, Notice};
pub use notifier::{Counts, Notifier, NotifierState};
pub use options::NotifierOptions;
pub use sender::{Report, SendError, Sender, deliver};
pub use webhook::{Webhook, WebhookOptions};
