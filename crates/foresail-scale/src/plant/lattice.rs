//! The law of a backlog near zero: probabilities on a lattice, moved by the diffusion that the queue is close to.
//!
//! Near capacity the work that waits is a Brownian motion with drift `load − capacity`, held at zero from below and at
//! the clients' patience from above (Halfin & Whitt 1981; Harrison 1985). Its forward equation is solved by finite
//! volumes with exponentially fitted fluxes (Scharfetter & Gummel 1969), which keep probabilities at or above zero and
//! have the exponential stationary law exactly, and in time by an L-stable diagonally implicit Runge-Kutta method of
//! order two (Alexander 1977). The cell at zero also holds the states with an idle worker, as many as Erlang's formula
//! says.

use super::normal;

/// Points of the lattice: blocks of [`BLOCK`] gaps, each block's twice as wide as the last's.
const POINTS: usize = 97;
const BLOCK: usize = 16;
/// Implicit steps a tick: a fourth changes a late share above 0.1 % by less than a hundredth of it.
const STEPS: usize = 3;
/// Probability that may be moved to the next point.
const NEGLIGIBLE: f64 = 1e-10;
/// Coefficient of the implicit stages, `1 − 1/√2`.
const STAGE: f64 = 1.0 - std::f64::consts::FRAC_1_SQRT_2;

/// Positions, in units of the first gap.
const POSITION: [f64; POINTS] = {
    let mut position = [0.0; POINTS];
    let mut gap = 1.0;
    let mut i = 1;
    while i < POINTS {
        position[i] = position[i - 1] + gap;
        if i % BLOCK == 0 {
            gap *= 2.0;
        }
        i += 1;
    }
    position
};

/// Upper edges of the cells, in units of the first gap: half way to the next point.
const EDGE: [f64; POINTS] = {
    let mut edge = POSITION;
    let mut i = 0;
    while i + 1 < POINTS {
        edge[i] = 0.5 * (POSITION[i] + POSITION[i + 1]);
        i += 1;
    }
    edge
};

/// What moves the backlog during a tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    /// Mean growth, a second.
    pub(super) drift: f64,
    /// Growth of its variance, a second.
    pub(super) variance: f64,
    /// States with an idle worker, as a multiple of the probability density at zero.
    pub(super) idle: f64,
    /// Most that can wait: longer, and clients have left.
    pub(super) most: f64,
    /// Backlog from which an arrival is late.
    pub(super) limit: f64,
    /// Length of the tick.
    pub(super) seconds: f64,
}

/// Probabilities of backlogs.
#[derive(Clone, Debug)]
pub(super) struct Lattice {
    gap: f64,
    mass: [f64; POINTS],
}

impl Lattice {
    /// The first gap that suits a motion: fine enough for the spread of a tick, and for the limit.
    fn fitting_gap(motion: &Motion) -> f64 {
        let spread = (motion.variance * motion.seconds).sqrt();
        (0.25 * spread).min(0.0625 * motion.limit).max(1e-9 * motion.limit)
    }

    /// Zero but for a share of `waiting`, exponential with mean `scale`.
    pub(super) fn exponential(waiting: f64, scale: f64, motion: &Motion) -> Self {
        Self::from_law(motion, |x| if scale > 0.0 { 1.0 - waiting * (-x / scale).exp() } else { 1.0 })
    }

    /// Normal; what is below zero counts as zero.
    pub(super) fn normal(mean: f64, variance: f64, motion: &Motion) -> Self {
        let deviation = variance.sqrt().max(1e-9 * motion.limit);
        Self::from_law(motion, |x| normal::cdf((x - mean) / deviation))
    }

    fn from_law(motion: &Motion, cumulative: impl Fn(f64) -> f64) -> Self {
        let gap = Self::fitting_gap(motion);
        let mut mass = [0.0; POINTS];
        let mut below = 0.0;
        for (mass, edge) in mass.iter_mut().zip(EDGE) {
            let here = cumulative(gap * edge);
            *mass = here - below;
            below = here;
        }
        mass[POINTS - 1] += 1.0 - below;
        Self { gap, mass }
    }

    /// Mean and variance.
    pub(super) fn moments(&self) -> (f64, f64) {
        let (mut first, mut second) = (0.0, 0.0);
        for (mass, position) in self.mass.iter().zip(POSITION) {
            first += mass * position;
            second += mass * position * position;
        }
        (first * self.gap, (second - first * first).max(0.0) * self.gap * self.gap)
    }

    /// Goes over to another gap where the present one no longer suits, keeping mass and mean.
    fn refit(&mut self, motion: &Motion) {
        let gap = Self::fitting_gap(motion);
        if gap <= 2.0 * self.gap && self.gap <= 2.0 * gap {
            return;
        }
        let mut mass = [0.0; POINTS];
        let mut left = 0;
        for (old, position) in self.mass.iter().zip(POSITION) {
            let x = position * self.gap / gap;
            while left + 2 < POINTS && POSITION[left + 1] < x {
                left += 1;
            }
            let share = ((x - POSITION[left]) / (POSITION[left + 1] - POSITION[left])).clamp(0.0, 1.0);
            mass[left] += old * (1.0 - share);
            mass[left + 1] += old * share;
        }
        *self = Self { gap, mass };
    }

