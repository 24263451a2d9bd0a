//! Fleets: the design note's two, one of endpoints all alike, and random ones.

use foresail_core::SeededRng;

/// An endpoint that is well: so many requests at a time, each for a lognormal time of this mean (sigma 0.5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nature {
    /// Mean service time in ms.
    pub mean_ms: f64,
    /// Requests served at a time; the others wait in line.
    pub slots: usize,
}

impl Nature {
    /// Requests a second that it can serve.
    pub fn capacity_rps(&self) -> f64 {
        1_000.0 * self.slots as f64 / self.mean_ms
    }
}

fn of(natures: &[(f64, usize)]) -> Vec<Nature> {
    natures.iter().map(|&(mean_ms, slots)| Nature { mean_ms, slots }).collect()
}

/// Eight endpoints of 5 to 80 ms, 4,840 requests a second: the fleet of `foresail bench balance`.
pub fn mixed() -> Vec<Nature> {
    of(&[(5.0, 4), (5.0, 4), (10.0, 8), (10.0, 8), (10.0, 8), (25.0, 8), (25.0, 8), (80.0, 16)])
}

/// Ten endpoints of 10 to 120 ms and 4 to 16 slots.
pub fn ten() -> Vec<Nature> {
    let (means, slots) = ([10.0, 120.0, 30.0, 60.0, 20.0], [4, 16, 8, 4, 16]);
    (0..10).map(|i| Nature { mean_ms: means[i % 5], slots: slots[i * 3 % 5] }).collect()
}

/// Eight endpoints all alike, 3,200 requests a second.
pub fn even() -> Vec<Nature> {
    of(&[(20.0, 8); 8])
}

/// A fleet drawn at random: 6 to 12 endpoints, 5 to 150 ms (log-uniform), 2 to 16 slots.
pub fn random(seed: u64) -> Vec<Nature> {
    let mut rng = SeededRng::seed_from_u64(seed).fork(77);
    let count = 6 + rng.below(7);
    (0..count).map(|_| Nature { mean_ms: 5.0 * 30.0_f64.powf(rng.uniform()), slots: 2 + rng.below(15) }).collect()
}
