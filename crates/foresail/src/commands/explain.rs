//! `foresail explain JOURNAL ID`: why a recorded decision was made.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use foresail_core::{JournalRecord, Metric, Mode, Quality};
use foresail_scale::controller::Entry;
use foresail_store::{JournalReader, find, find_entry};

use crate::args::Span;
use crate::output::{TextTable, print, print_json};

/// Say why a recorded decision was made.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The journal; every line up to the decision is checked against its chain
    journal: PathBuf,
    /// Id of the decision
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    id: u64,
    /// Print the record as JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Some(record) = self.find()? else {
            anyhow::bail!("{}: no decision {}; there are 1 to {}", self.journal.display(), self.id, self.count()?)
        };
        if self.json {
            return print_json(&record);
        }
        print(&human(&record)).context("cannot print")
    }

    /// In the journal of a replay, which holds decisions alone, or of a live loop, which holds commands as well.
    fn find(&self) -> Result<Option<JournalRecord>, foresail_store::Error> {
        if self.is_live()? {
            let found = find_entry::<Entry>(&self.journal, self.id)?;
            return Ok(found.and_then(|entry| match entry {
                Entry::Decided { record } | Entry::Urged { record } => Some(record),
                Entry::Commanded { .. } | Entry::Told { .. } => None,
            }));
        }
        find(&self.journal, self.id)
    }

    fn count(&self) -> Result<usize, foresail_store::Error> {
        if self.is_live()? {
            let entries = JournalReader::<Entry>::of_entries(&self.journal)?;
            let is_decision =
                |entry: &Result<Entry, _>| !matches!(entry, Ok(Entry::Commanded { .. } | Entry::Told { .. }));
            return Ok(entries.filter(is_decision).count());
        }
        Ok(JournalReader::open(&self.journal)?.count())
    }

    /// Whether its first line is an entry of a live loop.
    fn is_live(&self) -> Result<bool, foresail_store::Error> {
        let first = JournalReader::<Entry>::of_entries(&self.journal)?.next();
        Ok(matches!(first, Some(Ok(_))))
    }
}

fn human(record: &JournalRecord) -> String {
    let (observed, decision) = (&record.observation, &record.decision);
    let verb = match record.mode {
        Mode::Observe => "would have had",
        Mode::Recommend => "recommended",
        Mode::Act => "ordered",
    };
    let mut text = format!(
        "Decision {} at {}: {} {verb} {} replicas (it was asked for {}, {} ready, {} starting).\n{}.\n\n",
        record.id,
        record.time,
        record.policy,
        decision.desired,
        observed.replicas.desired,
        observed.replicas.ready,
        observed.replicas.starting,
        capitalised(&decision.reason.to_string()),
    );
    let mut table = TextTable::new(["seen", "value", "until", "over", "quality"]);
    for sample in &observed.samples {
        table.row([
            metric(sample.metric).to_owned(),
            format!("{:.3}", sample.value),
            sample.time.to_string(),
            Span(sample.interval).to_string(),
            quality(sample.quality).to_owned(),
        ]);
    }
    text.push_str(&if observed.samples.is_empty() { "Nothing was measured.\n".to_owned() } else { table.render() });
    text.push_str(&format!(
        "\nThe baseline wanted {} at the same instant. Next decision after {}. Made by version {}.\n",
        record.baseline,
        Span(observed.tick),
        record.version
    ));
    text
}

fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::RequestRate => "requests a second",
        Metric::Utilisation => "utilisation",
        Metric::Memory => "memory, bytes",
        Metric::Connections => "connections",
        Metric::QueueLength => "waiting",
        _ => "other",
    }
}

fn quality(quality: Quality) -> &'static str {
    match quality {
        Quality::Good => "good",
        Quality::Saturated => "saturated: at least this",
        Quality::Attack => "attack",
        Quality::Suspect => "suspect",
    }
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_with_a_capital() {
        assert_eq!(
            (capitalised("set by öl"), capitalised(""), capitalised("ö")),
            ("Set by öl".into(), String::new(), "Ö".into())
        );
    }
}
