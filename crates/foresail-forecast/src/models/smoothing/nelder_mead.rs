//! The simplex search of Nelder & Mead (*A simplex method for function minimization*, Computer Journal 7, 1965).

/// Lowest point found of `cost` from `start`, with the cost there, in at most `evaluations` calls (and the few that
/// finish a step). The first simplex has sides of `size`. A cost that is not finite counts as the worst of all.
pub(super) fn minimise(
    start: &[f64],
    size: f64,
    evaluations: usize,
    mut cost: impl FnMut(&[f64]) -> f64,
) -> (Vec<f64>, f64) {
    let mut used = 0;
    let mut rate = |point: &[f64]| {
        used += 1;
        let value = cost(point);
        (if value.is_finite() { value } else { f64::MAX }, used)
    };
    let mut simplex: Vec<(f64, Vec<f64>)> = Vec::with_capacity(start.len() + 1);
    simplex.push((rate(start).0, start.to_vec()));
    for axis in 0..start.len() {
        let mut corner = start.to_vec();
        corner[axis] += size;
        simplex.push((rate(&corner).0, corner));
    }
    loop {
        simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (best, worst) = (simplex[0].0, simplex[simplex.len() - 1].0);
        let narrow = (worst - best).abs() <= 1e-10 * (best.abs() + 1e-300);
        if narrow || simplex.len() < 2 {
            break;
        }
        let rest = &simplex[..simplex.len() - 1];
        let second = rest[rest.len() - 1].0;
        let centre: Vec<f64> =
            (0..start.len()).map(|i| rest.iter().map(|(_, p)| p[i]).sum::<f64>() / rest.len() as f64).collect();
        let worst_point = simplex[simplex.len() - 1].1.clone();
        let along = |t: f64| -> Vec<f64> { centre.iter().zip(&worst_point).map(|(c, w)| c + t * (c - w)).collect() };

        let reflected = along(1.0);
        let (reflected_cost, mut calls) = rate(&reflected);
        let last = simplex.len() - 1;
        if reflected_cost < best {
            let expanded = along(2.0);
            let (expanded_cost, now) = rate(&expanded);
            calls = now;
            simplex[last] =
                if expanded_cost < reflected_cost { (expanded_cost, expanded) } else { (reflected_cost, reflected) };
        } else if reflected_cost < second {
            simplex[last] = (reflected_cost, reflected);
        } else {
            let contracted = along(if reflected_cost < worst { 0.5 } else { -0.5 });
            let (contracted_cost, now) = rate(&contracted);
            calls = now;
            if contracted_cost < worst.min(reflected_cost) {
                simplex[last] = (contracted_cost, contracted);
            } else {
                let lowest = simplex[0].1.clone();
                for (corner_cost, corner) in &mut simplex[1..] {
                    corner.iter_mut().zip(&lowest).for_each(|(x, low)| *x = low + 0.5 * (*x - low));
                    (*corner_cost, calls) = rate(corner);
                }
            }
        }
        if calls >= evaluations {
            simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
            break;
        }
    }
    let (cost, point) = simplex.swap_remove(0);
    (point, cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottom_of_a_curved_valley_is_found() {
        // Rosenbrock's function, lowest at (1, 1).
        let (point, cost) =
            minimise(&[-1.2, 1.0], 0.5, 500, |p| 100.0 * (p[1] - p[0] * p[0]).powi(2) + (1.0 - p[0]).powi(2));
        assert!(cost < 1e-6 && (point[0] - 1.0).abs() < 1e-2, "{point:?} {cost}");
    }

    #[test]
    fn the_budget_is_kept_and_broken_costs_are_avoided() {
        let mut calls = 0;
        let (point, cost) = minimise(&[3.0, 3.0], 1.0, 40, |p| {
            calls += 1;
            if p[0] > 3.5 { f64::NAN } else { p[0] * p[0] + p[1] * p[1] }
        });
        assert!(calls <= 44 && cost < 1.0 && point[0].abs() < 1.0, "{calls} {cost} {point:?}");
    }
}
