//! What kind of work a service is doing, live: workers' parts joined into fingerprints, changes told with their reason, and what
//! the past says of states like the present one.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use foresail_core::Timestamp;
use foresail_core::fingerprint::{Collector, FingerprintOptions, Fingerprinter, RegimeChange, Wanted};
use foresail_learn::resource::ResourceForecaster;
use foresail_proxy::{Workload, fingerprint_options};
use foresail_scale::controller::Entry;
use foresail_server::api::plane::{AlikeView, FingerprintView, KindView, OwnMetricView, Told};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::meter::Window;
use super::own_metrics::Values;

/// Intervals ahead that resource use is foretold, and after which it is looked at what followed.
const AHEAD: usize = 10;
/// Past states shown, how far apart they lie, and how far in the past they are at least; intervals.
const ALIKE: Wanted = Wanted { count: 5, lag: 0, between: 4 };
const PAST: u32 = 20;
/// Intervals shown, kinds of requests shown, and changes kept.
const POINTS: usize = 240;
const KINDS: usize = 8;
const CHANGES: usize = 50;
/// Intervals until what has been seen is saved again; a change is saved at once.
const SAVE: u32 = 20;
/// The usual shares of a regime are means over so many intervals, of so many kinds of requests, in so many regimes.
const USUAL: f64 = 60.0;
const MOST_KINDS: usize = 32;
const MOST_REGIMES: usize = 24;
/// A share has changed by so much, and another figure by so much of itself, where that is a reason.
const POINT: f64 = 0.03;
const CHANGED: f64 = 0.25;

/// The fingerprints of one service.
pub(crate) struct Prints {
    interval: Duration,
    state: State,
    /// The application's own figures, as they are.
    values: watch::Receiver<Values>,
    /// Start of the open interval; its length on the wall clock, and the work that endpoints did in it, seconds.
    open: Option<Timestamp>,
    seconds: f64,
    busy_s: f64,
    since_save: u32,
    is_new: bool,
    view: Option<FingerprintView>,
}

/// What outlives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    fingerprinter: Fingerprinter,
    forecaster: ResourceForecaster,
    names: BTreeMap<u64, String>,
    /// The regime of each state remembered.
    regimes: VecDeque<usize>,
    since: Option<Timestamp>,
    usual: BTreeMap<usize, Usual>,
    /// Newest first.
    changes: VecDeque<Told>,
}

/// What is usual in a regime.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Usual {
    intervals: f64,
    shares: BTreeMap<u64, f64>,
    rate_rps: f64,
    median_ms: f64,
    errors: f64,
    /// The application's own figures that answered.
    own: BTreeMap<String, f64>,
}

impl Prints {
    /// Goes on from what was saved, where that is of the same features; an interval is `interval` of the service's clock.
    /// `values` are the application's own figures, in the order of their names, `metrics`.
    ///
    /// # Errors
    /// If there can be no fingerprints of these options.
    pub(crate) fn new(
        interval: Duration,
        metrics: Vec<String>,
        values: watch::Receiver<Values>,
        saved: Option<State>,
    ) -> anyhow::Result<Self> {
        let options = FingerprintOptions { metrics, ..fingerprint_options() };
        let state = match saved.filter(|state| state.is_of(&options)) {
            Some(state) => state,
            None => State::new(options)?,
        };
        let (open, view) = (None, None);
        Ok(Self { interval, state, values, open, seconds: 0.0, busy_s: 0.0, since_save: 0, is_new: false, view })
    }

    /// Begins, with what the proxy sees alone.
    ///
    /// # Errors
    /// If there can be no fingerprints of these options.
    pub(crate) fn without_metrics(interval: Duration) -> anyhow::Result<Self> {
        Self::new(interval, Vec::new(), watch::channel(Vec::new()).1, None)
    }

