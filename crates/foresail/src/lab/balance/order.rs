//! Which contender meets which scenario when.

use foresail_core::SeededRng;

use super::contender::Contender;
use super::fleet::Scenario;

/// A scenario at a load, a share of what its sound endpoints can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) scenario: Scenario,
    pub(crate) load: f64,
}

/// Every scenario at every load.
pub(crate) fn cells(scenarios: &[Scenario], loads: &[f64]) -> Vec<Cell> {
    let of = |scenario: &Scenario| {
        let scenario = *scenario;
        loads.iter().map(move |load| Cell { scenario, load: *load })
    };
    scenarios.iter().flat_map(of).collect()
}

/// The contenders of a cell in the order of the round `seed`: all see the machine as it is in the same minutes, and none is
/// always first.
pub(crate) fn order(contenders: &[Contender], seed: u64, cell: usize) -> Vec<Contender> {
    let mut contenders = contenders.to_vec();
    SeededRng::seed_from_u64(seed).fork(cell as u64).shuffle(&mut contenders);
    contenders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_repeats_and_seeds_and_cells_differ() {
        let usual = Contender::USUAL;
        let first = order(&usual, 1, 0);
        assert_eq!(first, order(&usual, 1, 0));
        assert!(
            (2..6).any(|seed| order(&usual, seed, 0) != first) && (1..6).any(|cell| order(&usual, 1, cell) != first)
        );
        let mut sorted = first;
        sorted.sort();
        assert_eq!(sorted, usual);
        let cells = cells(&[Scenario::Steady, Scenario::Frozen], &[0.6, 0.8]);
        assert_eq!((cells.len(), cells[1]), (4, Cell { scenario: Scenario::Steady, load: 0.8 }));
    }
}
