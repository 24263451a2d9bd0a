//! `foresail demo --offline`: the main job on generated load, from a file to a report, without a running service.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use foresail_core::Frame;
use foresail_forecast::backtest::{BacktestOptions, BacktestResult};
use foresail_forecast::registry::ModelOptions;
use foresail_ingest::{ReadOptions, Source, read};
use foresail_sim::generate::{GenerateOptions, Kind, Overlay, Pattern, generate};

use crate::args::Loaded;
use crate::clock::Stopwatch;
use crate::commands::generate::{write_series, write_truth};
use crate::commands::simulate::{Outcome, choose};
use crate::commands::{backtest, simulate};
use crate::lab::setup::{ServiceArgs, Setup, Shape};
use crate::lab::study::Study;
use crate::lab::ticks::{Scale, resampled};
use crate::output::{print, write_file};
use crate::{progress, reports};

/// The main job on generated load: three weeks of the predictive autoscaler exercise, with two crowds that nothing
/// announces. Two weeks to learn from; the third is forecast, scaled by every policy, and scored.
#[derive(Debug)]
pub(crate) struct Tour {
    /// Folder for the load, the journal and the report.
    pub(crate) output: PathBuf,
    /// Four days instead of three weeks, and no sweep of settings.
    pub(crate) quick: bool,
    /// Seed of the load and of whatever is random.
    pub(crate) seed: u64,
}

/// Requests a second at the 99.9th percentile.
const PEAK_RPS: f64 = 5_000.0;
const DAY: Duration = Duration::from_secs(86_400);

impl Tour {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let watch = Stopwatch::start();
        fs::create_dir_all(&self.output).with_context(|| format!("cannot create {}", self.output.display()))?;
        let loaded = self.load()?;

        let forecasts = self.forecast(&loaded.frame)?;
        let names = choose(&["all".to_owned()], &self.setup(&loaded.frame)?)?;
        let setup = self.setup(&loaded.frame)?;
        let journal = self.output.join("journal.jsonl");
        // The journal is append-only; that of an earlier demo is not this one's beginning.
        if journal.is_file() {
            fs::remove_file(&journal).with_context(|| format!("cannot replace {}", journal.display()))?;
        }
        let study = Study::run(&setup, &names, Some(&journal), !self.quick)?;
        simulate::write_decisions(&self.output.join("decisions.csv"), &setup, &study.entries)?;

        let outcome = Outcome { loaded: &loaded, setup: &setup, study: &study };
        let report = self.output.join("report.html");
        write_file(&report, &reports::demo::render(&outcome, &forecasts.0, &forecasts.1))?;
        print(&reports::demo::text(&outcome, &forecasts.1))?;
        print(&self.next_steps(&study, watch.seconds()))
    }

    /// Generates the load, writes it with its truth, and reads it as anyone's file would be.
    fn load(&self) -> anyhow::Result<Loaded> {
        let (days, first_crowd) = if self.quick { (4, 3) } else { (21, 16) };
        let crowd = |day: u32, hour: u32, factor| Overlay {
            length: DAY / 16,
            factor,
            ..Overlay::usual(Kind::FlashCrowd, day * DAY + hour * DAY / 24)
        };
        let overlays = vec![crowd(first_crowd, 14, 1.6), crowd(days - 1, 20, 2.2)];
        let options = GenerateOptions { days, seed: self.seed, overlays, ..GenerateOptions::new(Pattern::Exercise3) };
        let generated = generate(&options)?;
        let path = self.output.join("load.csv");
        write_series(&path, &generated)?;
        write_truth(&self.output.join("load.truth.json"), &generated)?;
        let ingested = read(Source::from(path.as_path()), &ReadOptions::default())?;
        Ok(Loaded { frame: ingested.frame, quality: ingested.quality, name: path.display().to_string() })
    }

    /// Models on five-minute means over the last days, with the series they were tested on.
    fn forecast(&self, frame: &Frame) -> anyhow::Result<(Frame, BacktestResult)> {
        let frame = resampled(frame, Duration::from_secs(300))?;
        let names =
            ["ensemble", "level_shape", "pattern", "seed_ensemble", "seasonal_naive", "last_value"].map(str::to_owned);
        let mut options = BacktestOptions::new(12);
        options.windows = Some(48);
        options.seed = self.seed;
        let models = backtest::models(&names, &ModelOptions::default())?;
        let bar = progress::bar((models.len() * frame.len()) as u64, "testing forecasts");
        let result = backtest::run(&frame, models, &options, &bar)?;
        bar.finish_and_clear();
        Ok((frame, result))
    }

    fn setup(&self, frame: &Frame) -> anyhow::Result<Setup> {
        let shape = Shape {
            tick: Duration::from_secs(15),
            per: Duration::from_secs(1),
            scale: Scale::Peak(PEAK_RPS),
            train: Some(DAY * if self.quick { 3 } else { 14 }),
        };
        Setup::new(frame, shape, &ServiceArgs::request(100.0, Duration::from_secs(60)), self.seed)
    }

    fn next_steps(&self, study: &Study, seconds: f64) -> String {
        let folder = self.output.display();
        let largest = study.watched().and_then(|e| e.changes.iter().max_by_key(|c| c.from.0.abs_diff(c.to.0)));
        let explain = largest.map_or_else(String::new, |change| {
            format!("  why the largest change was made:  foresail explain {folder}/journal.jsonl {}\n", change.id)
        });
        format!(
            "Done in {seconds:.1} s. Open {folder}/report.html in a browser.\n{explain}  \
             the same on your own load:        foresail simulate FILE --value COL --capacity-rps 100 --sweep --report replay.html\n"
        )
    }
}
