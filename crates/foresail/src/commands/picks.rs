//! `foresail picks LOG`: what other balancers would have cost, from the picks that a proxy wrote down.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use foresail_learn::off_policy::Estimate;
use foresail_route::{BalancerKind, LoggedPick, PolicyEstimate};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use crate::output::{TextTable, cell, note, print, print_json};

/// Picks that are evaluated; of more, evenly spread ones.
const MOST: usize = 40_000;
/// A longer line is no pick.
const LONGEST: usize = 1 << 20;

/// Tell from picks that a proxy wrote down what other balancers would have cost
#[derive(Args, Debug)]
pub(crate) struct Picks {
    /// The file of picks (`[service.NAME.proxy.picks]`)
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// Who is compared: random, least_request:N, peak_ewma:N (of N endpoints drawn)
    #[arg(
        long,
        value_name = "POLICY",
        value_delimiter = ',',
        default_value = "random,least_request:2,peak_ewma:2,peak_ewma:5"
    )]
    policies: Vec<Policy>,
    /// No pick weighs more than this many
    #[arg(long, value_name = "N", default_value_t = 20.0, value_parser = clip)]
    clip: f64,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// A policy that judges by what is to be seen at a pick.
#[derive(Clone, Debug)]
struct Policy {
    name: String,
    kind: BalancerKind,
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (policy, choices) = text.split_once(':').map_or((text, None), |(policy, choices)| (policy, Some(choices)));
        let choices = choices.map(str::parse::<usize>).transpose().map_err(|_| format!("{text:?}: N is a number"))?;
        let settings = match (policy, choices) {
            ("random", None) => json!({ "policy": policy }),
            ("least_request" | "peak_ewma", _) => json!({ "policy": policy, "choices": choices.unwrap_or(2) }),
            _ => return Err(format!("{text:?} is not known; accepted are random, least_request:N, peak_ewma:N")),
        };
        let kind: BalancerKind = serde_json::from_value(settings).map_err(|e| e.to_string())?;
        kind.check().map_err(|e| e.to_string())?;
        Ok(Self { name: text.to_owned(), kind })
    }
}

fn clip(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (1.0..=1e6).contains(&value) { Ok(value) } else { Err(format!("{text} is out of range, accepted is 1 to 1e6")) }
}

#[derive(Serialize)]
struct Document<'a> {
    log: String,
    picks: usize,
    of_other_sets: usize,
    endpoints: usize,
    cost_ms: f64,
    policies: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    policy: &'a str,
    #[serde(flatten)]
    estimate: PolicyEstimate,
}

impl Picks {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let all = read(&self.log)?;
        let (picks, of_other_sets) = of_one_set(all);
        let name = self.log.display().to_string();
        anyhow::ensure!(!picks.is_empty(), "{name}: there are no picks in it");
        if of_other_sets > 0 {
            note(&format!("{of_other_sets} picks among other sets of endpoints are left out"));
        }
        let estimate = |policy: &Policy| {
            PolicyEstimate::of(&policy.kind, &picks, self.clip).with_context(|| format!("{name}: {}", policy.name))
        };
        let estimates: Vec<PolicyEstimate> =
            self.policies.par_iter().map(estimate).collect::<anyhow::Result<Vec<_>>>()?;
        let cost_ms = -picks.iter().map(|pick| pick.reward).sum::<f64>() / picks.len() as f64;
        let rows = self.policies.iter().zip(estimates).map(|(policy, estimate)| Row { policy: &policy.name, estimate });
        let document = Document {
            picks: picks.len(),
            of_other_sets,
            endpoints: picks[0].views.len(),
            cost_ms,
            policies: rows.collect(),
            log: name,
        };
        if self.json { print_json(&document) } else { print(&human(&document)) }
    }
}

/// A file's picks, evenly thinned to twice [`MOST`] at most.
fn read(path: &Path) -> anyhow::Result<Vec<LoggedPick>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut reader = BufReader::new(file);
    let (mut picks, mut every, mut line) = (Vec::new(), 1_usize, Vec::new());
    for number in 1_usize.. {
        line.clear();
        let length = std::io::Read::take(&mut reader, LONGEST as u64).read_until(b'\n', &mut line);
        if length.with_context(|| format!("cannot read {name}"))? == 0 {
            break;
        }
        if (number - 1) % every != 0 {
            continue;
        }
        let pick: LoggedPick = serde_json::from_slice(&line).with_context(|| format!("{name}, line {number}"))?;
        let is_sound = pick.keys.len() == pick.views.len() && pick.index < pick.views.len();
        anyhow::ensure!(is_sound, "{name}, line {number}: it picks an endpoint that is not among those seen");
        picks.push(pick);
        if picks.len() >= 2 * MOST {
            every *= 2;
            picks = picks.into_iter().step_by(2).collect();
        }
    }
    Ok(picks)
}

