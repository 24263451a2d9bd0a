//! Streams of events into a queue service, in ScaleIQ's columns: what arrives is drawn, and a fixed pool of workers
//! makes the rest of it.

use std::time::Duration;

use foresail_core::{Civil, Column, Timestamp};

use super::draw::{between, log_normal, pareto, poisson};
use super::{Canvas, Kind, Planted};

/// Events a second over a week, on average, at scale 1.
const MEAN_RATE: f64 = 40.0;
/// What the workers can do, over that mean.
const WORKERS: f64 = 2.0;
/// Processing time of an event in an idle service, in milliseconds.
const DURATION_MS: f64 = 120.0;

/// How events arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stream {
    Bursty,
    Campaigns,
    HeavyTailed,
}

pub(super) fn paint(canvas: &Canvas, stream: Stream) -> (Vec<Column>, Vec<Planted>) {
    let per_row = MEAN_RATE * canvas.scale * canvas.step_s();
    let mut planted = Vec::new();
    let mut logged = match stream {
        Stream::Bursty => bursty(canvas, per_row, &mut planted),
        Stream::Campaigns => campaigns(canvas, per_row, &mut planted),
        Stream::HeavyTailed => heavy_tailed(canvas, per_row),
    };
    canvas.down_in_outages(&mut logged);
    let campaign = (stream == Stream::Campaigns).then(|| {
        let announced = |time: Timestamp| planted.iter().any(|p| p.from <= time && time < p.to);
        canvas.column("campaign", (0..canvas.rows).map(|i| f64::from(u8::from(announced(canvas.time(i))))).collect())
    });
    let mut columns = work_off(canvas, logged, per_row * WORKERS);
    columns.extend(campaign);
    (columns, planted)
}

/// The day and the week of a business service, of mean 1 over a week.
fn daily(local: &Civil) -> f64 {
    let hour = local.minute_of_day() / 60.0;
    let wave = |peak: f64, width: f64| {
        let away = (hour - peak).abs().min(24.0 - (hour - peak).abs());
        (-0.5 * (away / width).powi(2)).exp()
    };
    let week = if local.is_weekend() { 0.6 } else { 1.0 };
    week * (0.45 + 1.05 * wave(11.0, 2.5) + 0.95 * wave(16.0, 3.0)) / 0.905
}

/// A quiet base, a batch every hour a little after the hour, and one eight times as large at 2:00. Each comes up to ten
/// minutes late and enters over six minutes.
fn bursty(canvas: &Canvas, per_row: f64, planted: &mut Vec<Planted>) -> Vec<f64> {
    /// Of all events, those that come in batches: 24 of one share a day, and seven shares more at night.
    const IN_BATCHES: f64 = 0.6;
    const NIGHTLY: f64 = 8.0;
    let rows_a_day = 86_400.0 / canvas.step_s();
    let batch = IN_BATCHES * per_row * rows_a_day / (23.0 + NIGHTLY);
    let mut arrivals = canvas.load(per_row, |_| (1.0 - IN_BATCHES) * per_row);
    let mut rng = canvas.rng(2);
    let hours = canvas.step_s() * canvas.rows as f64 / 3_600.0;
    for hour in 0..hours as u64 {
        let late = Duration::from_secs_f64(between(0.0, 600.0, &mut rng));
        let from = canvas.start + Duration::from_secs(hour * 3_600) + late;
        let nightly = (canvas.start + Duration::from_secs(hour * 3_600)).civil(&canvas.zone).hour == 2;
        let size = batch * if nightly { NIGHTLY } else { 1.0 } * log_normal(0.3, &mut rng);
        let rows =
            canvas.row_at(from)..(canvas.row_at(from) + canvas.rows_in(Duration::from_secs(360))).min(canvas.rows);
        let share = size / rows.len().max(1) as f64;
        for row in rows.clone() {
            arrivals[row] += share * canvas.effects.factor(canvas.time(row));
        }
        if nightly && !rows.is_empty() {
            let factor = 1.0 + share / ((1.0 - IN_BATCHES) * per_row);
            let (from, to) = (canvas.time(rows.start), canvas.time(rows.end));
            planted.push(Planted { kind: Kind::Batch, from, to, factor, column: None });
        }
    }
    with_poisson_noise(canvas, arrivals)
}

/// Day and week, and about every third day a campaign of 2 to 6 hours that doubles to quadruples the load, rising over
/// its first tenth.
fn campaigns(canvas: &Canvas, per_row: f64, planted: &mut Vec<Planted>) -> Vec<f64> {
    let mut arrivals = canvas.load(per_row, |local| per_row * daily(local));
    let mut rng = canvas.rng(2);
    let mut hours = 24.0;
    loop {
        hours += 12.0 + 60.0 * rng.exponential();
        let length = between(2.0, 6.0, &mut rng);
        let factor = between(2.0, 4.0, &mut rng);
        let at = |hours: f64| canvas.row_at(canvas.start + Duration::from_secs_f64(hours * 3_600.0));
        let rows = at(hours)..at(hours + length);
        if rows.end >= canvas.rows {
            return with_poisson_noise(canvas, arrivals);
        }
        for row in rows.clone() {
            let risen = ((row - rows.start + 1) as f64 / (0.1 * rows.len() as f64)).min(1.0);
            arrivals[row] *= 1.0 + (factor - 1.0) * risen;
        }
        let (from, to) = (canvas.time(rows.start), canvas.time(rows.end));
        planted.push(Planted { kind: Kind::Campaign, from, to, factor, column: None });
        hours += length;
    }
}

