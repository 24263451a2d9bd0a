//! Lowest points within a box, by gradients: limited-memory BFGS (Liu & Nocedal, *On the limited memory BFGS method for large
//! scale optimization*, 1989) projected onto the box (Bertsekas, *Projected Newton methods for optimization problems with
//! simple constraints*, 1982): coordinates at a bound that want to go beyond it are held, the rest take a quasi-Newton step.

/// Pairs of steps and changes of the gradient remembered.
const MEMORY: usize = 10;
/// A step has to give this share of what its slope promised.
const ENOUGH: f64 = 1e-4;
/// Times a step is shortened at most.
const SHORTENED: usize = 25;
/// Steps in a row that gain next to nothing before the search ends.
const IDLE: usize = 2;

/// Something to be made small.
pub(super) trait Objective {
    /// Its value at `point`; what is not finite is out of bounds.
    fn value(&mut self, point: &[f64]) -> f64;

    /// How it changes at the point whose value was asked last.
    fn gradient(&mut self, gradient: &mut [f64]);
}

/// When a search ends.
pub(super) struct Limits<'a> {
    pub(super) lower: &'a [f64],
    pub(super) upper: &'a [f64],
    /// A gain below this is next to nothing.
    pub(super) tolerance: f64,
    pub(super) iterations: usize,
    /// The search is given up as soon as what it seems able to reach is above this.
    pub(super) to_beat: f64,
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
}

/// Moves `point` to where `objective` is lowest nearby, and gives the value there. Coordinates should be of a scale: a
/// change of one in any of them is to matter about as much.
pub(super) fn minimise(objective: &mut impl Objective, point: &mut [f64], limits: &Limits<'_>) -> f64 {
    let size = point.len();
    let mut value = objective.value(point);
    if !value.is_finite() {
        return value;
    }
    let (mut gradient, mut next_gradient) = (vec![0.0; size], vec![0.0; size]);
    let (mut next, mut free, mut direction) = (point.to_vec(), vec![true; size], vec![0.0; size]);
    let mut pairs: Vec<Pair> = Vec::with_capacity(MEMORY);
    objective.gradient(&mut gradient);
    let mut idle = 0;
    for iteration in 0..limits.iterations {
        for i in 0..size {
            let held = (point[i] <= limits.lower[i] && gradient[i] > 0.0)
                || (point[i] >= limits.upper[i] && gradient[i] < 0.0);
            free[i] = !held;
        }
        descend(&pairs, &gradient, &free, &mut direction);
        let mut slope = dot(&gradient, &direction);
        if !(slope < 0.0 && slope.is_finite()) {
            pairs.clear();
            descend(&pairs, &gradient, &free, &mut direction);
            slope = dot(&gradient, &direction);
            if !(slope < 0.0 && slope.is_finite()) {
                break;
            }
        }
        if pairs.is_empty() {
            // Without curvature the scale of the coordinates is the best guess of how far to go.
            let longest = direction.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
            let short = (1.0 / longest).min(1.0);
            direction.iter_mut().for_each(|d| *d *= short);
            slope *= short;
        }
        // Half the slope is what a step promises on a bowl; a search far from its end finds several times that.
        let hope = 0.5 * -slope;
        if iteration > 4 && value - 40.0 * hope - 1.0 > limits.to_beat {
            break;
        }
        let Some(reached) = step_along(objective, point, &direction, &gradient, (value, slope), limits, &mut next)
        else {
            if pairs.is_empty() {
                break;
            }
            // What is remembered of the curvature misleads here.
            pairs.clear();
            continue;
        };
        objective.gradient(&mut next_gradient);
        remember(&mut pairs, (point, &next), (&gradient, &next_gradient));
        let gain = value - reached;
        point.copy_from_slice(&next);
        std::mem::swap(&mut gradient, &mut next_gradient);
        value = reached;
        idle = if gain < limits.tolerance { idle + 1 } else { 0 };
        if idle >= IDLE {
            break;
        }
    }
    value
}

/// Goes as far along `direction`, folded into the box, as the objective falls enough: where to is put into `next`, and the
/// value there given.
fn step_along(
    objective: &mut impl Objective,
    point: &[f64],
    direction: &[f64],
    gradient: &[f64],
    (value, slope): (f64, f64),
    limits: &Limits<'_>,
    next: &mut [f64],
) -> Option<f64> {
    let mut length = 1.0;
    for _ in 0..SHORTENED {
        for i in 0..next.len() {
            next[i] = (point[i] + length * direction[i]).clamp(limits.lower[i], limits.upper[i]);
        }
        let reached = objective.value(next);
        let promised: f64 = gradient.iter().zip(next.iter().zip(point)).map(|(g, (n, p))| g * (n - p)).sum();
        if reached.is_finite() && reached <= value + ENOUGH * promised.min(0.0) && promised < 0.0 {
            return Some(reached);
        }
        // The lowest point of the parabola through what is known, within reason.
        let bend = reached - value - length * slope;
        let best = if reached.is_finite() && bend > 0.0 { -slope * length * length / (2.0 * bend) } else { 0.0 };
        length = best.clamp(0.1 * length, 0.5 * length);
    }
    None
}

