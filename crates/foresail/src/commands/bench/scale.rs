//! `foresail bench scale`: Foresail against the best settings of HPA, KEDA and AWS, series by series.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use foresail_scale::ServiceKind;
use indicatif::ProgressBar;
use serde::Serialize;

use super::loads::{Load, adversarial, queues, traces};
use crate::args::Span;
use crate::lab::league::{ORACLE, play};
use crate::lab::score::{Score, late_share, ratio};
use crate::lab::setup::{Kind, ServiceArgs, Setup, Shape};
use crate::lab::study::{OURS, yardstick};
use crate::lab::sweep::{RIVALS, Sweep, Verdict, settings};
use crate::lab::ticks::Scale as Multiply;
use crate::output::{TextTable, cell, note, print, print_json};
use crate::progress;

/// Foresail against the best settings of HPA, KEDA and AWS.
///
/// H is the cheapest swept setting of theirs within the late fraction on the scored days (hindsight), O perfect foresight;
/// `closed` is the share of the replica-hours between the two that Foresail saves, with one configuration for all series.
#[derive(Args, Debug)]
pub(crate) struct Scale {
    /// What to run on
    #[arg(long, value_enum, default_value_t = Suite::Load)]
    suite: Suite,
    /// Folder of the load traces; without it the suites that need them are skipped
    #[arg(long, value_name = "DIR", default_value = "../shared/traces/load")]
    traces: PathBuf,
    /// Start-up delays
    #[arg(long, value_name = "SPANS", value_delimiter = ',', default_value = "60s,180s")]
    startup: Vec<Span>,
    /// Only the series whose names hold one of these
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    series: Vec<String>,
    /// One start-up delay, every fourth setting and at most two scored days
    #[arg(long)]
    quick: bool,
    /// Seed of generated loads and of whatever is random in a policy
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// What to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Suite {
    /// Measured traces after days of training.
    Load,
    /// Measured traces from the first minute.
    Cold,
    /// Generated loads that no history prepares for.
    Adversarial,
    /// Generated event streams on queue workers.
    Queue,
}

/// One cell of the table: a series at one start-up delay.
#[derive(Debug, Serialize)]
struct Cell {
    series: String,
    startup_s: f64,
    evaluate_days: f64,
    foresail: Score,
    /// hpa at 70 %, for the suites that compare with it.
    hpa_70: Score,
    verdict: Verdict,
    /// KEDA's lag policy at Foresail's lateness, for queues: replica-hours.
    keda_at_equal_lateness: Option<f64>,
    /// The cell meets what the suite asks of it.
    met: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    suite: Suite,
    late_fraction: f64,
    cells: &'a [Cell],
    summary: Summary,
    seconds: f64,
}

/// Over all cells.
#[derive(Debug, Default, Serialize)]
struct Summary {
    met: usize,
    cells: usize,
    gap_closed_mean: Option<f64>,
    gap_closed_worst: Option<f64>,
    late_percent_worst: Option<f64>,
    actions_over_hindsight_mean: Option<f64>,
    actions_over_hindsight_worst: Option<f64>,
    saved_against_static_percent_mean: Option<f64>,
}

