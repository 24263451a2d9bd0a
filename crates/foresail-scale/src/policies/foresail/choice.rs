//! Which plan may act: the cheapest on this series' own last week that stays within its error budget.

use foresail_learn::trial::Account;

/// How candidates are weighed. One default for every series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weighing {
    /// Share of the error budget planned for over the week; the rest is for what the week did not hold.
    pub(super) budget_share: f64,
    /// A day may burn this many times its even share before it counts as a breach (its worst single burst apart).
    pub(super) day_burn: f64,
    /// Three days likewise.
    pub(super) three_day_burn: f64,
    /// Price of a breach: fleet share to pay for each time the budget is spent over.
    pub(super) breach: f64,
    /// Price of lateness within the budget, the same way: of two plans that cost the same, the safer.
    pub(super) risk: f64,
    /// Price of one action an hour, as a share of the fleet.
    pub(super) action: f64,
}

impl Weighing {
    pub(super) const DEFAULT: Self =
        Self { budget_share: 0.6, day_burn: 3.0, three_day_burn: 1.5, breach: 0.5, risk: 0.02, action: 0.006 };

    /// The price of a candidate from its accounts of the last seven, three and one days: its cost over what its load would
    /// cost at full use, and the prices above on top.
    /// `full_use` is what one replica can serve in a tick; `days` of observation there are.
    pub(super) fn price(&self, accounts: &[Account; 3], late_fraction: f64, full_use: f64, days: f64) -> f64 {
        let [week, three, day] = accounts;
        let span = days.clamp(1e-3, 7.0);
        let budget = self.budget_share * late_fraction;
        let a_day = week.requests / span; // requests of an average day
        if a_day <= 0.0 {
            return 0.0;
        }
        let spent = week.late / week.requests / budget;
        let burn = |late: f64, days: f64, allowed: f64| late / days / a_day / budget / allowed;
        // One burst is no trend: fast burn is counted without the worst five minutes.
        let burnt = burn((day.late - day.burst).max(0.0), 1.0, self.day_burn).max(burn(
            (three.late - three.burst).max(0.0),
            3.0,
            self.three_day_burn,
        ));
        let over = (spent.max(burnt) - 1.0).max(0.0);
        let cost = week.cost * full_use / week.requests;
        let actions = week.actions / (span * 24.0);
        cost * (1.0 + self.action * actions) + self.breach * over + self.risk * spent
    }
}
