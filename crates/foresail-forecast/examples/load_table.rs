//! How well does each model forecast load, and what does it cost?
//!
//! On every load trace that is there, after a day of warm-up and at every fifth minute: the mean absolute scaled error (its
//! unit the mean change from the first day to the second) and the weighted quantile loss (levels 0.1 to 0.9) 15, 30 and 60 minutes ahead, of every model as it would run: guarded, its intervals
//! calibrated. Behind each figure, how it stands to that of the best member of the ensemble in hindsight, at that lead on
//! that trace. Models are fitted anew daily for a week and then weekly, on four weeks.
//!
//! `--cost` instead measures an update and a forecast of 30 steps of each model, of the always-on members together, and of
//! the ensemble, on two thousand rows of worldcup98, medians of batches of a hundred; and a fit on eight days of them.
//!
//! `cargo run --release -p foresail-forecast --example load_table [--cost | --members] [TRACE…]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

mod traces;

use std::hint::black_box;
use std::time::{Duration, Instant};

use foresail_core::{Frame, Known, SeededRng};
use foresail_forecast::Forecaster;
use foresail_forecast::guard::dependable;
use foresail_forecast::metrics::{geometric_mean, percentile};
use foresail_forecast::mixer::MEMBERS;
use foresail_forecast::registry::{ModelOptions, build, names};
use rayon::prelude::*;

const MINUTES: [u64; 3] = [15, 30, 60];
const DAY: Duration = Duration::from_secs(86_400);

fn main() {
    let (flags, wanted): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    if flags.iter().any(|flag| flag == "--cost") {
        return print_costs();
    }
    let mut models = names();
    if flags.iter().any(|flag| flag == "--members") {
        models.retain(|name| MEMBERS.contains(name) || *name == "ensemble");
    }
    let mut gains = [Vec::new(), Vec::new()];
    for (name, frame) in traces::wanted(&wanted) {
        let figures: Vec<Figures> = models.par_iter().map(|model| walk(model, &frame)).collect();
        print_table(name, &models, &figures, &mut gains);
    }
    for (figure, gains) in ["MASE", "WQL"].iter().zip(gains) {
        let worst = gains.iter().copied().fold(0.0, f64::max);
        if let Some(mean) = geometric_mean(gains) {
            println!(
                "{figure} of the ensemble over that of the best member in hindsight: mean {mean:.3}, worst {worst:.3}"
            );
        }
    }
}

/// MASE and WQL at each lead.
type Figures = [[f64; 3]; 2];

fn print_table(trace: &str, models: &[&str], figures: &[Figures], gains: &mut [Vec<f64>; 2]) {
    println!("{trace:<18} {:<40} WQL at 15, 30, 60 minutes", "MASE at 15, 30, 60 minutes");
    let best = |kind: usize, lead: usize| {
        let of_members = models.iter().zip(figures).filter(|(name, _)| MEMBERS.contains(name));
        of_members.map(|(_, figures)| figures[kind][lead]).fold(f64::INFINITY, f64::min)
    };
    for (name, figures) in models.iter().zip(figures) {
        let cells = |kind: usize| {
            let cell = |lead: usize| {
                let ratio = figures[kind][lead] / best(kind, lead);
                format!("{:.4} {ratio:<5.3}", figures[kind][lead])
            };
            (0..3).map(cell).collect::<Vec<String>>().join("  ")
        };
        println!("{name:>24}   {}   {}", cells(0), cells(1));
        if *name == "ensemble" {
            for (kind, gains) in gains.iter_mut().enumerate() {
                gains.extend((0..3).map(|lead| figures[kind][lead] / best(kind, lead)));
            }
        }
    }
}

