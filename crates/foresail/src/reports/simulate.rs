//! A simulation in words: the table on the terminal and the page for a browser.

use foresail_core::Timestamp;
use foresail_scale::Run;
use foresail_server::report::{
    Block, CostCurve, CostCurves, CostPoint, ReasonMark, ReplicaLine, Report, Section, Table, Timeline, render as page,
};

use crate::args::Span;
use crate::commands::simulate::{Outcome, service_sentence};
use crate::lab::league::{Change, ORACLE};
use crate::lab::score::{COVERAGE, Score, ratio};
use crate::lab::study::Learned;
use crate::lab::sweep::{Point, RIVALS, Sweep, Verdict};
use crate::output::TextTable;

/// The table on the terminal, with what it rests on above and what is to be learned from it below.
pub(crate) fn text(outcome: &Outcome<'_>) -> String {
    let mut text = preface(outcome).join("\n");
    text.push_str("\n\n");
    let mut table = TextTable::new(columns());
    for score in &outcome.study.scores {
        table.row(cells(score));
    }
    text.push_str(&table.render());
    text.push_str(&footnotes(outcome).iter().map(|note| format!("\n{note}")).collect::<String>());
    text.push('\n');
    text
}

/// What the figures rest on.
fn preface(outcome: &Outcome<'_>) -> Vec<String> {
    let (setup, frame) = (outcome.setup, &outcome.loaded.frame);
    let mut lines = vec![format!(
        "{}, column {}: {} to {}, trained until {}, scored over {:.2} days at ticks of {}.",
        outcome.loaded.name,
        frame.target_column().name(),
        setup.scenario.start,
        setup.scenario.time(setup.scenario.load.len()),
        setup.evaluate_start(),
        setup.evaluate_days(),
        Span(setup.scenario.tick),
    )];
    let held = match setup.held_rows {
        0 => String::new(),
        rows => format!(" {rows} rows were missing and hold the value before."),
    };
    lines.push(format!("Service: {}. Values multiplied with {:.6}.{held}", service_sentence(setup), setup.factor));
    lines
}

fn columns() -> Vec<String> {
    let interval = format!("{:.0} % interval", COVERAGE * 100.0);
    ["policy", "late %", "bad min %", "replica-h", "× oracle", &interval, "vs static %", "actions/h"]
        .map(str::to_owned)
        .to_vec()
}

fn cells(score: &Score) -> Vec<String> {
    let [low, high] = score.over_oracle_interval;
    vec![
        score.policy.clone(),
        format!("{:.4}", score.late_percent),
        format!("{:.3}", score.bad_minutes_percent),
        format!("{:.1}", score.replica_hours),
        format!("{:.3}", score.over_oracle),
        format!("{low:.3}–{high:.3}"),
        format!("{:+.1}", 0.0 - score.saved_against_static_percent),
        format!("{:.1}", score.actions_per_hour),
    ]
}

/// What the table says, in sentences.
fn footnotes(outcome: &Outcome<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let slo = outcome.setup.options.late_fraction;
    if let Some(sentence) = against_peers(outcome) {
        notes.push(sentence);
    }
    notes.extend(outcome.study.learned.as_ref().map(learned));
    if let Some((sweep, verdict)) = &outcome.study.sweep {
        notes.extend(sweep_notes(sweep, verdict, slo));
    }
    notes
}

/// Foresail against the cheapest other policy within the limit.
fn against_peers(outcome: &Outcome<'_>) -> Option<String> {
    let ours = outcome.study.scores.iter().find(|s| s.policy == "foresail")?;
    let slo = 100.0 * outcome.setup.options.late_fraction;
    let peers = outcome.study.scores.iter().filter(|s| s.policy != "foresail" && s.policy != ORACLE);
    let peer = peers.filter(|s| s.late_percent <= slo).min_by(|a, b| a.replica_hours.total_cmp(&b.replica_hours));
    let kept = if ours.late_percent <= slo { "within" } else { "over" };
    let own = format!(
        "foresail: {:.4} % late ({kept} the limit of {slo} %), {:.1} replica-hours.",
        ours.late_percent, ours.replica_hours
    );
    let gain = match peer {
        Some(peer) => {
            let saved = peer.replica_hours - ours.replica_hours;
            let word = if saved >= 0.0 { "fewer" } else { "more" };
            let percent = 100.0 * ratio(saved.abs(), peer.replica_hours);
            format!(
                " That is {percent:.1} % {word} than {}, the cheapest other policy within the limit ({:.4} % late).",
                peer.policy, peer.late_percent
            )
        }
        None => " No other policy keeps the limit.".to_owned(),
    };
    Some(own + &gain)
}

