//! When requests arrive: a point process of unit rate, run at the scenario's rate.

use foresail_core::SeededRng;

use super::options::Arrivals;

/// Arrival instants of a piecewise constant rate. What is left of a gap at the end of a piece goes on in the next at its
/// rate, so the process is exact across pieces.
#[derive(Clone, Debug)]
pub(super) struct ArrivalStream {
    law: Arrivals,
    rng: SeededRng,
    /// What is left of the current gap, in units of the mean gap.
    gap: f64,
    /// Instant from which `gap` counts, microseconds.
    cursor: f64,
}

impl ArrivalStream {
    pub(super) fn new(law: Arrivals, rng: SeededRng) -> Self {
        let mut stream = Self { law, rng, gap: 0.0, cursor: 0.0 };
        stream.gap = stream.draw();
        stream
    }

    /// The next arrival before `end`, at `rate` a microsecond; `None` if there is none, and the stream stands at `end`.
    pub(super) fn next(&mut self, rate: f64, end: u64) -> Option<u64> {
        let end = end as f64;
        let when = self.cursor + self.gap / rate; // infinite at rate 0
        if when < end {
            self.cursor = when;
            self.gap = self.draw();
            Some(when as u64)
        } else {
            self.gap = (self.gap - (end - self.cursor) * rate).max(0.0);
            self.cursor = end;
            None
        }
    }

    fn draw(&mut self) -> f64 {
        match self.law {
            Arrivals::Poisson => self.rng.exponential(),
            Arrivals::Even => 1.0,
            Arrivals::Bursty { gap_cv2 } => {
                // Balanced means: each phase brings half of the mean.
                let first = 0.5 * (1.0 + ((gap_cv2 - 1.0) / (gap_cv2 + 1.0)).sqrt());
                let share = if self.rng.uniform() < first { first } else { 1.0 - first };
                self.rng.exponential() / (2.0 * share)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(law: Arrivals, rates: &[f64]) -> (usize, f64) {
        let mut stream = ArrivalStream::new(law, SeededRng::seed_from_u64(1));
        let mut gaps = Vec::new();
        let mut last = 0;
        for (piece, rate) in rates.iter().enumerate() {
            while let Some(when) = stream.next(rate * 1e-6, (piece as u64 + 1) * 1_000_000) {
                assert!(when >= last && when / 1_000_000 == piece as u64);
                gaps.push((when - last) as f64);
                last = when;
            }
        }
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        (gaps.len(), variance / (mean * mean))
    }

    #[test]
    fn every_law_keeps_the_rate_and_its_spread() {
        let rates = [1_000.0; 100];
        for (law, cv2) in [(Arrivals::Poisson, 1.0), (Arrivals::Even, 0.0), (Arrivals::Bursty { gap_cv2: 4.0 }, 4.0)] {
            let (arrived, spread) = count(law, &rates);
            assert!((arrived as f64 / 1e5 - 1.0).abs() < 0.02, "{law:?} {arrived}");
            assert!((spread - cv2).abs() < 0.2, "{law:?} {spread}");
        }
    }

    #[test]
    fn evenly_spaced_arrivals_follow_a_changing_rate_exactly() {
        assert_eq!(count(Arrivals::Even, &[0.5, 0.25, 0.25, 0.0, 10.0, 10.5]).0, 21);
    }
}
