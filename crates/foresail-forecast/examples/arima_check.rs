//! Seasonal ARIMA beside statsforecast's on 40 hourly series of the M4 competition: log likelihoods and forecasts of given
//! orders, the orders chosen, scaled error of 48 hours and processor time.
//!
//! Their figures come from `tests/golden/arima.json`, which `tests/golden/arima.py` wrote; ours are made here, on one
//! thread. A likelihood counts as reached if it is no lower than theirs less 0.1 %; a forecast as equal if its mean distance
//! from theirs over 24 hours is at most 1 % of their mean magnitude. Criteria are compared where both difference alike,
//! for otherwise they are of different data. A window a series says little of orders, so they are also compared from earlier
//! days, theirs as they chose them at the end. MASE takes the in-sample error of the daily naive as its unit. Prints a
//! line and stops if the series are not there.
//!
//! `cargo run --release -p foresail-forecast --example arima_check [each]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

mod cpu;
mod m4;

use std::collections::BTreeMap;
use std::time::Duration;

use foresail_forecast::models::{Arima, ArimaForm, ArimaSummary};
use serde::Deserialize;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/arima.json");
const DAY: usize = 24;
/// Days before the last from which forecasts are compared too: a window a series says little.
const EARLIER: usize = 13;

#[derive(Deserialize)]
struct Golden {
    series: usize,
    fixed: Vec<Fixed>,
    auto: Option<Auto>,
}

#[derive(Deserialize)]
struct Fixed {
    orders: [usize; 7],
    #[serde(default)]
    log_likelihood: f64,
    #[serde(default)]
    mean: Vec<f64>,
    #[serde(default)]
    errors: Vec<f64>,
}

#[derive(Deserialize)]
struct Auto {
    orders: [usize; 7],
    aicc: f64,
    cpu_s: f64,
    mean: Vec<f64>,
}

#[derive(Default)]
struct Tally {
    series: usize,
    reached: usize,
    higher: usize,
    alike: usize,
    near: usize,
    farthest: f64,
    errors: f64,
    cpu_s: f64,
}

fn main() {
    let each = std::env::args().nth(1).is_some_and(|word| word == "each");
    let Some((train, test)) = m4::series() else {
        return println!("the M4 files are not in {}, skipped", m4::FILES);
    };
    let text = std::fs::read_to_string(GOLDEN).expect("the golden file is part of the crate");
    let golden: Vec<Golden> = serde_json::from_str(&text).expect("as its script writes it");
    fixed(&golden, &train, each);
    automatic(&golden, &train, &test, each);
}

fn form(o: [usize; 7]) -> ArimaForm {
    ArimaForm::new([o[0], o[1], o[2]], [o[3], o[4], o[5]], o[6] == 1)
}

fn run(model: &Arima, values: &[f64], horizon: usize) -> (Option<ArimaSummary>, f64) {
    let history = m4::frame(values);
    let started = cpu::seconds();
    let summary = model.summary(&history, horizon).ok();
    (summary, cpu::seconds() - started)
}

fn fixed(golden: &[Golden], train: &[Vec<f64>], each: bool) {
    let mut tallies: BTreeMap<ArimaForm, Tally> = BTreeMap::new();
    for (series, theirs) in golden.iter().flat_map(|g| g.fixed.iter().map(|f| (g.series, f))) {
        if theirs.mean.is_empty() {
            continue;
        }
        let form = form(theirs.orders);
        let tally = tallies.entry(form).or_default();
        tally.series += 1;
        let (ours, cpu_s) = run(&Arima::of(form, &[Duration::from_secs(86_400)]), &train[series], 24);
        let Some(ours) = ours else { continue };
        let slack = 1e-3 * theirs.log_likelihood.abs();
        let above = ours.log_likelihood - theirs.log_likelihood;
        let alike = above.abs() <= 0.05;
        let magnitude: f64 = theirs.mean.iter().map(|v| v.abs()).sum();
        let apart: f64 = theirs.mean.iter().zip(&ours.mean).map(|(a, b)| (a - b).abs()).sum::<f64>() / magnitude;
        tally.cpu_s += cpu_s;
        tally.reached += usize::from(above >= -slack);
        tally.higher += usize::from(above > 0.05);
        if alike {
            tally.alike += 1;
            tally.near += usize::from(apart <= 0.01);
            tally.farthest = tally.farthest.max(apart);
            for (their, ahead) in theirs.errors.iter().zip([1, 2, 12, 24]) {
                tally.errors = tally.errors.max((ours.deviation[ahead - 1] / their - 1.0).abs());
            }
        }
        if each && (above < -0.05 || alike && apart > 0.01) {
            println!(
                "series {series} {form}: {above:+.3} of {:.1}, forecast {:.2} % apart",
                theirs.log_likelihood,
                100.0 * apart
            );
        }
    }
    println!("given orders: log likelihood, and forecasts and their standard errors where it is theirs within 0.05");
    println!(
        "{:>26} {:>7} {:>8} {:>7} {:>6} {:>10} {:>11} {:>11} {:>8}",
        "form", "series", "reached", "higher", "alike", "within 1 %", "farthest %", "errors %", "cpu ms"
    );
    for (form, t) in &tallies {
        println!(
            "{:>26} {:7} {:8} {:7} {:6} {:10} {:11.3} {:11.3} {:8.1}",
            form.to_string(),
            t.series,
            t.reached,
            t.higher,
            t.alike,
            t.near,
            100.0 * t.farthest,
            100.0 * t.errors,
            1e3 * t.cpu_s / t.series as f64
        );
    }
}

