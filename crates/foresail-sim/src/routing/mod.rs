//! Classes of requests over services that are good at some of them, until their specialities change: the request router beside
//! balancers that know nothing of classes, and beside an oracle that knows all but luck.

mod choosers;
mod run;
mod world;

pub use choosers::{Balanced, Oracle, Routed};
pub use run::{Answer, Chooser, run};
pub use world::{Arrival, CLASSES, Nature, Prices, SERVICES, SLOTS, Speciality, World};

/// The costs of the best of some oracles, judged over the whole run: they differ in how much they spare others.
pub fn oracle(world: &World, seed: u64) -> Vec<f64> {
    let mean = |costs: &Vec<f64>| costs.iter().sum::<f64>();
    let runs = [0.0, 0.25, 0.5, 1.0].map(|weight| run(world, &mut Oracle::new(weight), seed));
    runs.into_iter().min_by(|a, b| mean(a).total_cmp(&mean(b))).expect("there are oracles")
}
