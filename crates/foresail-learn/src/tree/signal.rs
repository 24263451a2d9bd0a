//! What a tree is grown on: a gradient and a weight a row, packed into one integer.

/// Gradients and weights of all rows. A packed number holds a gradient as a whole number of units in its upper bits and a
/// weight in its lower ones, so one addition sums both, exactly and in any order. The unit is as fine as the sums of all
/// rows allow: the largest gradient is 2^(62 − 2·bits) units, where the total weight has so many bits (2^28 for 100,000
/// rows). The idea is that of quantised training (Shi et al., *Quantized Training of GBDT*, NeurIPS 2022), with so many
/// bits that nothing is lost.
#[derive(Default)]
pub(crate) struct Signal {
    packed: Vec<i64>,
    weight_bits: u32,
    unit: f64,
}

/// Sum of weighted gradients and of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Mass {
    pub(crate) sum: f64,
    pub(crate) weight: f64,
}

impl Signal {
    /// Takes in new gradients (finite) of weight 1, in the place of the old.
    pub(crate) fn set(&mut self, gradients: &[f64]) {
        self.fill(gradients, gradients.len() as u64, |_| 1);
    }

    /// Takes in new gradients (finite), each with how often its row counts; their sum is under 2^31.
    pub(crate) fn set_weighted(&mut self, gradients: &[f64], weights: &[u32]) {
        debug_assert_eq!(gradients.len(), weights.len());
        self.fill(gradients, weights.iter().map(|w| u64::from(*w)).sum(), |row| i64::from(weights[row]));
    }

    fn fill(&mut self, gradients: &[f64], total: u64, weight: impl Fn(usize) -> i64) {
        debug_assert!(total < 1 << 31, "the sum of gradients would not fit");
        self.weight_bits = 64 - total.leading_zeros();
        let largest = gradients.iter().fold(0.0, |max: f64, g| max.max(g.abs()));
        let units = (1_i64 << (62 - 2 * self.weight_bits).min(52)) as f64;
        // A largest gradient so small that its inverse overflows is as good as none.
        let inverse = units / largest;
        let inverse = if inverse.is_finite() { inverse } else { 0.0 };
        self.unit = largest / units;
        self.packed.clear();
        self.packed.extend(gradients.iter().enumerate().map(|(row, gradient)| {
            let whole = (gradient * inverse).round_ties_even() as i64;
            let weight = weight(row);
            ((whole * weight) << self.weight_bits) + weight
        }));
    }

    /// The packed numbers, a row each.
    pub(super) fn packed(&self) -> &[i64] {
        &self.packed
    }

    /// How to read sums of them.
    pub(super) fn reader(&self) -> Reader {
        Reader { weight_bits: self.weight_bits, mask: (1 << self.weight_bits) - 1 }
    }

    /// What one unit of [`Reader::mass`] is.
    pub(crate) fn unit(&self) -> f64 {
        self.unit
    }
}

/// Unpacks sums.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    weight_bits: u32,
    mask: i64,
}

impl Reader {
    /// The sum of gradients, in units, and of weights.
    pub(super) fn mass(self, packed: i64) -> Mass {
        Mass { sum: (packed >> self.weight_bits) as f64, weight: (packed & self.mask) as f64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Sums unpack to what was packed, whatever the signs.
        #[test]
        fn sums_unpack_to_the_sums(rows in vec((-1e6..1e6_f64, 0_u32..5), 1..200)) {
            let (gradients, weights): (Vec<f64>, Vec<u32>) = rows.into_iter().unzip();
            let mut signal = Signal::default();
            signal.set_weighted(&gradients, &weights);
            let mass = signal.reader().mass(signal.packed().iter().sum());
            let weight: u32 = weights.iter().sum();
            prop_assert_eq!(mass.weight, f64::from(weight));
            let sum: f64 = gradients.iter().zip(&weights).map(|(g, w)| g * f64::from(*w)).sum();
            prop_assert!((mass.sum * signal.unit() - sum).abs() <= 1e-6 * f64::from(weight).max(1.0));
        }
    }

    #[test]
    fn nothing_but_zeros_and_subnormals_is_no_signal() {
        for gradient in [0.0, 5e-324] {
            let mut signal = Signal::default();
            signal.set(&[gradient, -gradient]);
            let mass = signal.reader().mass(signal.packed()[0]);
            assert_eq!(mass, Mass { sum: 0.0, weight: 1.0 });
            assert!(signal.unit().is_finite());
        }
    }
}
