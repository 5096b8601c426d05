//! Each screen as it looks, in light and dark, in a usual and in the smallest window, with one and with two pixels a point.
//!
//! A picture that isn't there fails. To take new ones after a wanted change: `UPDATE_SNAPSHOTS=1 cargo test --release --workspace --test ui`.

use std::path::PathBuf;

use app::ui::{app::SMALLEST, preset::Sample, theme::Appearance};
use iced::Theme;
use image::RgbaImage;

use crate::stand::Stand;

/// Pictures are converted with other instructions on other processors, which round differently; letters are not.
const TOLERANCE: u8 = 4;

/// Pixels that may differ more, in a million: the edges of scaled pictures.
const STRAYS_PER_MILLION: usize = 200;

#[test]
fn every_screen_looks_as_it_did_in_the_light() {
    for sample in Sample::ALL {
        check(Stand::new(sample), &format!("{}-light", sample.name()), &Theme::Light, 2.0);
    }
}

#[test]
fn every_screen_looks_as_it_did_in_the_dark() {
    for sample in Sample::ALL {
        check(Stand::new(sample), &format!("{}-dark", sample.name()), &Theme::Dark, 2.0);
    }
}

#[test]
fn the_smallest_window_has_room_for_everything() {
    for sample in [Sample::Home, Sample::InCall, Sample::Group, Sample::Choosing, Sample::Sharing, Sample::Checked] {
        check(Stand::new(sample).sized(SMALLEST), &format!("{}-small", sample.name()), &Theme::Light, 2.0);
    }
}

#[test]
fn it_can_be_read_on_a_coarse_screen() {
    for sample in [Sample::SignedOut, Sample::Home, Sample::InCall] {
        check(Stand::new(sample), &format!("{}-1x", sample.name()), &Theme::Light, 1.0);
    }
}

#[track_caller]
fn check(mut stand: Stand, name: &str, theme: &Theme, scale: f32) {
    let dark = theme.extended_palette().is_dark;
    stand.app.choose_appearance(if dark { Appearance::Dark } else { Appearance::Light });
    let name = format!("{name}.png");
    let golden = tests::root().join("tests/ui/snapshots").join(&name);
    let now = stand.picture(theme, scale);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        now.save(&golden).expect("the new picture is written");
        return;
    }
    let Ok(before) = image::open(&golden) else {
        panic!("there is no picture {}; the screen as it is now: {}", golden.display(), keep(&name, &now).display());
    };
    if let Some(difference) = differ(&before.into_rgba8(), &now) {
        panic!("{name}: {difference}; the screen as it is now: {}", keep(&name, &now).display());
    }
}

/// How the pictures differ, if they do.
fn differ(before: &RgbaImage, now: &RgbaImage) -> Option<String> {
    if before.dimensions() != now.dimensions() {
        return Some(format!("{:?} pixels before, {:?} now", before.dimensions(), now.dimensions()));
    }
    let far = |(one, other): (&image::Rgba<u8>, &image::Rgba<u8>)| {
        one.0.iter().zip(other.0).any(|(one, other)| one.abs_diff(other) > TOLERANCE)
    };
    let strays = before.pixels().zip(now.pixels()).filter(|pair| far(*pair)).count();
    let allowed = before.pixels().count() * STRAYS_PER_MILLION / 1_000_000;
    (strays > allowed).then(|| format!("{strays} pixels differ"))
}

/// Keeps the picture to be looked at.
fn keep(name: &str, picture: &RgbaImage) -> PathBuf {
    let folder = tests::root().join("target/ui-snapshots");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    let file = folder.join(name);
    picture.save(&file).expect("the picture is kept");
    file
}

#[test]
fn a_changed_picture_is_noticed() {
    let one = RgbaImage::from_pixel(200, 200, image::Rgba([100, 100, 100, 255]));
    let mut other = one.clone();
    assert_eq!(differ(&one, &other), None);
    for x in 0..20 {
        other.put_pixel(x, 5, image::Rgba([120, 100, 100, 255]));
    }
    assert!(differ(&one, &other).is_some());
    assert!(differ(&one, &RgbaImage::new(200, 201)).is_some());
}
