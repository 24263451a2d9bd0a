//! Forecast fans: the history, what the models said would come, and what came.

use foresail_core::Timestamp;
use plotly::common::{DashType, Fill, HoverInfo, Mode};
use plotly::{Plot, Scatter};

use super::chart::{ACTUAL, Chart, axis, colour, layout, line, millis, soft, time_axis};
use super::thin::thin;

/// Values at times; `None` where nothing was observed.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// Start of each interval.
    pub times: Vec<Timestamp>,
    /// A value each.
    pub values: Vec<Option<f64>>,
}

/// An interval around a forecast.
#[derive(Clone, Debug, Default)]
pub struct Band {
    /// Share of outcomes it should hold, 0 to 1.
    pub coverage: f64,
    /// Lower end, one a step.
    pub low: Vec<f64>,
    /// Upper end, one a step.
    pub high: Vec<f64>,
}

/// One model's forecast from one origin.
#[derive(Clone, Debug, Default)]
pub struct ForecastLine {
    /// The model.
    pub model: String,
    /// Start of each forecast step.
    pub times: Vec<Timestamp>,
    /// Point forecast, one a step.
    pub mean: Vec<f64>,
    /// Intervals, widest first. May be empty.
    pub bands: Vec<Band>,
}

/// Forecasts over a history. Lines of one model share a colour and an entry in the legend.
#[derive(Clone, Debug, Default)]
pub struct ForecastFan {
    /// What is forecast, with its unit.
    pub quantity: String,
    /// What was known.
    pub history: Track,
    /// What came, where it is known.
    pub actual: Track,
    /// What was said.
    pub forecasts: Vec<ForecastLine>,
}

const POINTS: usize = 2_400;

impl ForecastFan {
    pub(super) fn chart(&self) -> Chart {
        let mut plot = Plot::new();
        let models = self.models();
        for forecast in &self.forecasts {
            let index = models.iter().position(|m| *m == forecast.model).unwrap_or(0);
            let x: Vec<i64> = forecast.times.iter().copied().map(millis).collect();
            for (strength, band) in forecast.bands.iter().enumerate() {
                let edge = |values: &Vec<f64>| {
                    Scatter::new(x.clone(), values.clone())
                        .mode(Mode::Lines)
                        .line(line(soft(index, 0), 0.0))
                        .legend_group(&forecast.model)
                        .show_legend(false)
                        .hover_info(HoverInfo::Skip)
                };
                plot.add_trace(edge(&band.low));
                plot.add_trace(edge(&band.high).fill(Fill::ToNextY).fill_color(soft(index, strength)));
            }
        }
        for (name, track) in [("history", &self.history), ("observed", &self.actual)] {
            if track.times.is_empty() {
                continue;
            }
            let known: Vec<f64> = track.values.iter().map(|v| v.unwrap_or(0.0)).collect();
            let kept = thin(&known, POINTS);
            let x: Vec<i64> = kept.iter().map(|i| millis(track.times[*i])).collect();
            let y: Vec<Option<f64>> = kept.iter().map(|i| track.values[*i]).collect();
            plot.add_trace(Scatter::new(x, y).name(name).mode(Mode::Lines).line(line(ACTUAL, 1.2)));
        }
        let mut named: Vec<&str> = Vec::new();
        for forecast in &self.forecasts {
            let index = models.iter().position(|m| *m == forecast.model).unwrap_or(0);
            let x: Vec<i64> = forecast.times.iter().copied().map(millis).collect();
            let first = !named.contains(&forecast.model.as_str());
            named.push(&forecast.model);
            plot.add_trace(
                Scatter::new(x, forecast.mean.clone())
                    .name(&forecast.model)
                    .legend_group(&forecast.model)
                    .show_legend(first)
                    .mode(Mode::Lines)
                    .line(line(colour(index), 2.0).dash(if index == 0 { DashType::Solid } else { DashType::Dot })),
            );
        }
        let coverages: Vec<String> = self
            .forecasts
            .first()
            .map(|f| f.bands.iter().map(|b| format!("{:.0} %", b.coverage * 100.0)).collect())
            .unwrap_or_default();
        let bands = if coverages.is_empty() {
            String::new()
        } else {
            format!(" Shaded: intervals meant to hold {} of outcomes.", coverages.join(" and "))
        };
        let description =
            format!("Line chart of {}: {} forecast by {}.{bands}", self.quantity, self.span(), models.join(", "));
        Chart::new(plot, layout(time_axis(), axis(&self.quantity), 420), description, format!("Times are UTC.{bands}"))
    }

    fn models(&self) -> Vec<&str> {
        let mut models: Vec<&str> = Vec::new();
        for forecast in &self.forecasts {
            if !models.contains(&forecast.model.as_str()) {
                models.push(&forecast.model);
            }
        }
        models
    }

    fn span(&self) -> String {
        let times = self.forecasts.iter().flat_map(|f| &f.times);
        match (times.clone().min(), times.max()) {
            (Some(from), Some(to)) => format!("{from} to {to}"),
            _ => "nothing".to_owned(),
        }
    }
}
