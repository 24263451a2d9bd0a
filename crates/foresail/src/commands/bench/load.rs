//! `foresail bench forecast --suite load`: every model on the load traces, 15, 30 and 60 minutes ahead.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use foresail_forecast::backtest::{BacktestOptions, BacktestResult};
use foresail_forecast::metrics::{Metrics, geometric_mean};
use foresail_forecast::registry::ModelOptions;
use serde::Serialize;

use super::series::{Series, series_in};
use crate::commands::backtest::{LEVELS, models, run};
use crate::failure::usage;
use crate::output::{TextTable, cell, print, print_json};
use crate::progress;

/// Minutes ahead that are looked at.
const LEADS: [u64; 3] = [15, 30, 60];
const BASELINE: &str = "seasonal_naive";
const MIXER: &str = "ensemble";
const DAY: Duration = Duration::from_secs(86_400);

/// What was asked of the suite.
pub(super) struct Load {
    /// Folder of the traces.
    pub(super) traces: PathBuf,
    /// Names of the registry.
    pub(super) models: Vec<String>,
    pub(super) seed: u64,
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Document {
    suite: &'static str,
    leads_min: [u64; 3],
    baseline: &'static str,
    models: Vec<Line>,
    series: Vec<SeriesLine>,
}

/// A model over all series, a figure a lead.
#[derive(Serialize)]
struct Line {
    model: String,
    relative_mase: [Option<f64>; 3],
    relative_wql: [Option<f64>; 3],
    coverage_90: [Option<f64>; 3],
    /// The mixer's error over that of the best other model in hindsight, at all leads of all series: mean and worst.
    beside_best: Option<[f64; 2]>,
}

/// A series, a figure a lead.
#[derive(Serialize)]
struct SeriesLine {
    series: String,
    rows: usize,
    step_s: f64,
    windows: usize,
    models: Vec<SeriesModel>,
}

#[derive(Serialize)]
struct SeriesModel {
    model: String,
    mase: [Option<f64>; 3],
    wql: [Option<f64>; 3],
    coverage_90: [Option<f64>; 3],
}

impl Load {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let traces = series_in(&self.traces);
        if traces.is_empty() {
            return Err(usage(format!("--traces is {}; there is no trace in it", self.traces.display())));
        }
        let bar = progress::bar(0, "walking models");
        let mut series = Vec::new();
        for trace in &traces {
            series.push(self.test(trace, &bar).with_context(|| trace.name.clone())?);
        }
        bar.finish_and_clear();
        let models = self.models.iter().map(|name| line(name, &series)).collect();
        let document = Document { suite: "load", leads_min: LEADS, baseline: BASELINE, models, series };
        if self.json { print_json(&document) } else { print(&human(&document)) }
    }

    /// Trained on the first days of the trace, then asked each hour of the seven after them.
    fn test(&self, trace: &Series, bar: &indicatif::ProgressBar) -> anyhow::Result<SeriesLine> {
        let frame = trace.load()?;
        let mut options = BacktestOptions::new(frame.steps_in(Duration::from_secs(60 * LEADS[2])));
        options.warm_up = Some(DAY * trace.train_days as u32);
        options.levels = LEVELS.to_vec();
        options.seed = self.seed;
        let told = ModelOptions { horizon: options.horizon, ..ModelOptions::default() };
        let models = models(&self.models, &told)?;
        bar.inc_length((models.len() * frame.len()) as u64);
        let result = run(&frame, models, &options, bar)?;
        let steps = LEADS.map(|minutes| frame.steps_in(Duration::from_secs(60 * minutes)));
        Ok(SeriesLine {
            series: trace.name.clone(),
            rows: frame.len(),
            step_s: frame.step().as_secs_f64(),
            windows: result.windows.len(),
            models: by_lead(&result, steps),
        })
    }
}

