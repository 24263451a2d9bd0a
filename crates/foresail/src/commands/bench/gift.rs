//! `foresail bench forecast --suite gift5`: models beside each other by the protocol of GIFT-Eval.

use std::path::PathBuf;

use foresail_forecast::registry::build;
use foresail_forecast::suite::{Dataset, Interval, run, run_global};

use crate::clock::CpuWatch;
use crate::failure::usage;
use crate::lab::gift::{self, Entry, Measured, PUBLISHED, Peer, Published, SetLine, Table};
use crate::output::{TextTable, cell, note, print, print_json};
use crate::progress;

/// The name of the model that is learned from all series of a set.
pub(super) const GLOBAL: &str = "global";

/// What was asked of the suite.
pub(super) struct Gift {
    /// Folder of the files.
    pub(super) traces: PathBuf,
    /// Sets; all, if none.
    pub(super) sets: Vec<String>,
    /// Series of each set, at most.
    pub(super) series: usize,
    /// Names of the registry, or [`GLOBAL`].
    pub(super) models: Vec<String>,
    /// Files of forecasts by other libraries, or folders of them.
    pub(super) peers: Vec<PathBuf>,
    /// Where to write the windows for other libraries.
    pub(super) export: Option<PathBuf>,
    pub(super) seed: u64,
    pub(super) json: bool,
}

impl Gift {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if !self.traces.is_dir() {
            return Err(usage(format!("--traces is {}; there is no such folder", self.traces.display())));
        }
        let reading = progress::spinner("reading the sets");
        let sets = gift::load(&self.traces, &self.sets, self.series)?;
        reading.finish_and_clear();
        if let Some(folder) = &self.export {
            for path in gift::export(folder, &sets)? {
                note(&format!("windows: {}", path.display()));
            }
            return Ok(());
        }
        let peers = Peer::read_all(&self.peers, &sets)?;
        let mut entries = self.entries(&sets)?;
        entries.extend(peers.into_iter().map(|peer| entry_of(peer, &sets)));
        let table = Table::new(&sets, &entries);
        if self.json { print_json(&table) } else { print(&human(&table)) }
    }

    /// One model and set at a time, its series on all threads: so the CPU time of the process is the model's own.
    fn entries(&self, sets: &[Dataset]) -> anyhow::Result<Vec<Entry>> {
        let windows: usize = sets.iter().map(|set| set.places().count()).sum();
        let bar = progress::bar((windows * self.models.len()) as u64, "forecasting windows");
        let entry = |name: &String| -> anyhow::Result<Entry> {
            let measure = |set: &Dataset| -> anyhow::Result<Option<Measured>> {
                let options = set.model_options();
                let watch = CpuWatch::start();
                let predictions = if name == GLOBAL {
                    run_global(set, self.seed, &|count| bar.inc(count as u64))?
                } else {
                    run(set, &|| build(name, &options), self.seed, &|count| bar.inc(count as u64))?
                };
                let predictions = predictions.into_iter().map(Some).collect();
                Ok(Some(Measured { predictions, cpu_s: watch.seconds(), fallbacks: 0 }))
            };
            let sets = sets.iter().map(measure).collect::<anyhow::Result<_>>()?;
            let note = if name == GLOBAL { "one model for all series of a set, learned once" } else { "" };
            Ok(Entry { model: name.clone(), library: None, note: note.to_owned(), sets })
        };
        let entries = self.models.iter().map(entry).collect();
        bar.finish_and_clear();
        entries
    }
}

fn entry_of(mut peer: Peer, sets: &[Dataset]) -> Entry {
    let measured = |set: &Dataset| {
        let found = peer.sets.remove(set.name())?;
        Some(Measured { predictions: found.quantiles, cpu_s: found.cpu_s, fallbacks: found.fallbacks })
    };
    let sets = sets.iter().map(measured).collect();
    Entry { model: peer.model, library: Some(peer.library), note: peer.note, sets }
}

fn human(table: &Table) -> String {
    let series: usize = table.sets.iter().map(|set| set.series).sum();
    let windows: usize = table.sets.iter().map(|set| set.series * set.windows).sum();
    format!(
        "gift5: {} sets, {series} series, {windows} windows; errors over those of the {}, joined by geometric means, with 95 % intervals\n\n{}\n{}{}\n{}\n{}\n{}",
        table.sets.len(),
        table.baseline,
        overall(table),
        beside(table),
        by_set(table, "MASE of", |cell| (cell.figures.mase, 3), |set| (set.baseline.mase, 3), |row| row.0),
        by_set(table, "WQL of", |cell| (cell.figures.wql, 4), |set| (set.baseline.wql, 4), |row| row.1),
        by_set(
            table,
            "80 % covers",
            |cell| (cell.figures.coverage_80, 3),
            |set| (set.baseline.coverage_80, 3),
            |_| None
        ),
        notes(table)
    )
}

