//! What members cost, so that a budget can choose among them.
//!
//! Costs are nominal, by name: a choice by measured times would not be the same twice. `load_table --cost` measures them.

use std::time::Duration;

/// Microseconds that a fit takes for each row of its history, by model; a model that is not named counts as
/// [`UNKNOWN_US`]. Times differ by series and machine; the ratios matter.
const FIT_US: [(&str, f64); 23] = [
    ("last_value", 0.1),
    ("seasonal_naive", 0.1),
    ("linear_trend", 0.1),
    ("pattern", 0.5),
    ("level_shape", 0.3),
    ("holt_winters", 2.0),
    ("ets", 10.0),
    ("online_stl", 5.0),
    ("mstl", 5.0),
    ("theta", 3.0),
    ("optimized_theta", 3.0),
    ("dynamic_theta", 3.0),
    ("dynamic_optimized_theta", 3.0),
    ("auto_theta", 3.0),
    ("prophet", 1.0),
    ("arima", 30.0),
    ("ridge", 15.0),
    ("multi_signal", 15.0),
    ("seed_ensemble", 10.0),
    ("random_forest", 30.0),
    ("boosting", 1500.0),
    ("ensemble", 100.0),
    ("stacked", 250.0),
];
const UNKNOWN_US: f64 = 50.0;

/// The nominal time that `model` takes to be fitted on `rows` rows.
pub fn nominal_fit(model: &str, rows: usize) -> Duration {
    let us = FIT_US.iter().find(|(name, _)| *name == model).map_or(UNKNOWN_US, |(_, us)| *us);
    Duration::from_secs_f64(us * 1e-6 * rows as f64)
}

/// Which of `models` a budget affords, in their order: each takes `fits` fits on `rows` rows. The first is always
/// afforded; one that is too dear does not keep out cheaper ones after it.
pub(super) fn afforded<'a>(
    models: impl Iterator<Item = &'a str>,
    rows: usize,
    fits: u32,
    budget: Option<Duration>,
) -> Vec<bool> {
    let mut left = budget;
    models
        .enumerate()
        .map(|(i, model)| {
            let Some(budget) = &mut left else { return true };
            let cost = nominal_fit(model, rows) * fits;
            let afforded = i == 0 || cost <= *budget;
            if afforded {
                *budget = budget.saturating_sub(cost);
            }
            afforded
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_its_cost() {
        let costs: Vec<&str> = FIT_US.iter().map(|(name, _)| *name).collect();
        let missing: Vec<&str> = crate::registry::names().into_iter().filter(|name| !costs.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_budget_keeps_the_first_and_what_it_affords() {
        let models = || ["random_forest", "ets", "last_value"].into_iter();
        let with = |micros: u64| afforded(models(), 1000, 2, Some(Duration::from_micros(micros)));
        assert_eq!(afforded(models(), 1000, 2, None), [true; 3]);
        assert_eq!(with(0), [true, false, false]);
        assert_eq!(with(60_300), [true, false, true]);
        assert_eq!(with(90_000), [true; 3]);
    }
}
