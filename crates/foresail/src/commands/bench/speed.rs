//! `foresail bench forecast --suite speed`: what a fit and a forecast cost beside the libraries that do the same, on one core.

use std::path::PathBuf;

use foresail_core::{Known, SeededRng};
use foresail_forecast::guard::Guarded;
use foresail_forecast::registry::{build, names};
use foresail_forecast::suite::{Dataset, LEVELS, Predictions, pooled, score};
use serde::Serialize;

use crate::clock::CpuWatch;
use crate::failure::usage;
use crate::lab::gift::{self, Peer};
use crate::output::{TextTable, cell, note, print, print_json};
use crate::progress;

/// The set whose series are forecast.
const SET: &str = "m4_hourly/H";
/// Ours, and the model of another library that does the same.
const PAIRS: [(&str, &str); 6] = [
    ("ets", "AutoETS"),
    ("mstl", "MSTL"),
    ("arima", "AutoARIMA"),
    ("theta", "AutoTheta"),
    ("level_shape", "FLAIR"),
    ("prophet", "Prophet"),
];

/// What was asked of the suite.
pub(super) struct Speed {
    /// Folder of the files.
    pub(super) traces: PathBuf,
    /// Series, at most.
    pub(super) series: usize,
    /// Forecasts by other libraries, with what they cost.
    pub(super) peers: Vec<PathBuf>,
    /// Where to write the windows for other libraries.
    pub(super) export: Option<PathBuf>,
    pub(super) seed: u64,
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Document {
    suite: &'static str,
    set: &'static str,
    series: usize,
    pairs: Vec<Pair>,
}

/// A model of ours beside one of another library.
#[derive(Serialize)]
struct Pair {
    model: String,
    mase: Option<f64>,
    /// CPU time of a fit and a forecast, milliseconds a series.
    cpu_ms: f64,
    peer: String,
    library: Option<String>,
    peer_mase: Option<f64>,
    peer_cpu_ms: Option<f64>,
    /// How many times the CPU of ours the peer takes.
    faster: Option<f64>,
}

impl Speed {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if !self.traces.is_dir() {
            return Err(usage(format!("--traces is {}; there is no such folder", self.traces.display())));
        }
        let sets = gift::load(&self.traces, &[SET.to_owned()], self.series)?;
        if let Some(folder) = &self.export {
            for path in gift::export(folder, &sets)? {
                note(&format!("windows: {}", path.display()));
            }
            return Ok(());
        }
        let peers = Peer::read_all(&self.peers, &sets)?;
        let set = &sets[0];
        let known = names();
        let wanted: Vec<(&str, &str)> = PAIRS.into_iter().filter(|(ours, _)| known.contains(ours)).collect();
        let bar = progress::bar((wanted.len() * set.series().len()) as u64, "forecasting series");
        let pairs = wanted.into_iter().map(|(ours, theirs)| self.pair(set, ours, theirs, &peers, &bar));
        let pairs = pairs.collect::<anyhow::Result<Vec<_>>>()?;
        bar.finish_and_clear();
        let document = Document { suite: "speed", set: SET, series: set.series().len(), pairs };
        if self.json { print_json(&document) } else { print(&human(&document)) }
    }

    fn pair(
        &self,
        set: &Dataset,
        ours: &str,
        theirs: &str,
        peers: &[Peer],
        bar: &indicatif::ProgressBar,
    ) -> anyhow::Result<Pair> {
        let (predictions, cpu_s) = self.forecast(set, ours, bar)?;
        let count = set.series().len() as f64;
        let peer = peers.iter().find(|peer| peer.model == theirs);
        let found = peer.and_then(|peer| peer.sets.get(SET));
        let cpu_ms = 1e3 * cpu_s / count;
        let peer_cpu_ms = found.map(|found| 1e3 * found.cpu_s / count);
        Ok(Pair {
            model: ours.to_owned(),
            mase: pooled(&score(set, &predictions)).mase,
            cpu_ms,
            peer: theirs.to_owned(),
            library: peer.map(|peer| peer.library.clone()),
            peer_mase: found.and_then(|found| pooled(&score(set, &found.all()?)).mase),
            peer_cpu_ms,
            faster: peer_cpu_ms.map(|theirs| theirs / cpu_ms),
        })
    }

    /// The model as it is, guarded but not calibrated: a fit and a forecast of each series on this thread.
    fn forecast(&self, set: &Dataset, name: &str, bar: &indicatif::ProgressBar) -> anyhow::Result<(Predictions, f64)> {
        let options = set.model_options();
        let watch = CpuWatch::start();
        let mut predictions = Predictions::new();
        for (series, window) in set.places() {
            let history = set.series()[series].1.slice(0..set.rows(series, window).start);
            let model = Guarded::new(build(name, &options)?);
            let mut rng = SeededRng::seed_from_u64(self.seed);
            let fitted = foresail_forecast::Forecaster::fit(&model, &history, &Known::none(), &mut rng)?;
            let forecast = fitted.predict(set.horizon(), &Known::none());
            let by_level = LEVELS.map(|level| forecast.quantile(level));
            predictions
                .push((0..set.horizon()).map(|step| std::array::from_fn(|level| by_level[level][step])).collect());
            bar.inc(1);
        }
        Ok((predictions, watch.seconds()))
    }
}

fn human(document: &Document) -> String {
    let header = ["model", "beside", "library", "MASE", "beside", "CPU ms a series", "beside", "times less"];
    let mut table = TextTable::new(header).text_columns(3);
    for pair in &document.pairs {
        table.row([
            pair.model.clone(),
            pair.peer.clone(),
            pair.library.clone().unwrap_or_else(|| "not run".to_owned()),
            cell(pair.mase, 3),
            cell(pair.peer_mase, 3),
            cell(Some(pair.cpu_ms), 3),
            cell(pair.peer_cpu_ms, 3),
            cell(pair.faster, 1),
        ]);
    }
    format!(
        "{} series of {}: a fit and 48 steps, one core, CPU time of the process\n\n{}",
        document.series,
        document.set,
        table.render()
    )
}
