//! Encoder and decoder together, on pictures, parameter sets and rubbish.

use proptest::prelude::*;

use super::*;
use crate::testing::{noise, photo, psnr};
use crate::{Color, Error, Frame, Matrix, Range, Size};

fn config(size: Size, bits_per_second: u32) -> EncoderConfig {
    EncoderConfig { size, frames_per_second: 30.0, bits_per_second, color: Color::default() }
}

fn small() -> Size {
    Size::new(256, 144).unwrap()
}

/// A keyframe and three frames that build on it.
fn packets() -> Vec<Packet> {
    let mut encoder = Encoder::new(config(small(), 2_000_000)).unwrap();
    let packets = (0..4).map(|number| encoder.encode(&photo(small(), number)).unwrap().unwrap());
    packets.collect()
}

#[test]
fn pictures_come_back_alike() {
    let odd = Size::new(162, 90).unwrap();
    for (size, bitrate, likeness) in
        [(Size::VGA, 1_500_000, 33.0), (small(), 600_000, 33.0), (odd, 300_000, 33.0), (Size::MIN, 100_000, 25.0)]
    {
        let mut encoder = Encoder::new(config(size, bitrate)).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let mut shown = 0;
        for number in 0..30 {
            let frame = photo(size, number);
            let Some(packet) = encoder.encode(&frame).unwrap() else { continue };
            assert_eq!((packet.time, packet.keyframe), (frame.time(), number == 0));
            let color = Color { range: Range::Full, matrix: Matrix::Bt709 };
            let decoded = decoder.decode(&packet.data, color, packet.time).unwrap().unwrap();
            assert_eq!((decoded.size(), decoded.time(), decoded.color()), (size, frame.time(), color));
            let decoded = decoded.to_frame();
            assert_eq!((decoded.size(), decoded.time(), decoded.color()), (size, frame.time(), color));
            let (y, u, v) = (psnr(decoded.y(), frame.y()), psnr(decoded.u(), frame.u()), psnr(decoded.v(), frame.v()));
            assert!(y > likeness && u > likeness && v > likeness, "{size} frame {number}: {y} {u} {v}");
            shown += 1;
        }
        assert!(shown >= 27, "{size}: {shown} of 30 shown");
    }
}

#[test]
fn keyframes_come_first_and_on_request_only() {
    let size = small();
    let mut encoder = Encoder::new(config(size, 1_000_000)).unwrap();
    encoder.request_keyframe();
    let mut keyframes = Vec::new();
    for number in 0..200 {
        if number == 110 {
            encoder.request_keyframe();
            encoder.request_keyframe();
        }
        // Every 50th is another scene.
        let frame = if number % 50 == 25 { scene(size, number) } else { photo(size, number) };
        let Some(packet) = encoder.encode(&frame).unwrap() else { continue };
        let parameters = packet.data.windows(4).any(|window| window == [0, 0, 1, 0x67]);
        assert_eq!(parameters, packet.keyframe, "frame {number}");
        if packet.keyframe {
            keyframes.push(number);
        }
    }
    assert_eq!(keyframes.len(), 2, "{keyframes:?}");
    assert_eq!(keyframes[0], 0);
    assert!((110..115).contains(&keyframes[1]), "{keyframes:?}");
}

/// The keyframes' lengths in bytes, and how many of 60 frames were encoded, with a keyframe every 20.
fn keyframes(most: Option<usize>, bits_per_second: u32, picture: fn(u64) -> Frame) -> (Vec<usize>, usize) {
    let mut encoder = Encoder::new(config(Size::VGA, bits_per_second)).unwrap();
    let mut decoder = Decoder::new().unwrap();
    if let Some(most) = most {
        encoder.set_keyframe_max(most);
    }
    let (mut lengths, mut encoded) = (Vec::new(), 0);
    for number in 0..60 {
        if number % 20 == 10 {
            encoder.request_keyframe();
        }
        let Some(packet) = encoder.encode(&picture(number)).unwrap() else { continue };
        encoded += 1;
        if packet.keyframe {
            lengths.push(packet.data.len());
        }
        assert!(decoder.decode(&packet.data, Color::default(), packet.time).unwrap().is_some(), "frame {number}");
    }
    assert_eq!(encoder.config().bits_per_second, bits_per_second);
    (lengths, encoded)
}

