//! Exponential smoothing against statsforecast 2.1.1 on every tenth hourly series of the M4 competition (season 24): for each
//! of the thirty forms the log-likelihood and the forecasts, for the automatic choice the criterion, the scaled error (MASE)
//! of 48 hours and the CPU time of a fit. `tests/golden/ets.py` wrote what is compared with; for times of the same hour, run
//! it anew just before. One thread. Prints a line and stops if the series are not there.
//!
//! `cargo run --release -p foresail-forecast --example ets_check [GOLDEN.json]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

mod cpu;
mod m4;

use std::collections::BTreeMap;
use std::time::Duration;

use foresail_core::{Known, SeededRng};
use foresail_forecast::Forecaster;
use foresail_forecast::models::Ets;
use serde::Deserialize;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/ets.json");
const HORIZON: usize = 48;
/// Log-likelihoods so near are taken to agree.
const AGREE: f64 = 0.01;
const SEASONS: [Duration; 1] = [Duration::from_secs(86_400)];

#[derive(Deserialize)]
struct Golden {
    leads: Vec<usize>,
    m4: Vec<Theirs>,
}

#[derive(Deserialize)]
struct Theirs {
    index: usize,
    /// By form: log-likelihood, then the forecast at the leads.
    forms: BTreeMap<String, Vec<f64>>,
    chosen: String,
    aicc: f64,
    mase: f64,
    seconds: f64,
}

/// What a form came to over the series.
#[derive(Default)]
struct Tally {
    compared: usize,
    /// Log-likelihoods at most 0.1 % below theirs, and at most a hundredth.
    near: usize,
    no_lower: usize,
    agree: usize,
    within: usize,
    worst: f64,
}

fn main() {
    let golden = std::env::args().nth(1).unwrap_or_else(|| GOLDEN.to_owned());
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(golden).expect("a file to compare with"))
        .expect("as tests/golden/ets.py writes it");
    let Some((train, test)) = m4::series() else {
        return println!("the M4 files are not in {}, skipped", m4::FILES);
    };
    forms(&golden, &train);
    automatic(&golden, &train, &test);
}

fn forms(golden: &Golden, train: &[Vec<f64>]) {
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for theirs in &golden.m4 {
        let history = m4::frame(&train[theirs.index]);
        for (form, reference) in &theirs.forms {
            let model = Ets::of(form, &SEASONS).expect("a form");
            let ours = model.compare(&history).expect("the form fits")[0].log_likelihood;
            let (likelihood, means) = reference.split_first().expect("a likelihood comes first");
            let tally = tallies.entry(form).or_default();
            tally.compared += 1;
            tally.near += usize::from(ours >= likelihood - 1e-3 * likelihood.abs());
            tally.no_lower += usize::from(ours >= likelihood - 1e-2);
            if (ours - likelihood).abs() < AGREE {
                let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).expect("it fits");
                let mean = fitted.predict(HORIZON, &Known::none()).mean;
                let unit = means.iter().map(|m| m.abs()).sum::<f64>() / means.len() as f64;
                let off =
                    golden.leads.iter().zip(means).map(|(lead, mean_theirs)| (mean[lead - 1] - mean_theirs).abs());
                let off = off.fold(0.0, f64::max) / unit;
                tally.agree += 1;
                tally.within += usize::from(off < 0.01);
                tally.worst = tally.worst.max(off);
            }
        }
    }
    println!("log-likelihoods of {} series, and forecasts where they agree to 0.01", golden.m4.len());
    println!(
        "{:>6} {:>7} {:>9} {:>9} {:>7} {:>9} {:>9}",
        "form", "series", ">= -0.1%", ">= -0.01", "agree", "mean <1%", "worst"
    );
    let mut all = Tally::default();
    for (form, tally) in &tallies {
        print(form, tally);
        all.compared += tally.compared;
        all.near += tally.near;
        all.no_lower += tally.no_lower;
        all.agree += tally.agree;
        all.within += tally.within;
        all.worst = all.worst.max(tally.worst);
    }
    print("all", &all);
}

fn print(form: &str, tally: &Tally) {
    let Tally { compared, near, no_lower, agree, within, worst } = tally;
    println!("{form:>6} {compared:7} {near:9} {no_lower:9} {agree:7} {within:9} {:8.3}%", worst * 100.0);
}

fn automatic(golden: &Golden, train: &[Vec<f64>], test: &[Vec<f64>]) {
    let count = golden.m4.len() as f64;
    let theirs: f64 = golden.m4.iter().map(|theirs| theirs.mase).sum();
    let seconds: f64 = golden.m4.iter().map(|theirs| theirs.seconds).sum();
    println!(
        "\nautomatic choice on {count} series, season 24; AICc no worse than theirs, the same form, and AICc less theirs"
    );
    println!(
        "{:>24} {:>8} {:>6} {:>9} {:>9} {:>9} {:>8} {:>9} {:>7}",
        "", "no worse", "same", "least", "median", "most", "MASE", "ms a fit", "times"
    );
    for (label, model) in
        [("most likely", Ets::new(&SEASONS)), ("for 48 hours (registry)", Ets::new(&SEASONS).with_horizon(HORIZON))]
    {
        let (mut no_worse, mut same, mut busy, mut ours) = (0, 0, 0.0, 0.0);
        let mut apart: Vec<f64> = Vec::new();
        for theirs in &golden.m4 {
            let (train, test) = (&train[theirs.index], &test[theirs.index]);
            let history = m4::frame(train);
            let started = cpu::seconds();
            let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).expect("long enough");
            busy += cpu::seconds() - started;
            let mean = fitted.predict(HORIZON, &Known::none()).mean;
            ours += m4::mase(&mean, test, train);
            let chosen = model.choose(&history).expect("long enough");
            no_worse += usize::from(chosen.aicc <= theirs.aicc + 1e-6 * theirs.aicc.abs());
            same += usize::from(chosen.form == theirs.chosen);
            apart.push(chosen.aicc - theirs.aicc);
        }
        apart.sort_by(f64::total_cmp);
        let (least, median, most) = (apart[0], apart[apart.len() / 2], apart[apart.len() - 1]);
        let (mase, ms) = (ours / count, busy / count * 1e3);
        let times = seconds / busy;
        println!(
            "{label:>24} {no_worse:8} {same:6} {least:9.1} {median:9.1} {most:9.1} {mase:8.4} {ms:9.3} {times:7.1}"
        );
    }
    println!(
        "{:>24} {:8} {:6} {:9} {:9} {:9} {:8.4} {:9.1}",
        "theirs",
        "",
        "",
        "",
        "",
        "",
        theirs / count,
        seconds / count * 1e3
    );
}
