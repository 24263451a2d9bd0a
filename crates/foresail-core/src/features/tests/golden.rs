//! Feature values against a slow second opinion, written from their documentation alone.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::features::{Columns, FEATURES, FeatureConfig, FeatureMatrix, FeatureSet, Group, WIDTH, compress, index_of};
use crate::frame::Column;
use crate::{Frame, Row, SeededRng, TimeZone, Timestamp};

const STEP_M: f64 = 2.0;

/// Nine days at two minutes across a change of the clocks, with gaps and spikes.
struct Case {
    frame: Frame,
    zone: TimeZone,
    matrix: FeatureMatrix,
}

impl Case {
    fn new() -> Self {
        let zone = TimeZone::named("Europe/Berlin").unwrap();
        let start = Timestamp::parse("2026-03-26T00:00:00Z").unwrap();
        let mut rng = SeededRng::seed_from_u64(42);
        let rows = 9 * 720;
        let mut names = ["logged", "processed", "unprocessed", "queued", "duration_ms", "capacity"].into_iter();
        let columns = [900.0, 880.0, 60.0, 25.0, 90.0, 8.0].map(|level| {
            let mut draw = |t: usize| {
                let season = 1.0 + 0.5 * (t as f64 * TAU / 720.0).sin();
                let spike = if rng.below(400) == 0 { 3.0 } else { 1.0 };
                let gone = rng.below(30) == 0 || (2000..2030).contains(&t);
                (!gone).then_some(level * season * spike * (1.0 + 0.05 * rng.normal()))
            };
            Column::new(names.next().unwrap(), (0..rows).map(&mut draw).collect::<Vec<_>>())
        });
        let frame = Frame::new(start, Duration::from_secs(120), zone.clone(), columns.into()).unwrap();
        let some = |name: &str| Some(name.to_owned());
        let columns = Columns {
            processed: some("processed"),
            unprocessed: some("unprocessed"),
            queued: some("queued"),
            duration_ms: some("duration_ms"),
            capacity: some("capacity"),
            ..Columns::only("logged".to_owned())
        };
        let config = FeatureConfig::of(&frame).with_columns(columns.resolve(&frame).unwrap());
        let matrix = FeatureSet::new(config).unwrap().batch(&frame).unwrap();
        Self { frame, zone, matrix }
    }

    fn found(&self, name: &str, t: usize) -> Option<f64> {
        let value = self.matrix.row(t)[index_of(name).unwrap()];
        (!value.is_nan()).then_some(f64::from(value))
    }

    fn column(&self, name: &str, t: usize) -> Option<f64> {
        self.frame.column(name).unwrap().get(t)
    }

    fn load(&self, t: usize, ago_m: u32) -> Option<f64> {
        self.column("logged", t.checked_sub(ago_m as usize / 2)?)
    }

    /// Loads of the `window_m` minutes that end with row `t`, with their age in minutes.
    fn window(&self, t: usize, window_m: u32) -> Vec<(f64, f64)> {
        let rows = (window_m / 2) as usize;
        (0..rows.min(t + 1)).filter_map(|age| Some((age as f64 * STEP_M, self.column("logged", t - age)?))).collect()
    }

    /// Mean and population variance with weights that halve in `half_life_m`, of anything up to row `t`.
    fn weighted(&self, t: usize, half_life_m: f64, value: impl Fn(usize) -> Option<f64>) -> Option<(f64, f64, usize)> {
        let seen: Vec<(f64, f64)> =
            (0..=t).filter_map(|s| Some(((-((t - s) as f64) * STEP_M / half_life_m).exp2(), value(s)?))).collect();
        let total: f64 = seen.iter().map(|p| p.0).sum();
        let mean = seen.iter().map(|p| p.0 * p.1).sum::<f64>() / total;
        let variance = seen.iter().map(|p| p.0 * (p.1 - mean).powi(2)).sum::<f64>() / total;
        (!seen.is_empty()).then_some((mean, variance, seen.len()))
    }

