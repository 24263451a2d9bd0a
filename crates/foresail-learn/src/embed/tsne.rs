//! t-distributed stochastic neighbour embedding.

use crate::Error;

/// Most points: cost and memory grow with their square.
const MOST: usize = 3_000;
/// Iterations in which attraction is exaggerated, and by how much (van der Maaten 2014).
const EARLY: (usize, f64) = (200, 12.0);

/// Parameters of [`tsne`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TsneOptions {
    /// How many neighbours a point is close to, about, 2 to 500; at most a third of the points is used.
    pub perplexity: f64,
    /// Steps of descent, 1 to 10,000.
    pub iterations: usize,
}

impl Default for TsneOptions {
    fn default() -> Self {
        Self { perplexity: 30.0, iterations: 600 }
    }
}

/// Places points so that those close in many dimensions are close in two (van der Maaten and Hinton 2008, "Visualizing Data using
/// t-SNE"), exactly, at O(points² × iterations): 500 points take about a second. It begins with the first two dimensions,
/// scaled down, so the same points give the same picture, and points whose first two dimensions are principal components keep
/// their large-scale order (Kobak and Linderman 2021). Distances within a group mean something, those between groups little.
///
/// # Errors
/// [`Error::BadParameter`] for an option out of range or more than 3,000 points; [`Error::RaggedMatrix`] if points differ in
/// length.
pub fn tsne(points: &[Vec<f64>], options: &TsneOptions) -> Result<Vec<[f64; 2]>, Error> {
    let bad = |parameter, value: String, range| Err(Error::BadParameter { parameter, value, range });
    if !(2.0..=500.0).contains(&options.perplexity) {
        return bad("perplexity", options.perplexity.to_string(), "2 to 500");
    }
    if !(1..=10_000).contains(&options.iterations) {
        return bad("iterations", options.iterations.to_string(), "1 to 10,000");
    }
    if points.len() > MOST {
        return bad("points", points.len().to_string(), "at most 3,000");
    }
    let width = points.first().map_or(0, Vec::len);
    if let Some(point) = points.iter().find(|p| p.len() != width) {
        return Err(Error::RaggedMatrix { values: point.len(), width });
    }
    let count = points.len();
    let mut placed = start(points);
    if count < 4 {
        return Ok(placed);
    }
    let affinities = affinities(points, options.perplexity.min((count - 1) as f64 / 3.0));
    let rate = (count as f64 / EARLY.1).max(50.0);
    let mut speed = vec![[0.0; 2]; count];
    let mut gains = vec![[1.0_f64; 2]; count];
    let mut kernel = vec![0.0; count * count];
    for step in 0..options.iterations {
        let is_early = step < EARLY.0.min(options.iterations / 3);
        let (exaggeration, momentum) = if is_early { (EARLY.1, 0.5) } else { (1.0, 0.8) };
        let mut sum = 0.0;
        for i in 0..count {
            for j in 0..i {
                let (dx, dy) = (placed[i][0] - placed[j][0], placed[i][1] - placed[j][1]);
                let near = 1.0 / (1.0 + dx * dx + dy * dy);
                kernel[i * count + j] = near;
                kernel[j * count + i] = near;
                sum += 2.0 * near;
            }
        }
        let sum = f64::max(sum, 1e-12);
        let mut moves = vec![[0.0; 2]; count];
        for i in 0..count {
            for j in (0..count).filter(|j| *j != i) {
                let near = kernel[i * count + j];
                let pull = 4.0 * (exaggeration * affinities[i * count + j] - near / sum) * near;
                moves[i][0] += pull * (placed[i][0] - placed[j][0]);
                moves[i][1] += pull * (placed[i][1] - placed[j][1]);
            }
        }
        for i in 0..count {
            for d in 0..2 {
                let along = (moves[i][d] > 0.0) == (speed[i][d] > 0.0);
                gains[i][d] = if along { (gains[i][d] * 0.8).max(0.01) } else { gains[i][d] + 0.2 };
                speed[i][d] = momentum * speed[i][d] - rate * gains[i][d] * moves[i][d];
                placed[i][d] += speed[i][d];
            }
        }
        centre(&mut placed);
    }
    Ok(placed)
}

