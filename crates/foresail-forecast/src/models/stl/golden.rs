//! Against statsforecast 2.1.1, whose decomposition is that of statsmodels: `tests/golden/stl.py` wrote the values.

use serde::Deserialize;

use super::decompose;

#[derive(Deserialize)]
struct Golden {
    parts: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    name: String,
    lengths: Vec<usize>,
    /// Every so many rows are in `trend` and `seasons`.
    every: usize,
    values: Vec<f64>,
    trend: Vec<f64>,
    seasons: Vec<Vec<f64>>,
}

#[test]
fn decompositions_are_theirs() {
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/golden/stl.json")).unwrap();
    for series in golden.parts {
        let parts = decompose(&series.values, &series.lengths);
        let check = |ours: &[f64], theirs: &[f64], what: &str| {
            for (i, (got, expected)) in ours.iter().step_by(series.every).zip(theirs).enumerate() {
                let label = format!("{} {what} {}", series.name, i * series.every);
                assert!((got - expected).abs() < 1e-8 * (1.0 + expected.abs()), "{label}: {got} {expected}");
            }
        };
        check(&parts.trend, &series.trend, "trend");
        for (ours, theirs) in parts.seasons.iter().zip(&series.seasons) {
            check(ours, theirs, "season");
        }
    }
}
