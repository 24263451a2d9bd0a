//! Gaps filled, for what needs every row.

/// Draws straight lines over what was not `seen`; the first and the last row must be.
pub(crate) fn fill(values: &mut [f64], seen: &[bool]) {
    let mut last = 0;
    for i in 1..values.len() {
        if !seen[i] {
            continue;
        }
        let (from, to, length) = (values[last], values[i], (i - last) as f64);
        for (steps, gap) in (1..).map(f64::from).zip(&mut values[last + 1..i]) {
            *gap = from + (to - from) * steps / length;
        }
        last = i;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_drawn_over_gaps() {
        let mut values = [1.0, 9.0, 9.0, 4.0, 6.0, 9.0, 2.0];
        fill(&mut values, &[true, false, false, true, true, false, true]);
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 6.0, 4.0, 2.0]);
        fill(&mut [], &[]);
    }
}