    /// What the documentation of `name` says of row `t`; `None` where that is undefined.
    fn expected(&self, name: &str, t: usize) -> Option<f64> {
        let spec = FEATURES[index_of(name).unwrap()];
        let window_m = spec.window_m.unwrap_or(0);
        let civil = self.frame.time(t).civil(&self.zone);
        let (load, before) = (self.load(t, 0), t.checked_sub(1));
        let [processed, backlog, queued, duration, capacity] =
            ["processed", "unprocessed", "queued", "duration_ms", "capacity"].map(|c| self.column(c, t));
        match name {
            "minute_sin" => Some((TAU * f64::from(civil.minute) / 60.0).sin()),
            "minute_cos" => Some((TAU * f64::from(civil.minute) / 60.0).cos()),
            "hour_sin" => Some((TAU * civil.minute_of_day() / 1440.0).sin()),
            "hour_cos" => Some((TAU * civil.minute_of_day() / 1440.0).cos()),
            "weekday_sin" => Some((TAU * f64::from(civil.weekday) / 7.0).sin()),
            "weekday_cos" => Some((TAU * f64::from(civil.weekday) / 7.0).cos()),
            "month_day_cos" => Some((TAU * f64::from(civil.day_of_month - 1) / f64::from(civil.days_in_month)).cos()),
            "is_weekend" => Some(f64::from(u8::from(civil.is_weekend()))),
            "is_holiday" => Some(0.0),
            "minutes_to_holiday" | "minutes_since_holiday" => Some(10_080.0),
            _ if name.starts_with("lag_") => self.load(t, window_m),
            "diff_1row" => Some(load? - self.column("logged", before?)?),
            "diff_12m" => Some(load? - self.load(t, 12)?),
            "log_ratio_1d" | "log_ratio_1w" => Some(((1.0 + load?) / (1.0 + self.load(t, window_m)?)).ln()),
            "slope_30m" => {
                let seen = self.window(t, 30);
                let n = seen.len() as f64;
                let (x, y) = (seen.iter().map(|p| -p.0).sum::<f64>() / n, seen.iter().map(|p| p.1).sum::<f64>() / n);
                let spread = seen.iter().map(|p| (-p.0 - x).powi(2)).sum::<f64>();
                (seen.len() > 1).then(|| seen.iter().map(|p| (-p.0 - x) * (p.1 - y)).sum::<f64>() / spread)
            }
            _ if name.starts_with("roll_") => {
                let seen: Vec<f64> = self.window(t, window_m).iter().map(|p| p.1).collect();
                let (n, mean) = (seen.len(), seen.iter().sum::<f64>() / seen.len() as f64);
                match name.split('_').nth(1).unwrap() {
                    "mean" => (n > 0).then_some(mean),
                    "min" => seen.iter().copied().reduce(f64::min),
                    "max" => seen.iter().copied().reduce(f64::max),
                    _ => {
                        (n > 1).then(|| (seen.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64).sqrt())
                    }
                }
            }
            _ if name.starts_with("ew_mean") => {
                self.weighted(t, f64::from(window_m), |s| self.load(s, 0)).map(|(mean, _, _)| mean)
            }
            "ew_var_60m" => {
                self.weighted(t, 60.0, |s| self.load(s, 0)).filter(|(_, _, n)| *n > 1).map(|(_, variance, _)| variance)
            }
            // The decomposition is checked on known laws beside it; here, that its parts add up.
            "residual" => {
                let part = |name| self.found(name, t).unwrap();
                Some((1.0 + load?).ln() - part("trend") - part("season_day") - part("season_week"))
            }
            "queue_pressure" => Some(backlog? / (processed? + 1.0)),
            "arrival_service_ratio" => Some(load? / (processed? + 1.0)),
            "drain_time" => {
                let (backlog, surplus) = (backlog?, processed? - load?);
                Some(if backlog == 0.0 {
                    0.0
                } else if surplus > 0.0 {
                    (STEP_M * backlog / surplus).min(1440.0)
                } else {
                    1440.0
                })
            }
            "utilisation" => Some(load? * duration? / (capacity? * STEP_M * 60.0 * 1000.0)),
            "processed_per_ms" => Some(processed? / duration?),
            "queue_share" => Some(queued? / (queued? + backlog? + processed?)),
            "duration_z_backlog" => {
                let earlier = self.weighted(before?, 60.0, |s| self.column("duration_ms", s));
                let (mean, variance, _) = earlier.filter(|(_, _, n)| *n > 1)?;
                Some(((duration? - mean) / variance.sqrt()).clamp(-50.0, 50.0) * backlog?)
            }
            "backlog_rate" => Some((backlog? - self.column("unprocessed", before?)?) / STEP_M),
            "residual_z" => {
                let residual = self.found("residual", t)?;
                let earlier = self.weighted(before?, 360.0, |s| self.found("residual", s));
                let (_, variance, _) = earlier.filter(|(_, _, n)| *n > 1)?;
                Some((residual / variance.sqrt()).clamp(-50.0, 50.0))
            }
            "cusum_up" | "cusum_down" => {
                let sign = if name == "cusum_up" { 1.0 } else { -1.0 };
                let errors = (0..=t).filter_map(|s| self.found("residual_z", s));
                Some(errors.fold(0.0, |sum: f64, z| (sum + sign * z - 0.5).clamp(0.0, 50.0)))
            }
            "spike" => self.found("residual_z", t).map(|z| f64::from(u8::from(z.abs() > 4.0))),
            "minutes_since_spike" => {
                let last = (0..=t).rev().find(|&s| self.found("residual_z", s).is_some_and(|z| z.abs() > 4.0));
                Some(last.map_or(1440.0, |s| ((t - s) as f64 * STEP_M).min(1440.0)))
            }
            "staleness" => {
                let last = (0..=t).rev().find(|&s| self.load(s, 0).is_some());
                Some(last.map_or(10_080.0, |s| (t - s) as f64 * STEP_M))
            }
            "level_shift" => {
                let all = self.window(t, 60);
                let (after, before): (Vec<_>, Vec<_>) = all.into_iter().partition(|p| p.0 < 30.0);
                let of = |part: &[(f64, f64)]| {
                    let n = part.len() as f64;
                    let mean = part.iter().map(|p| p.1).sum::<f64>() / n;
                    let variance = part.iter().map(|p| (p.1 - mean).powi(2)).sum::<f64>() / (n - 1.0);
                    (part.len() > 1).then_some((mean, variance / n))
                };
                let ((late, a), (early, b)) = (of(&after)?, of(&before)?);
                Some(((late - early) / (a + b).sqrt()).clamp(-50.0, 50.0))
            }
            "mix_entropy" | "latency_ratio" => None,
            other => panic!("no second opinion on {other}"),
        }
    }
}

