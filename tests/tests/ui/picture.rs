//! A moving picture on the CPU's way: from the slot to the pixels of the window.

use std::time::{Duration, Instant};

use app::ui::widget::video::{Feed, Video};
use codecs::{Color, Frame, Matrix, MediaTime, Range, convert};
use iced::{Event, Size, Theme, widget::text, window};
use iced_test::Simulator;
use media::Slot;

/// A frame of four flat fields, so that scaling changes nothing but the edges between them.
pub(crate) fn fields(size: codecs::Size, color: Color) -> Frame {
    let mut frame = Frame::new(size, color, MediaTime::ZERO);
    let (width, height) = (size.width as usize, size.height as usize);
    let (y, u, v) = frame.planes_mut();
    let field = |x: usize, y: usize, width: usize, height: usize| usize::from(x * 2 >= width) + 2 * usize::from(y * 2 >= height);
    for (at, value) in y.iter_mut().enumerate() {
        *value = [40, 110, 180, 220][field(at % width, at / width, width, height)];
    }
    for (at, (u, v)) in u.iter_mut().zip(v).enumerate() {
        let field = field(at % (width / 2), at / (width / 2), width / 2, height / 2);
        (*u, *v) = ([90, 160, 128, 100][field], [200, 100, 128, 140][field]);
    }
    frame
}

/// What the middles of the four fields are in RGB.
pub(crate) fn expected(frame: &Frame) -> [[u8; 3]; 4] {
    let mut rgba = Vec::new();
    convert::rgba(frame, &mut rgba).expect("a whole frame converts");
    let (width, height) = (frame.size().width as usize, frame.size().height as usize);
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| {
        let at = (height * y / 4 * width + width * x / 4) * 4;
        [rgba[at], rgba[at + 1], rgba[at + 2]]
    })
}

pub(crate) fn near(one: [u8; 3], other: [u8; 3], tolerance: u8) -> bool {
    one.iter().zip(other).all(|(one, other)| one.abs_diff(other) <= tolerance)
}

type Screen<'a> = Simulator<'a, (), Theme, iced::Renderer>;

fn screen<'a>(video: Video<'a, ()>) -> Screen<'a> {
    Simulator::with_size(app::ui::settings(), Size::new(400.0, 300.0), video)
}

fn redraw(screen: &mut Screen<'_>, now: Instant) {
    screen.simulate([Event::Window(window::Event::RedrawRequested(now))]);
}

fn pixels(screen: &mut Screen<'_>) -> image::RgbaImage {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let snapshot = screen.snapshot(&Theme::Dark).expect("a snapshot");
    assert!(snapshot.matches_image(folder.path().join("x.png")).expect("the snapshot is written"));
    image::open(folder.path().join("x-tiny-skia.png")).expect("the CPU's renderer is used").into_rgba8()
}

fn at(picture: &image::RgbaImage, x: u32, y: u32) -> [u8; 3] {
    let [r, g, b, _] = picture.get_pixel(x, y).0;
    [r, g, b]
}

#[test]
fn colours_arrive_in_any_range_and_matrix() {
    for range in [Range::Limited, Range::Full] {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            let frame = fields(codecs::Size::VGA, Color { range, matrix });
            let expected = expected(&frame);
            let feed = Feed::new(Slot::new());
            feed.slot.put(frame);
            let shown = pixels(&mut screen(Video::new(&feed, 2.0, text("nothing")).still(true)));
            let found = [(200, 150), (600, 150), (200, 450), (600, 450)].map(|(x, y)| at(&shown, x, y));
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(near(found, expected, 2), "{range:?} {matrix:?}: {found:?}, not {expected:?}");
            }
        }
    }
}

#[test]
fn a_mirrored_picture_has_left_and_right_swapped() {
    let frame = fields(codecs::Size::VGA, Color::default());
    let [left, right, ..] = expected(&frame);
    let feed = Feed::new(Slot::new());
    feed.slot.put(frame);
    let shown = pixels(&mut screen(Video::new(&feed, 2.0, text("nothing")).still(true).mirrored()));
    assert!(near(at(&shown, 200, 150), right, 2) && near(at(&shown, 600, 150), left, 2));
}

