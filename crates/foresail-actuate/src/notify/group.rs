//! The alerts of one service and kind, and what their receiver knows of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::{Alert, Severity};
use super::delivery::Notice;
use super::options::NotifierOptions;

/// What the receiver was last told of an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    #[default]
    Nothing,
    Lasts,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) alert: Alert,
    pub(super) ended: Option<Timestamp>,
    told: Told,
    /// How severe it was when it was told.
    told_severity: Option<Severity>,
}

impl Known {
    pub(super) fn new(alert: Alert) -> Self {
        Self { alert, ended: None, told: Told::Nothing, told_severity: None }
    }

    /// Something the receiver does not know: that it began, got worse, or ended after being told.
    fn is_news(&self) -> bool {
        match (self.ended, self.told) {
            (None, Told::Lasts) => self.told_severity.is_some_and(|told| told < self.alert.severity),
            (None, _) | (Some(_), Told::Lasts) => true,
            (Some(_), _) => false,
        }
    }

    /// Over before anybody was told, or told to be over.
    fn is_settled(&self) -> bool {
        self.ended.is_some() && self.told != Told::Lasts
    }
}

/// A message that failed, to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Retry {
    /// Attempts that failed; 0 once it was given up.
    pub(super) failed: u32,
    pub(super) at: Timestamp,
}

/// A message on its way: what it says of each alert.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InFlight {
    pub(super) id: u64,
    said: BTreeMap<String, (Told, Severity)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) service: String,
    pub(super) kind: String,
    /// By subject.
    pub(super) alerts: BTreeMap<String, Known>,
    /// When there began to be something new.
    news_since: Option<Timestamp>,
    pub(super) last_sent: Option<Timestamp>,
    pub(super) retry: Option<Retry>,
    /// Not saved: after a restart a message that was on its way is sent again.
    #[serde(skip)]
    pub(super) in_flight: Option<InFlight>,
}

impl Group {
    pub(super) fn new(service: &str, kind: &str) -> Self {
        Self {
            service: service.to_owned(),
            kind: kind.to_owned(),
            alerts: BTreeMap::new(),
            news_since: None,
            last_sent: None,
            retry: None,
            in_flight: None,
        }
    }

    /// How much there is that the receiver does not know.
    pub(super) fn news(&self) -> usize {
        self.alerts.values().filter(|known| known.is_news()).count()
    }

    /// Looks again at what the receiver does not know, after a change at `now`; there was `before` of it before.
    pub(super) fn changed(&mut self, now: Timestamp, before: usize, options: &NotifierOptions) {
        let news = self.news();
        self.news_since = if news > 0 { self.news_since.or(Some(now)) } else { None };
        if let Some(retry) = self.retry.as_mut().filter(|r| r.failed == 0 && news > before) {
            // A message that was given up is tried anew when there is something new.
            retry.at = retry.at.min(now + options.group_interval);
        }
    }

    /// When the next message is due; `None` if there is nothing to say, or one is on its way.
    pub(super) fn due(&self, options: &NotifierOptions) -> Option<Timestamp> {
        if self.in_flight.is_some() {
            return None;
        }
        let lasts = self.alerts.values().any(|k| k.ended.is_none());
        if self.news_since.is_none() && !lasts {
            return None;
        }
        if let Some(retry) = self.retry {
            return Some(retry.at);
        }
        match (self.news_since, self.last_sent) {
            (Some(since), None) => Some(since + options.group_wait),
            (Some(since), Some(last)) => Some(since.max(last + options.group_interval)),
            (None, Some(last)) => Some(last + options.resend_interval),
            (None, None) => None,
        }
    }

    /// Drops what is over, unless a message about it is on its way.
    pub(super) fn prune(&mut self) {
        if self.in_flight.is_none() {
            self.alerts.retain(|_, known| !known.is_settled());
        }
    }

    /// Whether nothing would be lost by forgetting it: a group that was told of lately keeps its pace a while.
    pub(super) fn is_over(&self, now: Timestamp, options: &NotifierOptions) -> bool {
        let is_calm = self.last_sent.is_none_or(|last| last + options.group_interval <= now);
        self.alerts.is_empty() && self.in_flight.is_none() && is_calm
    }

    /// The alerts of a message, at most so many, and how many more there are. Remembers them as on their way.
    pub(super) fn compose(&mut self, id: u64, most: usize) -> (Vec<Notice>, usize) {
        let mut those: Vec<(&String, &Known)> = self.alerts.iter().filter(|(_, k)| !k.is_settled()).collect();
        those.sort_by_key(|(_, k)| (k.ended.is_some(), Reverse(k.alert.severity), k.alert.began));
        let said = |(subject, known): &(&String, &Known)| {
            let told = if known.ended.is_some() { Told::Ended } else { Told::Lasts };
            ((*subject).clone(), (told, known.alert.severity))
        };
        let omitted = those.len().saturating_sub(most);
        let notice = |(_, known): &(&String, &Known)| Notice { alert: known.alert.clone(), ended: known.ended };
        let notices = those.iter().take(most).map(notice).collect();
        self.in_flight = Some(InFlight { id, said: those.iter().map(said).collect() });
        (notices, omitted)
    }

    /// A message arrived at `now`.
    pub(super) fn arrived(&mut self, now: Timestamp, options: &NotifierOptions) {
        for (subject, (told, severity)) in self.in_flight.take().map(|f| f.said).unwrap_or_default() {
            if let Some(known) = self.alerts.get_mut(&subject) {
                known.told = told;
                known.told_severity = Some(severity);
            }
        }
        self.last_sent = Some(now);
        self.retry = None;
        self.news_since = None;
        self.prune();
        self.changed(now, usize::MAX, options);
    }

    /// A message did not arrive. Without a time for the next attempt it is given up: what is over by then is not told.
    pub(super) fn failed(&mut self, now: Timestamp, next: Option<Retry>, options: &NotifierOptions) {
        self.in_flight = None;
        self.retry = Some(next.unwrap_or(Retry { failed: 0, at: now + options.resend_interval }));
        if next.is_none() {
            self.alerts.retain(|_, known| known.ended.is_none());
        }
        self.prune();
        self.changed(now, usize::MAX, options);
    }
}