/// What needs another kind of check, below or beside the statistics.
const ELSEWHERE: [&str; 8] = [
    "month_day_sin",
    "week_of_year_sin",
    "week_of_year_cos",
    "trend",
    "season_day",
    "season_week",
    "season_strength",
    "robust_z",
];

#[test]
fn features_equal_a_second_opinion() {
    let case = Case::new();
    let rows =
        [0, 1, 2, 3, 5, 6, 7, 15, 29, 72, 73, 400, 719, 720, 1234, 2000, 2012, 2029, 2031, 2040, 5039, 5040, 6479];
    for spec in FEATURES.iter().filter(|f| !ELSEWHERE.contains(&f.name)) {
        for t in rows {
            let (found, expected) = (case.found(spec.name, t), case.expected(spec.name, t));
            // These are recomputed from other features, which were rounded to f32.
            let is_derived = spec.name == "residual" || spec.group == Group::Anomaly;
            let tolerance = if is_derived { 2e-4 } else { 1e-5 };
            let close = match (found, expected) {
                (Some(a), Some(b)) => (a - b).abs() <= tolerance * (1.0 + b.abs()),
                (None, None) => true,
                _ => false,
            };
            assert!(close, "{} at row {t}: {found:?}, expected {expected:?}", spec.name);
        }
    }
}

#[test]
fn temporal_features_of_a_known_instant() {
    // Sunday 2026-03-29, 01:30 UTC: the clocks in Berlin have just gone from 2:00 to 3:00, so it is 3:30 there.
    let zone = TimeZone::named("Europe/Berlin").unwrap();
    let config = FeatureConfig::new(Duration::from_secs(1800)).with_zone(zone);
    let mut set = FeatureSet::new(config).unwrap();
    let features = set.push(&Row::univariate(Timestamp::parse("2026-03-29T01:30:00Z").unwrap(), Some(1.0))).to_vec();
    let check = |name: &str, expected: f64| {
        let found = f64::from(features[index_of(name).unwrap()]);
        assert!((found - expected).abs() < 1e-6, "{name}: {found}, expected {expected}");
    };
    check("minute_sin", 0.0);
    check("minute_cos", -1.0);
    check("hour_sin", 0.793_353_340_291_235);
    check("hour_cos", 0.608_761_429_008_721);
    check("weekday_sin", -0.781_831_482_468_03);
    check("month_day_sin", (TAU * 28.0 / 31.0).sin());
    check("week_of_year_sin", (TAU * 12.0 / 52.1775).sin()); // week 13
    check("week_of_year_cos", (TAU * 12.0 / 52.1775).cos());
    check("is_weekend", 1.0);
}

