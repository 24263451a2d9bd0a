//! What all charts share: a Plotly figure with its description, its colours and its axes.

use foresail_core::Timestamp;
use plotly::common::{Anchor, Line, Orientation, Title};
use plotly::layout::{Axis, AxisType, HoverMode, Legend, Margin};
use plotly::{Configuration, Layout, Plot};

/// A figure ready to be put into a page.
pub(super) struct Chart {
    /// The figure.
    pub(super) plot: Plot,
    /// What a reader who cannot see it should know.
    pub(super) description: String,
    /// One or two sentences under it.
    pub(super) caption: String,
}

impl Chart {
    /// `plot` with `layout`, set up alike for all charts.
    pub(super) fn new(mut plot: Plot, layout: Layout, description: String, caption: String) -> Self {
        plot.set_layout(layout);
        plot.set_configuration(Configuration::new().responsive(true).display_logo(false).typeset_math(false));
        Self { plot, description, caption }
    }
}

/// The layout of a chart with two axes.
pub(super) fn layout(x: Axis, y: Axis, height: usize) -> Layout {
    bare_layout(height).x_axis(x).y_axis(y)
}

/// A layout without axes.
pub(super) fn bare_layout(height: usize) -> Layout {
    Layout::new()
        .height(height)
        .auto_size(true)
        .hover_mode(HoverMode::Closest)
        .margin(Margin::new().left(56).right(16).top(16).bottom(48))
        .legend(Legend::new().orientation(Orientation::Horizontal).x(0.0).y(-0.22).y_anchor(Anchor::Top))
}

/// A linear axis.
pub(super) fn axis(title: &str) -> Axis {
    Axis::new().title(Title::with_text(title)).auto_margin(true)
}

/// An axis of time, in UTC.
pub(super) fn time_axis() -> Axis {
    Axis::new().type_(AxisType::Date).auto_margin(true)
}

/// Milliseconds since the epoch, as Plotly reads dates.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000)
}

/// The `index`-th colour of the page's palette, by name: the page resolves it for light or dark.
pub(super) fn colour(index: usize) -> String {
    format!("var(--s{})", index % 12)
}

/// The same colour (of the first eight), faint enough to be laid over others.
pub(super) fn soft(index: usize, strength: usize) -> String {
    format!("var(--s{}-soft{})", index % 8, strength.min(2))
}

/// The colour of what was measured.
pub(super) const ACTUAL: &str = "var(--ink)";

/// The colour of limits and of lines of lesser importance.
pub(super) const QUIET: &str = "var(--quiet)";

/// A line in a colour of the page.
pub(super) fn line(colour: impl Into<String>, width: f64) -> Line {
    Line::new().color(colour.into()).width(width)
}