/// What learning gained and what it cost.
fn learned(learned: &Learned) -> String {
    let (won, word) = (learned.replica_hours_won, if learned.replica_hours_won >= 0.0 { "won" } else { "lost" });
    format!(
        "Learning {word} {:.1} replica-hours against its own baseline {} ({:.4} % late rather than {:.4} %) and cost {:.3} core-hours of \
         computing and {:.0} KiB of memory.",
        won.abs(),
        learned.baseline,
        learned.late_percent,
        learned.baseline_late_percent,
        learned.core_hours,
        learned.memory_bytes as f64 / 1_024.0
    )
}

fn sweep_notes(sweep: &Sweep, verdict: &Verdict, slo: f64) -> Vec<String> {
    let oracle = verdict.oracle_replica_hours;
    let point = |p: &Point| {
        format!(
            "{} ({:.4} % late, {:.1} replica-hours, {:.3}× the oracle)",
            p.policy,
            100.0 * p.late_share,
            p.replica_hours,
            ratio(p.replica_hours, oracle)
        )
    };
    let mut notes = vec![format!("Sweep of {} settings of {}:", sweep.points.len(), sweep.ids().join(", "))];
    let percent = 100.0 * slo;
    notes.push(match &verdict.hindsight {
        Some(h) => format!("  cheapest of {} within {percent} % late, in hindsight: {}", RIVALS.join(", "), point(h)),
        None => format!("  no setting of {} stays within {percent} % late", RIVALS.join(", ")),
    });
    if let Some(t) = &verdict.foreseeable {
        notes.push(format!("  cheapest on the training days, what could be known: {}", point(t)));
    }
    if let Some(f) = &verdict.foresail {
        notes.push(format!("  foresail, one configuration: {}", point(f)));
    }
    if let Some(closed) = verdict.gap_closed {
        notes.push(format!("  foresail closes {:.0} % of the gap between the first and the oracle", 100.0 * closed));
    }
    if let Some(times) = verdict.times_less_late_at_equal_cost {
        notes.push(format!("  at foresail's cost their best is {times:.1} times as late"));
    }
    for (id, cost) in sweep.cost_at_equal_lateness(slo) {
        let said = cost.map_or_else(|| "not reached".to_owned(), |c| format!("{:.3}× the oracle", ratio(c, oracle)));
        notes.push(format!("  {id} at {percent} % late: {said}"));
    }
    notes
}

/// The conclusions, a sentence each.
pub(crate) fn findings(outcome: &Outcome<'_>) -> Vec<String> {
    let mut findings: Vec<String> = against_peers(outcome).into_iter().collect();
    findings.extend(outcome.study.learned.as_ref().map(learned));
    let slo = outcome.setup.options.late_fraction;
    let verdict = outcome.study.sweep.as_ref().map(|(_, verdict)| verdict);
    let keeps_limit = verdict.and_then(|v| v.foresail.as_ref()).is_some_and(|f| f.late_share <= slo);
    if let Some(closed) = verdict.and_then(|v| v.gap_closed).filter(|_| keeps_limit) {
        findings.push(format!(
            "Between perfect foresight and the cheapest setting of {} that keeps the limit, chosen in hindsight, foresail saves {:.0} % \
             of what there is to save.",
            RIVALS.join(", "),
            100.0 * closed
        ));
    }
    findings
}

