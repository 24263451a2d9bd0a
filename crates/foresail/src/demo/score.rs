//! What a demonstration comes to, and how it says so while it runs.

use std::time::Duration;

use foresail_server::api::ServiceView;
use serde::Serialize;

use super::DemoOptions;
use super::load::Counts;
use super::plan::Plan;
use crate::output::{TextTable, cell};

/// A day's peak, and whether what it needs was ready when it began.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Peak {
    /// Seconds since the start.
    pub(crate) at_s: f64,
    /// Requests a second.
    pub(crate) load_rps: f64,
    /// What the ready copies could serve, requests a second.
    pub(crate) ready_rps: f64,
    /// Enough.
    pub(crate) is_ready: bool,
}

/// What became of the flood.
#[derive(Clone, Debug, Serialize)]
struct Flood {
    /// Who flooded.
    client: String,
    requests: u64,
    /// Those that reached a copy.
    passed: u64,
    held_percent: f64,
    /// The last verdict on it, with its reason.
    verdict: Option<String>,
}

/// The scorecard.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    policy: String,
    seed: u64,
    /// How many times fast the constants of every policy ran.
    speed: f64,
    seconds: f64,
    /// As the client saw it: late is an error, or more than 250 ms from the intended send.
    requests: u64,
    late: u64,
    late_percent: f64,
    errors: u64,
    /// By how much the generator itself was behind at the most: what a busy machine adds to every latency.
    generator_behind_ms: f64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// Copies that existed, summed over time.
    replica_seconds: f64,
    peaks: Vec<Peak>,
    peaks_ready: bool,
    flood: Flood,
    /// What the journal tells of endpoints, the guard and the load, in order.
    told: Vec<String>,
    /// Champion and baseline on the same observed load, each on a fluid plant of its own; none for a rival's policy.
    counterfactual: Option<Counterfactual>,
    tick_p99_ms: f64,
    learner_cpu_s: f64,
    capacity_prior_rps: f64,
    capacity_learned_rps: f64,
}

/// The loop's own scorecard.
#[derive(Clone, Copy, Debug, Serialize)]
struct Counterfactual {
    late_percent: f64,
    hpa_late_percent: f64,
    replica_seconds: f64,
    hpa_replica_seconds: f64,
}

impl Summary {
    pub(super) fn new(
        options: &DemoOptions,
        plan: &Plan,
        speed: f64,
        (counts, flood): (&Counts, &Counts),
        peaks: Vec<Peak>,
        told: Vec<String>,
        view: &ServiceView,
    ) -> Self {
        let share = |part: u64, of: u64| if of > 0 { 100.0 * part as f64 / of as f64 } else { 0.0 };
        let ms = |latency: Duration| 1_000.0 * latency.as_secs_f64();
        let card = view.scorecard;
        // Replica-hours of the service's clock, as replica-seconds of the wall's.
        let real = |hours: f64| hours * 3_600.0 / speed;
        Self {
            policy: options.policy.clone(),
            seed: options.seed,
            speed,
            seconds: plan.length().as_secs_f64(),
            requests: counts.sent,
            late: counts.late,
            late_percent: share(counts.late, counts.sent),
            errors: counts.errors,
            generator_behind_ms: ms(counts.longest_delay),
            p50_ms: counts.latency(0.5).map(ms),
            p99_ms: counts.latency(0.99).map(ms),
            replica_seconds: view.served.replica_seconds / speed,
            peaks_ready: !peaks.is_empty() && peaks.iter().all(|p| p.is_ready),
            peaks,
            flood: Flood::new(flood, view),
            told,
            counterfactual: (card.requests > 0.0).then(|| Counterfactual {
                late_percent: 100.0 * card.champion_late,
                hpa_late_percent: 100.0 * card.baseline_late,
                replica_seconds: real(card.champion_hours),
                hpa_replica_seconds: real(card.baseline_hours),
            }),
            tick_p99_ms: view.tick_ms.1,
            learner_cpu_s: card.learner_cpu_s,
            capacity_prior_rps: view.capacity.prior_rps,
            capacity_learned_rps: view.capacity.learned_rps,
        }
    }

