//! `foresail fingerprint LOG`: which kinds of work a service did when, from its access log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use foresail_core::Timestamp;
use foresail_core::fingerprint::{
    Fingerprint as Print, FingerprintOptions, Fingerprinter, Request, Wanted, feature_names, path_pattern, stored_row,
    stored_schema,
};
use foresail_ingest::{LogQuality, LoggedRequest, Source, read_requests};
use foresail_store::FeatureStore;
use serde::Serialize;

use crate::args::Span;
use crate::failure::usage;
use crate::output::{TextTable, cell, note, print, print_json, write_file};
use crate::reports;

/// Most bytes of a log, once decompressed, and most requests and intervals.
const MAX_BYTES: u64 = 64 << 30;
const MAX_REQUESTS: usize = 50_000_000;
const MAX_INTERVALS: i64 = 100_000;

/// Tell from a log of requests which kinds of work a service did when.
#[derive(Args, Debug)]
pub(crate) struct Fingerprint {
    /// Access log: combined, JSON lines or CSV with a header, plain, .gz or .zst; - is standard input
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// Length of an interval, of which each is one fingerprint
    #[arg(long, value_name = "SPAN", default_value = "1m")]
    interval: Span,
    /// Numbers in a fingerprint
    #[arg(long, value_name = "N", default_value_t = 6)]
    components: usize,
    /// Past states like the last one to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    nearest: usize,
    /// How far in the past they must be
    #[arg(long, value_name = "SPAN", default_value = "30m")]
    apart: Span,
    /// Keep features and fingerprints in the feature store of this directory
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Draw a map of the fingerprints that a browser opens
    #[arg(long, value_name = "F.html")]
    plot: Option<PathBuf>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// All that is found of a log.
pub(crate) struct Found {
    /// How people call the log.
    pub(crate) name: String,
    /// Length of an interval.
    pub(crate) interval: Duration,
    /// A fingerprint an interval.
    pub(crate) prints: Vec<Print>,
    /// Requests of each interval.
    pub(crate) requests: Vec<u64>,
    /// What is remembered at the end.
    pub(crate) fingerprinter: Fingerprinter,
    quality: LogQuality,
}

#[derive(Serialize)]
struct Document<'a> {
    log: &'a str,
    requests: u64,
    unreadable_lines: u64,
    interval_s: f64,
    features: Vec<String>,
    explained: Vec<f64>,
    regimes: Vec<Regime>,
    fingerprints: Vec<Row<'a>>,
    nearest: Vec<Like>,
}

/// One kind of work.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Regime {
    /// Its number.
    pub(crate) regime: usize,
    /// Intervals of it.
    pub(crate) intervals: usize,
    /// When it was first and last seen.
    pub(crate) first: Timestamp,
    /// Start of its last interval.
    pub(crate) last: Timestamp,
    /// Requests a second, in the mean.
    pub(crate) rate_rps: f64,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    print: &'a Print,
    requests: u64,
    features: &'a [Option<f64>],
}

/// A past state like the last one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Like {
    /// Its start.
    pub(crate) time: Timestamp,
    /// How far from the last one.
    pub(crate) distance: f64,
    /// The kind of work it was.
    pub(crate) regime: usize,
}

/// What is kept of a request until all are in order.
struct Kept {
    time: Timestamp,
    pattern: u64,
    latency_ms: f64,
    is_error: bool,
    cost: Option<f64>,
    received_bytes: f64,
}

impl Fingerprint {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let found = self.find()?;
        if let Some(directory) = &self.store {
            store(directory, &found)?;
        }
        let like = self.like(&found);
        if let Some(path) = &self.plot {
            write_file(path, &reports::fingerprint::render(&found, &like)?)?;
            note(&format!("map: {}", path.display()));
        }
        if self.json {
            return print_json(&document(&found, like));
        }
        print(&human(&found, &like))?;
        if found.quality.unreadable > 0 {
            let first = found.quality.first_unreadable.unwrap_or(0);
            note(&format!(
                "{} lines are no request and were passed over, the first is line {first}",
                found.quality.unreadable
            ));
        }
        Ok(())
    }

    fn find(&self) -> anyhow::Result<Found> {
        let (source, name) = if self.log.as_os_str() == "-" {
            (Source::Stdin, "standard input".to_owned())
        } else {
            (Source::Path(self.log.clone()), self.log.display().to_string())
        };
        let mut kept: Vec<Kept> = Vec::new();
        let mut left_out = 0_u64;
        let quality = read_requests(source, MAX_BYTES, |request| {
            if kept.len() < MAX_REQUESTS { kept.push(Kept::of(&request)) } else { left_out += 1 }
        })?;
        if left_out > 0 {
            note(&format!("{left_out} requests after the first {MAX_REQUESTS} are left out"));
        }
        // Logs are written as requests end.
        kept.sort_by_key(|request| request.time);
        let interval = self.interval.0;
        let (Some(first), Some(last)) = (kept.first(), kept.last()) else {
            return Err(usage(format!("{name} holds no request")));
        };
        let start = first.time.floor_to(interval);
        let count = (last.time.as_micros() - start.as_micros()) / (interval.as_micros() as i64).max(1) + 1;
        if count > MAX_INTERVALS {
            let from = first.time;
            return Err(usage(format!(
                "{name} reaches from {from} to {}, {count} intervals of {}; expected at most {MAX_INTERVALS}",
                last.time, self.interval
            )));
        }
        let options = FingerprintOptions {
            parameters: vec!["received_bytes".to_owned()],
            components: self.components,
            remembered: (count as usize).max(16),
            ..FingerprintOptions::default()
        };
        let fingerprinter = Fingerprinter::new(options).map_err(|error| usage(error.to_string()))?;
        let mut found = Found { name, interval, prints: Vec::new(), requests: Vec::new(), fingerprinter, quality };
        found.fill(&kept, start, count as usize);
        Ok(found)
    }

    fn like(&self, found: &Found) -> Vec<Like> {
        let neighbours = found.fingerprinter.nearest(self.apart.0, &Wanted { count: self.nearest, lag: 0, between: 0 });
        let regimes: BTreeMap<Timestamp, usize> = found.prints.iter().map(|print| (print.time, print.regime)).collect();
        let memory = found.fingerprinter.memory();
        let like = neighbours.iter().filter_map(|neighbour| {
            let time = memory.get(neighbour.index)?.time;
            Some(Like { time, distance: neighbour.distance, regime: *regimes.get(&time)? })
        });
        like.collect()
    }
}

