//! How probable a pick was, for the policies that rank a few candidates drawn at random.

use foresail_learn::bandit::BetaPosterior;

use super::candidates::available;
use crate::{Endpoints, View};

/// Points of the quadrature; the error is below 0.01.
const POINTS: u32 = 64;

/// The probability that arm `index` has the greatest of the products of a draw and a scale among `choices` distinct arms
/// drawn uniformly. With F the others' distributions, it is the mean over the arm's own quantiles of
/// e(F) / C(n - 1, d - 1), where e is the elementary symmetric polynomial of degree d - 1: the mean over all sets of rivals
/// of the chance to beat each of them. Costs 64 quantiles and 64 · n distribution values: for logging a share of the picks.
pub(super) fn of_sampled(arms: &[(BetaPosterior, f64)], index: usize, choices: usize) -> f64 {
    let Some(&(own, scale)) = arms.get(index) else { return 0.0 };
    let drawn = choices.clamp(1, arms.len());
    let mut sum = 0.0;
    for point in 0..POINTS {
        let value = own.quantile((f64::from(point) + 0.5) / f64::from(POINTS)) * scale;
        let rivals = arms.iter().enumerate().filter(|(i, _)| *i != index);
        sum += mean_product(rivals.map(|(_, (rival, scale))| rival.cdf(value / scale)), drawn - 1);
    }
    sum / f64::from(POINTS) * drawn as f64 / arms.len() as f64
}

/// The mean of the products of `size` of the values, over all choices of them.
fn mean_product(values: impl Iterator<Item = f64>, size: usize) -> f64 {
    // sums[k] is the mean product over the sets of k values so far; a new value joins k of the n sets' places.
    let mut means = vec![0.0; size + 1];
    means[0] = 1.0;
    for (seen, value) in values.enumerate() {
        for k in (1..=size.min(seen + 1)).rev() {
            let share = k as f64 / (seen + 1) as f64;
            means[k] = (1.0 - share) * means[k] + share * value * means[k - 1];
        }
    }
    means[size]
}

/// The probability that arm `index` is picked when the greatest value wins among `choices` distinct arms drawn uniformly,
/// and the first drawn of equals.
pub(super) fn of_fixed(values: &[f64], index: usize, choices: usize) -> f64 {
    let Some(own) = values.get(index) else { return 0.0 };
    let drawn = choices.clamp(1, values.len());
    let better = values.iter().filter(|value| *value > own).count();
    let equal = values.iter().filter(|value| *value == own).count().max(1);
    (none_of(better, values.len(), drawn) - none_of(better + equal, values.len(), drawn)) / equal as f64
}

/// The probability that an endpoint is picked when the least cost wins among `choices` available ones drawn uniformly. `cost` is
/// given the mean latency of all that are available, and not of those drawn: with endpoints of which nothing is known, about.
pub(super) fn of_least(
    endpoints: &dyn Endpoints,
    index: usize,
    choices: usize,
    cost: impl Fn(&View, f64) -> f64,
) -> Option<f64> {
    (index < endpoints.count()).then_some(())?;
    let drawn_from = available(endpoints);
    let Some(place) = drawn_from.iter().position(|at| *at == index) else { return Some(0.0) };
    let views: Vec<View> = drawn_from.iter().map(|at| endpoints.view(*at)).collect();
    let known: Vec<f64> = views.iter().map(|view| view.latency_ms).filter(|latency_ms| *latency_ms > 0.0).collect();
    let mean = if known.is_empty() { 1.0 } else { known.iter().sum::<f64>() / known.len() as f64 };
    let values: Vec<f64> = views.iter().map(|view| -cost(view, mean)).collect();
    Some(of_fixed(&values, place, choices))
}

/// The probability that `drawn` of `total` arms hold none of `marked`.
fn none_of(marked: usize, total: usize, drawn: usize) -> f64 {
    (0..drawn).map(|i| total.saturating_sub(marked + i) as f64 / (total - i) as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn propensities_sum_to_one() {
        let beta = |a, b| BetaPosterior::new(a, b).unwrap();
        let arms = [(beta(5.0, 2.0), 1.0), (beta(1.0, 1.0), 0.5), (beta(40.0, 9.0), 0.33), (beta(2.0, 2.0), 1.0)];
        for choices in 1..=6 {
            let sum: f64 = (0..4).map(|i| of_sampled(&arms, i, choices)).sum();
            assert!((sum - 1.0).abs() < 0.01, "{choices}: {sum}");
            let sum: f64 = (0..5).map(|i| of_fixed(&[1.0, 3.0, 3.0, 0.5, f64::INFINITY], i, choices)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{choices}: {sum}");
        }
        assert!((of_sampled(&[(beta(3.0, 4.0), 1.0); 3], 1, 2) - 1.0 / 3.0).abs() < 1e-3);
        assert_eq!(of_fixed(&[2.0, 1.0, 2.0], 0, 64), 0.5);
        assert_eq!(of_fixed(&[2.0, 1.0, 2.0], 1, 64), 0.0);
    }
}
