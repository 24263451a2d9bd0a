//! The streaming definition of the features.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::calendar::Calendar;
use super::config::{FeatureConfig, Plan};
use super::emit;
use super::matrix::FeatureMatrix;
use super::schema::Schema;
use super::spec::WIDTH;
use super::state::{Inputs, State};
use crate::{Error, Frame, Row, Timestamp};

/// Turns rows into features, one after the other.
///
/// Rows lie on the grid that the first one starts. Ticks that are skipped are taken in as gaps; a row of a tick that has
/// passed already is ignored and counted. A push costs O(1) and allocates nothing.
#[derive(Clone, Debug)]
pub struct FeatureSet {
    config: FeatureConfig,
    schema: Schema,
    plan: Plan,
    calendar: Calendar,
    state: State,
    latest: [f32; WIDTH],
}

/// Bytes that a [`FeatureSet`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The raw history: a week as `f32`, and the longest window as `f64`.
    pub history: usize,
    /// Statistics, calendar, configuration and the latest features; without the schema, which series of a kind share.
    pub state: usize,
}

/// Version of the snapshot's layout.
const LAYOUT: u32 = 1;
const MAGIC: &str = "foresail-features";

impl FeatureSet {
    /// One that has seen nothing.
    ///
    /// # Errors
    /// [`Error::StepNotInDay`] unless the step divides a day and is a second or more.
    pub fn new(config: FeatureConfig) -> Result<Self, Error> {
        let plan = Plan::of(config.step)?;
        let schema = Schema::of(config.step)?;
        let calendar = Calendar::new(&config.zone, &config.holidays);
        let state = State::new(&plan);
        Ok(Self { config, schema, plan, calendar, state, latest: [f32::NAN; WIDTH] })
    }

    /// Takes in one row and gives the features as of its end, in the order of [`FEATURES`](super::FEATURES).
    pub fn push(&mut self, row: &Row) -> &[f32] {
        let anchor = *self.state.anchor_us.get_or_insert(row.time.as_micros());
        let offset = row.time.as_micros().saturating_sub(anchor);
        let missing = (offset.max(0) / self.plan.step_us) as u64;
        if offset < 0 || missing < self.state.ticks {
            self.state.ignored += 1;
            return &self.latest;
        }
        if missing > self.state.ticks {
            self.state.skip(missing - self.state.ticks);
        }
        // The row may lie anywhere in its tick; the calendar goes by the tick.
        let time = Timestamp::from_micros(row.time.as_micros() - offset % self.plan.step_us);
        let inputs = Inputs::of(row, &self.config.columns);
        let second = self.calendar.go_to(time);
        let slots = self.calendar.slots(second, self.state.decomposition.slots());
        let surprise = self.state.advance(&inputs, slots);
        let temporal = self.calendar.features(second);
        emit::write(&mut self.latest, &temporal, &inputs, &self.state, &surprise, &self.plan);
        &self.latest
    }

    /// Pushes every row of `frame` and gives their features.
    ///
    /// # Errors
    /// [`Error::SchemaMismatch`] if the frame's step is another.
    pub fn batch(&mut self, frame: &Frame) -> Result<FeatureMatrix, Error> {
        if frame.step() != self.config.step {
            let difference = format!("a step of {:?} rather than {:?}", frame.step(), self.config.step);
            return Err(Error::SchemaMismatch(difference));
        }
        let mut matrix = FeatureMatrix::with_capacity(self.schema.clone(), frame.len());
        let mut row =
            Row { time: frame.start(), values: vec![None; frame.columns().len()], target: frame.target_index() };
        for index in 0..frame.len() {
            row.time = frame.time(index);
            for (value, column) in row.values.iter_mut().zip(frame.columns()) {
                *value = column.get(index);
            }
            matrix.push(row.time, self.push(&row));
        }
        Ok(matrix)
    }

    /// The features of the newest row; all NaN before the first.
    pub fn latest(&self) -> &[f32] {
        &self.latest
    }

    /// Rows that came too late and were ignored.
    pub fn ignored(&self) -> u64 {
        self.state.ignored
    }

    /// What its features are.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What it was told about its series.
    pub fn config(&self) -> &FeatureConfig {
        &self.config
    }

    /// How much memory it holds.
    pub fn memory(&self) -> Memory {
        let (history, besides) = self.state.heap_bytes();
        Memory { history, state: size_of::<Self>() - size_of::<Schema>() + besides + self.calendar.heap_bytes() }
    }

    /// Everything needed to go on after a restart to the same bit: a line with layout version and checksum, then JSON.
    pub fn snapshot(&self) -> Vec<u8> {
        let saved = SavedRef {
            schema: &self.schema,
            config: &self.config,
            state: &self.state,
            latest: self.latest.iter().map(|&v| (!v.is_nan()).then(|| f64::from(v))).collect(),
        };
        let body = serde_json::to_vec(&saved).expect("plain data with text keys always serialises");
        let mut bytes = format!("{MAGIC} {LAYOUT} {}\n", checksum(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Goes on where [`FeatureSet::snapshot`] left off.
    ///
    /// # Errors
    /// [`Error::BadSnapshot`] if `bytes` are no intact snapshot of this layout, [`Error::SchemaMismatch`] if they were
    /// taken with another definition of the features.
    pub fn restore(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |what: String| Error::BadSnapshot(what);
        let end = bytes.iter().position(|&b| b == b'\n').ok_or_else(|| bad("no feature snapshot".to_owned()))?;
        let header = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
        let mut words = header.split(' ');
        if words.next() != Some(MAGIC) {
            return Err(bad("no feature snapshot".to_owned()));
        }
        let layout = words.next().unwrap_or_default();
        if layout != LAYOUT.to_string() {
            return Err(bad(format!("layout {layout:?}, this build reads {LAYOUT}")));
        }
        let body = &bytes[end + 1..];
        if words.next() != Some(checksum(body).as_str()) {
            return Err(bad("checksum differs: the bytes are damaged or cut short".to_owned()));
        }
        let saved: Saved = serde_json::from_slice(body).map_err(|e| bad(e.to_string()))?;
        let mut restored = Self::new(saved.config)?;
        restored.schema.check(&saved.schema)?;
        if !saved.state.fits(&restored.plan) || saved.latest.len() != WIDTH {
            return Err(bad("its state has another shape than its configuration asks for".to_owned()));
        }
        restored.state = saved.state;
        for (value, saved) in restored.latest.iter_mut().zip(saved.latest) {
            *value = saved.map_or(f32::NAN, |v| v as f32);
        }
        Ok(restored)
    }
}

/// The body of a snapshot. `latest` as `f64`, which holds every `f32` exactly; an undefined feature is null.
#[derive(Serialize)]
struct SavedRef<'a> {
    schema: &'a Schema,
    config: &'a FeatureConfig,
    state: &'a State,
    latest: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Saved {
    schema: Schema,
    config: FeatureConfig,
    state: State,
    latest: Vec<Option<f64>>,
}

fn checksum(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}
