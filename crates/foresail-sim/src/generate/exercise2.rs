//! The metrics of the anomaly detection exercise: four that move together, and anomalies of three kinds in them.
//!
//! The exercise gives shapes: a daily baseline with a boost from 9 to 17 and a valley from 2 to 6, weekends at 60 %, a
//! surge on Monday; CPU linear in requests, memory creeping up, response time exponential in load. Levels are ours.

use std::time::Duration;

use foresail_core::{Civil, Column};

use super::draw::{between, log_normal};
use super::{Canvas, Kind, Planted};

/// Requests a step in an ordinary hour of a weekday.
const REQUESTS: f64 = 1_000.0;
/// Requests at which the service is fully used.
const CAPACITY: f64 = 2_500.0;
/// Share of memory that leaks a day, in percent, until a restart.
const CREEP_PER_DAY: f64 = 4.0;
const MEMORY_AT_START: f64 = 40.0;
const MEMORY_AT_RESTART: f64 = 85.0;
/// Response time of an idle service in milliseconds, and the load's exponent at full use.
const RESPONSE_MS: f64 = 50.0;
const RESPONSE_EXPONENT: f64 = 2.5;
/// Anomalies a day on average; the first day has none, so that there is something normal to learn from.
const ANOMALIES_PER_DAY: f64 = 1.0;

const METRICS: [&str; 4] = ["requests", "cpu", "memory", "response_time"];

/// Requests without noise at a local time.
fn requests_at(local: &Civil) -> f64 {
    let hour = local.minute_of_day() / 60.0;
    let daily = 1.0 + 0.25 * ((hour - 8.0) * std::f64::consts::PI / 12.0).sin();
    let hours = match local.hour {
        2..6 => 0.5,
        9..17 => 1.4,
        _ => 1.0,
    };
    let week = match local.weekday {
        0 if (8..11).contains(&local.hour) => 1.35,
        5.. => 0.6,
        _ => 1.0,
    };
    REQUESTS * daily * hours * week
}

pub(super) fn paint(canvas: &Canvas) -> (Vec<Column>, Vec<Planted>) {
    let mut noise = canvas.rng(1);
    let mut requests = canvas.load(REQUESTS, requests_at);
    for value in &mut requests {
        *value = (*value * log_normal(0.05, &mut noise)).max(0.0);
    }
    canvas.down_in_outages(&mut requests);

    let mut metrics: [Vec<f64>; 4] = Default::default();
    let creep = CREEP_PER_DAY * canvas.step_s() / 86_400.0;
    let mut leaked = 0.0;
    for requests in requests {
        let load = requests / CAPACITY;
        leaked += creep;
        let memory = MEMORY_AT_START + leaked + 10.0 * load + 0.5 * noise.normal();
        if memory > MEMORY_AT_RESTART {
            leaked = 0.0;
        }
        metrics[0].push(requests * canvas.scale);
        metrics[1].push(5.0 + 70.0 * load + 1.5 * noise.normal());
        metrics[2].push(memory);
        metrics[3].push(RESPONSE_MS * (RESPONSE_EXPONENT * load.min(2.0)).exp() * log_normal(0.05, &mut noise));
    }
    let planted = plant(canvas, &mut metrics);
    let [requests, cpu, memory, response] = metrics;
    let percent = |values: Vec<f64>| values.into_iter().map(|v| v.clamp(0.0, 100.0)).collect();
    let columns = [requests, percent(cpu), percent(memory), response];
    (METRICS.iter().zip(columns).map(|(name, values)| canvas.column(name, values)).collect(), planted)
}

