//! Deciding what to tell when.

use std::collections::BTreeMap;

use foresail_core::{SeededRng, Timestamp};
use serde::{Deserialize, Serialize};

use super::alert::{Alert, Severity};
use super::delivery::{Delivery, Failure};
use super::group::{Group, Known, Retry};
use super::options::NotifierOptions;

/// Version of the saved layout.
const VERSION: u32 = 1;

/// What has become of messages and alerts since the notifier was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that arrived.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Messages given up.
    pub given_up: u64,
    /// Alerts that were dropped because there were too many.
    pub dropped: u64,
}

/// Decides what one receiver is told when. Pure: time and randomness are handed in.
#[derive(Clone, Debug)]
pub struct Notifier {
    options: NotifierOptions,
    groups: BTreeMap<(String, String), Group>,
    next_id: u64,
    counts: Counts,
}

/// A notifier's memory, to be saved. Plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotifierState {
    version: u32,
    groups: Vec<Group>,
}

impl Notifier {
    /// A notifier that knows of nothing. Options out of range are brought into it.
    pub fn new(options: NotifierOptions) -> Self {
        Self { options: options.within_range(), groups: BTreeMap::new(), next_id: 1, counts: Counts::default() }
    }

    /// Goes on from what was saved; `None` if another build saved it in a layout this one cannot read. Messages that
    /// were on their way are sent again.
    pub fn restore(options: NotifierOptions, state: NotifierState) -> Option<Self> {
        let groups = state.groups.into_iter().map(|g| ((g.service.clone(), g.kind.clone()), g)).collect();
        (state.version == VERSION).then(|| Self { groups, ..Self::new(options) })
    }

    /// What it remembers.
    pub fn state(&self) -> NotifierState {
        NotifierState { version: VERSION, groups: self.groups.values().cloned().collect() }
    }

    /// What has become of messages and alerts.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Alerts that last or whose end is still to be told.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.groups.values().flat_map(|g| g.alerts.values().map(|k| &k.alert))
    }

    /// An alert begins, goes on or gets worse. One that ended and comes back before its end was told has not ended.
    /// False if it had to be dropped because there are too many that matter as much.
    pub fn raise(&mut self, now: Timestamp, alert: Alert) -> bool {
        let key = (alert.service.clone(), alert.kind.clone());
        let is_known = self.groups.get(&key).is_some_and(|g| g.alerts.contains_key(&alert.subject));
        if !is_known && !self.has_room_for(alert.severity) {
            self.counts.dropped += 1;
            return false;
        }
        let group = self.groups.entry(key).or_insert_with(|| Group::new(&alert.service, &alert.kind));
        let before = group.news();
        match group.alerts.get_mut(&alert.subject) {
            Some(known) => {
                known.alert = Alert { began: known.alert.began, ..alert };
                known.ended = None;
            }
            None => drop(group.alerts.insert(alert.subject.clone(), Known::new(alert))),
        }
        group.changed(now, before, &self.options);
        true
    }

    /// An alert ends. If nobody was told of it, nobody will be.
    pub fn resolve(&mut self, now: Timestamp, service: &str, kind: &str, subject: &str) {
        let Some(group) = self.groups.get_mut(&(service.to_owned(), kind.to_owned())) else { return };
        let before = group.news();
        if let Some(known) = group.alerts.get_mut(subject) {
            known.ended = known.ended.or(Some(now));
        }
        group.prune();
        group.changed(now, before, &self.options);
    }

    /// What is to be sent now. Each must be answered with [`Notifier::sent`]; until then nothing more is said of its
    /// service and kind.
    pub fn due(&mut self, now: Timestamp) -> Vec<Delivery> {
        self.groups.retain(|_, group| !group.is_over(now, &self.options));
        let mut deliveries = Vec::new();
        for group in self.groups.values_mut() {
            if group.due(&self.options).is_none_or(|due| due > now) {
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            let (alerts, omitted) = group.compose(id, self.options.most_in_message);
            deliveries.push(Delivery {
                id,
                service: group.service.clone(),
                kind: group.kind.clone(),
                alerts,
                omitted,
                attempt: group.retry.map_or(1, |r| r.failed + 1),
            });
        }
        deliveries
    }

    /// When [`Notifier::due`] will next have something, if nothing happens before.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.groups.values().filter_map(|group| group.due(&self.options)).min()
    }

    /// How the delivery with `id` fared: `None` if it arrived. A failure is repeated later and later, as long as that may
    /// help. An id that is not on its way is ignored.
    pub fn sent(&mut self, now: Timestamp, id: u64, failure: Option<Failure>, rng: &mut SeededRng) {
        let is_it = |group: &&mut Group| group.in_flight.as_ref().is_some_and(|f| f.id == id);
        let Some(group) = self.groups.values_mut().find(is_it) else { return };
        let Some(failure) = failure else {
            self.counts.sent += 1;
            return group.arrived(now, &self.options);
        };
        self.counts.failed += 1;
        let failed = group.retry.map_or(0, |r| r.failed) + 1;
        let next = (failure.is_transient && failed < self.options.attempts).then(|| {
            let doubled = self.options.backoff.saturating_mul(1 << (failed - 1).min(20));
            let wait = doubled.min(self.options.longest_backoff).mul_f64(0.5 + 0.5 * rng.uniform());
            Retry { failed, at: now + wait.max(failure.retry_after.unwrap_or_default()) }
        });
        self.counts.given_up += u64::from(next.is_none());
        group.failed(now, next, &self.options);
    }

    /// Makes room for one more alert, if there is something that matters less.
    fn has_room_for(&mut self, severity: Severity) -> bool {
        let all = self.groups.iter().flat_map(|(key, g)| g.alerts.iter().map(move |(subject, k)| (key, subject, k)));
        if all.clone().count() < self.options.most_alerts {
            return true;
        }
        let least = all.min_by_key(|(_, _, k)| (k.ended.is_none(), k.alert.severity, k.alert.began));
        let Some((key, subject, _)) = least.filter(|(_, _, k)| k.ended.is_some() || k.alert.severity < severity) else {
            return false;
        };
        let (key, subject) = (key.clone(), subject.clone());
        if let Some(group) = self.groups.get_mut(&key) {
            group.alerts.remove(&subject);
            self.counts.dropped += 1;
        }
        true
    }
}
