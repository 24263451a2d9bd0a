use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use foresail_core::{Row, SeededRng};

use super::*;
use crate::models::{LastValue, LinearTrend, SeasonalNaive};
use crate::registry::{ModelOptions, build};
use crate::{Fitted, Forecast, Snapshot};

/// A noisy day of ten-minute rows, over and over, with a gap now and then.
fn wavy(rows: usize) -> Frame {
    let mut rng = SeededRng::seed_from_u64(2);
    let value = |i: usize, rng: &mut SeededRng| {
        let noise = rng.normal();
        (i % 97 != 50).then(|| 100.0 + 40.0 * (i as f64 * std::f64::consts::TAU / 144.0).sin() + 5.0 * noise)
    };
    let values: Vec<Option<f64>> = (0..rows).map(|i| value(i, &mut rng)).collect();
    let start = foresail_core::Timestamp::from_secs(1_704_067_200);
    Frame::univariate(start, Duration::from_secs(600), "y", values).unwrap()
}

fn models() -> Vec<Box<dyn Forecaster>> {
    let day = [Duration::from_secs(86_400)];
    let ensemble = build("ensemble", &ModelOptions { horizon: 6, ..ModelOptions::default() }).unwrap();
    vec![Box::new(LastValue), Box::new(SeasonalNaive::new(&day)), ensemble]
}

fn test(frame: &Frame, options: &BacktestOptions) -> BacktestResult {
    run(frame, models(), options, &Edges::silent()).unwrap()
}

/// Every row as text, floats to the last bit.
fn rows(frame: &Frame, result: &BacktestResult) -> Vec<String> {
    result
        .rows(frame)
        .map(|row| format!("{} {} {:?} {:?}", row.model, row.timestamp, row.mean, row.quantiles))
        .collect()
}

#[test]
fn cutting_the_series_changes_no_forecast_before_the_cut() {
    let frame = wavy(900);
    for windows in [None, Some(5)] {
        let options = BacktestOptions { windows, ..BacktestOptions::new(6) };
        let whole = rows(&frame, &test(&frame, &options));
        for end in [whole_window_end(&frame, &options, 2), 600, 390] {
            let cut = frame.slice(0..end);
            let same = rows(&cut, &test(&cut, &options)).iter().filter(|row| whole.contains(row)).count();
            let shared = shared_origins(&frame, &cut, &options);
            assert_eq!(same, shared * 6 * 3, "cut at {end}, {windows:?}");
            assert!(shared > 0 || windows.is_some(), "cut at {end}");
        }
    }
}

/// Where a window of the whole test ends.
fn whole_window_end(frame: &Frame, options: &BacktestOptions, window: usize) -> usize {
    test(frame, options).windows[window].rows.end
}

/// Windows that the tests of `whole` and of `cut` have in common.
fn shared_origins(whole: &Frame, cut: &Frame, options: &BacktestOptions) -> usize {
    let of = |frame| test(frame, options).windows.into_iter().map(|w| w.rows).collect::<Vec<_>>();
    let whole = of(whole);
    of(cut).iter().filter(|rows| whole.contains(rows)).count()
}

#[test]
fn results_do_not_depend_on_threads_or_company() {
    let frame = wavy(500);
    let options = BacktestOptions { windows: Some(10), ..BacktestOptions::new(6) };
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let one = pool(1).install(|| test(&frame, &options));
    let many = pool(4).install(|| test(&frame, &options));
    assert_eq!(one, many);
    let alone = run(&frame, vec![Box::new(LastValue)], &options, &Edges::silent()).unwrap();
    assert_eq!(alone.models[0], one.models[0]);
}

/// Remembers the last row each fit learned from and each update took in.
struct Spy {
    fits: Arc<Mutex<Vec<usize>>>,
    seen: Arc<AtomicUsize>,
    frame: Frame,
}

impl Spy {
    fn row(&self, time: foresail_core::Timestamp) -> usize {
        self.frame.index_at(time)
    }
}

impl Forecaster for Spy {
    fn name(&self) -> &str {
        "spy"
    }

    fn fit(&self, history: &Frame, _: &Known, _: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let end = self.row(history.end());
        self.fits.lock().unwrap().push(end);
        self.seen.store(end, Ordering::Relaxed);
        let seen = Arc::clone(&self.seen);
        Ok(Box::new(FittedSpy { seen, frame: self.frame.clone(), next: history.end(), last: 0.0 }))
    }
}

