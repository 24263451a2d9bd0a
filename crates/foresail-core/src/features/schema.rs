//! What a model was trained on, so that it is never served anything else.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::config::Plan;
use super::spec::FEATURES;
use crate::Error;

/// Version of the code that computes the features. Grows whenever any feature of any series could come out differently.
pub const DEFINITION: u32 = 1;

/// Names, order and windows of features, their step, and the version of their definition, sealed with a SHA-256 hash.
/// Kept with every model that uses features, and with every store of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Schema {
    definition: u32,
    step: Duration,
    features: Vec<(String, usize)>,
    hash: String,
}

impl Schema {
    /// The schema of the features this build computes for a series of `step`.
    ///
    /// # Errors
    /// [`Error::StepNotInDay`].
    pub fn of(step: Duration) -> Result<Self, Error> {
        Plan::of(step)?;
        let features = FEATURES.iter().map(|f| (f.name.to_owned(), f.rows(step))).collect();
        Ok(Self::sealed(DEFINITION, step, features))
    }

    /// The schema of features that are computed elsewhere, such as a workload's fingerprint, by version `definition` of that
    /// code; each looks at one row of `step`.
    pub fn named(definition: u32, step: Duration, names: impl IntoIterator<Item = String>) -> Self {
        Self::sealed(definition, step, names.into_iter().map(|name| (name, 1)).collect())
    }

    fn sealed(definition: u32, step: Duration, features: Vec<(String, usize)>) -> Self {
        let mut text = format!("foresail features {definition}, step {} us\n", step.as_micros());
        for (name, rows) in &features {
            writeln!(text, "{name} {rows}").expect("a string takes all that is written to it");
        }
        let mut hash = String::with_capacity(64);
        for byte in Sha256::digest(text.as_bytes()) {
            write!(hash, "{byte:02x}").expect("a string takes all that is written to it");
        }
        Self { definition, step, features, hash }
    }

    /// SHA-256 over all of it, 64 hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.features.iter().map(|(name, _)| name.as_str())
    }

    /// Features in a row.
    pub fn width(&self) -> usize {
        self.features.len()
    }

    /// Step of the series.
    pub fn step(&self) -> Duration {
        self.step
    }

    /// Refuses features of another schema than this one.
    ///
    /// # Errors
    /// [`Error::SchemaMismatch`], saying the first difference.
    pub fn check(&self, found: &Self) -> Result<(), Error> {
        if self.hash == found.hash {
            return Ok(());
        }
        let difference = if self.definition != found.definition {
            format!("definition {} rather than {}", found.definition, self.definition)
        } else if self.step != found.step {
            format!("a step of {:?} rather than {:?}", found.step, self.step)
        } else if self.features.len() != found.features.len() {
            format!("{} features rather than {}", found.features.len(), self.features.len())
        } else {
            let pairs = self.features.iter().zip(&found.features).enumerate();
            pairs
                .filter(|(_, (a, b))| a != b)
                .map(|(i, (a, b))| format!("feature {i} is {} over {} rows rather than {} over {}", b.0, b.1, a.0, a.1))
                .next()
                .unwrap_or_default()
        };
        Err(Error::SchemaMismatch(difference))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    hash: String,
    definition: u32,
    step_us: u64,
    features: Vec<(String, usize)>,
}

impl From<Schema> for Saved {
    fn from(schema: Schema) -> Self {
        Self {
            hash: schema.hash,
            definition: schema.definition,
            step_us: schema.step.as_micros() as u64,
            features: schema.features,
        }
    }
}

impl TryFrom<Saved> for Schema {
    type Error = Error;
    fn try_from(saved: Saved) -> Result<Self, Error> {
        let schema = Self::sealed(saved.definition, Duration::from_micros(saved.step_us), saved.features);
        if schema.hash == saved.hash {
            Ok(schema)
        } else {
            Err(Error::BadSnapshot("feature schema does not have the hash it claims".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_survives_saving_and_tampering_shows() {
        let schema = Schema::of(Duration::from_secs(120)).unwrap();
        let text = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema);
        assert!(serde_json::from_str::<Schema>(&text.replace("lag_12m", "lag_11m")).is_err());
        assert_eq!((schema.hash().len(), schema.width(), schema.names().next()), (64, 72, Some("minute_sin")));
    }

    #[test]
    fn the_first_difference_is_named() {
        let ours = Schema::of(Duration::from_secs(120)).unwrap();
        let said = |found: &Schema| ours.check(found).unwrap_err().to_string();
        assert_eq!(ours.check(&ours.clone()), Ok(()));
        let other_step = Schema::of(Duration::from_secs(60)).unwrap();
        assert_eq!(said(&other_step), "features differ from those expected: a step of 60s rather than 120s");
        let later = Schema::sealed(DEFINITION + 1, ours.step, ours.features.clone());
        assert_eq!(said(&later), "features differ from those expected: definition 2 rather than 1");
        let mut swapped = ours.features.clone();
        swapped.swap(14, 15);
        let swapped = Schema::sealed(DEFINITION, ours.step, swapped);
        assert_eq!(
            said(&swapped),
            "features differ from those expected: feature 14 is lag_24m over 12 rows rather than lag_12m over 6"
        );
        let fewer = Schema::sealed(DEFINITION, ours.step, ours.features[1..].to_vec());
        assert_eq!(said(&fewer), "features differ from those expected: 71 features rather than 72");
    }

    #[test]
    fn names_order_and_windows_change_only_with_the_definition() {
        // If this fails, raise DEFINITION: every model that was trained on the features as they were must be refused.
        let hash = Schema::of(Duration::from_secs(120)).unwrap().hash().to_owned();
        assert_eq!(
            (DEFINITION, hash.as_str()),
            (1, "b3f7541a9e4f697964c2f4d429348eae63f489218da88a942cebc0e4102cded3")
        );
    }
}
