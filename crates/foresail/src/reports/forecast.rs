//! A forecast as a page for a browser.

use foresail_forecast::Forecast;
use foresail_forecast::registry::ModelOptions;
use foresail_server::report::{Band, Block, ForecastFan, ForecastLine, Report, Section, Table, Track, render as page};

use crate::args::{Loaded, Span};

/// The forecast over the end of its history, and its numbers.
pub(crate) fn render(
    loaded: &Loaded,
    model: &str,
    forecast: &Forecast,
    levels: &[f64],
    options: &ModelOptions,
) -> String {
    let frame = &loaded.frame;
    let column = frame.target_column();
    // As much history as a reader can still see the forecast beside.
    let shown = (6 * forecast.horizon()).clamp(96, 4_000).min(frame.len());
    let rows = frame.len() - shown..frame.len();
    let history = Track {
        times: rows.clone().map(|row| frame.time(row)).collect(),
        values: rows.map(|row| column.get(row)).collect(),
    };
    let fan = ForecastFan {
        quantity: column.name().to_owned(),
        history,
        actual: Track::default(),
        forecasts: vec![line(model, forecast)],
    };
    let mut section = Section::new("Forecast").block(Block::Fan(fan));
    if let Some(why) = &forecast.degraded {
        section = section.text(format!("Not the model's own word: {why}."));
    }
    let horizon = Span(forecast.step * forecast.horizon() as u32);
    let seasons: Vec<String> = options.seasons.iter().map(|s| Span(*s).to_string()).collect();
    let report = Report::new(format!("Forecast of {}", column.name()))
        .finding(format!("The next {horizon} from {}, by {model}.", forecast.start))
        .section(section)
        .section(Section::new("Numbers").block(Block::Table(numbers(forecast, levels))))
        .fact("Input", loaded.title())
        .fact("Rows", format!("{}, one every {}", frame.len(), Span(frame.step())))
        .fact("Seasons", seasons.join(", "))
        .fact("Foresail", env!("CARGO_PKG_VERSION"));
    page(&report)
}

/// A forecast as a line with its intervals: the pairs of levels around the middle, widest first.
pub(crate) fn line(model: &str, forecast: &Forecast) -> ForecastLine {
    let level = |l: f64| forecast.quantile(l);
    let lower = forecast.levels.iter().copied().filter(|l| *l < 0.5);
    let paired = lower.filter(|l| forecast.levels.iter().any(|u| (u - (1.0 - l)).abs() < 1e-9));
    let bands: Vec<Band> =
        paired.map(|l| Band { coverage: 1.0 - 2.0 * l, low: level(l), high: level(1.0 - l) }).collect();
    // Of many levels two bands are enough for the eye: the widest and one about half as likely.
    let inner =
        bands.iter().skip(1).min_by(|a, b| (a.coverage - 0.5).abs().total_cmp(&(b.coverage - 0.5).abs())).cloned();
    ForecastLine {
        model: model.to_owned(),
        times: (0..forecast.horizon()).map(|i| forecast.time(i)).collect(),
        mean: forecast.mean.clone(),
        bands: bands.into_iter().take(1).chain(inner).collect(),
    }
}

fn numbers(forecast: &Forecast, levels: &[f64]) -> Table {
    let header =
        ["time".to_owned(), "mean".to_owned()].into_iter().chain(levels.iter().map(|l| format!("{l} quantile")));
    let mut table = Table::new("The forecast in numbers", header);
    let quantiles: Vec<Vec<f64>> = levels.iter().map(|level| forecast.quantile(*level)).collect();
    for i in 0..forecast.horizon().min(200) {
        let cells = [forecast.time(i).to_string(), format!("{:.3}", forecast.mean[i])].into_iter();
        table.row(cells.chain(quantiles.iter().map(|q| format!("{:.3}", q[i]))));
    }
    table
}
