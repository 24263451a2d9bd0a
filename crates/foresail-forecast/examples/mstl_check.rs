//! MSTL and the online decomposition on every tenth hourly series of the M4 competition (seasons of a day and a week): scaled
//! error (MASE) of 48 hours and CPU time of a fit, beside statsforecast 2.1.1's MSTL with its default trend forecaster.
//! `tests/golden/stl.py` wrote what is compared with; for times of the same hour, run it anew just before. One thread. Prints
//! a line and stops if the series are not there.
//!
//! `cargo run --release -p foresail-forecast --example mstl_check [GOLDEN.json]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

mod cpu;
mod m4;

use std::time::Instant;

use foresail_core::{Known, SeededRng};
use foresail_forecast::registry::{ModelOptions, build};
use serde::Deserialize;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stl.json");
const HORIZON: usize = 48;

#[derive(Deserialize)]
struct Golden {
    m4: Vec<Theirs>,
}

#[derive(Deserialize)]
struct Theirs {
    index: usize,
    mase: f64,
    seconds: f64,
}

fn main() {
    let golden = std::env::args().nth(1).unwrap_or_else(|| GOLDEN.to_owned());
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(golden).expect("a file to compare with"))
        .expect("as tests/golden/stl.py writes it");
    let Some((train, test)) = m4::series() else {
        return println!("the M4 files are not in {}, skipped", m4::FILES);
    };
    let count = golden.m4.len() as f64;
    let (theirs, seconds) = golden.m4.iter().fold((0.0, 0.0), |(m, s), one| (m + one.mase, s + one.seconds));
    println!("{:>16} {:>8} {:>10} {:>8} {:>12}", "model", "MASE", "ms a fit", "times", "update ns");
    println!("{:>16} {:8.4} {:10.3}", "theirs", theirs / count, seconds / count * 1e3);
    for name in ["mstl", "online_stl"] {
        let (mut scaled, mut busy, mut updating, mut updates) = (0.0, 0.0, 0.0, 0);
        let model =
            build(name, &ModelOptions { horizon: HORIZON, ..ModelOptions::default() }).expect("a name of the registry");
        for one in &golden.m4 {
            let (train, test) = (&train[one.index], &test[one.index]);
            let history = m4::frame(train);
            let started = cpu::seconds();
            let mut fitted =
                model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).expect("long enough");
            busy += cpu::seconds() - started;
            let mean = fitted.predict(HORIZON, &Known::none()).mean;
            scaled += m4::mase(&mean, test, train);
            let later = m4::frame(&[&train[..], &test[..]].concat());
            let started = Instant::now();
            (train.len()..later.len()).for_each(|row| fitted.update(&later.row(row)));
            updating += started.elapsed().as_secs_f64();
            updates += test.len();
        }
        let (mase, ms) = (scaled / count, busy / count * 1e3);
        let each = updating / updates as f64 * 1e9;
        println!("{name:>16} {mase:8.4} {ms:10.3} {:8.1} {each:12.0}", seconds / busy);
    }
}