impl Kept {
    fn of(request: &LoggedRequest) -> Self {
        Self {
            time: request.time,
            pattern: path_pattern(&request.method, &request.target),
            latency_ms: request.latency_ms.unwrap_or(f64::NAN),
            is_error: request.status >= 500,
            // What is sent stands for what a request costs where the log does not say.
            cost: request.cost.or(request.sent_bytes),
            received_bytes: request.received_bytes.unwrap_or(f64::NAN),
        }
    }
}

impl Found {
    fn fill(&mut self, kept: &[Kept], start: Timestamp, count: usize) {
        let mut rest = kept;
        let mut from = start;
        for _ in 0..count {
            let until = from + self.interval;
            let (now, later) = rest.split_at(rest.partition_point(|request| request.time < until));
            let mut cost = 0.0;
            for request in now {
                let Kept { time, pattern, latency_ms, is_error, .. } = *request;
                let parameters = [request.received_bytes];
                cost += request.cost.unwrap_or(0.0);
                self.fingerprinter.record(&Request {
                    time,
                    pattern,
                    latency_ms,
                    is_error,
                    cost: request.cost,
                    parameters: &parameters,
                });
            }
            self.requests.push(now.len() as u64);
            self.prints.push(self.fingerprinter.close(from, self.interval, &[], Some(cost)));
            (rest, from) = (later, until);
        }
        // All through the axes as they are at the end, so that they can be compared.
        for (print, state) in self.prints.iter_mut().zip(self.fingerprinter.memory().states()) {
            print.vector = self.fingerprinter.pca().project(&state.features);
        }
    }

    /// The kinds of work, in the order of appearance.
    pub(crate) fn regimes(&self) -> Vec<Regime> {
        let mut regimes: BTreeMap<usize, (Regime, u64)> = BTreeMap::new();
        for (print, requests) in self.prints.iter().zip(&self.requests) {
            let fresh =
                Regime { regime: print.regime, intervals: 0, first: print.time, last: print.time, rate_rps: 0.0 };
            let (regime, sum) = regimes.entry(print.regime).or_insert((fresh, 0));
            regime.intervals += 1;
            regime.last = print.time;
            *sum += requests;
        }
        let rate = |(regime, sum): (Regime, u64)| {
            let seconds = regime.intervals as f64 * self.interval.as_secs_f64();
            Regime { rate_rps: sum as f64 / seconds, ..regime }
        };
        regimes.into_values().map(rate).collect()
    }
}

fn document(found: &Found, nearest: Vec<Like>) -> Document<'_> {
    let rows = found.prints.iter().zip(&found.requests).zip(found.fingerprinter.memory().states());
    Document {
        log: &found.name,
        requests: found.quality.requests,
        unreadable_lines: found.quality.unreadable,
        interval_s: found.interval.as_secs_f64(),
        features: feature_names(found.fingerprinter.options()),
        explained: found.fingerprinter.pca().explained(),
        regimes: found.regimes(),
        fingerprints: rows
            .map(|((print, requests), state)| Row { print, requests: *requests, features: &state.features })
            .collect(),
        nearest,
    }
}

fn human(found: &Found, like: &[Like]) -> String {
    let interval = Span(found.interval);
    let mut text = format!(
        "{}: {} requests in {} intervals of {interval}, {} kinds of work\n\n",
        found.name,
        found.quality.requests,
        found.prints.len(),
        found.regimes().len()
    );
    let mut table = TextTable::new(["regime", "intervals", "requests/s", "first", "last"]);
    for regime in found.regimes() {
        let Regime { regime, intervals, first, last, rate_rps } = regime;
        table.row([
            regime.to_string(),
            intervals.to_string(),
            cell(Some(rate_rps), 2),
            first.to_string(),
            last.to_string(),
        ]);
    }
    text.push_str(&table.render());
    let changes: Vec<_> = found.prints.iter().filter_map(|print| Some((print.time, print.change?))).collect();
    text.push_str(&format!("\nchanges of the kind of work: {}\n", changes.len()));
    for (time, change) in changes.iter().rev().take(20).rev() {
        let news = if change.is_new { ", never seen before" } else { "" };
        text.push_str(&format!("  {time}  {} to {}{news}\n", change.from, change.to));
    }
    if !like.is_empty() {
        text.push_str("\npast intervals most like the last\n");
        for Like { time, distance, regime } in like {
            text.push_str(&format!("  {time}  regime {regime}, distance {distance:.2}\n"));
        }
    }
    text
}

fn store(directory: &std::path::Path, found: &Found) -> anyhow::Result<()> {
    let schema = stored_schema(found.fingerprinter.options(), found.interval);
    let mut store = FeatureStore::open(directory, &schema)?;
    for (state, print) in found.fingerprinter.memory().states().zip(&found.prints) {
        let known = print.time + found.interval;
        store.append(&found.name, print.time, known, &stored_row(state, print))?;
    }
    store.flush()?;
    Ok(())
}
