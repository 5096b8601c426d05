//! Finding things in a screenshot: a button by its colour, a picture by the barcode in it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use image::RgbImage;
use media::barcode;

/// A rectangle of a screenshot, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// A test picture seen on the screen.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub area: Area,
    /// When it was captured, microseconds since 1970.
    pub captured: u64,
}

/// Side of the squares a button is looked for in. Dots and letters of its colour fill none.
const SQUARE: u32 = 12;

/// The middle of what is filled with the colour within the area, if anything is: a button rather than a dot.
pub fn button(picture: &RgbImage, area: Area, color: [u8; 3]) -> Option<(u32, u32)> {
    let alike = |x: u32, y: u32| alike(picture.get_pixel(x, y).0, color);
    let mut filled = Vec::new();
    for y in (area.y..area.y + area.height - SQUARE).step_by(4) {
        for x in (area.x..area.x + area.width - SQUARE).step_by(4) {
            let corners = [(x, y), (x + SQUARE, y), (x, y + SQUARE), (x + SQUARE, y + SQUARE)];
            if corners.into_iter().all(|(x, y)| alike(x, y)) && (x..x + SQUARE).all(|x| (y..y + SQUARE).all(|y| alike(x, y))) {
                filled.push((x + SQUARE / 2, y + SQUARE / 2));
            }
        }
    }
    filled.get(filled.len() / 2).copied()
}

/// How many pixels within the area have the colour.
pub fn painted(picture: &RgbImage, area: Area, color: [u8; 3]) -> usize {
    let row = |y: u32| (area.x..area.x + area.width).filter(move |x| alike(picture.get_pixel(*x, y).0, color)).count();
    (area.y..area.y + area.height).map(row).sum()
}

fn alike(one: [u8; 3], other: [u8; 3]) -> bool {
    one.iter().zip(other).all(|(one, other)| one.abs_diff(other) <= 6)
}

/// Smallest and largest width of a picture that is looked for, in pixels.
const WIDTHS: std::ops::Range<u32> = 300..1200;

/// Test pictures of 4:3 within the area that were captured in the last seconds.
pub fn test_picture(picture: &RgbImage, area: Area, age: Duration) -> Option<Seen> {
    let stride = picture.width() as usize;
    let luma: Vec<u8> = picture
        .pixels()
        .map(|pixel| {
            let [red, green, blue] = pixel.0.map(u32::from);
            ((red * 77 + green * 150 + blue * 29) >> 8) as u8
        })
        .collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let now = u64::try_from(now.as_micros()).expect("a time that fits");
    let oldest = now - u64::try_from(age.as_micros()).expect("a short time");
    // A row of the barcode changes between black and white many times; few other rows of a window do.
    let busy = |y: u32| {
        let row = &luma[y as usize * stride + area.x as usize..][..area.width as usize];
        row.windows(4).filter(|window| window[0].abs_diff(window[3]) > 120).count() >= 20
    };
    let rows: Vec<u32> = (area.y..area.y + area.height).filter(|y| busy(*y)).collect();
    for y in rows.into_iter().step_by(3) {
        for width in WIDTHS.filter(|width| *width < area.width) {
            for x in (area.x..area.x + area.width - width).step_by(2) {
                let height = width * 3 / 4;
                let code = barcode::read_luma(&luma, stride, x, y, width, height);
                if let Some(captured) = code.filter(|time| (oldest..=now).contains(time)) {
                    return Some(Seen { area: Area { x, y, width, height }, captured });
                }
            }
        }
    }
    None
}
