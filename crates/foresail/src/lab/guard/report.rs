//! What trials say together, and what of the promises is missed.

use foresail_sim::site::CLASSES;
use serde::Serialize;

use super::contender::Contender;
use super::fate::{Counts, FATES, Fate};
use super::measured::Measured;
use super::threat::Threat;
use crate::output::{TextTable, cell as number};

/// Seconds until an attack is held, times that latencies may grow, and memory of the proxy, at most.
const MITIGATED_S: usize = 5;
const SLOWER: f64 = 2.0;
const MEMORY_MIB: f64 = 128.0;
/// Shares of well-meant requests that may be blocked or answered 429 while there is an attack, and challenged.
const REFUSED: f64 = 0.001;
const CHALLENGED: f64 = 0.03;

/// An attack, and what came of it with each contender.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Cell {
    attack: &'static str,
    /// Share that may pass after the grace, where that is promised.
    may_pass: Option<f64>,
    contenders: Vec<Line>,
}

/// A contender there: sums over the trials, but for times and memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Line {
    contender: &'static str,
    /// The attack's requests, and the share of those after the grace that came to the origin.
    attack_requests: u64,
    passed: Option<f64>,
    /// The longest of the trials; none if one never was.
    mitigated_s: Option<usize>,
    /// Well-meant requests, and shares of them.
    legit_requests: u64,
    blocked: f64,
    throttled: f64,
    challenged: f64,
    /// Answered with an error, or not in time.
    failed: f64,
    /// Means over the trials.
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// The latter over that of the same contender without attack.
    slower: Option<f64>,
    /// Most of the trials.
    memory_mib: Option<f64>,
    behind_ms: f64,
    missed: Vec<&'static str>,
    trials: Vec<Measured>,
}

/// What became of whom, over all attacks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Confusion {
    contender: &'static str,
    fates: [&'static str; FATES.len()],
    /// Requests by fate of each class of well-meant clients, then of each attack.
    rows: Vec<(&'static str, Counts)>,
}

/// Sums an attack up. `calm` is the cell without attack, if that is another.
pub(crate) fn report(threat: Threat, trials: &[(Contender, Vec<Measured>)], calm: Option<&Cell>) -> Cell {
    let contenders = trials.iter().map(|(contender, trials)| {
        let own = calm.and_then(|calm| calm.contenders.iter().find(|line| line.contender == contender.name()));
        line(threat, *contender, trials, own.and_then(|line| line.p99_ms))
    });
    Cell { attack: threat.name(), may_pass: threat.may_pass(), contenders: contenders.collect() }
}

fn line(threat: Threat, contender: Contender, trials: &[Measured], calm_p99_ms: Option<f64>) -> Line {
    let legit = sum(trials.iter().flat_map(|trial| &trial.legit));
    let later = sum(trials.iter().map(|trial| &trial.attack_later));
    let requests: u64 = legit.iter().sum();
    let share = |fates: &[Fate]| {
        let count: u64 = fates.iter().map(|fate| legit[*fate as usize]).sum();
        count as f64 / requests.max(1) as f64
    };
    let came: u64 = later.iter().sum();
    let passed = later[Fate::Served as usize] + later[Fate::Failed as usize];
    let p99_ms = mean(trials.iter().map(|trial| trial.p99_ms));
    let mut line = Line {
        contender: contender.name(),
        attack_requests: trials.iter().flat_map(|trial| &trial.attack).sum(),
        passed: (came > 0).then(|| passed as f64 / came as f64),
        mitigated_s: trials
            .iter()
            .map(|trial| trial.mitigated_s)
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().max()),
        legit_requests: requests,
        blocked: share(&[Fate::Blocked]),
        throttled: share(&[Fate::Throttled]),
        challenged: share(&[Fate::Challenged]),
        failed: share(&[Fate::Failed, Fate::Unserved]),
        p50_ms: mean(trials.iter().map(|trial| trial.p50_ms)),
        p99_ms,
        slower: p99_ms.zip(calm_p99_ms).map(|(p99, calm)| p99 / calm),
        memory_mib: trials.iter().filter_map(|trial| trial.memory_mib).max_by(f64::total_cmp),
        behind_ms: trials.iter().map(|trial| trial.behind_ms).fold(0.0, f64::max),
        missed: Vec::new(),
        trials: trials.to_vec(),
    };
    line.missed = missed(threat, &line);
    line
}

/// The promises that a line does not keep.
fn missed(threat: Threat, line: &Line) -> Vec<&'static str> {
    let may_refuse = if threat == Threat::None { 0.0 } else { REFUSED };
    let promises = [
        ("passed", threat.may_pass().is_some_and(|may| line.passed.is_none_or(|passed| passed > may))),
        ("mitigated", threat.may_pass().is_some() && line.mitigated_s.is_none_or(|s| s > MITIGATED_S)),
        ("refused", line.blocked + line.throttled > may_refuse),
        ("challenged", line.challenged > if threat == Threat::None { 0.0 } else { CHALLENGED }),
        ("slower", line.slower.is_some_and(|slower| slower > SLOWER) || line.p99_ms.is_none()),
        ("memory", line.memory_mib.is_some_and(|mib| mib > MEMORY_MIB)),
    ];
    promises.into_iter().filter_map(|(name, is_missed)| is_missed.then_some(name)).collect()
}

