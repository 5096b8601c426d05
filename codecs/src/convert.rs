//! Between a [`Frame`](crate::Frame) and what cameras deliver or screens take, and from one size to another.
//!
//! Nothing here goes through RGB that does not begin or end there: cameras deliver YUV, and the encoder takes it.

mod bgrx;
mod enlarge;
mod jpeg;
mod mjpeg;
mod packed;
mod rgba;
mod scale;

pub use bgrx::bgrx;
pub use jpeg::{Photo, photo};
pub use mjpeg::Mjpeg;
pub use packed::{nv12, yuyv};
pub use rgba::rgba;
pub use scale::Scaler;

/// The mean of two values, rounded up, as 4:2:2 chroma becomes 4:2:0.
fn average(upper: u8, lower: u8) -> u8 {
    ((u16::from(upper) + u16::from(lower) + 1) >> 1) as u8
}
