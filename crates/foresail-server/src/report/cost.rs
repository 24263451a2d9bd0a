//! What each policy costs at each lateness: one curve a policy, one point a setting.

use plotly::common::{DashType, Marker, MarkerSymbol, Mode};
use plotly::layout::AxisType;
use plotly::{Plot, Scatter};

use super::chart::{Chart, QUIET, axis, colour, layout, line};

/// One setting of a policy.
#[derive(Clone, Debug, Default)]
pub struct CostPoint {
    /// The setting, as people write it.
    pub setting: String,
    /// Late requests, percent.
    pub late_percent: f64,
    /// Replica-hours over the oracle's.
    pub cost: f64,
}

/// A policy over its settings.
#[derive(Clone, Debug, Default)]
pub struct CostCurve {
    /// The policy.
    pub policy: String,
    /// Its settings, in their order.
    pub points: Vec<CostPoint>,
}

/// Cost against lateness. Nearer to the lower left corner is better.
#[derive(Clone, Debug, Default)]
pub struct CostCurves {
    /// Late requests that are accepted, percent.
    pub slo_percent: f64,
    /// A curve a policy; one point alone is a policy without settings.
    pub curves: Vec<CostCurve>,
}

/// Lateness that the eye need not tell from zero, percent: the left edge of the logarithmic axis.
const FLOOR_PERCENT: f64 = 0.001;

/// Lateness beyond which no one chooses a setting, percent.
const CEILING_PERCENT: f64 = 20.0;

impl CostCurve {
    /// Without the settings that say nothing: those as good as never late at more than the least cost of that, and those
    /// beyond the ceiling.
    fn telling(&self) -> Self {
        let never = |p: &CostPoint| p.late_percent <= FLOOR_PERCENT;
        let cheapest = self.points.iter().filter(|p| never(p)).map(|p| p.cost).fold(f64::INFINITY, f64::min);
        let telling = |p: &&CostPoint| p.late_percent <= CEILING_PERCENT && (!never(p) || p.cost <= cheapest);
        let alone = self.points.len() == 1;
        let points = self.points.iter().filter(|p| alone || telling(p)).cloned().collect();
        Self { policy: self.policy.clone(), points }
    }
}

impl CostCurves {
    pub(super) fn chart(&self) -> Chart {
        let mut plot = Plot::new();
        let curves: Vec<CostCurve> = self.curves.iter().map(CostCurve::telling).collect();
        let points = || curves.iter().flat_map(|c| &c.points).map(|p| p.cost).filter(|c| c.is_finite());
        let (low, high) = (points().fold(1.0, f64::min), points().fold(1.0, f64::max));
        if self.slo_percent > 0.0 {
            plot.add_trace(
                Scatter::new(vec![self.slo_percent; 2], vec![low, high])
                    .name(format!("limit {} % late", self.slo_percent))
                    .mode(Mode::Lines)
                    .line(line(QUIET, 1.5).dash(DashType::Dash)),
            );
        }
        for (index, curve) in curves.iter().enumerate() {
            let x: Vec<f64> = curve.points.iter().map(|p| p.late_percent.max(FLOOR_PERCENT)).collect();
            let y: Vec<f64> = curve.points.iter().map(|p| p.cost).collect();
            let text: Vec<String> = curve
                .points
                .iter()
                .map(|p| {
                    format!("{} {}: {:.4} % late, {:.3}× the oracle", curve.policy, p.setting, p.late_percent, p.cost)
                })
                .collect();
            let alone = curve.points.len() == 1;
            let marker = Marker::new().size(if alone { 13 } else { 7 });
            plot.add_trace(
                Scatter::new(x, y)
                    .name(&curve.policy)
                    .mode(if alone { Mode::Markers } else { Mode::LinesMarkers })
                    .line(line(colour(index), 1.5))
                    .marker(if alone { marker.symbol(MarkerSymbol::Diamond).color(colour(index)) } else { marker })
                    .hover_text_array(text)
                    .hover_info(plotly::common::HoverInfo::Text),
            );
        }
        let names: Vec<&str> = self.curves.iter().map(|c| c.policy.as_str()).collect();
        let caption = format!(
            "Each point is one setting of a policy; lower and further left is better. Lateness up to {FLOOR_PERCENT} % is drawn at \
             the left edge, where only the cheapest setting of each is shown; beyond {CEILING_PERCENT} % nothing is."
        );
        let description = format!(
            "Chart of replica-hours over the oracle's against late requests in percent, one curve each for {}.",
            names.join(", ")
        );
        let x = axis("late requests, %").type_(AxisType::Log);
        Chart::new(plot, layout(x, axis("replica-hours over the oracle's"), 440), description, caption)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_settings_that_are_never_late_are_left_out() {
        let point = |late_percent: f64, cost: f64| CostPoint { setting: String::new(), late_percent, cost };
        let points = vec![point(0.0, 9.0), point(0.0, 2.0), point(0.0009, 3.0), point(0.5, 1.5), point(60.0, 0.3)];
        let costs: Vec<f64> =
            CostCurve { policy: "hpa".into(), points }.telling().points.iter().map(|p| p.cost).collect();
        assert_eq!(costs, [2.0, 1.5]);
    }
}