    /// Takes in what was seen in the tick that ends at `now`, and ends the interval if it is over: what is to be journalled
    /// then, if the kind of work has changed.
    pub(super) fn tick(&mut self, now: Timestamp, work: Option<Workload>, window: Option<&Window>) -> Option<Entry> {
        // What came before the first tick belongs to no interval.
        let (Some(start), Some(window)) = (self.open, window) else {
            self.open = Some(now);
            return None;
        };
        self.seconds += window.seconds;
        self.busy_s += window.busy_s;
        if let Some(work) = work {
            match self.state.fingerprinter.collector_mut().merge(&work.collector) {
                Ok(()) => self.state.names.extend(work.names),
                Err(error) => tracing::warn!("a part of the work is left out of its fingerprint: {error}"),
            }
        }
        // Time was set, or a tick was long: what is open is as long as it is.
        if now.since(start) < self.interval || self.seconds <= 0.0 {
            return None;
        }
        let span = Duration::from_secs_f64(self.seconds);
        let busy = self.busy_s / self.seconds;
        (self.open, self.seconds, self.busy_s) = (Some(now), 0.0, 0.0);
        let own = self.values.borrow().clone();
        let (change, view) = self.state.close(start, (span, self.interval), &own, busy);
        self.view = Some(view);
        self.since_save += 1;
        self.is_new = change.is_some() || self.since_save >= SAVE;
        change
    }

    /// The kind of work that there is; none before an interval has been seen.
    pub(super) fn regime(&self) -> Option<usize> {
        self.state.regimes.back().copied()
    }

    /// What is to be saved, if it is time.
    pub(super) fn unkept(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.is_new) {
            return None;
        }
        self.since_save = 0;
        serde_json::to_vec(&self.state).ok()
    }

    /// What there is to see; none before an interval has been seen.
    pub(super) fn view(&self) -> Option<FingerprintView> {
        self.view.clone()
    }
}

impl State {
    fn new(options: FingerprintOptions) -> anyhow::Result<Self> {
        let components = options.components;
        Ok(Self {
            fingerprinter: Fingerprinter::new(options)?,
            forecaster: ResourceForecaster::new(AHEAD, Some(components))?,
            names: BTreeMap::new(),
            regimes: VecDeque::new(),
            since: None,
            usual: BTreeMap::new(),
            changes: VecDeque::new(),
        })
    }

    fn is_of(&self, options: &FingerprintOptions) -> bool {
        self.fingerprinter.options() == options && self.regimes.len() == self.fingerprinter.memory().len()
    }

    /// Ends the interval from `start` on, `span` long on the wall clock and `interval` on the service's, in which endpoints
    /// worked on `busy` requests at a time and the application's own figures were `own`.
    fn close(
        &mut self,
        start: Timestamp,
        (span, interval): (Duration, Duration),
        own: &[Option<f64>],
        busy: f64,
    ) -> (Option<Entry>, FingerprintView) {
        let names = self.fingerprinter.options().metrics.clone();
        let answered = names.into_iter().zip(own).filter_map(|(name, value)| Some((name, (*value)?)));
        let seen = Usual { own: answered.collect(), ..Usual::of(self.fingerprinter.collector_mut(), span) };
        let print = self.fingerprinter.close(start, span, own, Some(busy));
        let foretold = self.forecaster.push(&self.fingerprinter, &print, Some(busy)).map(|v| v.max(0.0));
        self.regimes.push_back(print.regime);
        while self.regimes.len() > self.fingerprinter.memory().len() {
            self.regimes.pop_front();
        }
        let since = *self.since.get_or_insert(start);
        let entry = print.change.map(|change| {
            let reason = self.reason(change, &seen);
            // It was the interval before that was the first of its kind.
            self.since = Some((start - interval).max(since));
            self.changes.push_front(Told { time: start + interval, text: reason.clone() });
            self.changes.truncate(CHANGES);
            Entry::Told { time: start + interval, text: reason }
        });
        self.learn(print.regime, &seen);
        (entry, self.view(start, interval, &seen, busy, foretold))
    }

    fn learn(&mut self, regime: usize, seen: &Usual) {
        self.usual.entry(regime).or_default().learn(seen);
        while self.usual.len() > MOST_REGIMES {
            let Some(oldest) = self.usual.keys().copied().find(|id| *id != regime) else { break };
            self.usual.remove(&oldest);
        }
        let (usual, names) = (&self.usual, &mut self.names);
        names.retain(|key, _| seen.shares.contains_key(key) || usual.values().any(|u| u.shares.contains_key(key)));
    }

    fn name(&self, pattern: u64) -> String {
        self.names.get(&pattern).cloned().unwrap_or_else(|| format!("{pattern:016x}"))
    }

