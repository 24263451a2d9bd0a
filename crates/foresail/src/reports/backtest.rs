//! A backtest as a page for a browser.

use foresail_core::{Frame, Timestamp};
use foresail_forecast::backtest::BacktestResult;
use foresail_server::report::{
    Band, Better, Block, ForecastFan, ForecastLine, ModelComparison, ModelMetric, Report, Section, Track,
    render as page,
};

use crate::args::{Loaded, Span};

/// The comparison of the models, and what they said in the last windows.
pub(crate) fn render(loaded: &Loaded, result: &BacktestResult) -> String {
    let frame = &loaded.frame;
    let horizon = Span(frame.step() * result.horizon as u32);
    let mut report = Report::new(format!("Models on {}", frame.target_column().name()));
    if let Some(sentence) = best(result) {
        report = report.finding(sentence);
    }
    let report = report
        .section(comparison(result))
        .section(fans(frame, result))
        .fact("Input", loaded.title())
        .fact("Rows", format!("{}, one every {}", frame.len(), Span(frame.step())))
        .fact("Windows", format!("{} of {horizon} each", result.windows.len()))
        .fact("MASE against", format!("the value {} steps before", result.reference.season))
        .fact("Foresail", env!("CARGO_PKG_VERSION"));
    page(&report)
}

/// Which model was the most accurate.
pub(crate) fn best(result: &BacktestResult) -> Option<String> {
    let scored = result.models.iter().filter_map(|m| Some((m.name.as_str(), m.overall.mase?)));
    let (name, mase) = scored.min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(format!("{name} is the most accurate: MASE {mase:.4} over {} windows.", result.windows.len()))
}

/// Radar chart and table of the models.
pub(crate) fn comparison(result: &BacktestResult) -> Section {
    let metrics = [
        ("MASE", Better::Low),
        ("WAPE", Better::Low),
        ("RMSE", Better::Low),
        ("WQL", Better::Low),
        ("MSIS", Better::Low),
        ("90 % covers", Better::At(0.9)),
        ("direction", Better::High),
        ("peak recall", Better::High),
        ("R²", Better::High),
    ];
    let models = result.models.iter().map(|model| {
        let m = &model.overall;
        let covered = m.coverage.map(|c| c.covered);
        let values = vec![m.mase, m.wape, m.rmse, m.wql, m.msis, covered, m.directional_accuracy, m.peak_recall, m.r2];
        (model.name.clone(), values)
    });
    let comparison = ModelComparison {
        caption: format!("Over {} windows of {} steps", result.windows.len(), result.horizon),
        metrics: metrics.map(|(name, better)| ModelMetric { name: name.to_owned(), better }).to_vec(),
        models: models.collect(),
    };
    Section::new("Models")
        .text(
            "Each model ran through the series as it would have lived: fitted on what came before, updated row by row, and asked at the \
             start of each window. MASE below 1 beats repeating the last season.",
        )
        .block(Block::Models(comparison))
}

/// Horizons of time that a chart shows: few enough that a forecast is still wide enough to be seen.
const SHOWN_HORIZONS: usize = 30;

/// What the first model, and the second in line, said in the last windows.
pub(crate) fn fans(frame: &Frame, result: &BacktestResult) -> Section {
    let earliest = frame.len().saturating_sub(SHOWN_HORIZONS * result.horizon);
    let last = result.windows.len() - 1;
    let first_window = result.windows.iter().position(|w| w.rows.start >= earliest).unwrap_or(last);
    let windows = result.windows.len() - first_window;
    let mut forecasts: Vec<ForecastLine> = Vec::new();
    let level = |l: f64| result.levels.iter().position(|x| (x - l).abs() < 1e-9);
    let pairs: Vec<(f64, usize, usize)> = [(0.9, 0.05, 0.95), (0.6, 0.2, 0.8)]
        .into_iter()
        .filter_map(|(coverage, low, high)| Some((coverage, level(low)?, level(high)?)))
        .collect();
    let shown: Vec<&str> = result.models.iter().take(2).map(|m| m.name.as_str()).collect();
    for row in result.rows(frame).filter(|row| row.window >= first_window && shown.contains(&row.model)) {
        if row.step == 1 {
            // Intervals of one model are enough: two on top of each other hide both.
            let bands = if row.model == shown[0] { pairs.as_slice() } else { &[] };
            forecasts.push(ForecastLine {
                model: row.model.to_owned(),
                bands: bands.iter().map(|(coverage, ..)| Band { coverage: *coverage, ..Band::default() }).collect(),
                ..ForecastLine::default()
            });
        }
        let Some(line) = forecasts.last_mut() else { continue };
        line.times.push(row.timestamp);
        line.mean.push(row.mean);
        for (band, (_, low, high)) in line.bands.iter_mut().zip(&pairs) {
            band.low.push(row.quantiles[*low]);
            band.high.push(row.quantiles[*high]);
        }
    }
    let from = result.windows[first_window].rows.start.saturating_sub(result.horizon);
    let rows = from..frame.len();
    let column = frame.target_column();
    let actual = Track {
        times: rows.clone().map(|row| frame.time(row)).collect::<Vec<Timestamp>>(),
        values: rows.map(|row| column.get(row)).collect(),
    };
    let quantity = column.name().to_owned();
    Section::new("Forecasts and what came")
        .text(format!(
            "What {} said at the start of each of the last {windows} windows, against what came.",
            shown.join(" and ")
        ))
        .block(Block::Fan(ForecastFan { quantity, history: Track::default(), actual, forecasts }))
}
