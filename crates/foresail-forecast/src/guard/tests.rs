use foresail_core::{Frame, Known, Row, SeededRng};
use proptest::prelude::*;

use super::*;

/// Says whatever it is told to say.
#[derive(Clone)]
struct Hostile {
    mean: Vec<f64>,
    quantiles: Vec<f64>,
    refuses: bool,
}

impl Hostile {
    fn saying(mean: &[f64]) -> Self {
        Self { mean: mean.to_vec(), quantiles: Vec::new(), refuses: false }
    }
}

impl Forecaster for Hostile {
    fn name(&self) -> &str {
        "hostile"
    }

    fn fit(&self, history: &Frame, _: &Known, _: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        if self.refuses {
            return Err(Error::TooShort { needed: 9, got: history.len() });
        }
        Ok(Box::new(self.clone()))
    }
}

impl Fitted for Hostile {
    fn update(&mut self, _: &Row) {}

    fn predict(&self, horizon: usize, _: &Known) -> Forecast {
        let start = foresail_core::Timestamp::EPOCH;
        let pick = |from: &[f64], i: usize| from[i % from.len()];
        let mean = (0..horizon).map(|i| pick(&self.mean, i)).collect();
        let mut forecast = Forecast::point(start, std::time::Duration::from_secs(1), mean);
        if !self.quantiles.is_empty() {
            forecast.levels = vec![0.1, 0.9];
            forecast.quantiles =
                (0..horizon).map(|i| vec![pick(&self.quantiles, 2 * i), pick(&self.quantiles, 2 * i + 1)]).collect();
        }
        forecast
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { model: "hostile".into(), version: 1, state: serde_json::Value::Null }
    }
}

fn guarded(model: Hostile, history: &Frame) -> Box<dyn Fitted> {
    Guarded::new(Box::new(model)).fit(history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap()
}

/// What `model` is made to say after `history` for three steps, and the reason given.
fn check(model: Hostile, history: &Frame, expected: &[f64], reason: &str) {
    let forecast = guarded(model, history).predict(3, &Known::none());
    assert_eq!(forecast.mean, expected, "{reason}");
    assert_eq!(forecast.degraded.as_deref().unwrap_or(""), reason);
    assert_eq!(forecast.start, history.end());
}

#[test]
fn a_sound_forecast_passes_and_a_broken_one_falls_down_the_ladder() {
    let short = Frame::from_values([1.0, 5.0, 3.0]);
    let nan = || Hostile::saying(&[2.0, f64::NAN]);
    check(Hostile::saying(&[2.0]), &short, &[2.0; 3], "");
    check(nan(), &short, &[3.0; 3], "1 of 3 steps not finite; last value held");
    check(Hostile::saying(&[1e300]), &short, &[3.0; 3], "1.000e300 is beyond [0.000e0, 2.000e1]; last value held");
    check(Hostile::saying(&[-1.0, 2.0]), &short, &[0.0, 2.0, 0.0], "cut at the least believable");
    check(nan(), &Frame::from_values([]), &[0.0; 3], "1 of 3 steps not finite; nothing observed, zero held");
    let day = Frame::from_values((0..2000).map(f64::from));
    check(nan(), &day, &[560.0, 561.0, 562.0], "1 of 3 steps not finite; value of a day before");
    let refusing = Hostile { refuses: true, ..nan() };
    check(refusing, &short, &[3.0; 3], "hostile: history has 3 observed rows, the model needs 9; last value held");
}

#[test]
fn a_series_below_zero_may_go_below_zero() {
    let signed = Frame::from_values([-1.0, 1.0]);
    check(Hostile::saying(&[-6.0]), &signed, &[-6.0; 3], "");
    check(Hostile::saying(&[-8.0]), &signed, &[-7.0; 3], "cut at the least believable");
    check(Hostile::saying(&[8.0]), &signed, &[1.0; 3], "8.000e0 is beyond [-7.000e0, 7.000e0]; last value held");
}

#[test]
fn broken_quantiles_are_taken_from_past_differences() {
    let history = Frame::from_values([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    let model = Hostile { quantiles: vec![f64::NAN, 3.0], ..Hostile::saying(&[2.0]) };
    let forecast = guarded(model, &history).predict(1, &Known::none());
    assert_eq!(forecast.mean, [2.0]);
    assert_eq!(forecast.quantiles, [[1.0, 3.0]]);
    assert_eq!(forecast.degraded.as_deref(), Some("quantiles not finite, taken from past differences"));
}

#[test]
fn a_multiple_below_one_is_refused() {
    let message = Guarded::new(Box::new(Hostile::saying(&[0.0]))).with_multiple(0.5).err().unwrap().to_string();
    assert_eq!(message, "multiple is 0.5, accepted is 1 or more");
}

fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(1e300),
        Just(-1e300),
        Just(f64::MAX),
        -100.0..100.0_f64
    ]
}

proptest! {
    /// Whatever is said, what comes out is finite, in order, within bounds, and not negative where the history is not.
    #[test]
    fn what_comes_out_can_be_believed(
        history in prop::collection::vec(prop_oneof![4 => (0.0..50.0_f64).prop_map(Some), 1 => Just(None)], 0..40),
        rows in prop::collection::vec(prop::option::of(anything()), 0..10),
        mean in prop::collection::vec(anything(), 1..5),
        quantiles in prop::collection::vec(anything(), 0..5),
        refuses: bool,
        horizon in 0_usize..9,
    ) {
        let start = foresail_core::Timestamp::from_secs(1_700_000_000);
        let frame = Frame::univariate(start, std::time::Duration::from_secs(60), "y", history.clone()).unwrap();
        let mut fitted = guarded(Hostile { mean, quantiles, refuses }, &frame);
        let mut seen: Vec<f64> = history.into_iter().flatten().collect();
        for (i, value) in rows.into_iter().enumerate() {
            fitted.update(&Row::univariate(frame.time(frame.len() + i), value));
            seen.extend(value.filter(|v| v.is_finite()));
        }
        let forecast = fitted.predict(horizon, &Known::none());
        prop_assert_eq!(forecast.mean.len(), horizon);
        let lowest = seen.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for value in forecast.mean.iter().chain(forecast.quantiles.iter().flatten()) {
            prop_assert!(value.is_finite());
            if lowest >= 0.0 {
                prop_assert!(*value >= 0.0 && *value <= (highest * 4.0).clamp(0.0, f64::MAX), "{} of {:?}", value, seen);
            }
        }
        for row in &forecast.quantiles {
            prop_assert_eq!(row.len(), forecast.levels.len());
            prop_assert!(row.windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }
}