    /// Why the kind of work is another one: what is not as it usually was before.
    fn reason(&self, change: RegimeChange, now: &Usual) -> String {
        let RegimeChange { from, to, is_new } = change;
        let news = if is_new { ", never seen before" } else { "" };
        let head = format!("the kind of work is {to}{news}, it was {from}");
        let Some(before) = self.usual.get(&from) else { return head };
        let mut moved: Vec<(f64, u64, f64, f64)> = Vec::new();
        for pattern in before.shares.keys().chain(now.shares.keys().filter(|p| !before.shares.contains_key(p))) {
            let (was, is) = (before.share(*pattern), now.share(*pattern));
            if (is - was).abs() >= POINT {
                moved.push(((is - was).abs(), *pattern, was, is));
            }
        }
        moved.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let shares = moved.iter().take(3).map(|(_, pattern, was, is)| {
            format!("{} {:.0} % of the requests, was {:.0} %", self.name(*pattern), 100.0 * is, 100.0 * was)
        });
        let mut said: Vec<String> = shares.collect();
        let changed = |is: f64, was: f64| (is - was).abs() > CHANGED * was.max(is);
        if changed(now.rate_rps, before.rate_rps) {
            said.push(format!("{:.1} requests a second, were {:.1}", now.rate_rps, before.rate_rps));
        }
        if changed(now.median_ms, before.median_ms) {
            said.push(format!("median latency {:.1} ms, was {:.1} ms", now.median_ms, before.median_ms));
        }
        if (now.errors - before.errors).abs() > POINT {
            said.push(format!("{:.0} % failed, were {:.0} %", 100.0 * now.errors, 100.0 * before.errors));
        }
        for (name, is) in &now.own {
            if let Some(was) = before.own.get(name).filter(|was| changed(is.abs(), was.abs()) || is * *was < 0.0) {
                said.push(format!("{name} {is:.3}, was {was:.3}"));
            }
        }
        if said.is_empty() {
            said.push("many figures by a little each".to_owned());
        }
        format!("{head}: {}", said.join("; "))
    }

    fn view(
        &self,
        start: Timestamp,
        interval: Duration,
        seen: &Usual,
        busy: f64,
        foretold: Option<f64>,
    ) -> FingerprintView {
        let (memory, pca) = (self.fingerprinter.memory(), self.fingerprinter.pca());
        let regime = self.regimes.back().copied().unwrap_or(0);
        let usual = self.usual.get(&regime);
        let mut kinds: Vec<(u64, f64)> = seen.shares.iter().map(|(pattern, share)| (*pattern, *share)).collect();
        kinds.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let kinds = kinds.into_iter().take(KINDS).map(|(pattern, share)| KindView {
            name: self.name(pattern),
            share,
            usual: usual.map(|usual| usual.share(pattern)),
        });
        let rounded = |v: f64| (v * 1_000.0).round() / 1_000.0;
        let first = memory.len().saturating_sub(POINTS);
        let points = memory.states().zip(&self.regimes).skip(first).map(|(state, regime)| {
            let place = pca.project(&state.features);
            let at = |axis: usize| rounded(place.get(axis).copied().unwrap_or(0.0));
            (state.time, *regime, at(0), at(1))
        });
        let alike = self.fingerprinter.nearest(interval * PAST, &ALIKE).into_iter().filter_map(|neighbour| {
            let (state, after) = (memory.get(neighbour.index)?, memory.get(neighbour.index + AHEAD));
            Some(AlikeView {
                time: state.time,
                regime: *self.regimes.get(neighbour.index)?,
                distance: neighbour.distance,
                rate_rps: state.rate(),
                busy: state.resource,
                rate_after_rps: after.and_then(foresail_core::fingerprint::StoredState::rate),
                busy_after: after.and_then(|state| state.resource),
                regime_after: after.and_then(|_| self.regimes.get(neighbour.index + AHEAD).copied()),
            })
        });
        let explained = pca.explained();
        let axis = |i: usize| explained.get(i).copied().filter(|v| v.is_finite()).unwrap_or(0.0).clamp(0.0, 1.0);
        FingerprintView {
            time: start,
            interval,
            regime,
            since: self.since.unwrap_or(start),
            regimes: self.fingerprinter.regimes().len(),
            remembered: memory.len(),
            rate_rps: seen.rate_rps,
            kinds: kinds.collect(),
            points: points.collect(),
            own: seen
                .own
                .iter()
                .map(|(name, value)| OwnMetricView {
                    name: name.clone(),
                    value: *value,
                    usual: usual.and_then(|usual| usual.own.get(name).copied()),
                })
                .collect(),
            explained: (axis(0), axis(1)),
            alike: alike.collect(),
            busy,
            busy_foretold: foretold,
            ahead: interval * AHEAD as u32,
            changes: self.changes.iter().cloned().collect(),
        }
    }
}

