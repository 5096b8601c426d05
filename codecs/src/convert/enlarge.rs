//! Bilinear enlargement of one plane.
//!
//! A general convolution spends a filter's set-up on each pixel, and enlarging makes many pixels out of two each: this
//! takes about a quarter of the time.

/// One place between two neighbours: the first's index and the second's weight, in 256ths.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: usize,
    weight: u16,
}

/// Rows already stretched, kept from plane to plane for their memory.
#[derive(Debug, Default)]
pub(super) struct Enlarger {
    columns: Vec<Place>,
    upper: Vec<u8>,
    lower: Vec<u8>,
}

impl Enlarger {
    /// Enlarges a plane of `from_width` columns, at least 2 by 2, to one of `to_width`, without gaps between rows.
    pub(super) fn plane(&mut self, from: &[u8], from_width: usize, to: &mut [u8], to_width: usize) {
        let (from_height, to_height) = (from.len() / from_width, to.len() / to_width);
        self.columns.clear();
        self.columns.extend((0..to_width).map(|column| place(column, from_width, to_width)));
        self.upper.resize(to_width, 0);
        self.lower.resize(to_width, 0);
        let row = |at: usize| &from[at * from_width..][..from_width];
        let mut loaded = None;
        for (number, out) in to.chunks_exact_mut(to_width).enumerate() {
            let Place { at, weight } = place(number, from_height, to_height);
            if loaded != Some(at) {
                if at > 0 && loaded == Some(at - 1) {
                    std::mem::swap(&mut self.upper, &mut self.lower);
                } else {
                    stretch(row(at), &self.columns, &mut self.upper);
                }
                stretch(row(at + 1), &self.columns, &mut self.lower);
                loaded = Some(at);
            }
            for ((out, &upper), &lower) in out.iter_mut().zip(&self.upper).zip(&self.lower) {
                *out = mix(upper, lower, weight);
            }
        }
    }
}

/// Where the middle of cell `number` of `to` lies among the middles of `from` cells.
fn place(number: usize, from: usize, to: usize) -> Place {
    let middle = (2 * number + 1) * 256 * from / (2 * to);
    let along = middle.saturating_sub(128).min((from - 1) * 256);
    let at = (along / 256).min(from - 2);
    Place { at, weight: (along - at * 256) as u16 }
}

fn stretch(row: &[u8], columns: &[Place], out: &mut [u8]) {
    for (out, column) in out.iter_mut().zip(columns) {
        if let [left, right, ..] = row[column.at..] {
            *out = mix(left, right, column.weight);
        }
    }
}

/// At most 255 * 256 + 128, which 16 bits hold.
const fn mix(first: u8, second: u8, weight: u16) -> u8 {
    ((first as u16 * (256 - weight) + second as u16 * weight + 128) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::noise;

    /// The same by the definition.
    fn reference(from: &[u8], from_width: usize, x: f64, y: f64) -> f64 {
        let from_height = from.len() / from_width;
        let clamp = |value: f64, count: usize| value.clamp(0.0, (count - 1) as f64);
        let (x, y) = (clamp(x, from_width), clamp(y, from_height));
        let cell = |x: f64, y: f64| {
            let (x, y) = (clamp(x, from_width) as usize, clamp(y, from_height) as usize);
            f64::from(from[y * from_width + x])
        };
        let line = |y: f64| cell(x.floor(), y) * (1.0 - x.fract()) + cell(x.floor() + 1.0, y) * x.fract();
        line(y.floor()) * (1.0 - y.fract()) + line(y.floor() + 1.0) * y.fract()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn every_pixel_is_the_mean_of_its_neighbours(
            (from, to) in ((2..40_usize, 2..40_usize), (0..60_usize, 0..60_usize)).prop_map(|(from, more)| (from, (from.0 + more.0, from.1 + more.1))),
            seed: u64,
        ) {
            let plane = noise(from.0 * from.1, seed);
            let mut out = vec![0; to.0 * to.1];
            Enlarger::default().plane(&plane, from.0, &mut out, to.0);
            for (at, &value) in out.iter().enumerate() {
                let middle = |cell: usize, from: usize, to: usize| (cell as f64 + 0.5) * from as f64 / to as f64 - 0.5;
                let (x, y) = (middle(at % to.0, from.0, to.0), middle(at / to.0, from.1, to.1));
                let expected = reference(&plane, from.0, x, y);
                // Places are rounded to 256ths, so by up to 1 where neighbours are as far apart as can be.
                prop_assert!((f64::from(value) - expected).abs() < 3.5, "cell {at}: {value}, {expected}");
            }
        }
    }
}
