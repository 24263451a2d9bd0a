//! `foresail simulate INPUT --value COL --capacity-rps 100 --policies all`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use foresail_core::Timestamp;
use foresail_scale::{Error, ServiceKind, policies};
use serde::Serialize;

use crate::args::{Input, KnownArgs, Loaded, Span, positive};
use crate::clock::Stopwatch;
use crate::failure::usage;
use crate::lab::league::{Entry, ORACLE};
use crate::lab::score::Score;
use crate::lab::setup::{ServiceArgs, Setup, Shape};
use crate::lab::study::{Learned, Study};
use crate::lab::sweep::Verdict;
use crate::lab::ticks::Scale;
use crate::output::{create, note, print, print_json, write_file};
use crate::{lab, reports};

/// Replay a load against scaling policies and compare lateness and cost.
///
/// VALUE is requests a second unless --per says otherwise, and a sample stamped t holds until the next. It is cut into
/// ticks of --step: coarser data is repeated, finer data averaged over time, and a gap holds the value before it. At the
/// start of a tick a policy sees only ticks that have ended.
#[derive(Args, Debug)]
pub(crate) struct Simulate {
    /// What a value counts: 1m for requests a minute
    #[arg(long, value_name = "SPAN", default_value = "1s")]
    per: Span,
    /// Policies, comma-separated, with a setting after an @ if wanted (hpa@0.6); all for all
    #[arg(long, value_name = "IDS", value_delimiter = ',', default_value = "all")]
    policies: Vec<String>,
    /// Multiply so that the selection's 99.9th percentile is this rate
    #[arg(long, value_name = "RPS", value_parser = positive, conflicts_with = "scale_factor")]
    scale_peak: Option<f64>,
    /// Multiply with this
    #[arg(long, value_name = "X", value_parser = positive)]
    scale_factor: Option<f64>,
    /// Days at the start that policies see but that are not scored [default: half in whole days, at most 8]
    #[arg(long, value_name = "DAYS", value_parser = days)]
    train_days: Option<f64>,
    /// Length of a tick
    #[arg(long, value_name = "SPAN", default_value = "15s")]
    step: Span,
    /// Replay every setting of the policies that have one, and compare at equal lateness
    #[arg(long)]
    sweep: bool,
    /// Seed of whatever is random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write timestamp,policy,demand_rps,desired,ready of the scored ticks
    #[arg(long, value_name = "F.csv")]
    decisions: Option<PathBuf>,
    /// Record the scored decisions of foresail (of the first policy without it) for `foresail explain`
    #[arg(long, value_name = "F.jsonl")]
    journal: Option<PathBuf>,
    /// Write a report that a browser opens
    #[arg(long, value_name = "F.html")]
    report: Option<PathBuf>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    known: KnownArgs,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    service: ServiceArgs,
}

/// The JSON document.
#[derive(Serialize)]
struct Document<'a> {
    input: &'a str,
    value: &'a str,
    from: Timestamp,
    evaluate_from: Timestamp,
    to: Timestamp,
    train_days: f64,
    evaluate_days: f64,
    step_s: f64,
    scale_factor: f64,
    held_rows: usize,
    service: foresail_scale::Service,
    late_fraction: f64,
    interval_coverage: f64,
    policies: &'a [Score],
    learned: Option<&'a Learned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<SweepDocument<'a>>,
    simulated_s: f64,
}

#[derive(Serialize)]
struct SweepDocument<'a> {
    verdict: &'a Verdict,
    replica_hours_at_equal_lateness: Vec<(String, Option<f64>)>,
    points: &'a [lab::sweep::Point],
}

impl Simulate {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let loaded = self.input.load()?;
        let setup = self.setup(&loaded)?;
        let names = choose(&self.policies, &setup)?;
        let watch = Stopwatch::start();
        let study = Study::run(&setup, &names, self.journal.as_deref(), self.sweep)?;
        let simulated_s = watch.seconds();

        if let Some(path) = &self.decisions {
            write_decisions(path, &setup, &study.entries)?;
        }
        let outcome = Outcome { loaded: &loaded, setup: &setup, study: &study };
        if let Some(path) = &self.report {
            write_file(path, &reports::simulate::render(&outcome))?;
            note(&format!("report: {}", path.display()));
        }
        if self.json {
            return print_json(&document(&outcome, simulated_s));
        }
        print(&reports::simulate::text(&outcome))?;
        if !loaded.quality.is_clean() {
            note(&loaded.quality.to_string());
        }
        Ok(())
    }

    fn setup(&self, loaded: &Loaded) -> anyhow::Result<Setup> {
        let scale = match (self.scale_peak, self.scale_factor) {
            (Some(peak), _) => Scale::Peak(peak),
            (None, factor) => Scale::Factor(factor.unwrap_or(1.0)),
        };
        let train = self.train_days.map(|days| Duration::from_secs_f64(days * 86_400.0));
        let shape = Shape { tick: self.step.0, per: self.per.0, scale, train };
        let mut setup = Setup::new(&loaded.frame, shape, &self.service, self.seed)?;
        setup.options.known = self.known.load(&loaded.frame)?;
        Ok(setup)
    }
}