impl Usual {
    /// What one interval shows, before it is closed.
    fn of(collector: &Collector, span: Duration) -> Self {
        Self {
            intervals: 1.0,
            shares: collector.top(MOST_KINDS).into_iter().collect(),
            rate_rps: collector.requests() as f64 / span.as_secs_f64().max(1e-6),
            median_ms: collector.median_ms().unwrap_or(0.0),
            errors: collector.error_share(),
            own: BTreeMap::new(),
        }
    }

    fn share(&self, pattern: u64) -> f64 {
        self.shares.get(&pattern).copied().unwrap_or(0.0)
    }

    fn learn(&mut self, seen: &Self) {
        self.intervals = (self.intervals + 1.0).min(USUAL);
        let pace = 1.0 / self.intervals;
        for pattern in seen.shares.keys() {
            self.shares.entry(*pattern).or_default();
        }
        for (pattern, share) in &mut self.shares {
            *share += pace * (seen.share(*pattern) - *share);
        }
        while self.shares.len() > MOST_KINDS {
            let rarest = self.shares.iter().min_by(|a, b| a.1.total_cmp(b.1)).map(|(pattern, _)| *pattern);
            let Some(rarest) = rarest else { break };
            self.shares.remove(&rarest);
        }
        self.rate_rps += pace * (seen.rate_rps - self.rate_rps);
        self.median_ms += pace * (seen.median_ms - self.median_ms);
        self.errors += pace * (seen.errors - self.errors);
        for (name, value) in &seen.own {
            let mean = self.own.entry(name.clone()).or_insert(*value);
            *mean += pace * (value - *mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;
    use foresail_core::fingerprint::{Request, path_pattern, pattern_name};

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    /// What workers would have seen in half an interval, of which a share are reports.
    fn work(reports: f64, rng: &mut SeededRng) -> Workload {
        let mut collector = Collector::new(&fingerprint_options());
        let mut names = BTreeMap::new();
        for i in 0..300_i64 {
            let path = if rng.uniform() < reports { "/report/7" } else { "/item/42" };
            let (pattern, is_report) = (path_pattern("GET", path), path == "/report/7");
            names.insert(pattern, pattern_name("GET", path));
            collector.record(&Request {
                time: Timestamp::from_micros(50_000 * i),
                pattern,
                latency_ms: if is_report { 90.0 } else { 10.0 } + 2.0 * rng.uniform(),
                is_error: false,
                cost: Some(if is_report { 9_000.0 } else { 1_000.0 }),
                parameters: &[100.0],
            });
        }
        Workload { collector, names }
    }

    fn window(busy_s: f64) -> Window {
        Window { seconds: 15.0, busy_s, ..Window::default() }
    }

    /// The entries of a service whose mix changes after forty intervals at the same rate, and back after eighty.
    fn play(prints: &mut Prints, ticks: std::ops::Range<i64>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for tick in ticks {
            let mut rng = SeededRng::seed_from_u64(tick.unsigned_abs());
            let reports = if (80..160).contains(&tick) { 0.7 } else { 0.05 };
            let work = work(reports, &mut rng);
            let busy = 15.0 * (1.0 + 10.0 * reports);
            entries.extend(prints.tick(Timestamp::from_secs(15 * tick), Some(work), Some(&window(busy))));
        }
        entries
    }

    #[test]
    fn a_change_of_mix_at_the_same_rate_is_told_within_two_minutes_with_its_reason() {
        let mut prints = Prints::without_metrics(INTERVAL).unwrap();
        assert_eq!((prints.regime(), prints.view()), (None, None));
        let entries = play(&mut prints, 0..220);
        let [Entry::Told { time, text: reason }, Entry::Told { text: back, .. }] = &entries[..] else {
            panic!("{entries:?}")
        };
        assert!(back.starts_with("the kind of work is 0, it was 1: "), "{back}");
        let changed = Timestamp::from_secs(15 * 80);
        assert!(time.since(changed) <= Duration::from_secs(120), "{time}");
        assert!(reason.starts_with("the kind of work is 1, never seen before, it was 0: GET /"), "{reason}");
        assert!(reason.contains("GET /report/* ") && reason.contains("median latency 9"), "{reason}");
        let view = prints.view().unwrap();
        assert_eq!((view.regime, view.regimes, view.changes.len()), (0, 2, 2));
        assert_eq!(view.kinds[0].name, "GET /item/*");
        assert!((view.kinds[0].share - 0.95).abs() < 0.05, "{:?}", view.kinds);
        assert_eq!(view.points.len(), view.remembered);
        assert!(view.alike.iter().all(|alike| alike.regime == 0) && view.alike.len() == 5, "{:?}", view.alike);
        assert!(view.alike.iter().any(|alike| alike.busy_after.is_some()));
        assert!(view.busy_foretold.is_some_and(|busy| (busy - 1.5).abs() < 1.0), "{:?}", view.busy_foretold);
    }

    #[test]
    fn a_restart_goes_on_alike() {
        let mut prints = Prints::without_metrics(INTERVAL).unwrap();
        play(&mut prints, 0..81);
        let mut saved = None;
        for tick in 81..120 {
            play(&mut prints, tick..tick + 1);
            if let Some(bytes) = prints.unkept() {
                saved = Some((tick, bytes));
            }
        }
        let (tick, bytes) = saved.expect("a change is saved at once");
        let state: State = serde_json::from_slice(&bytes).unwrap();
        let values = watch::channel(Vec::new()).1;
        let mut twin = Prints::new(INTERVAL, Vec::new(), values, Some(state)).unwrap();
        twin.open = Some(Timestamp::from_secs(15 * tick));
        play(&mut twin, tick + 1..120);
        assert_eq!(twin.state, prints.state);
        assert_eq!(twin.regime(), Some(1));
    }

    #[test]
    fn the_application_s_own_figures_tell_of_what_requests_do_not() {
        let names = vec!["hit_ratio".to_owned(), "queue".to_owned()];
        let (sender, values) = watch::channel(vec![None, None]);
        let mut prints = Prints::new(INTERVAL, names, values, None).unwrap();
        let mut entries = Vec::new();
        for tick in 0..240 {
            let hit_ratio = if tick < 160 { 0.9 } else { 0.2 };
            sender.send_replace(vec![Some(hit_ratio + 0.01 * f64::from(tick as i32 % 3)), None]);
            entries.extend(play(&mut prints, 10_000 + tick..10_001 + tick));
        }
        let [Entry::Told { time, text }] = &entries[..] else { panic!("{entries:?}") };
        assert!(time.since(Timestamp::from_secs(15 * 10_160)) <= Duration::from_secs(120), "{time}");
        assert!(text.contains("hit_ratio 0.2") && text.contains(", was 0.89") && !text.contains("queue"), "{text}");
        let [own] = &prints.view().unwrap().own[..] else { panic!("what does not answer is not shown") };
        assert!((own.value - 0.21).abs() < 0.011 && (own.usual.unwrap() - 0.21).abs() < 0.02, "{own:?}");
        let bytes = serde_json::to_vec(&prints.state).unwrap();
        let state = serde_json::from_slice(&bytes).unwrap();
        let fewer = Prints::new(INTERVAL, Vec::new(), watch::channel(Vec::new()).1, Some(state)).unwrap();
        assert_eq!(fewer.regime(), None, "other figures are other features");
    }

    #[test]
    fn without_requests_there_are_intervals_all_the_same() {
        let mut prints = Prints::without_metrics(INTERVAL).unwrap();
        for tick in 0..40 {
            let changed = prints.tick(Timestamp::from_secs(15 * tick), None, Some(&window(0.0)));
            assert_eq!(changed, None);
        }
        let view = prints.view().unwrap();
        assert_eq!((view.regime, view.kinds.len(), view.rate_rps), (0, 0, 0.0));
    }
}