/// The page for a browser.
pub(crate) fn render(outcome: &Outcome<'_>) -> String {
    let mut report = Report::new(format!("Scaling replay of {}", outcome.loaded.title()));
    for sentence in findings(outcome) {
        report = report.finding(sentence);
    }
    report = report.section(scorecard(outcome)).section(decisions(outcome));
    if let Some((sweep, verdict)) = &outcome.study.sweep {
        report = report.section(costs(outcome, sweep, verdict));
    }
    report = report.section(elasticity(outcome));
    for (name, value) in facts(outcome) {
        report = report.fact(name, value);
    }
    page(&report)
}

/// The scorecard of all policies.
pub(crate) fn scorecard(outcome: &Outcome<'_>) -> Section {
    let mut table = Table::new("Policies over the scored days; ours stands out", columns());
    for score in &outcome.study.scores {
        if score.policy == "foresail" {
            table.highlighted_row(cells(score));
        } else {
            table.row(cells(score));
        }
    }
    Section::new("Scorecard")
        .text(
            "Late: requests that waited too long, were rejected or timed out. Bad minutes: those with more than 1 % late. × oracle: \
             replica-hours over what perfect foresight would have paid. vs static: against a fixed provision for the highest load \
             so far.",
        )
        .block(Block::Table(table))
}

/// Replicas over time, ours with its reasons.
pub(crate) fn decisions(outcome: &Outcome<'_>) -> Section {
    let scenario = &outcome.setup.scenario;
    let scored = scenario.evaluate_from..scenario.load.len();
    let replicas = |run: &Run| run.ready[scored.clone()].iter().map(|r| f64::from(*r)).collect::<Vec<f64>>();
    let watched = outcome.study.watched();
    let others = ["hpa", "keda", "static"];
    let mut policies: Vec<ReplicaLine> = Vec::new();
    let first = watched.map(|e| &e.run).into_iter();
    let rest = outcome.study.entries.iter().map(|e| &e.run).filter(|r| others.contains(&r.policy.as_str()));
    for run in first.chain(rest) {
        if policies.iter().all(|p| p.policy != run.policy) {
            policies.push(ReplicaLine { policy: run.policy.clone(), replicas: replicas(run) });
        }
    }
    let timeline = Timeline {
        times: scored.clone().map(|tick| scenario.time(tick)).collect::<Vec<Timestamp>>(),
        needed: outcome.study.oracle.desired[scored].iter().map(|d| f64::from(*d)).collect(),
        policies,
        reasons: watched.map(|e| e.changes.iter().map(mark).collect()).unwrap_or_default(),
    };
    Section::new("Decisions")
        .text("What the load needed (perfect foresight), what was ready under each policy, and why the first one changed its mind.")
        .block(Block::Timeline(timeline))
}

fn mark(change: &Change) -> ReasonMark {
    ReasonMark {
        time: change.time,
        decision: Some(change.id),
        from: change.from.0,
        to: change.to.0,
        reason: change.reason.clone(),
    }
}

/// Cost against lateness over every setting.
pub(crate) fn costs(outcome: &Outcome<'_>, sweep: &Sweep, verdict: &Verdict) -> Section {
    let oracle = verdict.oracle_replica_hours;
    let cost_point = |p: &Point| CostPoint {
        setting: p.policy.split_once('@').map_or("", |(_, setting)| setting).to_owned(),
        late_percent: 100.0 * p.late_share,
        cost: ratio(p.replica_hours, oracle),
    };
    let curve = |id: &str| CostCurve {
        policy: id.to_owned(),
        points: sweep.points.iter().filter(|p| p.id() == id).map(cost_point).collect(),
    };
    let alone = outcome.study.entries.iter().map(|e| Point::of(&e.run)).filter(|p| !sweep.ids().contains(&p.id()));
    let mut curves: Vec<CostCurve> =
        alone.map(|p| CostCurve { policy: p.policy.clone(), points: vec![cost_point(&p)] }).collect();
    curves.sort_by_key(|c| c.policy != "foresail");
    curves.extend(sweep.ids().into_iter().map(curve));
    let slo = outcome.setup.options.late_fraction;
    let percent = 100.0 * slo;
    Section::new("Cost at each lateness")
        .text(
            "Any policy buys punctuality with replicas, so one setting of each is no fair comparison. Here every setting of every policy is \
             replayed over the same days.",
        )
        .block(Block::Costs(CostCurves { slo_percent: percent, curves }))
        .block(Block::Table(verdict_table(verdict, percent)))
        .block(Block::Table(equal_lateness_table(sweep, oracle, slo)))
}