fn walk(name: &str, frame: &Frame) -> Figures {
    let (day, every) = (frame.steps_in(DAY), frame.steps_in(Duration::from_secs(300)));
    let leads = MINUTES.map(|minutes| frame.steps_in(Duration::from_secs(60 * minutes)));
    let horizon = leads[2];
    let (known, mut rng) = (Known::none(), SeededRng::seed_from_u64(0));
    let options = ModelOptions { horizon, ..ModelOptions::default() };
    let model = dependable(build(name, &options).expect("a name of the registry"), horizon);
    let mut fitted = model.fit(&frame.slice(0..day), &known, &mut rng).expect("a guarded model never refuses");
    let (mut errors, mut losses, mut seen, mut total) = ([0.0; 3], [0.0; 3], [0.0; 3], [0.0; 3]);
    for row in day..frame.len() - horizon {
        if row % day == 0 && row > day && (row <= 7 * day || row % (7 * day) == 0) {
            let history = frame.slice(row.saturating_sub(28 * day)..row);
            // A model that cannot be fitted yet goes on with its fall-back.
            let _ = model.refit(&mut fitted, &history, history.len(), &known, &mut rng);
        }
        if row % every == 0 {
            let forecast = fitted.predict(horizon, &known);
            for (i, lead) in leads.iter().enumerate() {
                let Some(actual) = frame.target_column().get(row + lead - 1) else { continue };
                errors[i] += (actual - forecast.mean[lead - 1]).abs();
                seen[i] += 1.0;
                total[i] += actual.abs();
                // Levels 0.1 to 0.9 are every other of those given, from the second on.
                for (level, quantile) in forecast.levels.iter().zip(&forecast.quantiles[lead - 1]).skip(1).step_by(2) {
                    let over = actual - quantile;
                    losses[i] += 2.0 * over.max(0.0) * level + 2.0 * (-over).max(0.0) * (1.0 - level);
                }
            }
        }
        fitted.update(&frame.row(row));
    }
    let unit = unit(frame, day);
    let figure = |i: usize| (errors[i] / seen[i] / unit, losses[i] / 9.0 / total[i]);
    [[0, 1, 2].map(|i| figure(i).0), [0, 1, 2].map(|i| figure(i).1)]
}

/// Mean change from a day to the next over the first two days.
fn unit(frame: &Frame, day: usize) -> f64 {
    let column = frame.target_column();
    let changes = (day..2 * day).filter_map(|i| Some((column.get(i)? - column.get(i - day)?).abs()));
    let (sum, count) = changes.fold((0.0, 0.0), |(sum, count), change| (sum + change, count + 1.0));
    sum / f64::max(count, 1.0)
}

fn print_costs() {
    let Some((_, frame)) = traces::wanted(&["worldcup98".to_owned()]).next() else { return };
    let first = 40 * frame.steps_in(DAY);
    let mut together = 0.0;
    println!("{:>24} {:>10} {:>10} {:>10} {:>12}", "microseconds", "update", "30 steps", "both", "fit, a row");
    let measured = |name: &str, model: &dyn Forecaster| {
        let [update, predict, fit] = cost(model, &frame, first);
        println!("{name:>24} {update:10.2} {predict:10.2} {:10.2} {fit:12.2}", update + predict);
        update + predict
    };
    let options = ModelOptions { horizon: 30, ..ModelOptions::default() };
    let model = |name: &str| build(name, &options).expect("a name of the registry");
    for name in names() {
        let both = measured(name, model(name).as_ref());
        together += if MEMBERS.contains(&name) { both } else { 0.0 };
    }
    println!("{:>24} {:>32.2}", "always-on members", together);
    measured("ensemble, calibrated", &dependable(model("ensemble"), 30));
}

/// Median microseconds of an update and of a forecast of 30 steps, and those of a fit by row.
fn cost(model: &dyn Forecaster, frame: &Frame, first: usize) -> [f64; 3] {
    let day = frame.steps_in(DAY);
    let (known, mut rng) = (Known::none(), SeededRng::seed_from_u64(0));
    let history = frame.slice(first - 8 * day..first);
    let began = Instant::now();
    let mut fitted = model.fit(&history, &known, &mut rng).expect("eight days are enough");
    let fit = began.elapsed().as_secs_f64() * 1e6 / history.len() as f64;
    let (mut updates, mut predictions) = (Vec::new(), Vec::new());
    for batch in 0..20 {
        let rows: Vec<_> = (first + 100 * batch..first + 100 * (batch + 1)).map(|i| frame.row(i)).collect();
        let mut spent = [Duration::ZERO; 2];
        for row in &rows {
            let began = Instant::now();
            fitted.update(row);
            let updated = Instant::now();
            black_box(fitted.predict(30, &known));
            spent[0] += updated - began;
            spent[1] += updated.elapsed();
        }
        updates.push(spent[0].as_secs_f64() * 1e4);
        predictions.push(spent[1].as_secs_f64() * 1e4);
    }
    let [update, predict] = [updates, predictions].map(|times| percentile(&times, 0.5).unwrap_or(f64::NAN));
    [update, predict, fit]
}
