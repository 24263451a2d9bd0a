//! What the guard does, for people: who asks most, what there is too much of, and every verdict worth telling with its reason.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::Timestamp;
use serde::Serialize;

use crate::client::ClientId;
use crate::config::Mode;
use crate::geo::{Location, Origin};
use crate::learner::Summary;
use crate::mix::{Dimension, Subject};
use crate::model::Model;
use crate::origins::Origins;
use crate::request::Arrival;
use crate::verdict::{Action, Verdict};

/// Clients and verdicts that one report may hold.
const IN_REPORT: usize = 16;
/// Verdicts kept, and clients and groups of a dimension shown.
const NOTES: usize = 200;
const CLIENTS: usize = 16;
const GROUPS_SHOWN: usize = 2;
/// Verdicts on one client within this are one note; and a client not seen for so long is no longer shown.
const TOGETHER: Duration = Duration::from_secs(60);
const PRESENT: Duration = Duration::from_secs(15);
/// Evidence from which on a group is worth showing.
pub(crate) const TELLING: f32 = 0.5;
/// Characters kept of a path and of an agent.
const TEXT: usize = 80;

/// A verdict against a request, or several alike on one client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    /// When the last of them was given.
    pub at: Timestamp,
    /// On whom.
    pub client: ClientId,
    /// What the first of them asked for, at most 80 characters.
    pub path: String,
    /// What it said it was, likewise.
    pub agent: String,
    /// The last of them.
    pub verdict: Verdict,
    /// How many.
    pub count: u64,
}

/// How a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// When it last came.
    pub at: Timestamp,
    /// Who it is.
    pub client: ClientId,
    /// Where it is, as far as a database tells.
    pub location: Location,
    /// Requests a second, over some ten seconds.
    pub rps: f32,
    /// How many it may make under pressure.
    pub limit_rps: f32,
    /// Milliseconds of the origin a second.
    pub ms_per_s: f32,
    /// Refusals that it did not heed.
    pub strikes: u8,
    /// Seconds that it is still blocked.
    pub blocked_s: f32,
}

/// A group of requests of which there is more than usual.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GroupShare {
    /// By what it is grouped.
    pub dimension: Dimension,
    /// What most of it have in common, where a database tells.
    pub origin: Option<Origin>,
    /// Its share of all requests now, 0 to 1.
    pub share: f32,
    /// The most of its share in seven days.
    pub usual: f32,
    /// How much belonging to it speaks for belonging to an attack, a logarithm of odds.
    pub evidence: f32,
}

impl GroupShare {
    /// As the subject of a sentence about shares.
    pub fn subject(&self) -> Subject {
        Subject(self.dimension, self.origin)
    }
}

/// All that there is to see.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Account {
    /// As of when.
    pub at: Timestamp,
    /// What is done with verdicts.
    pub mode: Mode,
    /// How things stand.
    pub summary: Summary,
    /// Those who ask most, first.
    pub clients: Vec<Standing>,
    /// What there is too much of, the most telling first.
    pub groups: Vec<GroupShare>,
    /// Verdicts against requests, newest first.
    pub notes: Vec<Note>,
    /// Whom an operator has let in, and until when.
    pub pardons: Vec<(ClientId, Timestamp)>,
    /// Until when the guard only observes because an operator said so.
    pub stands_down_until: Option<Timestamp>,
}

/// What a worker has seen that is worth telling.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sights {
    notes: Vec<Note>,
    clients: Vec<Standing>,
    /// The least of the clients' rates once there are enough of them.
    least_rps: f32,
}