#[test]
fn a_steady_daily_pattern_is_learned_and_a_spike_stands_out() {
    let step = Duration::from_secs(900);
    let mut set = FeatureSet::new(FeatureConfig::new(step)).unwrap();
    let mut rng = SeededRng::seed_from_u64(1);
    let start = Timestamp::parse("2026-03-02T00:00:00Z").unwrap();
    let mut at = |t: u32, factor: f64| {
        let load = (500.0 + 300.0 * (f64::from(t) * TAU / 96.0).sin() + 5.0 * rng.normal()) * factor;
        let features = set.push(&Row::univariate(start + step * t, Some(load))).to_vec();
        move |name: &str| features[index_of(name).unwrap()]
    };
    for t in 0..96 * 14 {
        drop(at(t, 1.0));
    }
    let usual = at(96 * 14, 1.0);
    assert!(usual("season_strength") > 0.95 && usual("robust_z").abs() < 5.0 && usual("spike") == 0.0);
    // The mean of ln(a + b sin t) is ln of half of a + √(a² − b²).
    assert!((usual("trend") - 450_f32.ln()).abs() < 0.03, "{}", usual("trend"));
    let spike = at(96 * 14 + 1, 1.5);
    assert!(spike("residual_z") > 8.0 && spike("robust_z") > 6.0, "{} {}", spike("residual_z"), spike("robust_z"));
    assert!(spike("spike") == 1.0 && spike("minutes_since_spike") == 0.0 && spike("cusum_up") > 5.0);
    let later = at(96 * 14 + 2, 1.0);
    assert_eq!((later("spike"), later("minutes_since_spike")), (0.0, 15.0));
}

#[test]
fn the_table_lists_every_feature_once_with_its_group_together() {
    for (index, spec) in FEATURES.iter().enumerate() {
        assert_eq!(index_of(spec.name), Some(index), "{} appears twice", spec.name);
        assert!(!spec.doc.is_empty() && (index == 0 || FEATURES[index - 1].group <= spec.group), "{}", spec.name);
    }
    let counts: Vec<usize> = FEATURES.chunk_by(|a, b| a.group == b.group).map(<[_]>::len).collect();
    assert_eq!(counts, [14, 10, 5, 16, 4, 5, 8, 8, 2]);
    assert_eq!(counts.iter().sum::<usize>(), WIDTH);
}

#[test]
fn compressing_takes_signed_logarithms_of_wide_features_alone() {
    let mut row = [-1.718_281_8_f32; WIDTH];
    row[index_of("lag_12m").unwrap()] = f32::NAN;
    compress(&mut row);
    assert_eq!(row[index_of("hour_sin").unwrap()], -1.718_281_8);
    assert!((row[index_of("diff_12m").unwrap()] + 1.0).abs() < 1e-6);
    assert!(row[index_of("lag_12m").unwrap()].is_nan());
}

#[test]
fn coarse_steps_use_one_row_at_least() {
    let day = Duration::from_secs(86_400);
    let mut set = FeatureSet::new(FeatureConfig::new(day)).unwrap();
    let start = Timestamp::parse("2026-03-02T00:00:00Z").unwrap();
    for t in 0..10 {
        set.push(&Row::univariate(start + day * t, Some(f64::from(t))));
    }
    let value = |name: &str| set.latest()[index_of(name).unwrap()];
    assert_eq!([value("lag_12m"), value("lag_144m"), value("lag_1d"), value("lag_1w")], [8.0, 8.0, 8.0, 2.0]);
    assert_eq!([value("roll_mean_144m"), value("roll_max_12m")], [9.0, 9.0]);
    assert!(value("roll_std_144m").is_nan() && value("level_shift").is_nan());
    assert_eq!(value("slope_30m"), 1.0 / 1440.0);
}
