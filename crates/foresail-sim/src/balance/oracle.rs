//! Policies that know the truth: service times, slots, conditions, all that is in flight and the load.
//!
//! [`Oracle::marginal`] is the design note's: a request costs what it adds to the latencies of all that are there, were
//! they served in equal parts. [`Oracle::improved`] prices what it adds to those to come as well: the load is parted so that
//! the marginal cost of each endpoint's M/M/c queue is the same, and one step of policy improvement from there sends each
//! request where the relative value grows least (Krishnan 1987, "Joining the right queue: a Markov decision rule").

use super::fleet::Nature;
use super::story::Condition;

/// Costs a failure in ms, as with the balancers.
const FAILURE_MS: f64 = 1_000.0;
/// Queues longer than this are priced along the line that they approach.
const LONGEST: usize = 64;

/// A policy that knows the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// The marginal cost to those that are there.
    Marginal,
    /// The marginal cost to those that are there and to come.
    Improved,
}

/// What an oracle knows of an endpoint, for as long as conditions last.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    service_ms: f64,
    slots: f64,
    /// Expected failures before a success; infinite if nothing is answered.
    failures: f64,
    /// What one more request adds with so many there, ms.
    added_ms: Vec<f64>,
}

impl Oracle {
    /// What it knows of the fleet as things stand, with `rate_rps` offered.
    pub(super) fn truths(self, fleet: &[Nature], conditions: &[Condition], rate_rps: f64) -> Vec<Truth> {
        let mut truths: Vec<Truth> =
            fleet.iter().zip(conditions).map(|(nature, now)| Truth::of(*nature, *now)).collect();
        if self == Self::Improved {
            let rates = part(&truths, rate_rps / 1_000.0);
            for (truth, rate) in truths.iter_mut().zip(rates) {
                truth.added_ms = relative_values(truth.service_ms, truth.slots, rate);
            }
        }
        truths
    }
}

impl Truth {
    fn of(nature: Nature, now: Condition) -> Self {
        let is_lost = now.is_down || now.is_frozen || !now.is_member;
        let failures = if is_lost { f64::INFINITY } else { now.failing / (1.0 - now.failing) };
        Self { service_ms: nature.mean_ms * now.factor, slots: nature.slots as f64, failures, added_ms: Vec::new() }
    }

    /// The cost of one more request with `others` there, which stands still for `pause_ms`.
    pub(super) fn cost(&self, others: usize, pause_ms: f64) -> f64 {
        let n = others as f64;
        let added = match self.added_ms.as_slice() {
            [] if n < self.slots => self.service_ms,
            [] => self.service_ms * (2.0 * n + 1.0) / self.slots,
            [.., before, last] if others >= self.added_ms.len() => {
                last + (last - before) * (others + 1 - self.added_ms.len()) as f64
            }
            added => added[others],
        };
        let cost = added + pause_ms;
        if self.failures > 0.0 { cost + self.failures * (cost + FAILURE_MS) } else { cost }
    }

    fn is_lost(&self) -> bool {
        self.failures.is_infinite()
    }
}

/// Mean number in an M/M/c queue with `slots` servers of `service_ms` each and `rate` arrivals a ms.
fn mean_present(service_ms: f64, slots: f64, rate: f64) -> f64 {
    let offered = rate * service_ms;
    if offered >= slots {
        return f64::INFINITY;
    }
    // Erlang B by its recursion, then C.
    let blocked = (1..=slots as usize).fold(1.0, |blocked, k| offered * blocked / (k as f64 + offered * blocked));
    let waits = slots * blocked / (slots - offered * (1.0 - blocked));
    offered + waits * offered / (slots - offered)
}

/// The rates that make the marginal mean number of all endpoints the same, by bisection on it.
fn part(truths: &[Truth], rate: f64) -> Vec<f64> {
    let most = |truth: &Truth| if truth.is_lost() { 0.0 } else { 0.999 * truth.slots / truth.service_ms };
    let at_price = |truth: &Truth, price: f64| {
        let (mut low, mut high) = (0.0, most(truth));
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            let step = 1e-4 * most(truth);
            let present = |rate: f64| mean_present(truth.service_ms, truth.slots, rate);
            if (present(middle + step) - present(middle)) / step < price { low = middle } else { high = middle }
        }
        low
    };
    let total = |price: f64| truths.iter().map(|truth| at_price(truth, price)).sum::<f64>();
    let rate = rate.min(0.99 * truths.iter().map(most).sum::<f64>());
    let (mut low, mut high) = (0.1_f64, 1e7_f64);
    for _ in 0..50 {
        let middle = (low * high).sqrt();
        if total(middle) < rate { low = middle } else { high = middle }
    }
    truths.iter().map(|truth| at_price(truth, high)).collect()
}

/// What the (n + 1)-th request adds to the sum of all latencies, for n from 0: differences of the relative value function
/// of an M/M/c queue whose cost is the number present. Solved from the line that it is where all servers are busy.
fn relative_values(service_ms: f64, slots: f64, rate: f64) -> Vec<f64> {
    let spare = slots / service_ms - rate;
    if rate <= 0.0 || spare <= 0.0 {
        return Vec::new();
    }
    let present = mean_present(service_ms, slots, rate);
    let (slope, servers) = (1.0 / spare, slots as usize);
    let base = (rate * slope - present) / spare;
    let mut added: Vec<f64> = (0..LONGEST.max(servers + 2)).map(|n| slope * (n + 1) as f64 + base).collect();
    for n in (1..servers).rev() {
        let served = n as f64 / service_ms;
        // Rounding grows downwards where the rate is far beyond what so few serve; less than the service it never is.
        added[n - 1] = ((rate * added[n] + n as f64 - present) / served).max(service_ms);
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_single_server() {
        // M/M/1: the n-th adds (n + 1) / (mu - lambda).
        let added = relative_values(10.0, 1.0, 0.05);
        for (n, value) in added.iter().take(5).enumerate() {
            assert!((value - (n as f64 + 1.0) / 0.05).abs() < 1e-9, "{n}: {value}");
        }
        assert!((mean_present(10.0, 1.0, 0.05) - 1.0).abs() < 1e-12);
        assert!(mean_present(10.0, 2.0, 0.2).is_infinite());
    }

    #[test]
    fn values_rise_from_the_latency() {
        let added = relative_values(20.0, 8.0, 0.32);
        // The first to come to an empty endpoint adds, by Little's law, what one adds on the mean.
        assert!((added[0] - mean_present(20.0, 8.0, 0.32) / 0.32).abs() < 1e-6, "{}", added[0]);
        assert!(added.windows(2).all(|pair| pair[1] > pair[0]));
    }

    #[test]
    fn parts_of_the_rate_sum_to_it_and_the_lost_get_none() {
        let nature = |mean_ms, slots| Nature { mean_ms, slots };
        let well = crate::balance::Story::Steady.condition(0, 0.0, 1.0);
        let truth = |nature, lost| Truth::of(nature, Condition { is_down: lost, ..well });
        let truths = [truth(nature(10.0, 4), false), truth(nature(40.0, 8), false), truth(nature(10.0, 4), true)];
        let rates = part(&truths, 0.4);
        assert!((rates.iter().sum::<f64>() - 0.4).abs() < 1e-3 && rates[2] < 1e-9, "{rates:?}");
        assert!(rates[0] > rates[1]);
    }
}