/// Plants anomalies of 5 to 30 minutes, none within an hour of another.
fn plant(canvas: &Canvas, metrics: &mut [Vec<f64>; 4]) -> Vec<Planted> {
    let mut rng = canvas.rng(2);
    let (day, hour) = (canvas.rows_in(Duration::from_secs(86_400)), canvas.rows_in(Duration::from_secs(3_600)));
    let mut planted = Vec::new();
    let mut next = day;
    loop {
        next += hour + (rng.exponential() * (day as f64 / ANOMALIES_PER_DAY - hour as f64).max(1.0)) as usize;
        let rows = canvas.rows_in(Duration::from_secs_f64(between(300.0, 1_800.0, &mut rng)));
        if next + rows > canvas.rows {
            return planted;
        }
        let span = next..next + rows;
        let (kind, metric, factor) = match rng.below(3) {
            0 => (Kind::Spike, rng.below(4), between(2.0, 4.0, &mut rng)),
            1 => (Kind::Drop, rng.below(4), between(0.1, 0.3, &mut rng)),
            // Either busy without work or idle under load, whichever stays within what CPU usually shows.
            _ if metrics[1][next] < 30.0 => (Kind::BrokenCorrelation, 1, between(1.6, 2.0, &mut rng)),
            _ => (Kind::BrokenCorrelation, 1, between(0.3, 0.5, &mut rng)),
        };
        for value in &mut metrics[metric][span.clone()] {
            *value *= factor;
        }
        planted.push(Planted {
            kind,
            from: canvas.time(span.start),
            to: canvas.time(span.end),
            factor,
            column: Some(METRICS[metric].to_owned()),
        });
        next = span.end;
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::{TimeZone, Timestamp};

    use super::super::{GenerateOptions, Pattern, generate};
    use super::*;

    fn requests(time: &str) -> f64 {
        requests_at(&Timestamp::parse(time).unwrap().civil(&TimeZone::utc()))
    }

    #[test]
    fn the_week_has_its_surge_its_valleys_and_its_weekend() {
        assert!((requests("2026-01-05T09:30:00Z") / requests("2026-01-06T09:30:00Z") - 1.35).abs() < 1e-9);
        assert!((requests("2026-01-10T15:00:00Z") / requests("2026-01-07T15:00:00Z") - 0.6).abs() < 1e-9);
        assert!(requests("2026-01-07T03:00:00Z") < 0.6 * requests("2026-01-07T07:00:00Z"));
        assert!((requests("2026-01-07T09:00:00Z") / requests("2026-01-07T08:59:59Z") - 1.4).abs() < 0.01);
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let dot =
            |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum() };
        dot(a, ma, b, mb) / (dot(a, ma, a, ma) * dot(b, mb, b, mb)).sqrt()
    }

    #[test]
    fn metrics_move_together_memory_creeps_and_anomalies_are_where_the_truth_says() {
        let got = generate(&GenerateOptions { seed: 5, ..GenerateOptions::new(Pattern::Exercise2) }).unwrap();
        let column = |name: &str| got.frame.column(name).unwrap().values();
        let first_day = 0..1_440;
        assert!(correlation(&column("requests")[first_day.clone()], &column("cpu")[first_day.clone()]) > 0.97);
        let log: Vec<f64> = column("response_time")[first_day.clone()].iter().map(|x| x.ln()).collect();
        assert!(correlation(&column("requests")[first_day], &log) > 0.97);
        let noon = |day: usize| column("memory")[day * 1_440 + 720];
        assert!(noon(8) > noon(1) + 20.0);
        assert!(column("memory").iter().all(|m| (0.0..=100.0).contains(m)));

        let planted = &got.truth.planted;
        assert!((10..50).contains(&planted.len()), "{}", planted.len());
        for kind in [Kind::Spike, Kind::Drop, Kind::BrokenCorrelation] {
            assert!(planted.iter().any(|p| p.kind == kind), "{kind}");
        }
        let day_later = got.frame.start() + Duration::from_secs(86_400);
        assert!(planted.iter().all(|p| p.from >= day_later && p.to <= got.frame.end()));
        assert!(planted.windows(2).all(|w| w[0].to < w[1].from));
        for p in planted.iter().filter(|p| p.kind == Kind::Spike && p.column.as_deref() == Some("response_time")) {
            let at = got.frame.index_at(p.from);
            let around = column("response_time")[at] / column("response_time")[at - 1];
            assert!((around / p.factor - 1.0).abs() < 0.5, "{around} against {}", p.factor);
        }
    }
}
