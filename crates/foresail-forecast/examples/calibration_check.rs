//! How do the two ways to calibrate intervals compare, and is the quantile of a maximum as good as it says?
//!
//! On every load trace that is there the ensemble forecasts the next 60 minutes at every row after its first quarter of a
//! day. Those forecasts are calibrated by each [`Method`] and judged after the first day: coverage of the 90 % interval by
//! step, its interval score, and coverage of the 90 % quantile of the maximum over the next 15, 30 and 60 minutes (at every
//! fifth minute), beside what the greatest of the steps' own 90 % quantiles would cover. Then the same series once more
//! with a level shift planted half-way, up by 60 % or down to half, judged in the week after it.
//!
//! `cargo run --release -p foresail-forecast --example calibration_check [TRACE…]`
#![allow(clippy::print_stdout, reason = "a report")]

mod traces;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng, Timestamp};
use foresail_forecast::guard::Guarded;
use foresail_forecast::intervals::{Calibrated, Method};
use foresail_forecast::metrics::IntervalScore;
use foresail_forecast::registry::{ModelOptions, build};
use foresail_forecast::{Error, Fitted, Forecast, Forecaster, Snapshot};

const MINUTES: [u64; 3] = [15, 30, 60];
const DAY: Duration = Duration::from_secs(86_400);

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for (name, frame) in traces::wanted(&wanted) {
        let (rows, day) = (frame.len(), frame.steps_in(DAY));
        let horizon = frame.steps_in(Duration::from_secs(3600));
        println!("{name}: {rows} rows, {horizon} steps in 60 minutes");
        check("as it is", &frame, horizon, day..rows - horizon);
        for (label, factor) in [("week after a shift up by 60 %", 1.6), ("week after a shift down to half", 0.5)] {
            let at = rows / 2;
            let shifted = shifted(&frame, at, factor);
            check(label, &shifted, horizon, at..(at + 7 * day).min(rows - horizon));
        }
    }
}

/// `frame` with every value from row `at` on times `factor`.
fn shifted(frame: &Frame, at: usize, factor: f64) -> Frame {
    let value = |i: usize| frame.target_column().get(i).map(|y| if i < at { y } else { y * factor });
    let values: Vec<Option<f64>> = (0..frame.len()).map(value).collect();
    Frame::univariate(frame.start(), frame.step(), "value", values).expect("its values were finite")
}

fn check(label: &str, frame: &Frame, horizon: usize, judged: Range<usize>) {
    let recorded = Recorded::of(frame, horizon, judged.end);
    for method in [Method::Adaptive, Method::Pid] {
        let figures = Figures::of(frame, &recorded, method, judged.clone());
        let method = format!("{method:?}").to_lowercase();
        println!("  {label}, {method}: {}", figures.in_words(frame));
    }
}

/// What came of calibrated forecasts.
struct Figures {
    steps: Vec<IntervalScore>,
    /// By lead: maxima seen, those covered, and those that the greatest of the steps' quantiles covered.
    peaks: [[f64; 3]; 3],
}

impl Figures {
    fn of(frame: &Frame, recorded: &Recorded, method: Method, judged: Range<usize>) -> Self {
        let horizon = recorded.horizon;
        let model = Calibrated::new(Box::new(recorded.clone()), horizon).with_method(method);
        let (known, mut rng) = (Known::none(), SeededRng::seed_from_u64(0));
        let day = frame.steps_in(DAY);
        let mut fitted = model.fit(&frame.slice(0..day), &known, &mut rng).expect("it has been recorded");
        let mut figures = Self { steps: vec![IntervalScore::new(0.9); horizon], peaks: [[0.0; 3]; 3] };
        let every = frame.steps_in(Duration::from_secs(300));
        for row in day..judged.end {
            if judged.contains(&row) {
                let forecast = fitted.predict(horizon, &known);
                for (step, score) in figures.steps.iter_mut().enumerate() {
                    if let Some(actual) = frame.target_column().get(row + step) {
                        score.push(forecast.quantiles[step][0], forecast.quantiles[step][18], actual);
                    }
                }
                if row % every == 0 {
                    figures.judge_peaks(frame, row, fitted.as_ref(), &forecast);
                }
            }
            fitted.update(&frame.row(row));
        }
        figures
    }