impl Sights {
    /// Takes in a verdict, if anything is done about the request or would be.
    pub(crate) fn note(&mut self, arrival: &Arrival<'_>, verdict: &Verdict) {
        if verdict.would == Action::Allow {
            return;
        }
        let client = ClientId::of(arrival.client);
        if let Some(note) = self.notes.iter_mut().find(|note| note.client == client) {
            (note.at, note.verdict) = (arrival.at, *verdict);
            note.count += 1;
        } else if self.notes.len() < IN_REPORT {
            let kept = |text: &str| text.chars().filter(|c| !c.is_control()).take(TEXT).collect();
            self.notes.push(Note {
                at: arrival.at,
                client,
                path: kept(arrival.path),
                agent: kept(&String::from_utf8_lossy(&arrival.agent[..arrival.agent.len().min(4 * TEXT)])),
                verdict: *verdict,
                count: 1,
            });
        }
    }

    /// Takes in how a client stands, if it is among those who ask most.
    #[inline]
    pub(crate) fn see(&mut self, standing: &Standing) {
        if standing.rps >= self.least_rps {
            self.place(standing);
        }
    }

    fn place(&mut self, standing: &Standing) {
        if let Some(known) = self.clients.iter_mut().find(|known| known.client == standing.client) {
            *known = *standing;
        } else if self.clients.len() < IN_REPORT {
            self.clients.push(*standing);
        } else if let Some(least) = self.clients.iter_mut().min_by(|a, b| a.rps.total_cmp(&b.rps))
            && least.rps < standing.rps
        {
            *least = *standing;
        }
        if self.clients.len() == IN_REPORT {
            self.least_rps = self.clients.iter().map(|known| known.rps).fold(f32::INFINITY, f32::min);
        }
    }

    /// Takes in what another worker has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        for note in &other.notes {
            match self.notes.iter_mut().find(|known| known.client == note.client) {
                Some(known) => known.join(note),
                None => self.notes.push(note.clone()),
            }
        }
        // Connections of one client may be spread over workers: what it does there adds up.
        for theirs in &other.clients {
            match self.clients.iter_mut().find(|ours| ours.client == theirs.client) {
                Some(ours) => {
                    *ours = Standing {
                        at: ours.at.max(theirs.at),
                        rps: ours.rps + theirs.rps,
                        ms_per_s: ours.ms_per_s + theirs.ms_per_s,
                        strikes: ours.strikes.max(theirs.strikes),
                        blocked_s: ours.blocked_s.max(theirs.blocked_s),
                        ..*ours
                    }
                }
                None => self.clients.push(*theirs),
            }
        }
    }
}

impl Note {
    fn join(&mut self, later: &Self) {
        if later.at >= self.at {
            (self.at, self.verdict) = (later.at, later.verdict);
        }
        self.count += later.count;
    }
}

/// What is kept of what workers saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Newest first.
    notes: VecDeque<Note>,
    clients: Vec<Standing>,
}

impl Ledger {
    pub(crate) fn take_in(&mut self, sights: &Sights, now: Timestamp) {
        for note in &sights.notes {
            let place = self.notes.iter().position(|known| known.client == note.client);
            let known = place.and_then(|place| self.notes.remove(place));
            let joined = match known {
                Some(mut known) if note.at.since(known.at) <= TOGETHER => {
                    known.join(note);
                    known
                }
                Some(known) => {
                    self.notes.push_front(known);
                    note.clone()
                }
                None => note.clone(),
            };
            self.notes.push_front(joined);
        }
        self.notes.truncate(NOTES);
        for seen in &sights.clients {
            match self.clients.iter_mut().find(|known| known.client == seen.client) {
                Some(known) => *known = *seen,
                None => self.clients.push(*seen),
            }
        }
        self.clients.retain(|known| now.since(known.at) <= PRESENT);
        self.clients.sort_by(|a, b| b.rps.total_cmp(&a.rps).then(a.client.cmp(&b.client)));
        self.clients.truncate(CLIENTS);
    }

    pub(crate) fn notes(&self) -> Vec<Note> {
        self.notes.iter().cloned().collect()
    }

    pub(crate) fn clients(&self) -> Vec<Standing> {
        self.clients.clone()
    }
}