#[test]
fn a_keyframe_that_is_too_long_is_made_shorter_and_what_follows_is_not_starved() {
    let busy = |number| scene(Size::VGA, number / 20);
    for (most, bits_per_second) in [(9_000, 300_000), (12_000, 900_000)] {
        let (free, of_free) = keyframes(None, bits_per_second, busy);
        let (bound, of_bound) = keyframes(Some(most), bits_per_second, busy);
        assert!(bound[0] < free[0] * 2 / 3, "{free:?} {bound:?}");
        assert!(bound.iter().max() <= free.iter().max(), "{free:?} {bound:?}");
        assert!(of_bound + 3 >= of_free, "{of_bound} of 60 where it was {of_free}");
    }
}

/// A picture that has nothing in common with others.
fn scene(size: Size, number: u64) -> Frame {
    let mut frame = photo(size, number);
    for (luma, value) in frame.planes_mut().0.iter_mut().zip(noise(size.pixels(), number)) {
        *luma = 255 - *luma / 2 - value / 4;
    }
    frame
}

#[test]
fn a_keyframe_request_outlives_skipped_frames() {
    let size = small();
    let mut encoder = Encoder::new(config(size, 40_000)).unwrap();
    let mut skipped = 0;
    let mut waiting = None;
    for number in 0..200 {
        let packet = encoder.encode(&scene(size, number)).unwrap();
        match &packet {
            None => skipped += 1,
            Some(packet) if packet.keyframe => waiting = None,
            Some(_) => assert!(waiting.is_none(), "frame {number} is no keyframe, though one was asked for at {waiting:?}"),
        }
        if number % 20 == 10 {
            encoder.request_keyframe();
            waiting = Some(number);
        }
    }
    assert!(skipped > 25, "the test needs skipped frames, {skipped} were");
}

/// Bits a second over so many frames, which come at the rate the encoder is set to.
fn rate(encoder: &mut Encoder, numbers: std::ops::Range<u64>, skipped: &mut usize) -> f64 {
    let frames_per_second = f64::from(encoder.config().frames_per_second);
    let seconds = (numbers.end - numbers.start) as f64 / frames_per_second;
    let mut bytes = 0;
    for number in numbers {
        let mut frame = photo(encoder.size(), number);
        frame.set_time(MediaTime((number as f64 / frames_per_second * 1e6) as u64));
        let (y, _, _) = frame.planes_mut();
        for (luma, value) in y.iter_mut().zip(noise(encoder.size().pixels(), number)) {
            *luma = luma.saturating_add(value % 16);
        }
        match encoder.encode(&frame).unwrap() {
            Some(packet) => bytes += packet.data.len(),
            None => *skipped += 1,
        }
    }
    bytes as f64 * 8.0 / seconds
}

#[test]
fn the_rates_are_followed_and_change_on_the_fly() {
    let mut encoder = Encoder::new(config(small(), 2_000_000)).unwrap();
    // Before the first frame as well as after.
    encoder.set_bitrate(800_000).unwrap();
    encoder.set_frame_rate(25.0).unwrap();
    let mut skipped = 0;
    let mut begin = 0;
    for (target, frames_per_second) in [(800_000, 25.0), (300_000, 30.0), (1_500_000, 30.0), (400_000, 15.0), (400_000, 25.0)] {
        encoder.set_bitrate(target).unwrap();
        encoder.set_frame_rate(frames_per_second).unwrap();
        let config = encoder.config();
        assert_eq!((config.bits_per_second, config.frames_per_second), (target, frames_per_second));
        rate(&mut encoder, begin..begin + 20, &mut skipped);
        let measured = rate(&mut encoder, begin + 20..begin + 80, &mut skipped);
        begin += 80;
        let ratio = measured / f64::from(target);
        assert!((0.75..1.15).contains(&ratio), "{measured} bit/s for {target} at {frames_per_second}");
    }
    assert!(skipped < 40, "{skipped} of 400 skipped");
}

