//! What was planted in a generated series.

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::choices;

choices! {
    /// What kind of thing was planted. The first eight can be asked for as overlays; the others belong to a pattern.
    Kind ("overlay") {
        /// A sudden crowd that thins out: the load rises to `factor` times its level within the first twentieth of the
        /// time, then the excess halves with every fifth of it.
        FlashCrowd = "flash_crowd",
        /// `factor` times the load throughout.
        LevelShift = "level_shift",
        /// The pattern runs `factor` hours early (late, if negative) throughout, as when clocks change.
        PhaseShift = "phase_shift",
        /// A day off: `factor` times the load, over whole local days.
        Holiday = "holiday",
        /// The service is down: no load is measured. `factor` is 0.
        Outage = "outage",
        /// The metrics are lost: a gap over whole local days. `factor` is 0; the load is unknown.
        MissingDay = "missing_day",
        /// `factor` times the pattern's typical level on top of the load, whatever the hour, with sharp edges.
        Attack = "attack",
        /// The load climbs evenly from 1 to `factor` times its level and falls back at once, every 40 minutes.
        Sawtooth = "sawtooth",
        /// An announced campaign.
        Campaign = "campaign",
        /// A batch of events; `factor` is its size over a usual row.
        Batch = "batch",
        /// One metric at `factor` times its value.
        Spike = "spike",
        /// One metric at `factor` (below 1) times its value.
        Drop = "drop",
        /// CPU no longer follows requests: it stands at `factor` times the value it should have, every single value in
        /// its usual range.
        BrokenCorrelation = "broken_correlation",
    }
}

/// One planted thing; it holds over `[from, to)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planted {
    /// What it is.
    pub kind: Kind,
    /// When it starts.
    pub from: Timestamp,
    /// When it has ended.
    pub to: Timestamp,
    /// How strong it is; what that means depends on the kind.
    pub factor: f64,
    /// The column it shows in; none if in all that the load drives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// Everything planted, by time, and what it takes to generate the series again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// Name of the pattern or adversity.
    pub pattern: String,
    /// Seed it was drawn with.
    pub seed: u64,
    /// What was planted, by start.
    pub planted: Vec<Planted>,
}