struct FittedSpy {
    seen: Arc<AtomicUsize>,
    frame: Frame,
    next: foresail_core::Timestamp,
    last: f64,
}

impl Fitted for FittedSpy {
    fn update(&mut self, row: &Row) {
        assert_eq!(row.time, self.next, "rows come in order, none twice");
        self.next = row.time + self.frame.step();
        self.seen.store(self.frame.index_at(self.next), Ordering::Relaxed);
        self.last = row.target().unwrap_or(self.last);
    }

    fn predict(&self, horizon: usize, _: &Known) -> Forecast {
        Forecast::point(self.next, self.frame.step(), vec![self.last; horizon])
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { model: "spy".into(), version: 1, state: serde_json::Value::Null }
    }
}

#[test]
fn fits_keep_their_distance_and_every_row_is_seen_once() {
    let frame = wavy(700);
    let fits = Arc::new(Mutex::new(Vec::new()));
    let spy = Spy { fits: Arc::clone(&fits), seen: Arc::default(), frame: frame.clone() };
    let options = BacktestOptions { purge: 10, ..BacktestOptions::new(5) };
    let result = run(&frame, vec![Box::new(spy)], &options, &Edges::silent()).unwrap();
    let last = result.windows.last().unwrap().rows.start;
    let fits = fits.lock().unwrap().clone();
    let refits = windows::refits(frame.len(), 42, 144, 1008);
    for refit in refits.iter().filter(|row| **row <= last) {
        assert!(fits.contains(&(refit - options.purge)), "{refit} of {fits:?}");
    }
    assert!(fits.iter().all(|end| end + options.purge <= last));
    // The last value is what came just before each window.
    for row in result.rows(&frame).filter(|row| row.step == 1) {
        assert_eq!(row.mean, frame.target()[result.windows[row.window].rows.start - 1]);
    }
}

#[test]
fn a_perfect_line_is_forecast_and_scored_perfectly() {
    let frame = Frame::from_values((0..400).map(|i| 10.0 + f64::from(i)));
    let models: Vec<Box<dyn Forecaster>> = vec![Box::new(LinearTrend::new()), Box::new(LastValue)];
    let result = run(&frame, models, &BacktestOptions::new(4), &Edges::silent()).unwrap();
    let trend = result.model("linear_trend").unwrap();
    assert!(trend.overall.mae.unwrap() < 1e-6, "{:?}", trend.overall.mae);
    assert_eq!(trend.overall.directional_accuracy, Some(1.0));
    let last = result.model("last_value").unwrap();
    assert_eq!(last.by_horizon.iter().map(|m| m.mae.unwrap()).collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(last.overall.mae, Some(2.5));
    assert_eq!(result.windows[0].origin, frame.time(result.windows[0].rows.start - 1));
}

#[test]
fn windows_too_early_for_a_fit_are_still_forecast() {
    let frame = wavy(30);
    let result = test(&frame, &BacktestOptions { windows: Some(6), ..BacktestOptions::new(4) });
    assert_eq!(result.windows.len(), 6);
    assert!(result.models.iter().all(|model| model.overall.count + model.overall.gaps == 24));
}

#[test]
fn what_cannot_be_tested_is_refused() {
    let refused = |frame: &Frame, options: BacktestOptions| run(frame, models(), &options, &Edges::silent()).err();
    let frame = wavy(30);
    assert_eq!(refused(&frame, BacktestOptions::new(30)), Some(Error::TooShort { needed: 31, got: 30 }));
    assert!(matches!(refused(&frame, BacktestOptions::new(0)), Some(Error::BadParameter { parameter: "horizon", .. })));
    let levels = vec![0.5, 0.1];
    let options = BacktestOptions { levels, ..BacktestOptions::new(3) };
    assert!(matches!(refused(&frame, options), Some(Error::BadParameter { parameter: "levels", .. })));
    let empty = Frame::from_values([]);
    assert!(refused(&empty, BacktestOptions::new(3)).is_some());
}

#[test]
fn progress_adds_up_to_every_row_of_every_model() {
    let frame = wavy(1500);
    let walked = AtomicUsize::new(0);
    let walk = |rows| {
        walked.fetch_add(rows, Ordering::Relaxed);
    };
    let edges = Edges { clock: &|| Duration::ZERO, progress: &walk };
    let options = BacktestOptions { windows: Some(3), ..BacktestOptions::new(6) };
    run(&frame, vec![Box::new(LastValue), Box::new(LinearTrend::new())], &options, &edges).unwrap();
    assert_eq!(walked.into_inner(), 3000);
}
