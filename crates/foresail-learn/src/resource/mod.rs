//! What a service will use, from what kind of work it is doing.

mod costs;
mod regression;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use foresail_core::Timestamp;
use foresail_core::fingerprint::{Fingerprint, Fingerprinter, StoredState, Wanted};
use serde::{Deserialize, Serialize};

use crate::Error;
use costs::{CostModel, Work};
use regression::Regression;

/// Past states looked at: how many, how far back they must be alike, so that they are going the same way, and how far apart
/// they must be, so that they are not one episode many times; in intervals.
const LAG: usize = 6;
const NEIGHBOURS: Wanted = Wanted { count: 8, lag: LAG, between: 4 * LAG };
/// Intervals in which the weight of a sample halves, in the two running means.
const HALF_LIVES: [f64; 2] = [6.0, 60.0];
/// Forgetting of the errors by which the forecasts with and without fingerprints are weighed, a sample.
const FADE: f64 = 1.0 / 500.0;
/// Regressors that need no fingerprint, and those that the mix of the work gives.
const PLAIN: usize = 6;
const MIX: usize = 5;

/// Forecasts the resource use some intervals ahead.
///
/// Without fingerprints, by an online ridge regression of its change on its level, its and the rate's recent changes and its
/// distance from running means. With them, three more things are known: what each kind of request costs, by the utilisation
/// law (resource use is the sum over the kinds of rate times cost; Zhang, Cherkasova and Smirni 2007, "A Regression-Based
/// Analytic Model for Dynamic Resource Provisioning of Multi-Tier Applications"); which mix followed the past states that
/// were most like this one; and a forecast of the total rate. The mix foreseen, at those costs, times the rate foreseen is a
/// regressor of a second regression, along with the fingerprint. Both forecast, and are joined by how well they did.
///
/// Feed it each fingerprint right after [`Fingerprinter::close`]. An update costs O(regressors²), and a search of the memory if
/// it looks at fingerprints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceForecaster {
    ahead: usize,
    plain: Regression,
    /// Of whoever looks at fingerprints.
    informed: Option<Informed>,
    means: [Option<f64>; 2],
    /// What was said in the last intervals: the oldest comes due now.
    pending: VecDeque<Option<Said>>,
    /// The last intervals.
    recent: VecDeque<Interval>,
}

/// What looks at fingerprints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Informed {
    components: usize,
    costs: CostModel,
    rate: Regression,
    change: Regression,
    /// Squared errors of the forecasts without and with fingerprints, forgotten slowly, and the product of both errors.
    errors: [f64; 3],
}

/// An interval as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Interval {
    resource: Option<f64>,
    rate: f64,
    /// What a request costs by the mix of the interval.
    cost: f64,
}

/// What was foretold at an interval, and from what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Said {
    resource: f64,
    rate: f64,
    plain: Vec<f64>,
    informed: Vec<f64>,
    /// Changes foretold, without and with fingerprints.
    changes: [f64; 2],
}

impl ResourceForecaster {
    /// Forecasts `ahead` intervals on, 1 to 10,000; of fingerprints of `components` numbers, or without looking at them.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for an `ahead` out of range.
    pub fn new(ahead: usize, components: Option<usize>) -> Result<Self, Error> {
        if !(1..=10_000).contains(&ahead) {
            return Err(Error::BadParameter { parameter: "ahead", value: ahead.to_string(), range: "1 to 10,000" });
        }
        let informed = components.map(|components| Informed {
            components,
            costs: CostModel::new(),
            rate: Regression::new(PLAIN),
            change: Regression::new(PLAIN + MIX + components),
            errors: [0.0; 3],
        });
        Ok(Self {
            ahead,
            plain: Regression::new(PLAIN),
            informed,
            means: [None; 2],
            pending: VecDeque::new(),
            recent: VecDeque::new(),
        })
    }

    /// Takes in the interval that `fingerprinter` closed last, as `print`, and what was used in it; gives what will be used
    /// `ahead` intervals on. `None` where nothing was measured.
    pub fn push(&mut self, fingerprinter: &Fingerprinter, print: &Fingerprint, resource: Option<f64>) -> Option<f64> {
        let resource = resource.filter(|v| v.is_finite() && v.abs() <= 1e100);
        let memory = fingerprinter.memory();
        let state = memory.len().checked_sub(1).and_then(|latest| memory.get(latest));
        let work = state.map_or_else(Work::none, Work::of);
        if self.pending.len() == self.ahead {
            let due = self.pending.pop_front().flatten();
            if let Some((said, now)) = due.zip(resource) {
                self.learn(&said, now, work.rate);
            }
        }
        let cost = self.informed.as_mut().map_or(0.0, |informed| {
            if let Some(resource) = resource {
                informed.costs.update(&work, resource);
            }
            informed.costs.cost(&work)
        });
        self.recent.push_back(Interval { resource, rate: work.rate, cost });
        while self.recent.len() > LAG + 1 {
            self.recent.pop_front();
        }
        let said = resource.map(|resource| self.foretell(fingerprinter, print, resource, &work));
        let answer = said.as_ref().map(|said| said.resource + self.joined(said.changes));
        self.pending.push_back(said);
        answer
    }