fn automatic(golden: &[Golden], train: &[Vec<f64>], test: &[Vec<f64>], each: bool) {
    let seasons = [Duration::from_secs(86_400)];
    let model = Arima::automatic(&seasons);
    let (mut same, mut no_worse, mut ours_s, mut theirs_s) = (0, 0, 0.0, 0.0);
    let (mut ours_mase, mut theirs_mase, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut earlier: Vec<(f64, f64)> = Vec::new();
    for (g, auto) in golden.iter().filter_map(|g| Some((g, g.auto.as_ref()?))) {
        let (values, later) = (&train[g.series], &test[g.series]);
        let (ours, cpu_s) = run(&model, values, later.len());
        let Some(ours) = ours else { continue };
        let mase = |mean: &[f64]| scaled_error(values, mean, later);
        let theirs = form(auto.orders);
        let given = Arima::of(theirs, &seasons);
        earlier.extend((1..=EARLIER).filter_map(|days| {
            let (past, next) = values.split_at(values.len() - days * DAY);
            let next: Vec<f64> = next.iter().chain(later).copied().take(later.len()).collect();
            let error = |model: &Arima| Some(scaled_error(past, &run(model, past, next.len()).0?.mean, &next));
            Some((error(&model)?, error(&given)?))
        }));
        let alike = ours.form.differences == theirs.differences
            && ours.form.seasonal_differences == theirs.seasonal_differences;
        let below = auto.aicc - ours.aicc;
        if alike {
            same += 1;
            no_worse += usize::from(below >= -0.05);
        }
        ours_s += cpu_s;
        theirs_s += auto.cpu_s;
        ratios.push(auto.cpu_s / cpu_s);
        ours_mase.push(mase(&ours.mean));
        theirs_mase.push(mase(&auto.mean));
        if each {
            println!(
                "series {:3} {} {:.1} ({:.3}, {:.2} s); theirs {theirs} {:.1} ({:.3}, {:.1} s)",
                g.series,
                ours.form,
                ours.aicc,
                mase(&ours.mean),
                cpu_s,
                auto.aicc,
                mase(&auto.mean),
                auto.cpu_s
            );
        }
    }
    let count = ours_mase.len();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "\nchosen orders, {count} series: {same} differenced as theirs, of these {no_worse} with a criterion no worse (by 0.05)"
    );
    println!("{:>14} {:>10} {:>10} {:>14}", "", "MASE", "median", "cpu s a series");
    let means = (mean(&ours_mase), mean(&theirs_mase));
    let medians = (median(&mut ours_mase), median(&mut theirs_mase));
    println!("{:>14} {:10.4} {:10.4} {:14.3}", "ours", means.0, medians.0, ours_s / count as f64);
    println!("{:>14} {:10.4} {:10.4} {:14.3}", "statsforecast", means.1, medians.1, theirs_s / count as f64);
    println!(
        "processor time: theirs is ours x {:.1} in all, x {:.1} in the median",
        theirs_s / ours_s,
        median(&mut ratios)
    );
    let (ours, theirs): (Vec<f64>, Vec<f64>) = earlier.into_iter().unzip();
    println!(
        "from each of the {EARLIER} days before, {} windows: MASE {:.4}; with the orders they chose, fitted by us, {:.4}",
        ours.len(),
        mean(&ours),
        mean(&theirs)
    );
}

/// The mean error of a forecast in units of the daily naive's in `past`.
fn scaled_error(past: &[f64], mean: &[f64], later: &[f64]) -> f64 {
    let unit = past.windows(DAY + 1).map(|w| (w[DAY] - w[0]).abs()).sum::<f64>() / (past.len() - DAY) as f64;
    mean.iter().zip(later).map(|(a, b)| (a - b).abs()).sum::<f64>() / later.len() as f64 / unit
}