#[test]
fn other_frames_and_settings_are_refused() {
    let mut encoder = Encoder::new(config(small(), 500_000)).unwrap();
    assert!(matches!(encoder.encode(&photo(Size::VGA, 0)), Err(Error::FrameSize { .. })));
    let full = Frame::new(small(), Color::JPEG, MediaTime::ZERO);
    assert!(matches!(encoder.encode(&full), Err(Error::FrameColor { .. })));
    for bitrate in [0, 7_999, 200_000_001, u32::MAX] {
        assert!(matches!(encoder.set_bitrate(bitrate), Err(Error::Bitrate { .. })), "{bitrate}");
        assert!(matches!(Encoder::new(config(small(), bitrate)), Err(Error::Bitrate { .. })), "{bitrate}");
    }
    for frames_per_second in [0.0, 0.5, 61.0, f32::NAN, f32::INFINITY] {
        let config = EncoderConfig { frames_per_second, ..config(small(), 500_000) };
        assert!(matches!(Encoder::new(config), Err(Error::FrameRate { .. })), "{frames_per_second}");
        assert!(matches!(encoder.set_frame_rate(frames_per_second), Err(Error::FrameRate { .. })), "{frames_per_second}");
    }
    let mut size = small();
    size.width = 17;
    assert!(matches!(Encoder::new(config(size, 500_000)), Err(Error::Size { width: 17, .. })));
    assert!(encoder.encode(&photo(small(), 0)).unwrap().is_some(), "the encoder goes on");
}

#[test]
fn extreme_bitrates_hold_on_the_fly() {
    let mut encoder = Encoder::new(config(small(), 8_000)).unwrap();
    for (number, bitrate) in [8_000, 200_000_000, 8_000, 200_000_000].into_iter().enumerate() {
        encoder.encode(&photo(small(), number as u64)).unwrap();
        encoder.set_bitrate(bitrate).unwrap();
    }
}

#[test]
fn times_that_stand_still_or_go_back_are_carried_along() {
    let mut encoder = Encoder::new(config(small(), 2_000_000)).unwrap();
    for time in [0, 0, 33_000, 33_100, 10_000, u64::MAX, 5] {
        let mut frame = photo(small(), 0);
        frame.set_time(MediaTime(time));
        if let Some(packet) = encoder.encode(&frame).unwrap() {
            assert_eq!(packet.time.as_micros(), time);
        }
    }
}

#[test]
fn the_color_is_in_the_stream() {
    let mut sets: Vec<Vec<u8>> = Vec::new();
    for range in [Range::Limited, Range::Full] {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            let color = Color { range, matrix };
            let mut encoder = Encoder::new(EncoderConfig { color, ..config(small(), 500_000) }).unwrap();
            let packet = encoder.encode(&Frame::new(small(), color, MediaTime::ZERO)).unwrap().unwrap();
            let begin = packet.data.windows(4).position(|window| window == [0, 0, 1, 0x67]).unwrap();
            let end = packet.data.windows(4).position(|window| window == [0, 0, 1, 0x68]).unwrap();
            let set = packet.data[begin..end].to_vec();
            assert!(!sets.contains(&set), "{color:?} is written as another color is");
            sets.push(set);
        }
    }
}

#[test]
fn nothing_is_decoded_before_a_keyframe() {
    let packets = packets();
    let mut decoder = Decoder::new().unwrap();
    for packet in &packets[1..] {
        let result = decoder.decode(&packet.data, Color::default(), packet.time);
        assert!(matches!(result, Err(Error::KeyframeNeeded)), "{result:?}");
    }
    for packet in &packets {
        assert!(decoder.decode(&packet.data, Color::default(), packet.time).unwrap().is_some());
    }
}

