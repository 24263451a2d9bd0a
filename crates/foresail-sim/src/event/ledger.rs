//! Attempts that wait, in order of arrival, so that patience runs out in that order too.

use std::collections::VecDeque;

/// An attempt that found no free worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// When it arrived, microseconds.
    pub(super) arrived: u64,
    /// Tick in which it arrived.
    pub(super) tick: u32,
    /// 0 for a first attempt.
    pub(super) attempt: u32,
    /// Replica in whose queue it stands; [`SHARED`] for the shared queue.
    pub(super) replica: u32,
    settled: bool,
}

/// The shared queue, where a replica's number could stand.
pub(super) const SHARED: u32 = u32::MAX;

/// The waiting attempts. Tickets count up; an attempt stays until all before it are settled.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    first: u64,
    entries: VecDeque<Waiting>,
    waiting: usize,
}

impl Ledger {
    /// Takes in an attempt; its ticket.
    pub(super) fn push(&mut self, arrived: u64, tick: u32, attempt: u32, replica: u32) -> u64 {
        let ticket = self.first + self.entries.len() as u64;
        self.entries.push_back(Waiting { arrived, tick, attempt, replica, settled: false });
        self.waiting += 1;
        ticket
    }

    /// Whether `ticket` still waits.
    pub(super) fn is_waiting(&self, ticket: u64) -> bool {
        self.entry(ticket).is_some_and(|entry| !entry.settled)
    }

    /// Ends the wait of `ticket`; `None` if it had ended before.
    pub(super) fn settle(&mut self, ticket: u64) -> Option<Waiting> {
        let index = usize::try_from(ticket.checked_sub(self.first)?).ok()?;
        let entry = self.entries.get_mut(index).filter(|entry| !entry.settled)?;
        entry.settled = true;
        let settled = *entry;
        self.waiting -= 1;
        while self.entries.front().is_some_and(|entry| entry.settled) {
            self.entries.pop_front();
            self.first += 1;
        }
        Some(settled)
    }

    /// Notes that `ticket` now stands in another queue.
    pub(super) fn moved(&mut self, ticket: u64, replica: u32) {
        let index = ticket.checked_sub(self.first).and_then(|i| usize::try_from(i).ok());
        if let Some(entry) = index.and_then(|i| self.entries.get_mut(i)) {
            entry.replica = replica;
        }
    }

    /// The one that has waited longest: its ticket and when it arrived.
    pub(super) fn oldest(&self) -> Option<(u64, u64)> {
        // Settled ones never stand in front.
        self.entries.front().map(|entry| (self.first, entry.arrived))
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Those who wait, in order of arrival.
    pub(super) fn left(&self) -> impl Iterator<Item = Waiting> {
        self.entries.iter().filter(|entry| !entry.settled).copied()
    }

    fn entry(&self, ticket: u64) -> Option<&Waiting> {
        self.entries.get(usize::try_from(ticket.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_once_and_the_oldest_is_the_first_still_waiting() {
        let mut ledger = Ledger::default();
        let tickets: Vec<u64> = (0..3).map(|i| ledger.push(10 * i, 0, 0, SHARED)).collect();
        assert!(ledger.settle(tickets[1]).is_some());
        assert!(ledger.settle(tickets[1]).is_none());
        assert_eq!((ledger.oldest(), ledger.waiting()), (Some((0, 0)), 2));
        assert!(ledger.settle(tickets[0]).is_some());
        assert_eq!(ledger.oldest(), Some((2, 20)));
        assert!(!ledger.is_waiting(tickets[0]) && ledger.is_waiting(tickets[2]));
        assert_eq!(ledger.push(30, 1, 0, SHARED), 3);
    }
}
