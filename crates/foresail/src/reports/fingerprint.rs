//! Fingerprints as a page for a browser.

use foresail_core::fingerprint::Fingerprint;
use foresail_learn::embed::{TsneOptions, tsne};
use foresail_server::report::{Block, MapPoint, PointMap, Report, Section, Table, render as page};

use crate::args::Span;
use crate::commands::fingerprint::{Found, Like};

/// Most points of the map; of more, evenly chosen ones.
const POINTS: usize = 600;

/// The map, the kinds of work and the past states like the last.
///
/// # Errors
/// None that a log could cause: the points are of one width and not too many.
pub(crate) fn render(found: &Found, like: &[Like]) -> anyhow::Result<String> {
    let every = found.prints.len().div_ceil(POINTS).max(1);
    let chosen: Vec<&Fingerprint> = found.prints.iter().step_by(every).collect();
    let vectors: Vec<Vec<f64>> = chosen.iter().map(|print| print.vector.clone()).collect();
    let placed = tsne(&vectors, &TsneOptions::default())?;
    let points = chosen.iter().zip(placed).map(|(print, at)| MapPoint {
        at,
        group: print.regime,
        text: format!("{}, regime {}", print.time, print.regime),
    });
    let map = PointMap {
        group: "regime".to_owned(),
        caption:
            "Each point is an interval; those near each other held the same kind of work (t-SNE of the fingerprints: \
                  distances between groups and the axes mean nothing)."
                .to_owned(),
        points: points.collect(),
    };
    let regimes = found.regimes();
    let mut table = Table::new("Kinds of work", ["regime", "intervals", "requests/s", "first", "last"]);
    for regime in &regimes {
        let numbers = [regime.regime.to_string(), regime.intervals.to_string(), format!("{:.2}", regime.rate_rps)];
        table.row(numbers.into_iter().chain([regime.first.to_string(), regime.last.to_string()]));
    }
    let mut nearest = Table::new("Past intervals most like the last", ["time", "regime", "distance"]);
    for state in like {
        nearest.row([state.time.to_string(), state.regime.to_string(), format!("{:.2}", state.distance)]);
    }
    let report = Report::new(format!("Fingerprints of {}", found.name))
        .finding(format!("{} intervals of {} kinds of work.", found.prints.len(), regimes.len()))
        .section(Section::new("Map").block(Block::Map(map)))
        .section(Section::new("Kinds of work").block(Block::Table(table)).block(Block::Table(nearest)))
        .fact("Log", found.name.clone())
        .fact("Interval", Span(found.interval).to_string())
        .fact("Shown", if every > 1 { format!("one interval of {every}") } else { "every interval".to_owned() })
        .fact("Foresail", env!("CARGO_PKG_VERSION"));
    Ok(page(&report))
}