#[test]
fn the_shape_is_kept_and_corners_are_round() {
    let feed = Feed::new(Slot::new());
    feed.slot.put(fields(codecs::Size::new(320, 320).unwrap(), Color::default()));
    let shown = pixels(&mut screen(Video::new(&feed, 2.0, text("nothing")).still(true).radius(20.0)));
    let ground = at(&shown, 10, 300);
    // 300 by 300 points in the middle of 400 by 300: bars of 50 points, which are 100 pixels.
    assert_eq!(at(&shown, 96, 300), ground);
    assert_ne!(at(&shown, 104, 300), ground);
    assert_eq!(at(&shown, 101, 1), ground, "the corner is cut");
}

#[test]
fn a_picture_gives_way_when_it_stands_still_and_comes_back() {
    let feed = Feed::new(Slot::new());
    let mut screen = screen(Video::new(&feed, 1.0, text("Waiting")));
    let start = Instant::now();
    redraw(&mut screen, start);
    assert!(screen.find("Waiting").is_ok());

    feed.slot.put(fields(codecs::Size::VGA, Color::default()));
    redraw(&mut screen, start + Duration::from_millis(10));
    assert!(screen.find("Waiting").is_err());
    redraw(&mut screen, start + Duration::from_millis(900));
    assert!(screen.find("Waiting").is_err());
    redraw(&mut screen, start + Duration::from_millis(1100));
    assert!(screen.find("Waiting").is_ok());

    feed.slot.put(fields(codecs::Size::VGA, Color::default()));
    redraw(&mut screen, start + Duration::from_millis(1200));
    assert!(screen.find("Waiting").is_err());
    feed.slot.clear();
    redraw(&mut screen, start + Duration::from_millis(1300));
    assert!(screen.find("Waiting").is_ok());
}

#[test]
fn a_picture_that_stands_still_is_marked_within_a_second_and_never_shown_as_it_was() {
    let feed = Feed::new(Slot::new());
    let mark = iced::widget::center(text("Frozen")).style(app::ui::theme::container::frozen(0.0));
    let mut screen = screen(Video::new(&feed, 2.0, text("Waiting")).frozen(mark));
    let start = Instant::now();
    feed.slot.put(fields(codecs::Size::VGA, Color::default()));
    redraw(&mut screen, start);
    let live = pixels(&mut screen);
    redraw(&mut screen, start + Duration::from_millis(990));
    assert!(screen.find("Frozen").is_err() && screen.find("Waiting").is_err());
    redraw(&mut screen, start + Duration::from_millis(1000));
    assert!(screen.find("Frozen").is_ok() && screen.find("Waiting").is_err());
    // A snapshot redraws at the real time, so this picture is old by that as well.
    let before = Instant::now() - Duration::from_millis(1500);
    feed.slot.put(fields(codecs::Size::VGA, Color::default()));
    redraw(&mut screen, before);
    assert!(screen.find("Frozen").is_err());
    let frozen = pixels(&mut screen);
    for (x, y) in [(200, 150), (600, 150), (200, 450), (600, 450)] {
        let (before, now) = (at(&live, x, y), at(&frozen, x, y));
        assert!(!near(before, now, 40), "it looks as if it lived: {before:?} and {now:?}");
    }
    feed.slot.put(fields(codecs::Size::VGA, Color::default()));
    redraw(&mut screen, Instant::now());
    assert!(screen.find("Frozen").is_err());
    assert_eq!(at(&pixels(&mut screen), 200, 150), at(&live, 200, 150));
    feed.slot.clear();
    redraw(&mut screen, Instant::now());
    assert!(screen.find("Waiting").is_ok() && screen.find("Frozen").is_err());
}

#[test]
fn a_camera_that_is_off_is_not_shown_even_if_a_picture_is_left() {
    let feed = Feed::new(Slot::new());
    feed.slot.put(fields(codecs::Size::VGA, Color::default()));
    let mut screen = screen(Video::new(&feed, 1.0, text("Camera off")).shown(false));
    redraw(&mut screen, Instant::now());
    assert!(screen.find("Camera off").is_ok());
}
