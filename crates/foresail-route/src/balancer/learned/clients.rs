//! How much of a say each client has.
//!
//! Answers are counted by client in a few hundred cells, which clients share by chance. A cell that has many times its fair
//! share weighs less, so that one busy client that makes its own requests look bad is not what is learned of an endpoint.
//! Where there are few clients, a fair share is large, and all weigh alike.

/// Cells.
const CELLS: usize = 256;
/// So many fair shares weigh in full.
const FAIR: f64 = 4.0;
/// Fewer answers than this tell nothing of shares; at so many all counts are halved.
const LEAST: f64 = 512.0;
const MOST: f64 = 16_384.0;

#[derive(Clone, Debug)]
pub(super) struct Clients {
    cells: Box<[f32; CELLS]>,
    total: f64,
    occupied: f64,
}

impl Clients {
    pub(super) fn new() -> Self {
        Self { cells: Box::new([0.0; CELLS]), total: 0.0, occupied: 0.0 }
    }

    /// Counts an answer to the client and tells what it weighs, up to 1; an unknown client's weighs 1.
    pub(super) fn weigh(&mut self, client: Option<u64>) -> f64 {
        let Some(client) = client else { return 1.0 };
        let cell = &mut self.cells[(client >> 56) as usize % CELLS];
        if *cell < 1.0 {
            self.occupied += 1.0;
        }
        *cell += 1.0;
        let count = f64::from(*cell);
        self.total += 1.0;
        if self.total >= MOST {
            self.cells.iter_mut().for_each(|cell| *cell *= 0.5);
            self.total *= 0.5;
            self.occupied = self.cells.iter().filter(|cell| **cell >= 1.0).count() as f64;
        }
        if self.total < LEAST { 1.0 } else { (FAIR * self.total / (self.occupied * count)).min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `clients` that ask in turn and one that asks as often as `loud` says: the weight of both in the end.
    fn weights(clients: u64, loud: u64) -> (f64, f64) {
        let mut shares = Clients::new();
        let spread = |client: u64| Some(client.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut quiet, mut noisy) = (1.0, 1.0);
        for turn in 0..30_000 {
            quiet = shares.weigh(spread(turn % clients));
            (0..loud).for_each(|_| noisy = shares.weigh(Some(0)));
        }
        (quiet, noisy)
    }

    #[test]
    fn the_loud_weigh_less_and_the_few_in_full() {
        let (quiet, noisy) = weights(200, 1);
        assert!(quiet == 1.0 && noisy < 0.06, "{quiet} {noisy}");
        assert_eq!(weights(200, 0).0, 1.0);
        assert_eq!(weights(3, 1), (1.0, 1.0));
        assert_eq!(weights(1, 0).0, 1.0);
        assert_eq!(Clients::new().weigh(None), 1.0);
    }
}
