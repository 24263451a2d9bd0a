//! What stands in for any target until an operator trusts the plan.

use async_trait::async_trait;
use foresail_core::Order;

use crate::{Actuator, Error, Observed};

/// Sees its target and leaves it alone: orders are logged.
#[derive(Clone, Debug)]
pub struct DryRun<A> {
    target: A,
}

impl<A: Actuator> DryRun<A> {
    /// Stands in for `target`.
    pub fn new(target: A) -> Self {
        Self { target }
    }
}

#[async_trait]
impl<A: Actuator> Actuator for DryRun<A> {
    async fn observe(&self) -> Result<Observed, Error> {
        self.target.observe().await
    }

    async fn apply(&self, order: &Order) -> Result<(), Error> {
        tracing::info!(decision = order.decision, goal = ?order.goal, "dry run");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use foresail_core::{Goal, ReplicaCounts, Replicas, Timestamp};

    use super::*;

    #[derive(Default)]
    struct Counting {
        applied: AtomicU32,
    }

    #[async_trait]
    impl Actuator for Counting {
        async fn observe(&self) -> Result<Observed, Error> {
            let replicas = ReplicaCounts { desired: Replicas(3), ready: Replicas(2), starting: Replicas(1) };
            Ok(Observed { replicas, size: 1.0, copies: Vec::new(), startups: Vec::new(), failed_starts: 0 })
        }

        async fn apply(&self, _order: &Order) -> Result<(), Error> {
            self.applied.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    #[tokio::test]
    async fn looks_but_does_not_touch() {
        let target = Arc::new(Counting::default());
        let dry = DryRun::new(Arc::clone(&target));
        let goal = Goal::Replicas { replicas: Replicas(9) };
        dry.apply(&Order { decision: 1, time: Timestamp::EPOCH, goal }).await.unwrap();
        assert_eq!(target.applied.load(Ordering::Relaxed), 0);
        assert_eq!(dry.observe().await.unwrap().replicas.ready, Replicas(2));
    }
}