impl Scale {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let loads = match self.suite {
            Suite::Load => traces(&self.traces, true),
            Suite::Cold => traces(&self.traces, false),
            Suite::Adversarial => adversarial(self.seed),
            Suite::Queue => queues(self.seed)?,
        };
        let chosen = |load: &Load| self.series.is_empty() || self.series.iter().any(|s| load.name.contains(s.as_str()));
        let loads: Vec<Load> = loads.into_iter().filter(chosen).collect();
        if loads.is_empty() {
            note(&format!("skipped: no series to run on ({} holds none that were asked for)", self.traces.display()));
            return Ok(());
        }
        let startups: Vec<Duration> =
            self.startup.iter().map(|s| s.0).take(if self.quick { 1 } else { usize::MAX }).collect();
        let watch = crate::clock::Stopwatch::start();
        let bar = progress::bar((loads.len() * startups.len() * self.replays()) as u64, "replaying");
        let mut cells = Vec::new();
        for load in &loads {
            for startup in &startups {
                cells.push(self.cell(load, *startup, &bar).with_context(|| load.name.clone())?);
            }
        }
        bar.finish_and_clear();
        let summary = Summary::of(&cells);
        if self.json {
            let late_fraction = ServiceArgs::request(100.0, Duration::ZERO).late_fraction;
            return print_json(&Document {
                suite: self.suite,
                late_fraction,
                cells: &cells,
                summary,
                seconds: watch.seconds(),
            });
        }
        print(&self.human(&cells, &summary))
    }

    fn settings(&self, kind: ServiceKind) -> Vec<String> {
        let rivals: Vec<String> =
            RIVALS.iter().map(|r| (*r).to_owned()).filter(|r| kind == ServiceKind::Request || r == "keda").collect();
        settings(&rivals, kind).into_iter().step_by(if self.quick { 4 } else { 1 }).collect()
    }

    fn replays(&self) -> usize {
        let kind = if self.suite == Suite::Queue { ServiceKind::Queue } else { ServiceKind::Request };
        self.settings(kind).len() + 4
    }

    fn cell(&self, load: &Load, startup: Duration, bar: &ProgressBar) -> anyhow::Result<Cell> {
        let mut frame = load.frame()?;
        let day = Duration::from_secs(86_400);
        if self.quick {
            let rows = frame.steps_in(day * load.train_days as u32 + 2 * day);
            frame = frame.slice(0..rows);
        }
        let mut service = ServiceArgs::request(100.0, startup);
        let mut scale = Multiply::Peak(5_000.0);
        if load.queue {
            service.service = Kind::Queue;
            scale = Multiply::Factor(1.0);
        }
        let shape =
            Shape { tick: Duration::from_secs(15), per: load.per, scale, train: Some(day * load.train_days as u32) };
        let setup = Setup::new(&frame, shape, &service, self.seed)?;
        let names = [OURS, "hpa@0.7", "static", ORACLE].map(str::to_owned);
        let entries = play(&setup, &names, None, None, bar)?;
        let yardstick = yardstick(&entries, self.seed)?;
        let sweep = Sweep::run(&setup, &self.settings(setup.scenario.service.kind()), bar)?;
        let slo = setup.options.late_fraction;
        let ours = &entries[0].run;
        let verdict = Verdict::new(&sweep, Some(ours), yardstick.oracle(), slo);
        let keda_at_equal_lateness = load
            .queue
            .then(|| sweep.cost_of("keda", late_share(ours, ours.evaluate_from..ours.requests.len())))
            .flatten();
        let (foresail, hpa_70) = (yardstick.score(&entries[0]), yardstick.score(&entries[1]));
        let met = self.met(&foresail, &hpa_70, &verdict, keda_at_equal_lateness, slo);
        Ok(Cell {
            series: load.name.clone(),
            startup_s: startup.as_secs_f64(),
            evaluate_days: setup.evaluate_days(),
            foresail,
            hpa_70,
            verdict,
            keda_at_equal_lateness,
            met,
        })
    }

    /// What each suite asks of a cell; see docs/acceptance.md.
    fn met(&self, ours: &Score, hpa: &Score, verdict: &Verdict, keda: Option<f64>, slo: f64) -> bool {
        let within = ours.late_percent <= 100.0 * slo;
        match self.suite {
            Suite::Load => {
                let beats = verdict.worse_than_foreseeable_in_both != Some(true);
                let restless = verdict.actions_over_hindsight.is_some_and(|a| a > 1.5);
                let gap = match verdict.gap_closed {
                    Some(closed) => within && closed >= -0.1,
                    None => within || verdict.times_less_late_at_equal_cost.is_some_and(|t| t >= 3.0),
                };
                gap && beats && !restless
            }
            Suite::Cold => ours.late_percent <= hpa.late_percent + 0.1 && ours.replica_hours <= 1.1 * hpa.replica_hours,
            Suite::Adversarial => ours.late_percent <= hpa.late_percent + 0.1,
            // Where no setting of KEDA is as punctual, none is as cheap either.
            Suite::Queue => within && keda.is_none_or(|keda| ours.replica_hours <= 0.8 * keda),
        }
    }

    fn human(&self, cells: &[Cell], summary: &Summary) -> String {
        let names = [
            "series",
            "start s",
            "H",
            "H ×",
            "late %",
            "foresail ×",
            "closed %",
            "× less late",
            "act/H",
            "both worse",
            "hpa70 late %",
            "vs hpa70",
            "vs static %",
            "met",
        ];
        let mut table = TextTable::new(names);
        for c in cells {
            let v = &c.verdict;
            let percent = |x: Option<f64>| cell(x.map(|x| 100.0 * x), 1);
            table.row([
                c.series.clone(),
                format!("{:.0}", c.startup_s),
                v.hindsight.as_ref().map_or_else(|| "none".to_owned(), |h| h.policy.clone()),
                cell(v.hindsight.as_ref().map(|h| ratio(h.replica_hours, v.oracle_replica_hours)), 3),
                format!("{:.4}", c.foresail.late_percent),
                format!("{:.3}", c.foresail.over_oracle),
                percent(v.gap_closed),
                cell(v.times_less_late_at_equal_cost, 1),
                cell(v.actions_over_hindsight, 2),
                v.worse_than_foreseeable_in_both.map_or("–", |w| if w { "yes" } else { "no" }).to_owned(),
                format!("{:.4}", c.hpa_70.late_percent),
                format!("{:.3}", ratio(c.foresail.replica_hours, c.hpa_70.replica_hours)),
                format!("{:+.1}", -c.foresail.saved_against_static_percent),
                if c.met { "yes" } else { "no" }.to_owned(),
            ]);
        }
        let mut text = table.render();
        text.push_str(&format!("\n{} of {} cells met\n", summary.met, summary.cells));
        let percent = |x: Option<f64>| cell(x.map(|x| 100.0 * x), 1);
        text.push_str(&format!(
            "gap closed: mean {} %, worst {} %; actions over H's: mean {}, worst {}; late: worst {} %; against static: mean {} %\n",
            percent(summary.gap_closed_mean),
            percent(summary.gap_closed_worst),
            cell(summary.actions_over_hindsight_mean, 2),
            cell(summary.actions_over_hindsight_worst, 2),
            cell(summary.late_percent_worst, 4),
            cell(summary.saved_against_static_percent_mean.map(|s| -s), 1),
        ));
        for c in cells.iter().filter(|_| self.suite == Suite::Queue) {
            let said = match c.keda_at_equal_lateness {
                Some(keda) => {
                    let saved = 100.0 * (1.0 - ratio(c.foresail.replica_hours, keda));
                    format!("{saved:.1} % fewer worker-hours than keda's lag policy at equal lateness")
                }
                None => "as punctual as no setting of keda's lag policy".to_owned(),
            };
            text.push_str(&format!("{} at {:.0} s: {said}\n", c.series, c.startup_s));
        }
        text
    }
}

impl Summary {
    fn of(cells: &[Cell]) -> Self {
        let gaps: Vec<f64> = cells.iter().filter_map(|c| c.verdict.gap_closed).collect();
        let actions: Vec<f64> = cells.iter().filter_map(|c| c.verdict.actions_over_hindsight).collect();
        let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let most = |values: &[f64]| values.iter().copied().reduce(f64::max);
        let late: Vec<f64> = cells.iter().map(|c| c.foresail.late_percent).collect();
        let saved: Vec<f64> = cells.iter().map(|c| c.foresail.saved_against_static_percent).collect();
        Self {
            met: cells.iter().filter(|c| c.met).count(),
            cells: cells.len(),
            gap_closed_mean: mean(&gaps),
            gap_closed_worst: gaps.iter().copied().reduce(f64::min),
            late_percent_worst: most(&late),
            actions_over_hindsight_mean: mean(&actions),
            actions_over_hindsight_worst: most(&actions),
            saved_against_static_percent_mean: mean(&saved),
        }
    }
}
