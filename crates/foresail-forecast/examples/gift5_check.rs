//! Models on the sets of the suite `gift5`, for work on a model: the protocol of `foresail bench forecast --suite gift5`
//! (ADR 10) without the command around it. Prints MASE and WQL of each set, the geometric means relative to the textbook
//! seasonal naive, the worst window and the seconds taken. Stops with a line if the files are not there.
//!
//! `cargo run --release -p foresail-forecast --example gift5_check [SET…] [MODEL…]`, sets being m4, ett, app, l2c5 and l2ch.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use foresail_core::{Frame, Timestamp};
use foresail_forecast::registry::{build, names};
use foresail_forecast::suite::{Dataset, WindowScore, pooled, relative, run, score, textbook_naive, worst_window};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces/forecast");
const SETS: [&str; 5] = ["m4", "ett", "app", "l2c5", "l2ch"];

fn main() {
    if !Path::new(FILES).is_dir() {
        return println!("the files are not in {FILES}, skipped");
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (mut chosen, mut models): (Vec<&String>, Vec<&String>) = words.iter().partition(|w| SETS.contains(&w.as_str()));
    let all_sets = SETS.map(str::to_owned);
    let usual = ["ensemble", "seasonal_naive"].map(str::to_owned);
    if chosen.is_empty() {
        chosen = all_sets.iter().collect();
    }
    if models.is_empty() {
        models = usual.iter().collect();
    }
    if let Some(wrong) = models.iter().find(|model| !names().contains(&model.as_str())) {
        return println!("no model or set {wrong}; there are {} and {}", SETS.join(", "), names().join(", "));
    }
    let sets: Vec<Dataset> = chosen.iter().map(|name| read(name)).collect();
    let naive: Vec<Vec<WindowScore>> = sets.iter().map(|set| score(set, &textbook_naive(set))).collect();
    println!("{:>24} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}", "model", "set", "MASE", "WQL", "80 %", "worst", "s");
    let line = |model: &str, set: &Dataset, scores: &[WindowScore], worst: f64, seconds: f64| {
        let found = pooled(scores);
        let [mase, wql, covered] = [found.mase, found.wql, found.coverage_80].map(|f| f.unwrap_or(f64::NAN));
        println!("{model:>24} {:>8} {mase:8.4} {wql:8.4} {covered:8.3} {worst:8.1} {seconds:8.1}", set.name());
    };
    sets.iter().zip(&naive).for_each(|(set, scores)| line("textbook naive", set, scores, f64::NAN, 0.0));
    for model in models {
        let mut scored = Vec::new();
        for (set, base) in sets.iter().zip(&naive) {
            let started = Instant::now();
            let predictions =
                run(set, &|| build(model, &set.model_options()), 0, &|_| {}).expect("a model of the registry");
            let seconds = started.elapsed().as_secs_f64();
            let scores = score(set, &predictions);
            let worst = worst_window(set, &scores, base).map_or(f64::NAN, |worst| worst.ratio);
            line(model, set, &scores, worst, seconds);
            scored.push(scores);
        }
        let compared: Vec<(&Dataset, &[WindowScore], &[WindowScore])> =
            sets.iter().zip(&scored).zip(&naive).map(|((set, own), base)| (set, &own[..], &base[..])).collect();
        let [mase, wql] = [relative(&compared, |p| p.mase), relative(&compared, |p| p.wql)];
        for (what, ratio) in [("MASE", mase), ("WQL", wql)] {
            let Some(ratio) = ratio else { continue };
            println!("{model:>24} rel. {what} {:.4}, 95 % {:.4} to {:.4}", ratio.value, ratio.low, ratio.high);
        }
    }
}

fn read(set: &str) -> Dataset {
    let hour = Duration::from_secs(3_600);
    let activities = |name: &str| name.starts_with("activity_") || name.starts_with("Weekly");
    let set = match set {
        "m4" => {
            let (train, test) = (lines("m4_hourly_train.csv.gz"), lines("m4_hourly_test.csv.gz"));
            let series = train.iter().zip(&test).skip(1).map(|(before, after)| {
                let values = before[1..].iter().chain(&after[1..]).filter_map(|cell| cell.parse().ok());
                (before[0].clone(), frame(hour, values))
            });
            Dataset::new(set, series.collect(), 48, 24).and_then(|set| set.with_windows(1))
        }
        "ett" => Dataset::new(set, columns("etth1.csv.gz", hour, 1, |_| true), 48, 24),
        "app" => {
            let business = |name: &str| name.ends_with(":latency.mean") || name.ends_with(":calls.sum");
            Dataset::new(set, columns("bizitobs_application.csv.gz", Duration::from_secs(10), 1, business), 60, 360)
        }
        "l2c5" => Dataset::new(set, columns("bizitobs_l2c.csv.gz", Duration::from_secs(300), 1, activities), 48, 288),
        _ => Dataset::new(set, columns("bizitobs_l2c.csv.gz", hour, 12, activities), 48, 24),
    };
    set.expect("the files hold enough")
}

/// The columns whose name is wanted, each mean of `of` rows made one. The files have no missing rows.
fn columns(file: &str, step: Duration, of: usize, wanted: impl Fn(&str) -> bool) -> Vec<(String, Frame)> {
    let lines = lines(file);
    let column = |(i, name): (usize, &String)| {
        let values: Vec<f64> = lines[1..].iter().map(|cells| cells[i].parse().expect("a number")).collect();
        (name.clone(), frame(step, values.chunks_exact(of).map(|rows| rows.iter().sum::<f64>() / of as f64)))
    };
    lines[0].iter().enumerate().skip(1).filter(|(_, name)| wanted(name)).map(column).collect()
}

fn frame(step: Duration, values: impl Iterator<Item = f64>) -> Frame {
    Frame::univariate(Timestamp::from_secs(1_604_188_800), step, "value", values.map(Some)).expect("a regular grid")
}

/// Cells of a file without commas inside quotes, but for names that are not wanted.
fn lines(file: &str) -> Vec<Vec<String>> {
    let mut text = String::new();
    let open = File::open(Path::new(FILES).join(file)).expect("the file is there");
    GzDecoder::new(open).read_to_string(&mut text).expect("gzip");
    text.lines().map(|line| line.split(',').map(|cell| cell.trim_matches('"').to_owned()).collect()).collect()
}
