//! How long to wait before a copy that ended unasked is started again.

use std::time::Duration;

use super::config::Backoff;

/// What to do about a copy that ended unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Start it again after this long.
    Retry(Duration),
    /// Leave it.
    GiveUp,
}

impl Backoff {
    /// What to do after `failures` failures in a row; with none, it had been stable.
    pub(super) fn next(&self, failures: u32) -> Next {
        match (failures, self.give_up_after) {
            (0, _) => Next::Retry(Duration::ZERO),
            (n, Some(most)) if n >= most => Next::GiveUp,
            (n, _) => {
                let doubled = self.initial.saturating_mul(1_u32.checked_shl(n - 1).unwrap_or(u32::MAX));
                Next::Retry(doubled.min(self.max))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_cap_and_gives_up_if_told() {
        let mut backoff = Backoff {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(3),
            stable_after: Duration::ZERO,
            give_up_after: None,
        };
        for (failures, millis) in [(0, 0), (1, 500), (2, 1000), (3, 2000), (4, 3000), (33, 3000), (u32::MAX, 3000)] {
            assert_eq!(backoff.next(failures), Next::Retry(Duration::from_millis(millis)), "{failures}");
        }
        backoff.give_up_after = Some(2);
        assert_eq!(backoff.next(1), Next::Retry(Duration::from_millis(500)));
        assert_eq!(backoff.next(2), Next::GiveUp);
    }
}
