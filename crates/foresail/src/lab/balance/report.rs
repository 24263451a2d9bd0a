//! What trials say together: means over the seeds, and ratios to the best of the others with bootstrap intervals.

use foresail_forecast::suite::{Interval, resampled};
use serde::Serialize;

use super::contender::Contender;
use super::order::Cell;
use super::trial::Measured;
use crate::output::{TextTable, cell as number};

/// A scenario at a load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CellReport {
    scenario: &'static str,
    load: f64,
    rate_rps: f64,
    contenders: Vec<Line>,
}

/// A contender there.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Line {
    contender: &'static str,
    /// Means over the trials.
    p50_ms: f64,
    p99_ms: f64,
    mean_ms: f64,
    errors: f64,
    bad_share: Option<f64>,
    cpu_us: Option<f64>,
    /// Ours beside the others, where there are any.
    beside: Option<Beside>,
    trials: Vec<Measured>,
}

/// Ratios to the other that is best in that figure. Of errors: to the least of those that watch by probes alone, and to the
/// one that watches answers; none where these have no errors.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Beside {
    p50: Option<Ratio>,
    p99: Option<Ratio>,
    mean: Option<Ratio>,
    errors: Option<Ratio>,
    errors_observed: Option<Ratio>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Ratio {
    to: &'static str,
    #[serde(flatten)]
    interval: Interval,
}

type Figure = fn(&Measured) -> f64;

/// Sums a cell up: the trials of each contender, by seed.
pub(crate) fn report(cell: Cell, trials: &[(Contender, Vec<Measured>)]) -> CellReport {
    let line = |(contender, trials): &(Contender, Vec<Measured>)| Line {
        contender: contender.name(),
        p50_ms: mean(trials, |t| t.p50_ms),
        p99_ms: mean(trials, |t| t.p99_ms),
        mean_ms: mean(trials, |t| t.mean_ms),
        errors: mean(trials, |t| t.errors),
        bad_share: some_mean(trials, |t| t.bad_share),
        cpu_us: some_mean(trials, |t| t.cpu_us),
        beside: None,
        trials: trials.clone(),
    };
    let mut contenders: Vec<Line> = trials.iter().map(line).collect();
    for (line, (contender, own)) in contenders.iter_mut().zip(trials) {
        line.beside = contender.is_ours().then(|| beside(own, trials)).flatten();
    }
    let Cell { scenario, load } = cell;
    CellReport { scenario: scenario.name(), load, rate_rps: scenario.rate_rps(load), contenders }
}

fn beside(own: &[Measured], trials: &[(Contender, Vec<Measured>)]) -> Option<Beside> {
    let others: Vec<_> = trials.iter().filter(|(contender, _)| !contender.is_ours()).collect();
    if others.is_empty() {
        return None;
    }
    let best = |figure: Figure, of: &dyn Fn(Contender) -> bool| {
        let rivals = others.iter().filter(|(contender, _)| of(*contender));
        let (rival, theirs) = rivals.min_by(|a, b| mean(&a.1, figure).total_cmp(&mean(&b.1, figure)))?;
        ratio(own, theirs, figure).map(|interval| Ratio { to: rival.name(), interval })
    };
    let any = |_| true;
    Some(Beside {
        p50: best(|t| t.p50_ms, &any),
        p99: best(|t| t.p99_ms, &any),
        mean: best(|t| t.mean_ms, &any),
        errors: best(|t| t.errors, &|contender| contender != Contender::HaproxyObserve),
        errors_observed: best(|t| t.errors, &|contender| contender == Contender::HaproxyObserve),
    })
}

/// The ratio of two means over the same seeds, which are drawn anew together.
fn ratio(own: &[Measured], theirs: &[Measured], figure: Figure) -> Option<Interval> {
    let of = |picks: &[usize]| {
        let sum = |trials: &[Measured]| picks.iter().map(|index| figure(&trials[*index])).sum::<f64>();
        let base = sum(theirs);
        (base > 0.0).then(|| sum(own) / base)
    };
    let count = own.len().min(theirs.len());
    let value = of(&(0..count).collect::<Vec<_>>())?;
    Some(resampled(value, |draw| of(&(0..count).map(|_| draw(count)).collect::<Vec<_>>())))
}

fn mean(trials: &[Measured], figure: impl Fn(&Measured) -> f64) -> f64 {
    trials.iter().map(figure).sum::<f64>() / trials.len().max(1) as f64
}

fn some_mean(trials: &[Measured], figure: impl Fn(&Measured) -> Option<f64>) -> Option<f64> {
    let found: Vec<f64> = trials.iter().filter_map(figure).collect();
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
}

