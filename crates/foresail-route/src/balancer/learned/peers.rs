//! The balancers that statistics are exchanged with.

use std::collections::BTreeMap;
use std::time::Duration;

use super::arm::Heard;
use crate::Error;
use crate::balancer::exchange::{SharedArm, SharedStatistics, Sight, VERSION};

/// More senders than this are not listened to.
const MOST_PEERS: usize = 64;
/// Endpoints that one sender may tell of.
const MOST_ARMS: usize = 4_096;
/// What is left of a sender's statistics when they are forgotten.
const FADED: f64 = 0.01;

/// Each sender's latest word: a later one takes its place, so nothing counts twice. Of words long faded the number is kept, for
/// a word that is still lying about somewhere would be news again.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// Of this balancer, once it has shared anything; and how often it has.
    own: Option<u64>,
    sequence: u64,
    heard: BTreeMap<u64, Word>,
}

#[derive(Debug)]
struct Word {
    sequence: u64,
    sight: Sight,
    /// By this balancer's clock; the statistics are dated by it too, so clocks need not agree.
    at_ms: u64,
    arms: Vec<SharedArm>,
}

impl Peers {
    pub(super) fn is_empty(&self) -> bool {
        self.heard.values().all(|word| word.arms.is_empty())
    }

    pub(super) fn envelope(&mut self, sender: u64, now_ms: u64, arms: Vec<SharedArm>) -> SharedStatistics {
        self.own = Some(sender);
        self.sequence = now_ms.max(self.sequence + 1);
        SharedStatistics { version: VERSION, sender, sequence: self.sequence, arms }
    }

    pub(super) fn take(&mut self, statistics: SharedStatistics, sight: Sight, now_ms: u64) -> Result<bool, Error> {
        let SharedStatistics { version, sender, sequence, mut arms } = statistics;
        if version != VERSION {
            return Err(Error::OtherVersion { found: version, read: VERSION });
        }
        if arms.len() > MOST_ARMS || !arms.iter().all(|arm| arm.sums.is_sound()) {
            return Err(Error::UnsoundStatistics { sender });
        }
        let is_old = self.heard.get(&sender).is_some_and(|word| word.sequence >= sequence);
        if self.own == Some(sender) || is_old {
            return Ok(false);
        }
        if self.heard.len() >= MOST_PEERS && !self.heard.contains_key(&sender) {
            let Some(faded) = self.heard.iter().find(|(_, word)| word.arms.is_empty()).map(|(sender, _)| *sender)
            else {
                return Ok(false);
            };
            self.heard.remove(&faded);
        }
        arms.iter_mut().for_each(|arm| arm.sums = arm.sums.dated(now_ms));
        self.heard.insert(sender, Word { sequence, sight, at_ms: now_ms, arms });
        Ok(true)
    }

    /// What all of them know of each endpoint, as of now. Those long silent are forgotten.
    pub(super) fn together(&mut self, now_ms: u64, memory: Duration) -> BTreeMap<u64, Heard> {
        let mut together = BTreeMap::<u64, Heard>::new();
        for word in self.heard.values_mut() {
            for arm in &mut word.arms {
                arm.sums.fade(now_ms, memory);
                let heard = together.entry(arm.key).or_default();
                heard.sums = heard.sums.plus(&arm.sums);
                if word.sight == Sight::Own {
                    // Words of about one age: the latest dates them all.
                    heard.told_ms = heard.told_ms.max(word.at_ms);
                    heard.told = Some(heard.told.unwrap_or(0.0) + f64::from(arm.in_flight));
                }
            }
        }
        for word in self.heard.values_mut().filter(|word| word.arms.iter().all(|arm| arm.sums.tries <= FADED)) {
            word.arms.clear();
        }
        together
    }
}