/// Jobs come by a Poisson law of a daily rate, and each brings a Pareto number of events (tail index 1.6): the sum has
/// bursts at every scale, as measured in data centres.
fn heavy_tailed(canvas: &Canvas, per_row: f64) -> Vec<f64> {
    const ALPHA: f64 = 1.6;
    const MEAN_EVENTS: f64 = ALPHA / (ALPHA - 1.0);
    /// Events of the smallest job.
    const SMALLEST: f64 = 20.0;
    const LARGEST: f64 = 500.0;
    let jobs = canvas.load(per_row, |local| per_row * daily(local) / (SMALLEST * MEAN_EVENTS));
    let mut rng = canvas.rng(1);
    let mut events = |jobs: f64| {
        let count = poisson(jobs, &mut rng) as usize;
        (0..count).map(|_| (SMALLEST * pareto(ALPHA, LARGEST, &mut rng)).round()).sum::<f64>()
    };
    jobs.into_iter().map(&mut events).collect()
}

/// Counts around a mean that itself wavers: more than Poisson noise, as real arrivals have.
fn with_poisson_noise(canvas: &Canvas, means: Vec<f64>) -> Vec<f64> {
    let mut rng = canvas.rng(1);
    means.into_iter().map(|mean| poisson(mean * log_normal(0.06, &mut rng), &mut rng)).collect()
}

/// ScaleIQ's columns of a pool that processes up to `capacity` events a row, first come first served.
fn work_off(canvas: &Canvas, logged: Vec<f64>, capacity: f64) -> Vec<Column> {
    let mut rng = canvas.rng(3);
    let mut backlog: f64 = 0.0;
    let [mut duration, mut unprocessed, mut processed, mut queued] = [const { Vec::new() }; 4];
    for &arrived in &logged {
        let done = (backlog + arrived).min(capacity);
        let left = backlog + arrived - done;
        let used = done / capacity;
        duration.push(DURATION_MS * (1.0 + 0.5 * used * used) * log_normal(0.04, &mut rng));
        unprocessed.push(left);
        processed.push(done);
        queued.push(0.5 * (backlog + left));
        backlog = left;
    }
    [
        ("avg_logged_events_in_interval", logged),
        ("avg_average_processing_duration_ms", duration),
        ("avg_unprocessed_events_count", unprocessed),
        ("avg_processed_events_in_interval", processed),
        ("avg_queued_events_in_interval", queued),
    ]
    .into_iter()
    .map(|(name, values)| canvas.column(name, values))
    .collect()
}

#[cfg(test)]
mod tests {
    use foresail_core::TimeZone;

    use super::super::{GenerateOptions, Generated, Overlay, Pattern, generate};
    use super::*;

    fn stream(pattern: Pattern) -> Generated {
        generate(&GenerateOptions { seed: 2, ..GenerateOptions::new(pattern) }).unwrap()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn every_stream_has_its_mean_and_its_bookkeeping_adds_up() {
        for (pattern, tolerance) in
            [(Pattern::EventsBursty, 0.1), (Pattern::EventsCampaigns, 0.35), (Pattern::EventsHeavyTailed, 0.25)]
        {
            let got = stream(pattern);
            let column = |name: &str| got.frame.column(name).unwrap().values();
            assert_eq!(got.frame.target_column().name(), "avg_logged_events_in_interval");
            let logged = column("avg_logged_events_in_interval");
            assert!((mean(logged) / (MEAN_RATE * 120.0) - 1.0).abs() < tolerance, "{pattern}: {}", mean(logged));
            assert!(logged.iter().all(|v| *v >= 0.0 && v.fract() == 0.0));
            let left = column("avg_unprocessed_events_count").last().copied().unwrap();
            let done: f64 = column("avg_processed_events_in_interval").iter().sum();
            assert!((logged.iter().sum::<f64>() - done - left).abs() < 1e-3, "{pattern}");
        }
    }

    #[test]
    fn the_day_and_the_week_average_to_one() {
        let start = 1_767_571_200_i64;
        let at = |minute: i64| daily(&Timestamp::from_secs(start + minute * 60).civil(&TimeZone::utc()));
        let weekdays = mean(&(0..5 * 1_440).map(at).collect::<Vec<_>>());
        assert!((weekdays * (5.0 + 2.0 * 0.6) / 7.0 - 1.0).abs() < 0.02, "{weekdays}");
    }

    #[test]
    fn batches_and_campaigns_stand_out_where_the_truth_says() {
        let bursty = stream(Pattern::EventsBursty);
        assert_eq!(bursty.truth.planted.len(), 28);
        let campaigns = stream(Pattern::EventsCampaigns);
        assert!(campaigns.truth.planted.len() >= 4);
        let announced = campaigns.frame.column("campaign").unwrap().values();
        for got in [&bursty, &campaigns] {
            for p in &got.truth.planted {
                let rows = got.frame.index_at(p.from)..got.frame.index_at(p.to);
                let week_later = rows.start + 5_040..rows.end + 5_040;
                if week_later.end < got.frame.len() && p.kind == Kind::Campaign && announced[week_later.start] == 0.0 {
                    assert!(mean(&got.frame.target()[rows.clone()]) > 1.5 * mean(&got.frame.target()[week_later]));
                }
                assert!(p.factor > 1.5);
            }
        }
    }

    #[test]
    fn overlays_reach_events_too() {
        let day = Duration::from_secs(86_400);
        let overlays = vec![Overlay::usual(Kind::Outage, 3 * day), Overlay::usual(Kind::MissingDay, 5 * day)];
        let got = generate(&GenerateOptions { overlays, ..GenerateOptions::new(Pattern::EventsHeavyTailed) }).unwrap();
        assert!(got.frame.target()[3 * 720..3 * 720 + 30].iter().all(|v| *v == 0.0));
        assert!(got.frame.target_mask()[5 * 720..6 * 720].iter().all(|v| !v));
        assert_eq!(got.truth.planted.len(), 2);
    }
}
