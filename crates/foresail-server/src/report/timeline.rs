//! Replicas over time: what was needed, what each policy had, and why it changed its mind.

use foresail_core::Timestamp;
use plotly::common::{HoverInfo, LineShape, Marker, MarkerSymbol, Mode};
use plotly::{Plot, Scatter};

use super::chart::{ACTUAL, Chart, axis, colour, layout, line, millis, time_axis};
use super::table::Table;
use super::thin::thin_steps;

/// Replicas of one policy, one value a tick.
#[derive(Clone, Debug, Default)]
pub struct ReplicaLine {
    /// The policy.
    pub policy: String,
    /// Replicas.
    pub replicas: Vec<f64>,
}

/// A change that someone may ask about.
#[derive(Clone, Debug)]
pub struct ReasonMark {
    /// When.
    pub time: Timestamp,
    /// Id in the journal, if it was recorded.
    pub decision: Option<u64>,
    /// Replicas before.
    pub from: u32,
    /// Replicas wanted after.
    pub to: u32,
    /// The sentence.
    pub reason: String,
}

/// Decisions over time.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Start of each tick.
    pub times: Vec<Timestamp>,
    /// Replicas that the load needed in each tick.
    pub needed: Vec<f64>,
    /// The policies.
    pub policies: Vec<ReplicaLine>,
    /// Changes of the first policy worth showing.
    pub reasons: Vec<ReasonMark>,
}

const POINTS: usize = 3_000;
const MARKS: usize = 120;
const ROWS: usize = 40;

impl Timeline {
    pub(super) fn chart(&self) -> Chart {
        let mut plot = Plot::new();
        let mut add = |name: &str, values: &[f64], stroke: plotly::common::Line| {
            let kept = thin_steps(&values[..values.len().min(self.times.len())], POINTS);
            let x: Vec<i64> = kept.iter().map(|i| millis(self.times[*i])).collect();
            let y: Vec<f64> = kept.iter().map(|i| values[*i]).collect();
            plot.add_trace(Scatter::new(x, y).name(name).mode(Mode::Lines).line(stroke.shape(LineShape::Hv)));
        };
        add("needed", &self.needed, line(ACTUAL, 1.0));
        for (index, policy) in self.policies.iter().enumerate() {
            add(&policy.policy, &policy.replicas, line(colour(index), if index == 0 { 2.0 } else { 1.2 }));
        }
        let marks = self.largest(MARKS);
        if !marks.is_empty() {
            let x: Vec<i64> = marks.iter().map(|m| millis(m.time)).collect();
            let y: Vec<f64> = marks.iter().map(|m| f64::from(m.to)).collect();
            let text: Vec<String> =
                marks.iter().map(|m| wrap(&format!("{} → {}: {}", m.from, m.to, m.reason))).collect();
            plot.add_trace(
                Scatter::new(x, y)
                    .name("reasons")
                    .mode(Mode::Markers)
                    .marker(Marker::new().symbol(MarkerSymbol::CircleOpen).size(6).color(colour(0)))
                    .hover_text_array(text)
                    .hover_info(HoverInfo::Text),
            );
        }
        let names: Vec<&str> = self.policies.iter().map(|p| p.policy.as_str()).collect();
        let description =
            format!("Step chart over time of the replicas needed and those serving under {}.", names.join(", "));
        let caption =
            "Times are UTC. Rings mark the larger changes of the first policy; point at one for its reason.".to_owned();
        Chart::new(plot, layout(time_axis(), axis("replicas"), 460), description, caption)
    }

    /// The largest changes with their reasons, in order of time; `None` without any.
    pub(super) fn table(&self) -> Option<Table> {
        if self.reasons.is_empty() {
            return None;
        }
        let mut table =
            Table::new("The largest changes and their reasons", ["time", "decision", "from", "to", "reason"]);
        for mark in self.largest(ROWS) {
            let id = mark.decision.map_or_else(|| "–".to_owned(), |id| id.to_string());
            table.row([mark.time.to_string(), id, mark.from.to_string(), mark.to.to_string(), mark.reason.clone()]);
        }
        Some(table)
    }

    /// At most `most` of the changes, the largest, in order of time.
    fn largest(&self, most: usize) -> Vec<&ReasonMark> {
        let mut marks: Vec<&ReasonMark> = self.reasons.iter().collect();
        marks.sort_by_key(|m| std::cmp::Reverse(m.from.abs_diff(m.to)));
        marks.truncate(most);
        marks.sort_by_key(|m| m.time);
        marks
    }
}

/// Breaks a sentence into lines that fit a hover box. What it is given goes into Plotly, which reads a little HTML.
fn wrap(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut width = 0;
    for word in super::page::escape(text).split(' ') {
        if width > 0 && width + word.len() > 60 {
            out.push_str("<br>");
            width = 0;
        } else if width > 0 {
            out.push(' ');
        }
        out.push_str(word);
        width += word.len() + 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_changes_are_listed_in_order_of_time() {
        let mark = |second: i64, to: u32| ReasonMark {
            time: Timestamp::from_secs(second),
            decision: None,
            from: 10,
            to,
            reason: "set by the load measured now".to_owned(),
        };
        let timeline = Timeline { reasons: vec![mark(1, 30), mark(2, 11), mark(3, 5)], ..Timeline::default() };
        let times: Vec<i64> = timeline.largest(2).iter().map(|m| m.time.as_micros() / 1_000_000).collect();
        assert_eq!(times, [1, 3]);
        assert!(wrap(&"word ".repeat(40)).contains("<br>"));
    }
}
