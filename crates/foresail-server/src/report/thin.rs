//! Fewer points for the eye, with no peak lost.

/// Indices of at most about `most` of `values`, ascending, such that every bucket keeps its first, lowest and highest
/// value: what a line of `most` pixels can show of them. All of them if there are no more than `most`.
pub(super) fn thin(values: &[f64], most: usize) -> Vec<usize> {
    if values.len() <= most.max(3) {
        return (0..values.len()).collect();
    }
    let buckets = (most / 3).max(1);
    let mut kept = Vec::with_capacity(most + 3);
    for bucket in 0..buckets {
        let from = values.len() * bucket / buckets;
        let to = values.len() * (bucket + 1) / buckets;
        let by_value = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        let low = (from..to).min_by(by_value).unwrap_or(from);
        let high = (from..to).max_by(by_value).unwrap_or(from);
        let mut picks = [from, low, high];
        picks.sort_unstable();
        kept.extend(picks);
    }
    kept.push(values.len() - 1);
    kept.dedup();
    kept
}

/// Indices of the values that differ from the one before, and of their predecessors, thinned to about `most`: what a step
/// line needs.
pub(super) fn thin_steps(values: &[f64], most: usize) -> Vec<usize> {
    let last = values.len().saturating_sub(1);
    let changes: Vec<usize> =
        (0..values.len()).filter(|i| *i == 0 || *i == last || values[*i] != values[*i - 1]).collect();
    let levels: Vec<f64> = changes.iter().map(|i| values[*i]).collect();
    thin(&levels, most).into_iter().map(|i| changes[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_survive_and_order_holds() {
        let values: Vec<f64> = (0..10_000).map(|i| if i == 4_321 { 99.0 } else { f64::from(i % 7) }).collect();
        let kept = thin(&values, 600);
        assert!(kept.len() <= 603 && kept.contains(&4_321));
        assert!(kept.windows(2).all(|w| w[0] < w[1]));
        assert_eq!((kept[0], *kept.last().expect("some")), (0, 9_999));
    }

    #[test]
    fn a_step_line_keeps_its_corners() {
        assert_eq!(thin_steps(&[2.0, 2.0, 2.0, 5.0, 5.0, 5.0], 100), [0, 3, 5]);
        assert!(thin_steps(&[], 100).is_empty());
        assert_eq!(thin(&[1.0], 1), [0]);
    }
}