#[test]
fn parameter_sets_alone_are_no_picture() {
    let keyframe = &packets()[0].data;
    let picture = keyframe.windows(4).position(|window| window == [0, 0, 1, 0x65]).unwrap();
    let mut decoder = Decoder::new().unwrap();
    assert!(decoder.decode(&keyframe[..picture - 1], Color::default(), MediaTime::ZERO).unwrap().is_none());
    let rest = decoder.decode(&keyframe[picture - 1..], Color::default(), MediaTime::ZERO).unwrap();
    assert_eq!(rest.unwrap().size(), small());
}

#[test]
fn truncated_access_units_are_errors_until_the_next_keyframe() {
    let packets = packets();
    let picture = packets[0].data.windows(4).position(|window| window == [0, 0, 1, 0x65]).unwrap();
    for (number, from) in [(0, picture + 4), (2, 0)] {
        let whole = &packets[number].data;
        for length in (from..whole.len()).step_by(13).chain(whole.len() - 20..whole.len()) {
            let mut decoder = Decoder::new().unwrap();
            for packet in &packets[..number] {
                decoder.decode(&packet.data, Color::default(), packet.time).unwrap();
            }
            let result = decoder.decode(&whole[..length], Color::default(), packets[number].time);
            assert!(result.is_err(), "packet {number} cut to {length} of {} bytes", whole.len());
            let next = decoder.decode(&packets[number + 1].data, Color::default(), packets[number + 1].time);
            assert!(matches!(next, Err(Error::KeyframeNeeded)), "{next:?}");
            assert!(decoder.decode(&packets[0].data, Color::default(), packets[0].time).unwrap().is_some());
        }
    }
}

#[test]
fn a_missing_packet_is_noticed() {
    let packets = packets();
    let mut decoder = Decoder::new().unwrap();
    decoder.decode(&packets[0].data, Color::default(), packets[0].time).unwrap();
    let result = decoder.decode(&packets[2].data, Color::default(), packets[2].time);
    assert!(matches!(result, Err(Error::H264Decode { .. } | Error::H264Incomplete)), "{result:?}");
}

#[test]
fn the_size_may_change_at_a_keyframe() {
    let mut decoder = Decoder::new().unwrap();
    for size in [small(), Size::VGA, Size::MIN, small()] {
        let mut encoder = Encoder::new(config(size, 1_000_000)).unwrap();
        for number in 0..2 {
            let packet = encoder.encode(&photo(size, number)).unwrap().unwrap();
            let frame = decoder.decode(&packet.data, Color::default(), packet.time).unwrap().unwrap();
            assert_eq!(frame.size(), size);
        }
    }
}

