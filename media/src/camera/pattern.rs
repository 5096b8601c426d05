//! The test picture: a ball in motion before colour bars, over a strip that scrolls, with room for the [barcode](crate::barcode).

use std::time::Duration;

use codecs::{Color, Frame, MediaTime, Size};

/// Limited-range BT.601 (luma, u, v) of the eight bars of EBU Tech. 3325 at 75 %: white, yellow, cyan, green, magenta, red, blue,
/// black.
const BARS: [(u8, u8, u8); 8] = [
    (180, 128, 128),
    (162, 44, 142),
    (131, 156, 44),
    (112, 72, 58),
    (84, 184, 198),
    (65, 100, 212),
    (35, 212, 114),
    (16, 128, 128),
];
/// How long the ball takes to cross the picture and come back, in seconds; two incommensurable figures make a long path.
const BALL_PERIODS: (f64, f64) = (4.0, 2.7);
/// Pixels the strip scrolls in a second at a width of 640.
const SCROLL: f64 = 96.0;

/// Draws the test picture of one size at any time.
pub struct Pattern {
    background: Frame,
}

impl Pattern {
    /// Prepares the still part.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let mut background = Frame::new(size, Color::default(), MediaTime(0));
        let (width, height) = (size.width as usize, size.height as usize);
        let (y_stride, u_stride, v_stride) = background.strides();
        let (y, u, v) = background.planes_mut();
        let bar = |pixel: usize, width: usize| BARS[pixel * BARS.len() / width];
        for (row, line) in y.chunks_exact_mut(y_stride).enumerate() {
            // A slope from top to bottom shows banding where the bars are flat.
            let shade = 20 * row / height;
            line[..width].iter_mut().enumerate().for_each(|(x, luma)| *luma = bar(x, width).0 + shade as u8);
        }
        for line in u.chunks_exact_mut(u_stride) {
            line[..width / 2].iter_mut().enumerate().for_each(|(x, value)| *value = bar(x, width / 2).1);
        }
        for line in v.chunks_exact_mut(v_stride) {
            line[..width / 2].iter_mut().enumerate().for_each(|(x, value)| *value = bar(x, width / 2).2);
        }
        Self { background }
    }

    /// The picture `since_start` into the show, as a frame of the given media time.
    #[must_use]
    pub fn draw(&self, since_start: Duration, time: MediaTime) -> Frame {
        let mut frame = self.background.clone();
        frame.set_time(time);
        scroll(&mut frame, since_start);
        ball(&mut frame, since_start);
        frame
    }
}

/// Soft stripes along the lowest eighth.
fn scroll(frame: &mut Frame, since_start: Duration) {
    let (width, height) = (frame.size().width as usize, frame.size().height as usize);
    let (y_stride, u_stride, v_stride) = frame.strides();
    let (y, u, v) = frame.planes_mut();
    let stripe = (width / 10).max(8);
    let offset = (since_start.as_secs_f64() * SCROLL * width as f64 / 640.0) as usize % (2 * stripe);
    let top = height - height / 8;
    if let Some((first, rest)) = y[top * y_stride..].split_at_mut_checked(y_stride) {
        for (x, luma) in first[..width].iter_mut().enumerate() {
            let phase = (x + offset) % (2 * stripe);
            let rise = if phase < stripe { phase } else { 2 * stripe - phase };
            *luma = (50 + 150 * rise / stripe) as u8;
        }
        rest.chunks_exact_mut(y_stride).for_each(|line| line[..width].copy_from_slice(&first[..width]));
    }
    for (plane, stride) in [(u, u_stride), (v, v_stride)] {
        plane.chunks_exact_mut(stride).skip(top.div_ceil(2)).for_each(|line| line[..width / 2].fill(128));
    }
}

/// A white ball that bounces between the barcode and the strip.
fn ball(frame: &mut Frame, since_start: Duration) {
    let (width, height) = (f64::from(frame.size().width), f64::from(frame.size().height));
    let radius = height / 12.0;
    let seconds = since_start.as_secs_f64();
    let swing = |period: f64| (seconds / period).fract().mul_add(2.0, -1.0).abs();
    let (left, top) = (radius, height / 8.0 + radius);
    let x = (width - 2.0 * radius).mul_add(swing(BALL_PERIODS.0), left);
    let y = (height * 0.75 - 2.0 * radius).mul_add(swing(BALL_PERIODS.1), top);
    let (y_stride, u_stride, v_stride) = frame.strides();
    let (luma, u, v) = frame.planes_mut();
    disc(luma, y_stride, (x, y), radius, 225);
    disc(u, u_stride, (x / 2.0, y / 2.0), radius / 2.0, 128);
    disc(v, v_stride, (x / 2.0, y / 2.0), radius / 2.0, 128);
}

/// Fills a disc that lies inside the plane.
fn disc(plane: &mut [u8], stride: usize, (x, y): (f64, f64), radius: f64, value: u8) {
    let lines = (y - radius).ceil().max(0.0) as usize..(y + radius).floor().max(0.0) as usize + 1;
    for (row, line) in plane.chunks_exact_mut(stride).enumerate().take(lines.end).skip(lines.start) {
        let half = (radius * radius - (row as f64 - y).powi(2)).max(0.0).sqrt();
        let (start, end) = ((x - half).max(0.0) as usize, ((x + half).max(0.0) as usize).min(line.len()));
        if let Some(pixels) = line.get_mut(start..end) {
            pixels.fill(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moves_and_repeats() {
        let pattern = Pattern::new(Size::new(320, 240).unwrap());
        let at = |millis| pattern.draw(Duration::from_millis(millis), MediaTime(millis * 1000));
        assert_ne!(at(0).data(), at(33).data());
        assert_eq!(at(33).data(), at(33).data());
        assert_eq!(at(33).time(), MediaTime(33_000));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn draws_any_size_at_any_time(width in 8u32..400, height in 8u32..300, seconds in 0f64..1e6) {
            let pattern = Pattern::new(Size::new(width * 2, height * 2).unwrap());
            let _ = pattern.draw(Duration::from_secs_f64(seconds), MediaTime(0));
        }
    }
}
