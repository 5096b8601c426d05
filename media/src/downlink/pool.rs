//! Frames to be used again: a new one of 640x480 costs as much in fresh memory as the copy into it.

use std::sync::Arc;

use codecs::{Frame, h264::Picture};

/// Frames kept: the one that's shown, the one on its way there, the one that a redraw still holds, and those that wait for their sound.
const KEPT: usize = 6;

/// Frames that were given out, and may have come back.
#[derive(Default)]
pub(super) struct Pool(Vec<Arc<Frame>>);

impl Pool {
    /// A copy of the picture, in a frame that nobody holds any more or else in a new one.
    pub(super) fn copy(&mut self, picture: &Picture<'_>) -> Arc<Frame> {
        // A stranger's change of size must not leave large buffers behind.
        self.0.retain(|frame| frame.size() == picture.size());
        for frame in &mut self.0 {
            if let Some(free) = Arc::get_mut(frame) {
                picture.copy_into(free);
                return Arc::clone(frame);
            }
        }
        let frame = Arc::new(picture.to_frame());
        if self.0.len() < KEPT {
            self.0.push(Arc::clone(&frame));
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use codecs::{
        Color, MediaTime, Size,
        h264::{Decoder, Encoder, EncoderConfig},
    };

    use super::*;

    /// Copies pictures of this size and tells their times; `hold` keeps the frames.
    fn copy(pool: &mut Pool, width: u32, count: u64, hold: &mut Vec<Arc<Frame>>) -> Vec<*const u8> {
        let size = Size::new(width, 64).unwrap();
        let config = EncoderConfig { size, frames_per_second: 30.0, bits_per_second: 500_000, color: Color::default() };
        let (mut encoder, mut decoder) = (Encoder::new(config).unwrap(), Decoder::new().unwrap());
        let copied = (0..count).map(|index| {
            let packet = encoder.encode(&Frame::new(size, Color::default(), MediaTime(index * 33_333))).unwrap().unwrap();
            let picture = decoder.decode(&packet.data, Color::default(), packet.time).unwrap().unwrap();
            let frame = pool.copy(&picture);
            assert_eq!(*frame, picture.to_frame());
            let buffer = frame.data().as_ptr();
            hold.push(frame);
            buffer
        });
        copied.collect()
    }

    #[test]
    fn a_frame_is_used_again_once_nobody_holds_it() {
        let (mut pool, mut held) = (Pool::default(), Vec::new());
        let first = copy(&mut pool, 64, KEPT as u64 + 2, &mut held);
        assert_eq!(pool.0.len(), KEPT);
        let times: Vec<_> = held.iter().map(|frame| frame.time().0).collect();
        assert!(
            times.iter().copied().eq((0..KEPT as u64 + 2).map(|index| index * 33_333)),
            "none was overwritten while it was held"
        );
        held.clear();
        let again = copy(&mut pool, 64, 3, &mut held);
        assert_eq!(again, first[..3]);
        copy(&mut pool, 128, 1, &mut held);
        assert!(pool.0.iter().all(|frame| frame.size().width == 128), "frames of the old size are let go of");
    }
}