fn remember(pairs: &mut Vec<Pair>, (point, next): (&[f64], &[f64]), (before, after): (&[f64], &[f64])) {
    let mut pair = if pairs.len() == MEMORY {
        pairs.remove(0)
    } else {
        Pair { step: vec![0.0; point.len()], change: vec![0.0; point.len()] }
    };
    for i in 0..point.len() {
        pair.step[i] = next[i] - point[i];
        pair.change[i] = after[i] - before[i];
    }
    pairs.push(pair);
}

/// The direction in which a quasi-Newton step goes, over the free coordinates alone.
fn descend(pairs: &[Pair], gradient: &[f64], free: &[bool], direction: &mut [f64]) {
    for ((d, g), free) in direction.iter_mut().zip(gradient).zip(free) {
        *d = if *free { -g } else { 0.0 };
    }
    let mut kept: Vec<(&Pair, f64, f64)> = Vec::with_capacity(pairs.len());
    let mut scale = 1.0;
    for pair in pairs.iter().rev() {
        let curvature = dot_free(&pair.step, &pair.change, free);
        let squares = dot_free(&pair.change, &pair.change, free);
        if curvature <= 1e-10 * squares.max(f64::MIN_POSITIVE) {
            continue;
        }
        if kept.is_empty() {
            scale = curvature / squares;
        }
        let share = dot_free(&pair.step, direction, free) / curvature;
        add(direction, -share, &pair.change, free);
        kept.push((pair, curvature, share));
    }
    direction.iter_mut().for_each(|d| *d *= scale);
    for (pair, curvature, share) in kept.iter().rev() {
        let back = dot_free(&pair.change, direction, free) / curvature;
        add(direction, share - back, &pair.step, free);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn dot_free(a: &[f64], b: &[f64], free: &[bool]) -> f64 {
    a.iter().zip(b).zip(free).map(|((a, b), free)| if *free { a * b } else { 0.0 }).sum()
}

fn add(to: &mut [f64], times: f64, what: &[f64], free: &[bool]) {
    for ((to, what), free) in to.iter_mut().zip(what).zip(free) {
        if *free {
            *to += times * what;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's function, out of bounds where told.
    struct Valley {
        at: [f64; 2],
        calls: usize,
        wall: f64,
    }

    impl Objective for Valley {
        fn value(&mut self, p: &[f64]) -> f64 {
            self.at = [p[0], p[1]];
            self.calls += 1;
            if p[0] > self.wall {
                return f64::NAN;
            }
            100.0 * (p[1] - p[0] * p[0]).powi(2) + (1.0 - p[0]).powi(2)
        }

        fn gradient(&mut self, g: &mut [f64]) {
            let [x, y] = self.at;
            g[0] = -400.0 * x * (y - x * x) - 2.0 * (1.0 - x);
            g[1] = 200.0 * (y - x * x);
        }
    }

    fn check(upper: f64, wall: f64, to_beat: f64) -> (Vec<f64>, f64, usize) {
        let mut valley = Valley { at: [0.0; 2], calls: 0, wall };
        let mut point = vec![-1.2, 1.0];
        let limits = Limits { lower: &[-2.0, -2.0], upper: &[upper, 2.0], tolerance: 1e-12, iterations: 200, to_beat };
        let value = minimise(&mut valley, &mut point, &limits);
        (point, value, valley.calls)
    }

    #[test]
    fn the_bottom_of_a_curved_valley_is_found() {
        let (point, value, calls) = check(2.0, 3.0, f64::INFINITY);
        assert!(value < 1e-12 && (point[0] - 1.0).abs() < 1e-5 && calls < 80, "{point:?} {value} {calls}");
    }

    #[test]
    fn bounds_hold_and_walls_are_not_passed() {
        let (point, value, _) = check(0.5, 3.0, f64::INFINITY);
        assert!(point[0] <= 0.5 && (point[0] - 0.5).abs() < 1e-9 && (value - 0.25).abs() < 1e-9, "{point:?} {value}");
        let (point, value, _) = check(2.0, 0.5, f64::INFINITY);
        assert!(point[0] <= 0.5 && value < 0.3, "{point:?} {value}");
    }

    #[test]
    fn a_hopeless_search_is_given_up() {
        let all = check(2.0, 3.0, f64::INFINITY).2;
        assert!(check(2.0, 3.0, -1e3).2 < all / 2);
    }
}