    fn foretell(&mut self, fingerprinter: &Fingerprinter, print: &Fingerprint, resource: f64, work: &Work) -> Said {
        for (mean, half_life) in self.means.iter_mut().zip(HALF_LIVES) {
            let pace = 1.0 - (-half_life.recip()).exp2();
            *mean = Some(mean.map_or(resource, |mean| mean + pace * (resource - mean)));
        }
        let before = self.recent.front().filter(|_| self.recent.len() == LAG + 1);
        let changed = before.and_then(|then| then.resource).map_or(0.0, |then| resource - then);
        let rate_changed = before.map_or(0.0, |then| work.rate - then.rate);
        let over = self.means.map(|mean| mean.map_or(0.0, |mean| resource - mean));
        let plain = vec![resource, changed, over[0], over[1], work.rate, rate_changed];
        let without = self.plain.predict(&plain);
        let Some(informed) = &self.informed else {
            return Said { resource, rate: work.rate, plain, informed: Vec::new(), changes: [without; 2] };
        };
        let rate = (work.rate + informed.rate.predict(&plain)).max(0.0);
        let costs = || self.recent.iter().map(|interval| interval.cost);
        let last = costs().rev().take(3).sum::<f64>() / self.recent.len().min(3) as f64;
        let first = costs().take(3).sum::<f64>() / self.recent.len().min(3) as f64;
        let (level, change) = self.followed(informed, fingerprinter, print.time, last);
        let idle = informed.costs.idle();
        let mut x = plain.clone();
        x.extend([
            idle + last * work.rate - resource,
            (last - first) * work.rate,
            idle + level * rate - resource,
            change * rate,
            last * (rate - work.rate),
        ]);
        x.extend((0..informed.components).map(|i| print.vector.get(i).copied().unwrap_or(0.0)));
        let with = informed.change.predict(&x);
        Said { resource, rate: work.rate, plain, informed: x, changes: [without, with] }
    }

    /// What a request came to cost, and by how much that had changed, after the most similar past states; as it is now, where
    /// there are none.
    fn followed(&self, informed: &Informed, fingerprinter: &Fingerprinter, time: Timestamp, now: f64) -> (f64, f64) {
        let memory = fingerprinter.memory();
        // What followed must have been seen already.
        let latest = memory.len().checked_sub(1);
        let known = latest.and_then(|latest| Some((latest, memory.get(latest.checked_sub(self.ahead)?)?)));
        let Some((latest, known)) = known else { return (now, 0.0) };
        let neighbours = memory.nearest(fingerprinter.pca(), latest, known.time.min(time), &NEIGHBOURS);
        let cost = |state: &StoredState| Some(informed.costs.cost(&Work::of(state)));
        memory.mean_after(&neighbours, self.ahead, cost).map_or((now, 0.0), |f| (f.level, f.change))
    }

    /// The forecast without and with fingerprints in the proportion that would have been best so far.
    fn joined(&self, [without, with]: [f64; 2]) -> f64 {
        let Some(informed) = &self.informed else { return without };
        let [plain, better, product] = informed.errors;
        let spread = plain + better - 2.0 * product;
        let share = if spread > 1e-9 * plain { ((plain - product) / spread).clamp(0.0, 1.0) } else { 0.5 };
        without + share * (with - without)
    }

    fn learn(&mut self, said: &Said, now: f64, rate: f64) {
        let change = now - said.resource;
        self.plain.update(&said.plain, change);
        let Some(informed) = &mut self.informed else { return };
        let unit = self.plain.unit();
        let missed = said.changes.map(|foretold| ((foretold - change) / unit).clamp(-5.0, 5.0));
        let products = [missed[0] * missed[0], missed[1] * missed[1], missed[0] * missed[1]];
        informed.errors.iter_mut().zip(products).for_each(|(mean, new)| *mean += FADE * (new - *mean));
        informed.rate.update(&said.plain, rate - said.rate);
        informed.change.update(&said.informed, change);
    }
}
