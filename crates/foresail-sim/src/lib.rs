//! Workshop: seeded load and requests to learn from and to be tested by, the event-driven plant, a site with its guard, and
//! fleets behind balancers, all in virtual time.
//!
//! ```
//! use foresail_sim::generate::{GenerateOptions, Kind, Overlay, Pattern, generate};
//! use std::time::Duration;
//!
//! let crowd = Overlay::usual(Kind::FlashCrowd, Duration::from_secs(36 * 3_600));
//! let options = GenerateOptions { days: 2, overlays: vec![crowd], ..GenerateOptions::new(Pattern::Exercise3) };
//! let generated = generate(&options).unwrap();
//! assert_eq!(generated.frame.len(), 2 * 1_440);
//! assert_eq!(generated.truth.planted[0].kind, Kind::FlashCrowd);
//! assert_eq!(generated.frame, generate(&options).unwrap().frame);
//! ```

pub mod balance;
pub mod event;
pub mod generate;
pub mod requests;
pub mod site;