/// The picks among the set of endpoints that most are of, and how many are of others.
fn of_one_set(mut picks: Vec<LoggedPick>) -> (Vec<LoggedPick>, usize) {
    let mut sets = std::collections::BTreeMap::<&[u64], usize>::new();
    for pick in &picks {
        *sets.entry(&pick.keys).or_default() += 1;
    }
    let most = sets.into_iter().max_by_key(|(_, count)| *count).map(|(keys, _)| keys.to_vec()).unwrap_or_default();
    let all = picks.len();
    picks.retain(|pick| pick.keys == most);
    let left_out = all - picks.len();
    let every = picks.len().div_ceil(MOST).max(1);
    (picks.into_iter().step_by(every).collect(), left_out)
}

fn human(document: &Document<'_>) -> String {
    let mut text = format!(
        "{}: {} picks among {} endpoints; an answer cost {} ms on the mean, failures at their price\n\n",
        document.log,
        document.picks,
        document.endpoints,
        cell(Some(document.cost_ms), 2)
    );
    let columns = ["policy", "cost ms", "95 % interval", "self-normalised", "IPS", "worth picks", "clipped %"];
    let mut table = TextTable::new(columns);
    for Row { policy, estimate } in &document.policies {
        let PolicyEstimate { ips, self_normalised, doubly_robust: robust } = estimate;
        let cost = |estimate: &Estimate| cell(Some(-estimate.value), 2);
        let (low, high) = (cell(Some(-robust.interval.1), 2), cell(Some(-robust.interval.0), 2));
        table.row([
            (*policy).to_owned(),
            cost(robust),
            format!("{low} to {high}"),
            cost(self_normalised),
            cost(ips),
            cell(Some(robust.effective_samples), 0),
            cell(Some(100.0 * robust.clipped), 1),
        ]);
    }
    text.push_str(&table.render());
    text.push_str(
        "\nCosts are doubly robust estimates. They see the queues that the proxy's own picks left, so a policy that\n\
         would have left quite different ones is misjudged: least_request of many endpoints looks better than it is.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use foresail_route::View;

    use super::*;

    fn pick(keys: &[u64], index: usize, reward: f64) -> LoggedPick {
        let views = keys.iter().map(|key| View { latency_ms: *key as f64, ..View::default() }).collect();
        LoggedPick { keys: keys.to_vec(), views, index, propensity: 1.0 / keys.len() as f64, reward }
    }

    #[test]
    fn the_set_that_most_picks_are_of_is_kept_and_thinned() {
        let (two, three) = ([1, 2], [1, 2, 3]);
        let picks = (0..90_000).map(|n| if n % 9 == 0 { pick(&three, 1, -2.0) } else { pick(&two, 0, -1.0) });
        let (kept, others) = of_one_set(picks.collect());
        assert_eq!((kept.len(), others), (40_000, 10_000));
        assert!(kept.iter().all(|pick| pick.keys == two));
        assert_eq!(of_one_set(Vec::new()), (Vec::new(), 0));
    }

    #[test]
    fn what_is_no_pick_is_named_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picks.jsonl");
        let good = serde_json::to_string(&pick(&[1, 2], 1, -2.0)).unwrap();
        let check = |second: &str, expected: &str| {
            std::fs::write(&path, format!("{good}\n{second}\n")).unwrap();
            let error = format!("{:#}", read(&path).unwrap_err());
            assert!(error.contains(", line 2") && error.contains(expected), "{error}");
        };
        check("{", "EOF");
        check(&good.replace("\"index\":1", "\"index\":2"), "not among those seen");
        std::fs::write(&path, format!("{good}\n")).unwrap();
        assert_eq!(read(&path).unwrap(), [pick(&[1, 2], 1, -2.0)]);
        assert!(format!("{:#}", read(Path::new("nowhere")).unwrap_err()).contains("cannot read nowhere"));
    }

    #[test]
    fn policies_are_named_as_they_are_configured() {
        let check = |text: &str, accepted: bool| assert_eq!(text.parse::<Policy>().is_ok(), accepted, "{text}");
        for (text, accepted) in [
            ("random", true),
            ("least_request", true),
            ("peak_ewma:5", true),
            ("peak_ewma:0", false),
            ("peak_ewma:65", false),
            ("random:2", false),
            ("learned", false),
        ] {
            check(text, accepted);
        }
    }
}
