//! When to stop.

/// The smallest loss so far, and how long ago it was.
pub(super) struct Tail {
    patience: usize,
    best: usize,
    loss: f64,
}

impl Tail {
    /// Nothing seen yet. With several heads, each has `patience` turns.
    pub(super) fn new(patience: usize, heads: usize) -> Self {
        Self { patience: patience.saturating_mul(heads), best: 0, loss: f64::INFINITY }
    }

    /// Takes in the loss after so many rounds and says whether there have been enough.
    pub(super) fn is_over(&mut self, loss: f64, rounds: usize) -> bool {
        if loss < self.loss {
            (self.loss, self.best) = (loss, rounds);
        }
        rounds - self.best >= self.patience
    }

    /// Rounds with which the loss was smallest.
    pub(super) fn best(&self) -> usize {
        self.best
    }
}