/// The cells as one text.
pub(crate) fn table(cells: &[CellReport]) -> String {
    let mut text = String::new();
    for report in cells {
        let load = 100.0 * report.load;
        text.push_str(&format!("{} at {load:.0} %, {:.0} requests/s\n\n", report.scenario, report.rate_rps));
        let mut table = TextTable::new([
            "contender",
            "p50 ms",
            "p99 ms",
            "mean ms",
            "errors %",
            "bad one's %",
            "CPU µs",
            "behind ms",
            "p99 × best other",
            "p50 ×",
            "mean ×",
            "errors ×",
            "× observe",
        ]);
        for line in &report.contenders {
            let percent = |share: f64| 100.0 * share;
            let behind = line.trials.iter().map(|trial| trial.behind_ms).max_by(f64::total_cmp);
            let ratio = |of: fn(&Beside) -> &Option<Ratio>| line.beside.as_ref().and_then(|b| of(b).as_ref());
            let plain = |of: fn(&Beside) -> &Option<Ratio>| number(ratio(of).map(|ratio| ratio.interval.value), 2);
            let p99 = ratio(|b| &b.p99).map(|ratio| {
                let Interval { value, low, high } = ratio.interval;
                format!("{value:.2} ({low:.2} to {high:.2})")
            });
            table.row([
                line.contender.to_owned(),
                number(Some(line.p50_ms), 2),
                number(Some(line.p99_ms), 1),
                number(Some(line.mean_ms), 2),
                number(Some(percent(line.errors)), 3),
                number(line.bad_share.map(percent), 2),
                number(line.cpu_us, 1),
                number(behind, 0),
                p99.unwrap_or_else(|| "–".to_owned()),
                plain(|b| &b.p50),
                plain(|b| &b.mean),
                plain(|b| &b.errors),
                plain(|b| &b.errors_observed),
            ]);
        }
        text.push_str(&table.render());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fleet::Scenario;
    use super::*;

    fn trials(p99_ms: f64, errors: f64, share: f64) -> Vec<Measured> {
        let trial = |seed: u64| Measured {
            seed,
            sent: 1_000,
            p50_ms: 10.0,
            p99_ms: p99_ms + seed as f64,
            mean_ms: 0.25 * p99_ms,
            errors,
            bad_share: Some(share),
            cpu_us: Some(20.0),
            behind_ms: 3.0,
        };
        (1..=3).map(trial).collect()
    }

    fn sample() -> CellReport {
        report(
            Cell { scenario: Scenario::Failing30, load: 0.6 },
            &[
                (Contender::Learned, trials(60.0, 0.001, 0.01)),
                (Contender::NginxLeastConn, trials(100.0, 0.05, 0.2)),
                (Contender::HaproxyRandom2, trials(120.0, 0.04, 0.1)),
                (Contender::HaproxyObserve, trials(110.0, 0.002, 0.02)),
            ],
        )
    }

    #[test]
    fn ours_is_held_against_the_best_in_each_figure() {
        let report = sample();
        let beside = report.contenders[0].beside.as_ref().unwrap();
        let to = |ratio: &Option<Ratio>| ratio.as_ref().map(|ratio| (ratio.to, (ratio.interval.value * 1e3).round()));
        assert_eq!(to(&beside.p99), Some(("nginx-least-conn", 608.0)));
        assert_eq!(to(&beside.errors), Some(("haproxy-random2", 25.0)));
        assert_eq!(to(&beside.errors_observed), Some(("haproxy-observe", 500.0)));
        assert!(report.contenders[1..].iter().all(|line| line.beside.is_none()));
        let interval = beside.p99.as_ref().unwrap().interval;
        assert!(interval.low <= interval.value && interval.value <= interval.high);
    }

    #[test]
    fn without_others_and_without_errors_there_is_no_ratio() {
        let cell = Cell { scenario: Scenario::Steady, load: 0.6 };
        let alone = report(cell, &[(Contender::Learned, trials(60.0, 0.0, 0.0))]);
        assert_eq!(alone.contenders[0].beside, None);
        let sound = [(Contender::Learned, trials(60.0, 0.0, 0.0)), (Contender::NginxLeastConn, trials(60.0, 0.0, 0.0))];
        assert_eq!(report(cell, &sound).contenders[0].beside.as_ref().unwrap().errors, None);
    }

    #[test]
    fn the_table_is_as_it_was_looked_at() {
        insta::assert_snapshot!(table(&[sample()]));
    }
}