#[test]
fn a_lent_picture_is_copied_into_any_frame() {
    let mut decoder = Decoder::new().unwrap();
    // One of another size and one that holds something else: nothing of either is left.
    let mut used = [Frame::new(Size::VGA, Color::JPEG, MediaTime(9)), photo(small(), 7)];
    for packet in &packets() {
        let picture = decoder.decode(&packet.data, Color::default(), packet.time).unwrap().unwrap();
        let kept = picture.to_frame();
        let stride = picture.strides().0;
        let rows = picture.y().chunks(stride).zip(kept.y().chunks(kept.strides().0));
        assert!(rows.take(small().height as usize).all(|(lent, kept)| lent[..kept.len()] == *kept));
        for frame in &mut used {
            let buffer = frame.data().as_ptr();
            picture.copy_into(frame);
            assert_eq!(*frame, kept);
            assert_eq!(frame.data().as_ptr(), buffer, "the buffer is used again");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn damaged_streams_never_panic(damage in proptest::collection::vec((0..4_usize, any::<proptest::sample::Index>(), any::<u8>()), 1..10)) {
        let mut packets = packets_once().to_vec();
        for (packet, at, value) in damage {
            let data = &mut packets[packet].data;
            let at = at.index(data.len());
            data[at] = value;
        }
        let mut decoder = Decoder::new().unwrap();
        for packet in &packets {
            if let Ok(Some(frame)) = decoder.decode(&packet.data, Color::default(), packet.time) {
                prop_assert_eq!(frame.to_frame().data().len(), frame.size().i420_len());
            }
        }
        prop_assert!(decoder.decode(&packets_once()[0].data, Color::default(), MediaTime::ZERO).unwrap().is_some());
    }

    #[test]
    fn random_units_never_panic(units in proptest::collection::vec((prop_oneof![Just(5_u8), Just(7), Just(8), Just(1), any::<u8>()], proptest::collection::vec(any::<u8>(), 0..80)), 1..6)) {
        let mut decoder = Decoder::new().unwrap();
        for (kind, payload) in units {
            let unit = [&[0, 0, 0, 1, 0x60 | kind][..], &payload].concat();
            let _ = decoder.decode(&unit, Color::default(), MediaTime::ZERO);
            let _ = decoder.decode(&payload, Color::default(), MediaTime::ZERO);
        }
    }
}

/// A page full of text: strokes of full contrast in cells of 8x16, of which some are blank. `scrolled` moves it up by so many rows.
fn page(size: Size, scrolled: usize, number: u64) -> Frame {
    let mut frame = Frame::new(size, Color::default(), MediaTime(number * 100_000));
    let width = size.width as usize;
    let letters = noise(1 << 16, 7);
    let (luma, ..) = frame.planes_mut();
    for (y, row) in luma.chunks_mut(width).enumerate() {
        let y = y + scrolled;
        for (x, luma) in row.iter_mut().enumerate() {
            let letter = usize::from(letters[(y / 16 * 240 + x / 8) % letters.len()]);
            let stroke = letters[(letter % 64 * 128 + y % 16 / 2 * 8 + x % 8 / 2) % letters.len()].is_multiple_of(3);
            *luma = if letter < 170 && (2..14).contains(&(y % 16)) && x % 8 < 7 && stroke { 20 } else { 235 };
        }
    }
    let (_, u, v) = frame.planes_mut();
    u.fill(128);
    v.fill(128);
    frame
}

#[test]
fn a_screen_is_sharp_at_once_costs_nothing_while_it_is_still_and_little_while_it_scrolls() {
    let size = Size::HD;
    let mut encoder = Encoder::screen(size, Color::default()).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let mut number = 0;
    let mut show = |scrolled: usize, edited: bool| {
        let mut frame = page(size, scrolled, number);
        if edited {
            frame.planes_mut().0[300 * 1280 + 100..][..10].fill(128);
        }
        number += 1;
        let packet = encoder.encode(&frame).unwrap().expect("no frame is skipped");
        let shown = decoder.decode(&packet.data, Color::default(), packet.time).unwrap().unwrap().to_frame();
        let likeness = psnr(shown.y(), frame.y());
        assert!(likeness > 37.0, "{likeness} dB");
        (packet.data.len(), packet.keyframe)
    };
    let (all, keyframe) = show(0, false);
    assert!(keyframe);
    for _ in 0..5 {
        let (still, keyframe) = show(0, false);
        assert!(still < 100 && !keyframe, "{still} bytes of {all}");
    }
    let (edited, keyframe) = show(0, true);
    assert!(edited < 1000 && !keyframe, "{edited} bytes of {all}");
    for step in 1..6 {
        let (scrolled, keyframe) = show(step * 32, false);
        assert!(scrolled < all / 20 && !keyframe, "{scrolled} bytes of {all}");
    }
}

fn packets_once() -> &'static [Packet] {
    static PACKETS: std::sync::OnceLock<Vec<Packet>> = std::sync::OnceLock::new();
    PACKETS.get_or_init(packets)
}
