//! Retries may add only a share of the traffic.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

/// How many retries are allowed (Finagle's retry budget).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBudgetConfig {
    /// Retries per request, 0 to 1: 0.1 lets retries add a tenth to the load.
    pub share: f64,
    /// Retries a second that are always allowed, 0 to 1000, so that a quiet service may retry too.
    pub least_per_second: f64,
}

impl Default for RetryBudgetConfig {
    fn default() -> Self {
        Self { share: 0.1, least_per_second: 1.0 }
    }
}

impl RetryBudgetConfig {
    /// # Errors
    /// [`Error::OutOfRange`] for a field out of its range.
    pub fn check(&self) -> Result<(), Error> {
        check((0.0..=1.0).contains(&self.share), "retry.budget.share", self.share, "0 to 1")?;
        let least = self.least_per_second;
        check((0.0..=1000.0).contains(&least), "retry.budget.least_per_second", least, "0 to 1000")
    }
}

/// A bucket of tokens: a request puts a share of one in, a retry takes one out. It holds ten seconds' worth.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    config: RetryBudgetConfig,
    tokens: f64,
    at_ms: u64,
}

impl RetryBudget {
    /// Deposits beyond this many seconds of the steady allowance, or this many tokens, are lost.
    const HORIZON: f64 = 10.0;
    const MOST: f64 = 1000.0;

    /// A budget that starts with one second of the steady allowance.
    pub fn new(config: RetryBudgetConfig, now_ms: u64) -> Self {
        Self { config, tokens: config.least_per_second, at_ms: now_ms }
    }

    /// Counts a request that is no retry.
    pub fn deposit(&mut self) {
        self.tokens = (self.tokens + self.config.share).min(Self::MOST);
    }

    /// Takes one retry out, if there is one.
    pub fn withdraw(&mut self, now_ms: u64) -> bool {
        let elapsed = now_ms.saturating_sub(self.at_ms) as f64 / 1000.0;
        self.at_ms = self.at_ms.max(now_ms);
        let steady = self.config.least_per_second * elapsed.min(Self::HORIZON);
        self.tokens = (self.tokens + steady).min(Self::MOST);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_add_no_more_than_their_share() {
        let config = RetryBudgetConfig { share: 0.1, least_per_second: 0.0 };
        let mut budget = RetryBudget::new(config, 0);
        let mut retries = 0;
        for i in 0..1000 {
            budget.deposit();
            retries += u32::from(budget.withdraw(i));
        }
        assert!((99..=100).contains(&retries), "{retries}");
    }

    #[test]
    fn a_quiet_service_may_retry_too() {
        let mut budget = RetryBudget::new(RetryBudgetConfig { share: 0.0, least_per_second: 1.0 }, 0);
        assert!(budget.withdraw(0));
        assert!(!budget.withdraw(500));
        assert!(budget.withdraw(1500));
        let allowed = (0..100).filter(|_| budget.withdraw(1_000_000)).count();
        assert_eq!(allowed, 10); // ten seconds' worth, however long the silence was
    }
}
