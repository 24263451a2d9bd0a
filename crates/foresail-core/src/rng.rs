//! Seeded randomness, alike on every platform.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A ChaCha12 stream. Everything random in Foresail is handed one of these.
#[derive(Clone, Debug)]
pub struct SeededRng {
    inner: ChaCha12Rng,
    spare_normal: Option<f64>,
}

impl SeededRng {
    /// The stream of `seed`.
    pub fn seed_from_u64(seed: u64) -> Self {
        Self { inner: ChaCha12Rng::seed_from_u64(seed), spare_normal: None }
    }

    /// An independent stream for the part of the work called `label`, so that work may be reordered or run in parallel
    /// without changing any part's draws. Does not advance this stream.
    pub fn fork(&self, label: u64) -> Self {
        let mut seed = self.inner.get_seed();
        for (byte, salt) in seed.iter_mut().zip(label.to_le_bytes().iter().cycle()) {
            *byte ^= salt.wrapping_mul(0x9d).wrapping_add(0x35);
        }
        Self { inner: ChaCha12Rng::from_seed(seed), spare_normal: None }
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }

    /// Uniform on [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform on 0..`bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Standard normal (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let factor = (-2.0 * s.ln() / s).sqrt();
                self.spare_normal = Some(v * factor);
                return u * factor;
            }
        }
    }

    /// Exponential of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_stream_and_forks_differ() {
        let mut a = SeededRng::seed_from_u64(7);
        let mut b = SeededRng::seed_from_u64(7);
        let mut fork = a.fork(1);
        let mut other = a.fork(2);
        assert_eq!(a.next_u64(), b.next_u64());
        assert_ne!(fork.next_u64(), other.next_u64());
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut rng = SeededRng::seed_from_u64(11);
        let draws: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
