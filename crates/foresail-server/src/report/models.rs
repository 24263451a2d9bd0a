//! Models against each other: a radar chart and the table behind it.

use plotly::common::{Fill, Mode};
use plotly::layout::{LayoutPolar, RadialAxis};
use plotly::{Plot, ScatterPolar};

use super::chart::{Chart, bare_layout, colour, line};
use super::table::Table;

/// In which direction a metric improves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Better {
    /// Less is better; 0 is perfect.
    Low,
    /// More is better; 1 is perfect.
    High,
    /// Best at this value, above 0.
    At(f64),
}

/// A metric of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelMetric {
    /// Its name.
    pub name: String,
    /// What is better.
    pub better: Better,
}

/// Models and their metrics.
#[derive(Clone, Debug, Default)]
pub struct ModelComparison {
    /// Caption of the table.
    pub caption: String,
    /// The metrics, one a column and, up to nine, one a spoke.
    pub metrics: Vec<ModelMetric>,
    /// A model with a value a metric; `None` where it has none.
    pub models: Vec<(String, Vec<Option<f64>>)>,
}

const SPOKES: usize = 9;
const LINES: usize = 8;

impl ModelComparison {
    /// Radar chart: the rim is the best of the models (for low-is-better metrics) or perfection (for the others).
    pub(super) fn chart(&self) -> Chart {
        let spokes = self.metrics.len().min(SPOKES);
        let mut plot = Plot::new();
        for (index, (model, values)) in self.models.iter().take(LINES).enumerate() {
            let mut theta: Vec<String> = self.metrics[..spokes].iter().map(|m| m.name.clone()).collect();
            let mut r: Vec<f64> = (0..spokes).map(|m| self.score(m, values.get(m).copied().flatten())).collect();
            if let (Some(name), Some(score)) = (theta.first().cloned(), r.first().copied()) {
                theta.push(name); // closes the polygon
                r.push(score);
            }
            plot.add_trace(
                ScatterPolar::new(theta, r)
                    .name(model)
                    .mode(Mode::LinesMarkers)
                    .line(line(colour(index), 2.0))
                    .fill(if index == 0 { Fill::ToSelf } else { Fill::None })
                    .fill_color(super::chart::soft(index, 0)),
            );
        }
        let polar = LayoutPolar::new().radial_axis(RadialAxis::new().range([0.0.into(), 1.05.into()]));
        let names: Vec<&str> = self.models.iter().map(|(name, _)| name.as_str()).collect();
        let caption =
            "Further out is better. Errors are shown as the best model's error over the model's own, so the rim is \
                       the best; shares as themselves; coverage as its closeness to the nominal one."
                .to_owned();
        let description = format!(
            "Radar chart comparing {} on {spokes} metrics; the table below holds the numbers.",
            names.join(", ")
        );
        Chart::new(plot, bare_layout(440).polar(polar), description, caption)
    }

    /// Where on its spoke a value stands, 0 (worst) to 1.
    fn score(&self, metric: usize, value: Option<f64>) -> f64 {
        let Some(value) = value.filter(|v| v.is_finite()) else { return 0.0 };
        match self.metrics[metric].better {
            Better::Low => {
                let all = self.models.iter().filter_map(|(_, values)| values.get(metric).copied().flatten());
                let best = all.filter(|v| v.is_finite()).fold(f64::INFINITY, f64::min).max(0.0);
                if value <= best { 1.0 } else { (best / value).clamp(0.0, 1.0) }
            }
            Better::High => value.clamp(0.0, 1.0),
            Better::At(nominal) => (1.0 - (value - nominal).abs() / nominal.max(1e-9)).clamp(0.0, 1.0),
        }
    }

    pub(super) fn table(&self) -> Table {
        let columns = std::iter::once("model".to_owned()).chain(self.metrics.iter().map(|m| m.name.clone()));
        let mut table = Table::new(self.caption.clone(), columns);
        for (model, values) in &self.models {
            let cells = values.iter().map(|v| v.map_or_else(|| "–".to_owned(), significant));
            table.row(std::iter::once(model.clone()).chain(cells));
        }
        table
    }
}

/// Four significant digits, without an exponent for what people write without one.
fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1_000.0 {
        format!("{value:.0}")
    } else if magnitude >= 1.0 || magnitude == 0.0 {
        format!("{value:.3}")
    } else if magnitude >= 1e-3 {
        format!("{value:.4}")
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rim_is_the_best() {
        let metrics = [("MASE", Better::Low), ("R²", Better::High), ("coverage", Better::At(0.9))]
            .map(|(name, better)| ModelMetric { name: name.to_owned(), better });
        let comparison = ModelComparison {
            caption: String::new(),
            metrics: metrics.to_vec(),
            models: vec![
                ("good".to_owned(), vec![Some(0.5), Some(0.9), Some(0.9)]),
                ("bad".to_owned(), vec![Some(1.0), Some(-3.0), None]),
            ],
        };
        let scores =
            |model: usize| (0..3).map(|m| comparison.score(m, comparison.models[model].1[m])).collect::<Vec<_>>();
        assert_eq!(scores(0), [1.0, 0.9, 1.0]);
        assert_eq!(scores(1), [0.5, 0.0, 0.0]);
        assert_eq!(comparison.table().len(), 2);
    }
}
