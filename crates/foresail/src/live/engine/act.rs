//! What the loop does to the target.

use foresail_core::{Goal, Metric, Observation, Order, Replicas, Sample};
use foresail_scale::controller::{Entry, Ticked};
use tokio::time::timeout;

use super::{Engine, REACH, TARGET_TIMEOUT};
use crate::live::meter::Window;

/// At most this share of the replicas asked for is made up for where endpoints do not pull their weight.
const MAKE_UP: f64 = 0.25;

impl Engine {
    /// Between ticks: a load that surely rose beyond what was asked for gets its order now.
    pub(super) async fn look(&mut self) {
        let Some(proxy) = &self.options.proxy else { return };
        self.pulse.look(self.started.elapsed(), proxy.arrivals());
        let Some(rps) = self.pulse.sure_rps() else { return };
        let now = self.options.tempo.now();
        let value = self.options.tempo.rate(rps);
        let sample = Sample { metric: Metric::RequestRate, time: now, interval: REACH, value, quality: self.quality };
        let observation =
            Observation { time: now, tick: self.options.tick, samples: vec![sample], replicas: self.replicas() };
        let Some(ticked) = self.options.brain.urge(now, &observation) else { return };
        self.write(&Entry::Urged { record: ticked.record.clone() });
        self.carry_out(&ticked).await;
    }

    /// How many copies are wanted beyond what was decided, because endpoints that are counted do not serve.
    pub(super) fn make_up_for(&mut self, window: Option<&Window>) {
        let (Some(window), Some(seen)) = (window, &self.seen) else { return };
        if !self.options.make_up || !self.options.brain.is_acting() {
            self.make_up = 0;
            return;
        }
        let own = seen.replicas.desired.0.saturating_sub(self.make_up);
        let most = (f64::from(own) * MAKE_UP).ceil() as u32;
        let wanted = (window.impaired.round() as u32).min(most).min(self.options.limits.1.saturating_sub(own));
        // Up at once, down one at a time: an endpoint that comes and goes is not worth a start each time.
        self.make_up = if wanted >= self.make_up { wanted } else { self.make_up - 1 };
    }

    pub(super) async fn carry_out(&mut self, ticked: &Ticked) {
        let mut orders = ticked.orders.clone();
        for order in &mut orders {
            if let Goal::Replicas { replicas } = &mut order.goal {
                *replicas = Replicas(replicas.0 + self.make_up);
            }
        }
        let unchanged = orders.iter().all(|o| !matches!(o.goal, Goal::Replicas { .. }));
        if unchanged && self.options.make_up && self.options.brain.is_acting() {
            let wanted = Replicas(ticked.record.decision.desired.0 + self.make_up);
            if self.seen.as_ref().is_some_and(|seen| seen.replicas.desired != wanted) {
                let (decision, time) = (ticked.record.id, ticked.record.time);
                orders.push(Order { decision, time, goal: Goal::Replicas { replicas: wanted } });
            }
        }
        for order in &orders {
            if let (Ok(()), Goal::Replicas { .. }) = (self.apply(std::slice::from_ref(order)).await, &order.goal) {
                self.expect(order, ticked.record.decision.reason.load);
            }
        }
    }

    /// Hands orders to the target, one after the other.
    ///
    /// # Errors
    /// Why the first that failed did; told already.
    pub(super) async fn apply(&mut self, orders: &[Order]) -> Result<(), String> {
        let Some(actuator) = self.options.actuator.clone() else { return Ok(()) };
        for order in orders {
            let failed = match timeout(TARGET_TIMEOUT, actuator.apply(order)).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("the order was not carried out: {error}")),
                Err(_) => Some("the target does not take orders".to_owned()),
            };
            if let Some(why) = failed {
                tracing::warn!("{}: {why}", self.options.name);
                return Err(why);
            }
            self.orders += 1;
            if let (Goal::Replicas { replicas }, Some(seen)) = (&order.goal, &mut self.seen) {
                seen.replicas.desired = *replicas;
            }
        }
        Ok(())
    }

    /// Remembers what an order should bring, to be compared with what comes.
    pub(super) fn expect(&mut self, order: &Order, load: Option<f64>) {
        let (Goal::Replicas { replicas }, Some(controller)) = (&order.goal, self.options.brain.controller()) else {
            return;
        };
        let due = order.time + controller.startup().quantile(0.5);
        let capacity_rps = controller.capacity_rps();
        let standing = self.league.standing();
        if let Some(expectations) = &mut self.expectations {
            let what = (order.decision, replicas.0);
            expectations.acted(what, due, standing.forecast.as_ref(), load, capacity_rps, &self.options.tempo);
        }
    }
}
