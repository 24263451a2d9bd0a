//! Maps: points in a plane, coloured by group, near where they are alike.

use plotly::common::{HoverInfo, Marker, Mode};
use plotly::{Plot, Scatter};

use super::chart::{Chart, axis, colour, layout};

/// A point of a map.
#[derive(Clone, Debug, Default)]
pub struct MapPoint {
    /// Where it lies.
    pub at: [f64; 2],
    /// The group it is coloured by.
    pub group: usize,
    /// What is said of it when pointed at.
    pub text: String,
}

/// Points of which those alike lie near each other.
#[derive(Clone, Debug, Default)]
pub struct PointMap {
    /// What a group is called, before its number.
    pub group: String,
    /// What a reader should know of the picture.
    pub caption: String,
    /// The points.
    pub points: Vec<MapPoint>,
}

impl PointMap {
    pub(super) fn chart(&self) -> Chart {
        let mut plot = Plot::new();
        let mut groups: Vec<usize> = self.points.iter().map(|p| p.group).collect();
        groups.sort_unstable();
        groups.dedup();
        for (index, group) in groups.iter().enumerate() {
            let members = || self.points.iter().filter(|p| p.group == *group);
            let along = |d: usize| -> Vec<f64> { members().map(|p| p.at[d]).collect() };
            let text: Vec<String> = members().map(|p| p.text.clone()).collect();
            plot.add_trace(
                Scatter::new(along(0), along(1))
                    .name(format!("{} {group}", self.group))
                    .mode(Mode::Markers)
                    .marker(Marker::new().size(6).color(colour(index)))
                    .hover_text_array(text)
                    .hover_info(HoverInfo::Text),
            );
        }
        let description = format!(
            "Map of {} points in {} groups; points near each other are alike.",
            self.points.len(),
            groups.len()
        );
        Chart::new(plot, layout(axis(""), axis(""), 520), description, self.caption.clone())
    }
}
