//! Which of a camera's formats serves a call best.

use codecs::Size;
use nokhwa::utils::{CameraFormat, FrameFormat};

use crate::VideoConfig;

/// The pixel formats that become I420 without a detour. Webcams have YUYV or MJPEG, built-in cameras often NV12.
pub(super) const USABLE: [FrameFormat; 3] = [FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::MJPEG];

/// The usable formats among those offered, best first.
///
/// A frame rate far below the wanted one is worst: it's seen at once. Then a picture smaller than wanted, another shape, a larger picture (it costs time to
/// scale), and last MJPEG, which costs time to decode and has lost detail already.
pub(super) fn rank(offered: &[CameraFormat], want: VideoConfig) -> Vec<CameraFormat> {
    let mut ranked: Vec<_> = (offered.iter())
        .filter(|format| USABLE.contains(&format.format()) && (1..=240).contains(&format.frame_rate()))
        .filter_map(|&format| Some((cost(format, want)?, format)))
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    ranked.dedup_by_key(|(_, format)| *format);
    ranked.into_iter().map(|(_, format)| format).collect()
}

fn cost(format: CameraFormat, want: VideoConfig) -> Option<f64> {
    let size = Size::new(format.width(), format.height()).ok()?;
    let rate = f64::from(format.frame_rate()) / f64::from(want.frames_per_second.max(1.0));
    let slow = if rate < 1.0 { 4.0 * (rate.recip() - 1.0) } else { 0.1 * (rate - 1.0) };
    let area = size.pixels() as f64 / want.size.pixels() as f64;
    let large = if area < 1.0 { 1.5 * area.recip().log2() } else { 0.4 * area.log2() };
    let aspect = |size: Size| f64::from(size.width) / f64::from(size.height);
    let shape = (aspect(size) / aspect(want.size)).ln().abs();
    let coded = if format.format() == FrameFormat::MJPEG { 0.15 } else { 0.0 };
    Some(slow + large + shape + coded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(width: u32, height: u32, format: FrameFormat, rate: u32) -> CameraFormat {
        CameraFormat::new_from(width, height, format, rate)
    }

    fn best(offered: &[CameraFormat], want: VideoConfig) -> String {
        rank(offered, want).first().map(ToString::to_string).unwrap_or_default()
    }

    /// A common USB 2 webcam.
    fn webcam() -> Vec<CameraFormat> {
        let mut all = Vec::new();
        for (width, height, raw) in [(320, 240, 30), (640, 480, 30), (800, 600, 15), (1280, 720, 10), (1920, 1080, 5)] {
            all.push(format(width, height, FrameFormat::YUYV, raw));
            all.push(format(width, height, FrameFormat::MJPEG, 30));
        }
        all
    }

    #[test]
    fn raw_where_it_is_fast_enough_and_mjpeg_elsewhere() {
        let vga = VideoConfig::default();
        assert_eq!(best(&webcam(), vga), format(640, 480, FrameFormat::YUYV, 30).to_string());
        let hd = VideoConfig { size: Size::HD, ..vga };
        assert_eq!(best(&webcam(), hd), format(1280, 720, FrameFormat::MJPEG, 30).to_string());
    }

    #[test]
    fn speed_before_size_and_size_before_shape() {
        let vga = VideoConfig::default();
        let slow = [format(640, 480, FrameFormat::YUYV, 1), format(320, 240, FrameFormat::YUYV, 30)];
        assert_eq!(best(&slow, vga), slow[1].to_string());
        let wide = [format(320, 240, FrameFormat::NV12, 30), format(1280, 720, FrameFormat::NV12, 30)];
        assert_eq!(best(&wide, vga), wide[1].to_string());
    }

    #[test]
    fn a_little_slower_is_better_than_cropped() {
        let offered = [format(640, 360, FrameFormat::YUYV, 30), format(640, 480, FrameFormat::YUYV, 25)];
        assert_eq!(best(&offered, VideoConfig::default()), offered[1].to_string());
        let slower = [format(640, 360, FrameFormat::YUYV, 30), format(640, 480, FrameFormat::YUYV, 15)];
        assert_eq!(best(&slower, VideoConfig::default()), slower[0].to_string());
    }

    #[test]
    fn what_cannot_be_used_is_left_out() {
        let useless = [
            format(640, 480, FrameFormat::GRAY, 30),
            format(640, 480, FrameFormat::RAWRGB, 30),
            format(640, 480, FrameFormat::YUYV, 30_000),
            format(641, 480, FrameFormat::YUYV, 30),
            format(0, 0, FrameFormat::YUYV, 30),
        ];
        assert!(rank(&useless, VideoConfig::default()).is_empty());
    }
}