    /// The last `seconds` of a tick: the mean share of time above the limit, and the share at the end. O(points · steps).
    pub(super) fn tick(&mut self, motion: &Motion, seconds: f64) -> (f64, f64) {
        self.refit(motion);
        let points = self.fold(motion);
        let system = System::new(motion, seconds, self.gap, points);
        let tail = Tail::new(motion.limit / self.gap, points);
        let (mut late, mut end) = (0.0, 0.0);
        for _ in 0..STEPS {
            let middle = system.solve(&self.mass);
            let mut right = self.mass;
            for (right, middle) in right.iter_mut().zip(&middle) {
                *right += (1.0 - STAGE) / STAGE * (middle - *right);
            }
            self.mass = system.solve(&right);
            end = tail.of(&self.mass);
            late += (1.0 - STAGE) * tail.of(&middle) + STAGE * end;
        }
        self.restore();
        ((late / STEPS as f64).clamp(0.0, 1.0), end.clamp(0.0, 1.0))
    }

    /// The steps keep the sum, but long ones can leave a point a little below zero.
    fn restore(&mut self) {
        let mut sum = 0.0;
        for mass in &mut self.mass {
            *mass = mass.max(0.0);
            sum += *mass;
        }
        for mass in &mut self.mass {
            *mass /= sum;
        }
    }

    /// Brings what lies above the clients' patience down to it, and leaves out the points that nothing will reach; the
    /// number of points in use.
    fn fold(&mut self, motion: &Motion) -> usize {
        let highest = self.mass.iter().rposition(|mass| *mass > NEGLIGIBLE).unwrap_or(0);
        let spread = (motion.variance * motion.seconds).sqrt();
        let reach = (8.0 * spread + 2.0 * motion.drift.max(0.0) * motion.seconds) / self.gap;
        let used = (POSITION[highest] + reach).max(2.0 * motion.limit / self.gap).min(motion.most / self.gap);
        let points = POSITION.partition_point(|position| *position <= used).max(3);
        let above: f64 = self.mass[points..].iter().sum();
        self.mass[points..].fill(0.0);
        self.mass[points - 1] += above;
        points
    }
}

/// `I − STAGE · step · A`, factored, where `A` are the rates between the points.
struct System {
    points: usize,
    /// Below the diagonal, negated, over the pivot.
    lower: [f64; POINTS],
    /// One over the pivot.
    inverse: [f64; POINTS],
    /// Above the diagonal, negated, over the pivot.
    upper: [f64; POINTS],
}

impl System {
    fn new(motion: &Motion, seconds: f64, gap: f64, points: usize) -> Self {
        let step = STAGE * seconds / STEPS as f64;
        let half = 0.5 * motion.variance;
        // Rates of the jumps out of each point, by the fluxes over the cell's edges and the cell's width.
        let (mut up, mut down) = ([0.0; POINTS], [0.0; POINTS]);
        let mut first = 0;
        let mut peclet = motion.drift * gap / half;
        let mut growth = peclet.exp();
        let mut width = gap;
        while first + 1 < points {
            let bernoulli = if peclet.abs() < 1e-4 { 1.0 - 0.5 * peclet } else { peclet / (growth - 1.0) };
            let last = (first + BLOCK).min(points - 1);
            up[first..last].fill(step * half / width * (bernoulli + peclet));
            down[first + 1..=last].fill(step * half / width * bernoulli);
            first = last;
            (peclet, growth, width) = (2.0 * peclet, growth * growth, 2.0 * width);
        }
        let (mut lower_edge, mut from_below, mut upper) = (-motion.idle / gap, 0.0, 0.0);
        for (i, edge) in EDGE.iter().enumerate().take(points) {
            let edge = if i + 1 < points { *edge } else { POSITION[i] };
            let density = 1.0 / (gap * (edge - lower_edge));
            lower_edge = edge;
            up[i] *= density;
            down[i] *= density;
        }
        let mut system = Self { points, lower: [0.0; POINTS], inverse: [1.0; POINTS], upper: [0.0; POINTS] };
        for i in 0..points {
            let from_above = if i + 1 < points { down[i + 1] } else { 0.0 };
            let inverse = 1.0 / (1.0 + up[i] + down[i] - from_below * upper);
            system.lower[i] = from_below * inverse;
            system.inverse[i] = inverse;
            upper = from_above * inverse;
            system.upper[i] = upper;
            from_below = up[i];
        }
        system
    }

    fn solve(&self, right: &[f64; POINTS]) -> [f64; POINTS] {
        let mut solution = [0.0; POINTS];
        let mut last = 0.0;
        for (i, solution) in solution.iter_mut().enumerate().take(self.points) {
            last = right[i] * self.inverse[i] + self.lower[i] * last;
            *solution = last;
        }
        last = 0.0;
        for (solution, upper) in solution[..self.points].iter_mut().zip(&self.upper).rev() {
            last = *solution + upper * last;
            *solution = last;
        }
        solution
    }
}

/// Reads off the probability of a backlog above a limit.
struct Tail {
    /// The cell that holds the limit, and the share of it that lies below.
    cell: usize,
    share: f64,
    points: usize,
}

impl Tail {
    /// `limit` in units of the first gap.
    fn new(limit: f64, points: usize) -> Self {
        let cell = EDGE.partition_point(|edge| *edge <= limit).min(points - 1);
        let below = if cell > 0 { EDGE[cell - 1] } else { 0.0 };
        let above = if cell + 1 < points { EDGE[cell] } else { POSITION[cell] };
        Self { cell, share: ((limit - below) / (above - below)).clamp(0.0, 1.0), points }
    }

    /// Between the edges of the cell the tail is exponential, as it is in the stationary law.
    fn of(&self, mass: &[f64; POINTS]) -> f64 {
        let above: f64 = mass[self.cell + 1..self.points].iter().sum();
        let with_cell = above + mass[self.cell];
        if above > 0.0 && with_cell > above {
            with_cell * ((above / with_cell).ln() * self.share).exp()
        } else {
            with_cell + (above - with_cell) * self.share
        }
    }
}