fn by_lead(result: &BacktestResult, steps: [usize; 3]) -> Vec<SeriesModel> {
    let one = |model: &foresail_forecast::backtest::ModelResult| {
        let at = |figure: fn(&Metrics) -> Option<f64>| steps.map(|step| figure(&model.by_horizon[step - 1]));
        SeriesModel {
            model: model.name.clone(),
            mase: at(|m| m.mase),
            wql: at(|m| m.wql),
            coverage_90: at(|m| m.coverage.map(|c| c.covered)),
        }
    };
    result.models.iter().map(one).collect()
}

fn line(name: &str, series: &[SeriesLine]) -> Line {
    let of = |line: &SeriesLine, name: &str| line.models.iter().position(|m| m.model == name);
    let relative = |figure: fn(&SeriesModel) -> [Option<f64>; 3]| -> [Option<f64>; 3] {
        std::array::from_fn(|lead| {
            let ratio = |line: &SeriesLine| {
                let (own, base) = (&line.models[of(line, name)?], &line.models[of(line, BASELINE)?]);
                Some(figure(own)[lead]? / figure(base)[lead]?).filter(|ratio| ratio.is_finite() && *ratio > 0.0)
            };
            geometric_mean(series.iter().filter_map(ratio))
        })
    };
    let coverage_90 = std::array::from_fn(|lead| {
        let found: Vec<f64> = series.iter().filter_map(|line| line.models[of(line, name)?].coverage_90[lead]).collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    });
    Line {
        model: name.to_owned(),
        relative_mase: relative(|m| m.mase),
        relative_wql: relative(|m| m.wql),
        coverage_90,
        beside_best: (name == MIXER).then(|| beside_best(series)).flatten(),
    }
}

/// Mean and worst of the mixer's scaled error over the least of the others'.
fn beside_best(series: &[SeriesLine]) -> Option<[f64; 2]> {
    let mut ratios = Vec::new();
    for line in series {
        let (mixer, others): (Vec<&SeriesModel>, Vec<&SeriesModel>) =
            line.models.iter().partition(|m| m.model == MIXER);
        for lead in 0..LEADS.len() {
            let best = others.iter().filter_map(|m| m.mase[lead]).min_by(f64::total_cmp);
            let own = mixer.first().and_then(|m| m.mase[lead]);
            ratios.extend(own.zip(best).map(|(own, best)| own / best).filter(|ratio| ratio.is_finite()));
        }
    }
    let worst = ratios.iter().copied().max_by(f64::total_cmp)?;
    Some([ratios.iter().sum::<f64>() / ratios.len() as f64, worst])
}

fn human(document: &Document) -> String {
    let header =
        ["model", "rel. MASE 15", "30", "60 min", "rel. WQL 15", "30", "60 min", "90 % covers 15", "30", "60 min"];
    let mut table = TextTable::new(header);
    for line in &document.models {
        let figures = [line.relative_mase, line.relative_wql, line.coverage_90];
        table.row(std::iter::once(line.model.clone()).chain(figures.iter().flatten().map(|figure| cell(*figure, 3))));
    }
    let mut text = format!(
        "{} traces, asked each hour; errors relative to {BASELINE}, as geometric means\n\n{}",
        document.series.len(),
        table.render()
    );
    let mixer = document.models.iter().find_map(|line| line.beside_best);
    if let Some([mean, worst]) = mixer {
        text.push_str(&format!(
            "\n{MIXER} beside the best of the others in hindsight: {mean:.3} on the mean, {worst:.3} at worst\n"
        ));
    }
    for (title, figure) in [("MASE 15 / 30 / 60 min of", 0), ("WQL 15 / 30 / 60 min of", 1)] {
        let names = document.models.iter().map(|line| line.model.clone());
        let mut table = TextTable::new(std::iter::once(title.to_owned()).chain(names));
        for series in &document.series {
            let cells = series.models.iter().map(|model| {
                let values = if figure == 0 { model.mase } else { model.wql };
                values.map(|value| cell(value, 3)).join(" / ")
            });
            table.row(std::iter::once(series.series.clone()).chain(cells));
        }
        text.push_str(&format!("\n{}", table.render()));
    }
    text
}