    /// As people read it.
    pub(crate) fn text(&self) -> String {
        let mut table = TextTable::new(["", "late %", "replica-seconds"]).text_columns(1);
        let name = format!("{}, as served", self.policy);
        table.row([name, format!("{:.3}", self.late_percent), format!("{:.0}", self.replica_seconds)]);
        if let Some(c) = self.counterfactual {
            let row = |late, paid| [format!("{late:.3}"), format!("{paid:.0}")];
            let [late, paid] = row(c.late_percent, c.replica_seconds);
            table.row([format!("{}, as modelled", self.policy), late, paid]);
            let [late, paid] = row(c.hpa_late_percent, c.hpa_replica_seconds);
            table.row(["hpa@0.7 on the same load, as modelled".to_owned(), late, paid]);
        }
        let peaks: Vec<String> = self
            .peaks
            .iter()
            .map(|p| {
                let verdict = if p.is_ready { "ready" } else { "NOT ready" };
                format!("{:.0}/s at {:.0} s: {verdict} ({:.0}/s)", p.load_rps, p.at_s, p.ready_rps)
            })
            .collect();
        let flood = &self.flood;
        let verdict = flood.verdict.as_deref().unwrap_or("nothing was held against it");
        let told: String = self.told.iter().map(|text| format!("journal: {text}\n")).collect();
        format!(
            "{}{} requests, {} late, {} failed; median {} ms, 99th percentile {} ms\npeaks: {}\nflood: {} requests of {}, \
             {:.1} % held ({verdict})\n{told}a demonstration: the \
             constants of every policy ran {:.0} times fast; the benchmark is `foresail simulate`\n",
            table.render(),
            self.requests,
            self.late,
            self.errors,
            cell(self.p50_ms, 1),
            cell(self.p99_ms, 1),
            peaks.join("; "),
            flood.requests,
            flood.client,
            flood.held_percent,
            self.speed,
        )
    }
}

impl Flood {
    fn new(counts: &Counts, view: &ServiceView) -> Self {
        let client = super::FLOODER.to_string();
        let verdicts = view.guard.as_ref().map_or(&[][..], |guard| &guard.verdicts);
        let verdict = verdicts.iter().find(|verdict| verdict.client == client);
        Self {
            requests: counts.sent,
            passed: counts.ok,
            held_percent: if counts.sent > 0 { 100.0 * (1.0 - counts.ok as f64 / counts.sent as f64) } else { 0.0 },
            verdict: verdict.map(|verdict| format!("{}: {}", verdict.action, verdict.reason)),
            client,
        }
    }
}

/// How it goes, in one line.
pub(super) fn line(elapsed: Duration, view: &ServiceView, counts: &Counts) -> String {
    let ahead = view.forecast.as_ref().and_then(|f| f.mean.get(4));
    let late = if counts.sent > 0 { 100.0 * counts.late as f64 / counts.sent as f64 } else { 0.0 };
    let attack = view.guard.as_ref().filter(|guard| guard.is_engaged && guard.attack_rps >= 1.0);
    let held = attack.map_or_else(String::new, |guard| format!("[guard: {:.0}/s are an attack]", guard.attack_rps));
    let baseline = view.last.as_ref().map_or(0, |r| r.baseline.0);
    format!(
        "{:>5.0} s  {:>5.0}/s now, {:>5}/s expected  {:>2} ready of {:>2} wanted (hpa {:>2})  {:.3} % late  {}{held}",
        elapsed.as_secs_f64(),
        view.load_rps.unwrap_or(0.0),
        cell(ahead.copied(), 0),
        view.replicas.ready,
        view.replicas.desired,
        baseline,
        late,
        view.endpoints
            .iter()
            .filter(|e| e.state == "ejected")
            .map(|e| format!("[{} ejected]", e.id))
            .collect::<String>(),
    )
}
