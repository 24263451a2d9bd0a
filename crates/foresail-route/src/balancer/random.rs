//! At random, by weight.

use super::{Balancer, Pick};
use crate::{Endpoints, View};

pub(super) struct Random;

impl Balancer for Random {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        let available = || (0..endpoints.count()).map(|i| (i, endpoints.view(i))).filter(|(_, v)| v.available);
        let total: f64 = available().map(|(_, v)| v.weight).sum();
        let mut left = (pick.random >> 11) as f64 / (1_u64 << 53) as f64 * total;
        let mut last = None;
        for (index, view) in available() {
            last = Some(index);
            left -= view.weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }

    fn propensity(&mut self, endpoints: &dyn Endpoints, _pick: Pick, index: usize) -> Option<f64> {
        (index < endpoints.count()).then_some(())?;
        let weight = |view: View| if view.available { view.weight } else { 0.0 };
        let total: f64 = (0..endpoints.count()).map(|at| weight(endpoints.view(at))).sum();
        Some(if total > 0.0 { weight(endpoints.view(index)) / total } else { 0.0 })
    }
}