/// What there is too much of, by a model, and what those groups are called.
pub(crate) fn groups(model: &Model, origins: &Origins) -> Vec<GroupShare> {
    let mut shown = Vec::new();
    let rate = model.rate.max(f32::MIN_POSITIVE);
    let of = |values: &[f32], group: usize| values.get(group).copied().unwrap_or(0.0);
    for dimension in Dimension::ALL {
        let mut telling: Vec<GroupShare> = dimension
            .range()
            .filter(|group| model.ratios[*group] > TELLING)
            .map(|group| GroupShare {
                dimension,
                origin: origins.of(group),
                share: of(&model.now, group) / rate,
                usual: of(&model.usual, group),
                evidence: model.ratios[group],
            })
            .collect();
        telling.sort_by(|a, b| b.share.total_cmp(&a.share));
        shown.extend(telling.into_iter().take(GROUPS_SHOWN));
    }
    shown.sort_by(|a, b| b.evidence.total_cmp(&a.evidence));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Fingerprint, Kind};
    use crate::verdict::{Label, Reason};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn arrival(client: &str, seconds: i64) -> Arrival<'static> {
        Arrival {
            at: at(seconds),
            client: client.parse().unwrap(),
            kind: Kind::Api,
            path: "/a\u{7}b",
            query: None,
            agent: b"bot\xff",
            fingerprint: Fingerprint { shape: 1, stable: 1 },
            cookie: None,
            is_verified_bot: false,
        }
    }

    fn refused(strikes: u8) -> Verdict {
        let would = Action::Throttle { retry_after_s: 5 };
        Verdict { action: would, would, label: Label::Attack, reason: Reason::Heedless { strikes } }
    }

    fn standing(n: u32, rps: f32) -> Standing {
        let client = ClientId::of(std::net::Ipv4Addr::from(n).into());
        Standing {
            at: at(0),
            client,
            location: Location::default(),
            rps,
            limit_rps: 5.0,
            ms_per_s: 1.0,
            strikes: 0,
            blocked_s: 0.0,
        }
    }

    #[test]
    fn verdicts_on_one_client_are_one_note_until_there_is_a_pause() {
        let mut ledger = Ledger::default();
        for (second, strikes) in [(0, 1), (1, 2), (90, 3), (91, 4)] {
            let mut sights = Sights::default();
            sights.note(&arrival("192.0.2.1", second), &refused(strikes));
            sights.note(&arrival("192.0.2.1", second), &refused(strikes));
            let pass = Verdict { action: Action::Allow, would: Action::Allow, ..refused(0) };
            sights.note(&arrival("192.0.2.2", second), &pass);
            ledger.take_in(&sights, at(second));
        }
        let notes = ledger.notes();
        let told: Vec<(u64, Timestamp)> = notes.iter().map(|note| (note.count, note.at)).collect();
        assert_eq!(told, [(4, at(91)), (4, at(1))]);
        assert_eq!((notes[0].path.as_str(), notes[0].agent.as_str()), ("/ab", "bot\u{fffd}"));
        assert_eq!(notes[0].verdict.reason, Reason::Heedless { strikes: 4 });
    }

    #[test]
    fn nothing_grows_and_the_busiest_are_kept() {
        let mut ledger = Ledger::default();
        for second in 0..40 {
            let mut sights = Sights::default();
            for n in 1..100_u32 {
                sights.see(&Standing { at: at(second), ..standing(n, n as f32) });
                let client = std::net::Ipv4Addr::from(n + 100 * second as u32).to_string();
                sights.note(&arrival(&client, second), &refused(1));
            }
            assert!(sights.notes.len() <= IN_REPORT && sights.clients.len() <= IN_REPORT);
            let twin = sights.clone();
            sights.merge(&twin);
            ledger.take_in(&sights, at(second));
        }
        assert_eq!(ledger.notes().len(), NOTES);
        let clients = ledger.clients();
        assert_eq!((clients.len(), clients[0].rps, clients[CLIENTS - 1].rps), (CLIENTS, 198.0, 168.0));
        ledger.take_in(&Sights::default(), at(100));
        assert!(ledger.clients().is_empty(), "who has gone is not shown");
    }
}
