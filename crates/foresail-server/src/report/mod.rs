//! One self-contained HTML report: text, tables and charts, with no request to anywhere.
//!
//! A [`Report`] is plain data; [`render`] turns it into a page. Charts are drawn by Plotly, whose script the `plotly` crate
//! embeds; it is written into the page once, and not at all where a report has no chart.

mod chart;
mod cost;
mod fan;
mod map;
mod models;
mod page;
mod table;
mod thin;
mod timeline;

pub use cost::{CostCurve, CostCurves, CostPoint};
pub use fan::{Band, ForecastFan, ForecastLine, Track};
pub use map::{MapPoint, PointMap};
pub use models::{Better, ModelComparison, ModelMetric};
pub(crate) use page::plotly_script;
pub use page::render;
pub use table::Table;
pub use timeline::{ReasonMark, ReplicaLine, Timeline};

/// A report before it is rendered.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What it is about, in a few words.
    pub title: String,
    /// The conclusions, a sentence each, shown first.
    pub summary: Vec<String>,
    /// What a reader needs in order to repeat it: source, settings, version. Name and value.
    pub facts: Vec<(String, String)>,
    /// The rest, in order.
    pub sections: Vec<Section>,
}

impl Report {
    /// An empty report called `title`.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// With one more conclusion.
    pub fn finding(mut self, sentence: impl Into<String>) -> Self {
        self.summary.push(sentence.into());
        self
    }

    /// With one more fact.
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// With one more section.
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }
}

/// A heading with what belongs under it.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// Text, tables and charts in order.
    pub blocks: Vec<Block>,
}

impl Section {
    /// An empty section called `heading`.
    pub fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), blocks: Vec::new() }
    }

    /// With one more paragraph.
    pub fn text(self, paragraph: impl Into<String>) -> Self {
        self.block(Block::Text(paragraph.into()))
    }

    /// With one more block.
    pub fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}

/// A piece of a section.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Block {
    /// A paragraph of plain text.
    Text(String),
    /// A table.
    Table(Table),
    /// Forecasts with their intervals against what came.
    Fan(ForecastFan),
    /// Models against each other, with a radar chart.
    Models(ModelComparison),
    /// Points of which those alike lie near each other.
    Map(PointMap),
    /// What each policy costs at each lateness.
    Costs(CostCurves),
    /// Replicas over time, with the reasons of the changes.
    Timeline(Timeline),
}