/// Everything that is said of a simulation, on the terminal or in a report.
pub(crate) struct Outcome<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) setup: &'a Setup,
    pub(crate) study: &'a Study,
}

/// The policies asked for, each of which can be built.
///
/// # Errors
/// A wrong id or setting, naming what is accepted.
pub(crate) fn choose(asked: &[String], setup: &Setup) -> anyhow::Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for id in asked.iter().map(|id| id.trim()).filter(|id| !id.is_empty()) {
        let known = policies::names().iter().map(|n| (*n).to_owned()).chain([ORACLE.to_owned()]);
        let ids: Vec<String> = if id == "all" { known.collect() } else { vec![id.to_owned()] };
        for id in ids {
            if id != ORACLE {
                policies::build(&id, &setup.scenario.service, &setup.options).map_err(|error| match error {
                    Error::NoSuchPolicy { available, .. } => {
                        usage(format!("--policies: no policy {id:?}; there are all, {available}, {ORACLE}"))
                    }
                    other => usage(format!("--policies: {id}: {other}")),
                })?;
            }
            if !names.contains(&id) {
                names.push(id);
            }
        }
    }
    if names.is_empty() {
        return Err(usage("--policies names none; accepted are all or ids such as hpa,foresail"));
    }
    Ok(names)
}

fn days(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(days) if (0.0..=36_600.0).contains(&days) => Ok(days),
        _ => Err(format!("{text:?} is not accepted; expected a number of days from 0")),
    }
}

fn document<'a>(outcome: &Outcome<'a>, simulated_s: f64) -> Document<'a> {
    let (setup, frame) = (outcome.setup, &outcome.loaded.frame);
    let tick = setup.scenario.tick.as_secs_f64();
    Document {
        input: &outcome.loaded.name,
        value: frame.target_column().name(),
        from: setup.scenario.start,
        evaluate_from: setup.evaluate_start(),
        to: setup.scenario.time(setup.scenario.load.len()),
        train_days: setup.scenario.evaluate_from as f64 * tick / 86_400.0,
        evaluate_days: setup.evaluate_days(),
        step_s: tick,
        scale_factor: setup.factor,
        held_rows: setup.held_rows,
        service: setup.scenario.service,
        late_fraction: setup.options.late_fraction,
        interval_coverage: lab::score::COVERAGE,
        policies: &outcome.study.scores,
        learned: outcome.study.learned.as_ref(),
        sweep: outcome.study.sweep.as_ref().map(|(sweep, verdict)| SweepDocument {
            verdict,
            replica_hours_at_equal_lateness: sweep.cost_at_equal_lateness(setup.options.late_fraction),
            points: &sweep.points,
        }),
        simulated_s,
    }
}

/// The scored ticks of every policy, policies in their order.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_decisions(path: &Path, setup: &Setup, entries: &[Entry]) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let scenario = &setup.scenario;
    let scored = scenario.evaluate_from..scenario.load.len();
    let times: Vec<String> = scored.clone().map(|tick| scenario.time(tick).to_string()).collect();
    let demands: Vec<String> = scored.clone().map(|tick| scenario.load[tick].to_string()).collect();
    let mut out = create(path)?;
    writeln!(out, "timestamp,policy,demand_rps,desired,ready").with_context(failed)?;
    for run in entries.iter().map(|e| &e.run) {
        for (row, tick) in scored.clone().enumerate() {
            let (time, demand) = (&times[row], &demands[row]);
            writeln!(out, "{time},{},{demand},{},{}", run.policy, run.desired[tick], run.ready[tick])
                .with_context(failed)?;
        }
    }
    out.flush().with_context(failed)
}

/// What a service is called in a sentence.
pub(crate) fn service_sentence(setup: &Setup) -> String {
    let service = &setup.scenario.service;
    let late = match service.kind() {
        ServiceKind::Request => format!("late after a wait of {}", Span(service.wait_slo())),
        ServiceKind::Queue => format!("late after {} in the queue", Span(service.wait_slo())),
    };
    format!("{} a second a replica, {} to start one, {late}", service.capacity_rps(), Span(service.startup()))
}