fn verdict_table(verdict: &Verdict, percent: f64) -> Table {
    let names = ["what could be had", "setting", "late %", "replica-h", "× oracle"];
    let mut table = Table::new(format!("Within {percent} % late, of {}", RIVALS.join(", ")), names);
    let cells = |what: &str, p: &Point| {
        let (late, hours) = (format!("{:.4}", 100.0 * p.late_share), format!("{:.1}", p.replica_hours));
        let cost = format!("{:.3}", ratio(p.replica_hours, verdict.oracle_replica_hours));
        [what.to_owned(), p.policy.clone(), late, hours, cost]
    };
    match &verdict.hindsight {
        Some(h) => table.row(cells("cheapest in hindsight", h)),
        None => table.row(["cheapest in hindsight", "none keeps the limit", "–", "–", "–"]),
    }
    if let Some(t) = &verdict.foreseeable {
        table.row(cells("cheapest on the training days", t));
    }
    if let Some(f) = &verdict.foresail {
        table.highlighted_row(cells("Foresail's one configuration", f));
    }
    table
}

fn equal_lateness_table(sweep: &Sweep, oracle: f64, slo: f64) -> Table {
    let caption = format!("Cost of each policy where it is exactly {} % late, between its settings", 100.0 * slo);
    let mut table = Table::new(caption, ["policy", "replica-h", "× oracle"]);
    for (id, cost) in sweep.cost_at_equal_lateness(slo) {
        let cells = [crate::output::cell(cost, 1), crate::output::cell(cost.map(|c| ratio(c, oracle)), 3)];
        table.row(std::iter::once(id).chain(cells));
    }
    table
}

/// SPEC's elasticity metrics.
pub(crate) fn elasticity(outcome: &Outcome<'_>) -> Section {
    let names = ["policy", "θU %", "θO %", "τU %", "τO %", "υ %", "jitter/h", "σ", "speed-up over static"];
    let mut table = Table::new(
        "Elasticity, with the replicas of perfect foresight as demand; less is better but for the last",
        names,
    );
    for score in &outcome.study.scores {
        let e = &score.elasticity;
        let cells = e.values().map(|v| format!("{v:.2}"));
        let row = std::iter::once(score.policy.clone()).chain(cells);
        if score.policy == "foresail" { table.highlighted_row(row) } else { table.row(row) }
    }
    Section::new("Elasticity")
        .text(
            "SPEC Research Group's metrics (SPEC-RG-2016-01): θ is how many replicas were missing or idle on average, τ for how much of \
             the time, υ how often supply moved in another direction than demand.",
        )
        .block(Block::Table(table))
}

/// What a reader needs in order to repeat it.
pub(crate) fn facts(outcome: &Outcome<'_>) -> Vec<(String, String)> {
    let setup = outcome.setup;
    let fact = |name: &str, value: String| (name.to_owned(), value);
    vec![
        fact("Input", outcome.loaded.title().to_owned()),
        fact("Column", outcome.loaded.frame.target_column().name().to_owned()),
        fact("Selection", format!("{} to {}", setup.scenario.start, setup.scenario.time(setup.scenario.load.len()))),
        fact("Scored from", setup.evaluate_start().to_string()),
        fact("Tick", Span(setup.scenario.tick).to_string()),
        fact("Values multiplied with", setup.factor.to_string()),
        fact("Rows held over gaps", setup.held_rows.to_string()),
        fact("Service", service_sentence(setup)),
        fact("Late requests accepted", format!("{} %", 100.0 * setup.options.late_fraction)),
        fact("Replicas", format!("{} to {}", setup.scenario.limits.min, setup.scenario.limits.max)),
        fact("Seed", setup.options.seed.to_string()),
        fact("Plant", "fluid, with Erlang C".to_owned()),
        fact("Foresail", env!("CARGO_PKG_VERSION").to_owned()),
    ]
}