/// The first two dimensions, at a tiny scale, centred; equal points are set a little apart by their number.
fn start(points: &[Vec<f64>]) -> Vec<[f64; 2]> {
    let at = |point: &[f64], d: usize| point.get(d).copied().filter(|v| v.is_finite()).unwrap_or(0.0).clamp(-1e6, 1e6);
    let mut placed: Vec<[f64; 2]> = points.iter().map(|p| [at(p, 0), at(p, 1)]).collect();
    centre(&mut placed);
    let spread = (placed.iter().map(|p| p[0] * p[0]).sum::<f64>() / placed.len().max(1) as f64).sqrt();
    let scale = if spread > 0.0 { 1e-2 / spread } else { 0.0 };
    for (i, point) in placed.iter_mut().enumerate() {
        // The golden angle: no two directions are alike.
        let angle = i as f64 * 2.399_963_229_728_653;
        *point = [point[0] * scale + 1e-4 * angle.cos(), point[1] * scale + 1e-4 * angle.sin()];
    }
    placed
}

fn centre(placed: &mut [[f64; 2]]) {
    for d in 0..2 {
        let mean = placed.iter().map(|p| p[d]).sum::<f64>() / placed.len().max(1) as f64;
        placed.iter_mut().for_each(|p| p[d] -= mean);
    }
}

/// How close each pair is, symmetric, summing to 1: normal kernels, each as wide as gives its point the perplexity.
fn affinities(points: &[Vec<f64>], perplexity: f64) -> Vec<f64> {
    let count = points.len();
    let mut affinities = vec![0.0; count * count];
    for i in 0..count {
        let apart = |j: usize| -> f64 {
            let squares = points[i].iter().zip(&points[j]).map(|(a, b)| (a - b).powi(2));
            squares.filter(|v| v.is_finite()).sum::<f64>().min(1e12)
        };
        let distances: Vec<f64> = (0..count).map(apart).collect();
        let nearest =
            distances.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, d)| *d).fold(f64::INFINITY, f64::min);
        let row = &mut affinities[i * count..(i + 1) * count];
        let (mut low, mut high, mut precision) = (0.0_f64, f64::INFINITY, 1.0_f64);
        for _ in 0..60 {
            let (mut sum, mut weighted) = (0.0, 0.0);
            for (j, distance) in distances.iter().enumerate() {
                // Distances from the nearest: the same kernel, without all of it vanishing.
                row[j] = if j == i { 0.0 } else { (-(distance - nearest) * precision).exp() };
                sum += row[j];
                weighted += row[j] * (distance - nearest);
            }
            row.iter_mut().for_each(|p| *p /= sum);
            let entropy = sum.ln() + precision * weighted / sum;
            if (entropy - perplexity.ln()).abs() < 1e-5 {
                break;
            }
            if entropy > perplexity.ln() {
                low = precision;
                precision = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * precision };
            } else {
                high = precision;
                precision = 0.5 * (low + high);
            }
        }
    }
    let symmetric = |i: usize, j: usize| (affinities[i * count + j] + affinities[j * count + i]) / (2.0 * count as f64);
    (0..count * count).map(|at| symmetric(at / count, at % count).max(1e-12)).collect()
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    #[test]
    fn groups_stay_together_and_apart() {
        let mut rng = SeededRng::seed_from_u64(3);
        let points: Vec<Vec<f64>> = (0..90)
            .map(|i| (0..6).map(|d| if d == i % 3 { 8.0 } else { 0.0 } + 0.5 * rng.normal()).collect())
            .collect();
        let options = TsneOptions { perplexity: 10.0, iterations: 300 };
        let placed = tsne(&points, &options).unwrap();
        assert_eq!(placed, tsne(&points, &options).unwrap());
        // The nearest neighbour of each is of its group.
        for (i, point) in placed.iter().enumerate() {
            let apart = |j: &usize| (placed[*j][0] - point[0]).powi(2) + (placed[*j][1] - point[1]).powi(2);
            let nearest = (0..90).filter(|j| *j != i).min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap();
            assert_eq!(nearest % 3, i % 3, "{i}");
        }
    }

    #[test]
    fn few_equal_and_absurd_points_are_placed_too() {
        assert_eq!(tsne(&[], &TsneOptions::default()).unwrap().len(), 0);
        assert_eq!(tsne(&[vec![1.0], vec![2.0]], &TsneOptions::default()).unwrap().len(), 2);
        let odd = [vec![1.0; 3], vec![1.0; 3], vec![f64::NAN, 1e300, 0.0], vec![1.0; 3], vec![-1e300; 3], vec![0.0; 3]];
        let placed = tsne(&odd, &TsneOptions { perplexity: 2.0, iterations: 50 }).unwrap();
        assert!(placed.iter().flatten().all(|v| v.is_finite()), "{placed:?}");
        assert!(tsne(&[vec![1.0], vec![]], &TsneOptions::default()).is_err());
        assert!(tsne(&odd, &TsneOptions { perplexity: 1.0, iterations: 50 }).is_err());
    }
}