/// What became of whom with each contender.
pub(crate) fn confusion(cells: &[Cell]) -> Vec<Confusion> {
    let of = |contender: &Line| {
        let own = |cell: &Cell| cell.contenders.iter().position(|line| line.contender == contender.contender);
        let lines: Vec<(&'static str, &Line)> =
            cells.iter().filter_map(|cell| Some((cell.attack, &cell.contenders[own(cell)?]))).collect();
        let class = |(place, name): (usize, &&'static str)| {
            let trials = lines.iter().flat_map(|(_, line)| &line.trials);
            (*name, sum(trials.map(|trial| &trial.legit[place])))
        };
        let mut rows: Vec<(&'static str, Counts)> = CLASSES.iter().enumerate().map(class).collect();
        let attacks = lines.iter().filter(|(_, line)| line.attack_requests > 0);
        rows.extend(attacks.map(|(name, line)| (*name, sum(line.trials.iter().map(|trial| &trial.attack)))));
        Confusion { contender: contender.contender, fates: FATES, rows }
    };
    cells.first().map_or_else(Vec::new, |cell| cell.contenders.iter().map(of).collect())
}

fn sum<'a>(all: impl Iterator<Item = &'a Counts>) -> Counts {
    let mut sum = [0; FATES.len()];
    for counts in all {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    sum
}

fn mean(figures: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let found: Vec<f64> = figures.flatten().collect();
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
}

/// Attacks and confusion as one text.
pub(crate) fn table(cells: &[Cell], confusion: &[Confusion]) -> String {
    let mut text = String::new();
    for cell in cells {
        let may = cell.may_pass.map_or(String::new(), |may| format!(", of which {:.0} % may pass", 100.0 * may));
        let mut table = TextTable::new([
            "contender",
            "attack",
            "passed %",
            "held after s",
            "legit",
            "blocked %",
            "429 %",
            "challenged %",
            "failed %",
            "p50 ms",
            "p99 ms",
            "p99 × none",
            "MiB",
            "behind ms",
            "missed",
        ]);
        for line in &cell.contenders {
            let percent = |share: f64, digits| number(Some(100.0 * share), digits);
            table.row([
                line.contender.to_owned(),
                line.attack_requests.to_string(),
                line.passed.map_or_else(|| "–".to_owned(), |passed| percent(passed, 2)),
                line.mitigated_s.map_or_else(|| "–".to_owned(), |s| s.to_string()),
                line.legit_requests.to_string(),
                percent(line.blocked, 3),
                percent(line.throttled, 3),
                percent(line.challenged, 3),
                percent(line.failed, 3),
                number(line.p50_ms, 1),
                number(line.p99_ms, 1),
                number(line.slower, 2),
                number(line.memory_mib, 1),
                number(Some(line.behind_ms), 0),
                if line.missed.is_empty() { "nothing".to_owned() } else { line.missed.join(", ") },
            ]);
        }
        text.push_str(&format!("{}{may}\n\n{}\n", cell.attack, table.render()));
    }
    for confusion in confusion {
        let mut table = TextTable::new(std::iter::once(confusion.contender).chain(confusion.fates));
        for (name, counts) in &confusion.rows {
            table.row(std::iter::once((*name).to_owned()).chain(counts.iter().map(u64::to_string)));
        }
        text.push_str(&format!("{}\n", table.render()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(attack: Counts, held: u64, p99_ms: f64, mitigated_s: Option<usize>) -> Measured {
        let mut legit = vec![[0; FATES.len()]; CLASSES.len()];
        legit[0] = [600 - held, 0, 0, 0, held, 0];
        legit[3] = [390, 4, 0, 2, 0, 4];
        let attack_later = attack.map(|count| count / 2);
        Measured {
            seed: 101,
            legit,
            attack,
            attack_later,
            mitigated_s,
            p50_ms: Some(40.0),
            p99_ms: Some(p99_ms),
            memory_mib: Some(90.0),
            behind_ms: 2.0,
        }
    }

    fn cells() -> Vec<Cell> {
        let nothing = [0; FATES.len()];
        let calm = |p99| vec![measured(nothing, 0, p99, None)];
        let none =
            report(Threat::None, &[(Contender::Guard, calm(100.0)), (Contender::NginxLimitReq, calm(120.0))], None);
        let held = vec![measured([200, 0, 30_000, 60_000, 9_000, 800], 0, 150.0, Some(1)); 2];
        let let_in = vec![
            measured([20_000, 80_000, 0, 0, 0, 0], 6, 480.0, None),
            measured([100_000, 0, 0, 0, 0, 0], 6, 480.0, Some(3)),
        ];
        let botnet =
            report(Threat::Botnet, &[(Contender::Guard, held), (Contender::NginxLimitReq, let_in)], Some(&none));
        vec![none, botnet]
    }

    #[test]
    fn promises_are_held_against_each_contender() {
        let cells = cells();
        let [guard, nginx] = &cells[1].contenders[..] else { panic!("two contenders") };
        assert_eq!((guard.passed, guard.mitigated_s, guard.slower), (Some(0.002), Some(1), Some(1.5)));
        assert_eq!(guard.missed, ["refused"]); // two of a thousand were answered 429
        assert_eq!((nginx.passed, nginx.mitigated_s, nginx.slower), (Some(1.0), None, Some(4.0)));
        assert_eq!(nginx.missed, ["passed", "mitigated", "refused", "slower"]);
        assert_eq!(cells[0].contenders[0].missed, ["refused"]);
    }

    #[test]
    fn the_table_is_as_it_was_looked_at() {
        let cells = cells();
        insta::assert_snapshot!(table(&cells, &confusion(&cells)));
    }
}
