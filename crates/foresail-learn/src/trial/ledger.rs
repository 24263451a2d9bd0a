//! A rolling account of what a candidate did, or would have done, on the same observed load.

use serde::{Deserialize, Serialize};

/// Days kept, the current one included: a whole error-budget window of seven days is always there.
const DAYS: usize = 8;

/// What happened in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Entry {
    /// Requests that arrived.
    pub requests: f64,
    /// Of them, late.
    pub late: f64,
    /// Cost, in any unit that is the same for all candidates.
    pub cost: f64,
    /// 1 where the candidate acted, else 0.
    pub actions: f64,
}

/// Sums over a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Requests that arrived.
    pub requests: f64,
    /// Of them, late.
    pub late: f64,
    /// Cost.
    pub cost: f64,
    /// Actions.
    pub actions: f64,
    /// Late requests of the worst single burst.
    pub burst: f64,
}

impl Account {
    /// Late share, 0 to 1; 0 without requests.
    pub fn late_share(&self) -> f64 {
        if self.requests > 0.0 { self.late / self.requests } else { 0.0 }
    }

    fn add(&mut self, other: &Self, share: f64) {
        self.requests += share * other.requests;
        self.late += share * other.late;
        self.cost += share * other.cost;
        self.actions += share * other.actions;
        self.burst = self.burst.max(share * other.burst);
    }
}

/// Accounts by day, the oldest forgotten as days pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    days: [Account; DAYS],
    today: usize,
    /// Ticks of the current day so far.
    ticks: u32,
    ticks_per_day: u32,
    burst_ticks: u32,
    burst: f64,
}

impl Ledger {
    /// An empty ledger for ticks of `tick_s` seconds.
    pub fn new(tick_s: f64) -> Self {
        Self {
            days: [Account::default(); DAYS],
            today: 0,
            ticks: 0,
            ticks_per_day: ((86_400.0 / tick_s).round() as u32).max(1),
            burst_ticks: ((300.0 / tick_s).round() as u32).max(1),
            burst: 0.0,
        }
    }

    /// Books one tick.
    pub fn book(&mut self, entry: Entry) {
        if self.ticks == self.ticks_per_day {
            self.today = (self.today + 1) % DAYS;
            self.days[self.today] = Account::default();
            self.ticks = 0;
        }
        if self.ticks.is_multiple_of(self.burst_ticks) {
            self.burst = 0.0;
        }
        self.ticks += 1;
        self.burst += entry.late;
        let day = &mut self.days[self.today];
        day.requests += entry.requests;
        day.late += entry.late;
        day.cost += entry.cost;
        day.actions += entry.actions;
        day.burst = day.burst.max(self.burst);
    }

    /// Sums over the last `days` days (at most 7): the current one so far, whole days before it, and of the oldest the
    /// share that makes up the span. Within a day it is taken to be even.
    pub fn last_days(&self, days: usize) -> Account {
        let days = days.min(DAYS - 1);
        let mut sum = Account::default();
        for back in 0..days {
            sum.add(&self.days[(self.today + DAYS - back) % DAYS], 1.0);
        }
        let missing = 1.0 - f64::from(self.ticks) / f64::from(self.ticks_per_day);
        sum.add(&self.days[(self.today + DAYS - days) % DAYS], missing);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_spans_its_days_and_forgets_older_ones() {
        let mut ledger = Ledger::new(3_600.0); // 24 ticks a day
        for hour in 0..24 * 20 {
            let late = if hour == 24 * 10 { 48.0 } else { 0.0 };
            ledger.book(Entry { requests: 100.0, late, cost: 1.0, actions: 0.0 });
            let week = ledger.last_days(7);
            let expected = f64::from((hour + 1).min(24 * 7));
            assert!((week.cost - expected).abs() < 1e-9, "hour {hour}: {}", week.cost);
        }
        assert_eq!(ledger.last_days(7).late, 0.0);
        assert!((ledger.last_days(1).requests - 2_400.0).abs() < 1e-9);
    }

    #[test]
    fn the_worst_burst_is_told_apart() {
        let mut ledger = Ledger::new(60.0);
        for minute in 0..1_440 {
            let late = if minute == 700 || minute == 702 { 30.0 } else { 0.01 };
            ledger.book(Entry { requests: 60.0, late, cost: 1.0, actions: 0.0 });
        }
        let day = ledger.last_days(1);
        assert!((day.burst - 60.03).abs() < 1e-9 && (day.late - 74.38).abs() < 1e-6, "{day:?}");
    }
}
