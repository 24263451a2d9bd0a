//! Fingerprints as rows of a feature store.

use std::time::Duration;

use super::features::{FingerprintOptions, feature_names};
use super::fingerprinter::Fingerprint;
use super::memory::StoredState;
use crate::features::Schema;

/// Version of the code behind the features.
const DEFINITION: u32 = 1;

/// What a stored row holds: the features of an interval of `step`, the fingerprint, the regime and what was used.
pub fn stored_schema(options: &FingerprintOptions, step: Duration) -> Schema {
    let prints = (0..options.components).map(|i| format!("fingerprint_{i}"));
    let rest = ["regime".to_owned(), "resource".to_owned()];
    Schema::named(DEFINITION, step, feature_names(options).into_iter().chain(prints).chain(rest))
}

/// One row of [`stored_schema`]: NaN where undefined.
pub fn stored_row(state: &StoredState, print: &Fingerprint) -> Vec<f32> {
    let narrow = |value: Option<f64>| value.map_or(f32::NAN, |v| v as f32);
    let features = state.features.iter().map(|value| narrow(*value));
    let prints = print.vector.iter().map(|v| *v as f32);
    features.chain(prints).chain([print.regime as f32, narrow(state.resource)]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Fingerprinter;
    use super::*;
    use crate::Timestamp;

    #[test]
    fn a_row_is_as_wide_as_its_schema_and_the_schema_names_what_is_measured() {
        let options = FingerprintOptions { metrics: vec!["queue".into()], ..FingerprintOptions::default() };
        let step = Duration::from_secs(10);
        let schema = stored_schema(&options, step);
        let mut fingerprinter = Fingerprinter::new(options.clone()).unwrap();
        let print = fingerprinter.close(Timestamp::EPOCH, step, &[Some(4.0)], Some(2.5));
        let row = stored_row(fingerprinter.memory().get(0).unwrap(), &print);
        assert_eq!(row.len(), schema.width());
        let at = |name: &str| row[schema.names().position(|n| n == name).unwrap()];
        assert_eq!((at("queue"), at("resource"), at("regime")), (4.0, 2.5, 0.0));
        assert!(at("entropy_bits").is_nan());
        let other = stored_schema(&FingerprintOptions { metrics: vec!["pool".into()], ..options }, step);
        assert!(schema.check(&other).is_err());
    }
}