    fn judge_peaks(&mut self, frame: &Frame, row: usize, fitted: &dyn Fitted, forecast: &Forecast) {
        for (minutes, [seen, covered, by_step]) in MINUTES.into_iter().zip(&mut self.peaks) {
            let steps = frame.steps_in(Duration::from_secs(60 * minutes));
            let values: Option<Vec<f64>> = (row..row + steps).map(|i| frame.target_column().get(i)).collect();
            let Some(values) = values else { continue };
            let greatest = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let peak = greatest(&values);
            *seen += 1.0;
            *covered += f64::from(u8::from(peak <= fitted.max_quantiles(&[0.9], 0..steps, &Known::none())[0]));
            *by_step += f64::from(u8::from(peak <= greatest(&forecast.quantile(0.9)[..steps])));
        }
    }

    fn in_words(&self, frame: &Frame) -> String {
        let covered: Vec<f64> = self.steps.iter().filter_map(IntervalScore::covered).collect();
        let (low, high) = covered.iter().fold((1.0, 0.0), |(l, h): (f64, f64), c| (l.min(*c), h.max(*c)));
        let score: f64 = self.steps.iter().filter_map(IntervalScore::score).sum::<f64>() / covered.len() as f64;
        let of = |minutes: u64| covered[frame.steps_in(Duration::from_secs(60 * minutes)) - 1];
        let steps: Vec<String> = MINUTES.iter().map(|m| format!("{:.3}", of(*m))).collect();
        let peaks: Vec<String> = self.peaks.iter().map(|[n, a, b]| format!("{:.3} ({:.3})", a / n, b / n)).collect();
        format!(
            "covers {low:.3} to {high:.3} ({}), interval score {score:.4}; maxima {}",
            steps.join(" "),
            peaks.join(" ")
        )
    }
}

/// What the ensemble said at every row, to be said again.
#[derive(Clone)]
struct Recorded {
    horizon: usize,
    first: usize,
    start: Timestamp,
    step: Duration,
    means: Arc<Vec<f32>>,
}

impl Recorded {
    /// At every row up to `end`; fitted anew daily for a week and then weekly, on four weeks.
    fn of(frame: &Frame, horizon: usize, end: usize) -> Self {
        let day = frame.steps_in(DAY);
        let (known, mut rng, first) = (Known::none(), SeededRng::seed_from_u64(0), day / 4);
        let options = ModelOptions { horizon, ..ModelOptions::default() };
        let model = Guarded::new(build("ensemble", &options).expect("it is registered"));
        let fit = model.fit(&frame.slice(0..first), &known, &mut rng);
        let mut fitted = fit.expect("a guarded model never refuses");
        let mut means = Vec::with_capacity((end - first) * horizon);
        for row in first..end {
            if row % day == 0 && (row <= 7 * day || row % (7 * day) == 0) {
                let history = frame.slice(row.saturating_sub(28 * day)..row);
                // A model that cannot be fitted yet goes on with its fall-back.
                let _ = model.refit(&mut fitted, &history, history.len(), &known, &mut rng);
            }
            means.extend(fitted.predict(horizon, &known).mean.iter().map(|mean| *mean as f32));
            fitted.update(&frame.row(row));
        }
        Self { horizon, first, start: frame.start(), step: frame.step(), means: Arc::new(means) }
    }

    fn row(&self, time: Timestamp) -> usize {
        (time.since(self.start).as_micros() / self.step.as_micros()) as usize
    }
}

impl Forecaster for Recorded {
    fn name(&self) -> &str {
        "recorded"
    }

    fn fit(&self, history: &Frame, _: &Known, _: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let row = self.row(history.end());
        if row < self.first {
            return Err(Error::TooShort { needed: self.first, got: row });
        }
        Ok(Box::new(Playing { recorded: self.clone(), row }))
    }
}

struct Playing {
    recorded: Recorded,
    row: usize,
}

impl Fitted for Playing {
    fn update(&mut self, row: &Row) {
        self.row = self.recorded.row(row.time) + 1;
    }

    fn predict(&self, horizon: usize, _: &Known) -> Forecast {
        let Recorded { first, start, step, means, horizon: longest } = &self.recorded;
        let at = (self.row - first) * longest;
        let mean = means[at..].iter().take(horizon.min(*longest)).map(|mean| f64::from(*mean)).collect();
        Forecast::point(*start + *step * self.row as u32, *step, mean)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { model: "recorded".to_owned(), version: 1, state: serde_json::Value::Null }
    }
}