fn overall(table: &Table) -> String {
    let mut lines =
        TextTable::new(["model", "library", "rel. MASE", "95 %", "rel. WQL", "95 %", "worst window", "CPU s"])
            .text_columns(2);
    let value = |interval: &Option<Interval>| cell(interval.map(|i| i.value), 3);
    let range = |interval: &Option<Interval>| {
        interval.map_or_else(|| "–".to_owned(), |i| format!("{:.3} – {:.3}", i.low, i.high))
    };
    for line in &table.models {
        let worst = line.worst().map_or_else(|| "–".to_owned(), |worst| format!("{:.1}×", worst.ratio));
        lines.row([
            line.model.clone(),
            line.library.clone().unwrap_or_else(|| "foresail".to_owned()),
            value(&line.relative_mase),
            range(&line.relative_mase),
            value(&line.relative_wql),
            range(&line.relative_wql),
            worst,
            format!("{:.1}", line.cpu_s),
        ]);
    }
    lines.render()
}

/// The first model's errors over those of each other, on the windows that both forecast.
fn beside(table: &Table) -> String {
    let Some((first, others)) = table.models.split_first().filter(|(_, others)| !others.is_empty()) else {
        return String::new();
    };
    let over = format!("{} over", first.model);
    let mut lines =
        TextTable::new([over.as_str(), "library", "windows", "MASE", "95 %", "WQL", "95 %"]).text_columns(2);
    for line in others {
        let Some(ratio) = &line.first_over_it else { continue };
        let range = |interval: &Interval| format!("{:.3} – {:.3}", interval.low, interval.high);
        let windows: usize = line.sets.iter().flatten().map(|cell| cell.windows).sum();
        lines.row([
            line.model.clone(),
            line.library.clone().unwrap_or_else(|| "foresail".to_owned()),
            windows.to_string(),
            format!("{:.3}", ratio.mase.value),
            range(&ratio.mase),
            format!("{:.3}", ratio.wql.value),
            range(&ratio.wql),
        ]);
    }
    lines.render() + "\n"
}

/// A table with a column a set: the baseline, the models, and what was published.
fn by_set(
    table: &Table,
    title: &str,
    of_cell: impl Fn(&gift::Cell) -> (Option<f64>, usize),
    of_baseline: impl Fn(&SetLine) -> (Option<f64>, usize),
    of_published: impl Fn(&(Option<f64>, Option<f64>)) -> Option<f64>,
) -> String {
    let header =
        [title.to_owned(), "library".to_owned()].into_iter().chain(table.sets.iter().map(|set| set.set.clone()));
    let mut lines = TextTable::new(header).text_columns(2);
    let mut line = |model: &str, library: &str, values: Vec<(Option<f64>, usize)>| {
        let cells = values.into_iter().map(|(value, digits)| cell(value, digits));
        lines.row([model.to_owned(), library.to_owned()].into_iter().chain(cells));
    };
    line(table.baseline, "foresail", table.sets.iter().map(&of_baseline).collect());
    for model in &table.models {
        let values = model.sets.iter().map(|cell| cell.as_ref().map_or((None, 0), &of_cell)).collect();
        line(&model.model, model.library.as_deref().unwrap_or("foresail"), values);
    }
    for Published { model, sets } in PUBLISHED {
        let values: Vec<(Option<f64>, usize)> = table
            .sets
            .iter()
            .map(|set| {
                let known = gift::SETS.iter().zip(sets).find(|(name, _)| **name == set.set);
                (known.and_then(|(_, row)| of_published(&row)), of_baseline(set).1)
            })
            .collect();
        if values.iter().any(|(value, _)| value.is_some()) {
            line(model, "published", values);
        }
    }
    lines.render()
}

/// How peers were set up and how often they gave way; where a published figure is of other data.
fn notes(table: &Table) -> String {
    let mut text = String::new();
    for line in table.models.iter().filter(|line| !line.note.is_empty()) {
        let fallbacks: usize = line.sets.iter().flatten().map(|cell| cell.fallbacks).sum();
        let gave_way =
            if fallbacks > 0 { format!("; {fallbacks} windows answered by the seasonal naive") } else { String::new() };
        text.push_str(&format!("{}: {}{gave_way}\n", line.model, line.note));
    }
    text + "published: tables of GIFT-Eval; its ett1/H sums quarter hours of ETTm1 where ours are the readings of ETTh1, so those differ by the data\n"
}
