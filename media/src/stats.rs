//! What a call has measured so far, for a report or a status line.
//!
//! Counts and times grow from the call's start and are never reset, so a rate is the difference of two readings.

mod offsets;

use std::{collections::BTreeMap, time::Duration};

use codecs::Size;
use hdrhistogram::Histogram;

use crate::Level;

pub use offsets::Offsets;

/// Everything measured in a call.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// What is sent.
    pub sent: Sent,
    /// What is received, by peer. A peer who left is still here.
    pub received: BTreeMap<u16, Received>,
    /// What becomes of the sound of all of them.
    pub played: Played,
}

/// What is sent.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Pictures.
    pub video: VideoSent,
    /// Sound.
    pub audio: AudioSent,
    /// The shared screen.
    pub screen: VideoSent,
}

/// What came from one peer.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Pictures.
    pub video: VideoReceived,
    /// Sound.
    pub audio: AudioReceived,
    /// Their shared screen.
    pub screen: VideoReceived,
}

/// Pictures from the own camera to the sink.
#[derive(Clone, Debug, Default)]
pub struct VideoSent {
    /// Frames the camera gave.
    pub captured: u64,
    /// Frames never encoded, since a newer one was there by the time the transport could take one.
    pub stale: u64,
    /// Frames left out because the path takes fewer than the camera gives.
    pub paced: u64,
    /// Frames given to the encoder.
    pub encoded: u64,
    /// Frames the encoder left out to keep its bitrate.
    pub skipped: u64,
    /// Frames that could not be encoded or were too large to send.
    pub failed: u64,
    /// Packets handed to the sink.
    pub sent: u64,
    /// Packets among them that are keyframes.
    pub keyframes: u64,
    /// Keyframes asked for by receivers; several requests may be met by one.
    pub keyframes_asked: u64,
    /// Packets the transport gave up.
    pub gave_up: u64,
    /// Bytes of payload.
    pub bytes: u64,
    /// Size of the frames now.
    pub size: Option<Size>,
    /// What the path takes now, in bits per second; 0 before anything is known.
    pub bits_per_second: u32,
    /// Most frames that the path takes now, per second.
    pub frames_per_second: f32,
    /// How long packets wait in queues on the whole way now, as far as is known.
    pub queue: Option<Duration>,
    /// Time to encode one frame.
    pub encode_time: Delays,
}

impl VideoSent {
    /// A frame of this size was encoded in `took`, and goes out in so many bytes of payload.
    pub(crate) fn sends(&mut self, size: Option<Size>, took: Duration, keyframe: bool, bytes: usize) {
        self.encoded += 1;
        self.encode_time.record(took);
        self.sent += 1;
        self.keyframes += u64::from(keyframe);
        self.bytes += bytes as u64;
        self.size = size;
    }
}

/// Sound from the own microphone to the sink.
#[derive(Clone, Debug, Default)]
pub struct AudioSent {
    /// Frames of 20 ms the microphone gave.
    pub captured: u64,
    /// Frames thrown away unheard while muted.
    pub muted: u64,
    /// Frames not sent since there was nothing to hear in them.
    pub silent: u64,
    /// Frames that could not be encoded.
    pub failed: u64,
    /// Packets handed to the sink.
    pub sent: u64,
    /// Bytes of payload.
    pub bytes: u64,
    /// How loud the microphone's sound is, muted or not.
    pub level: Level,
    /// Sound the microphone heard and nobody took from it in time: this machine was too busy.
    pub lost: Duration,
}

/// Pictures of one peer.
#[derive(Clone, Debug, Default)]
pub struct VideoReceived {
    /// Packets that came, without duplicates.
    pub received: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came after their turn had passed.
    pub late: u64,
    /// Packets that never came in time.
    pub lost: u64,
    /// Packets dropped since they can't be decoded without one that is missing.
    pub undecodable: u64,
    /// Packets that are no packets.
    pub malformed: u64,
    /// Keyframes received.
    pub keyframes: u64,
    /// Keyframes asked for.
    pub keyframes_wanted: u64,
    /// Bytes of payload.
    pub bytes: u64,
    /// Frames decoded.
    pub decoded: u64,
    /// Packets the decoder refused.
    pub refused: u64,
    /// Decoded frames put up for showing; the others were followed by a newer one at once.
    pub shown: u64,
    /// Freezes and pauses of what was shown.
    pub freezes: Freezes,
    /// Size of the frames now.
    pub size: Option<Size>,
    /// From capture to decoded, read off the test picture's barcode. Empty for any other picture.
    pub delay: Delays,
    /// The same to put up for showing, of those that were; a screen adds what it takes to its next redraw.
    pub shown_delay: Delays,
    /// How long decoded pictures waited for their sound before they were put up for showing, of those that were.
    pub held: Delays,
    /// How much later than each picture its sound was heard; nothing of pictures without sound.
    pub offset: Offsets,
    /// Time to decode one frame.
    pub decode_time: Delays,
}

/// How often and how long a picture stood still, as the W3C's webrtc-stats defines it. What stands still now, and has for a second,
/// is counted as it will be if it moves again at this moment: so a freeze becomes a pause when it outlasts 5 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freezes {
    /// Times a frame stood for longer than max(3 times the average, the average + 150 ms), but for at most 5 s.
    pub freezes: u64,
    /// Time frozen in all.
    pub frozen: Duration,
    /// Times a frame stood for more than 5 s.
    pub pauses: u64,
    /// Time paused in all.
    pub paused: Duration,
}

/// Sound of one peer.
#[derive(Clone, Debug, Default)]
pub struct AudioReceived {
    /// Packets that came, without duplicates.
    pub received: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came after their turn had passed, and were not heard.
    pub late: u64,
    /// Packets whose turn passed without them.
    pub lost: u64,
    /// Packets dropped unheard to get back to a short delay after a stall.
    pub skipped: u64,
    /// Packets that are no packets.
    pub malformed: u64,
    /// Packets the decoder refused.
    pub refused: u64,
    /// Bytes of payload.
    pub bytes: u64,
    /// Sound decoded from its own packet.
    pub played: Duration,
    /// Sound restored from the redundancy in the packet that followed.
    pub recovered: Duration,
    /// Sound made up for want of a packet.
    pub concealed: Duration,
    /// Silence where there should have been sound: nothing came for so long that making up more makes no sense.
    pub stalled: Duration,
    /// Sound left out by playing faster.
    pub shortened: Duration,
    /// Sound added by playing slower.
    pub stretched: Duration,
    /// How loud the peer is.
    pub level: Level,
    /// How long packets wait for their turn now, after the quickest possible arrival.
    pub playout_delay: Duration,
    /// How long the jitter of the last half minute asks them to wait.
    pub target_delay: Duration,
    /// From the chirp's capture to its playout, off the test sound. Empty for any other sound.
    pub delay: Delays,
}

/// Sound on its way into the speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Silence that was played since the next sound wasn't there when it was due: this machine was too busy to decode it.
    pub missed: Duration,
    /// Times the speaker had played all it had before it was looked after: a gap of unknown length each.
    pub underruns: u64,
    /// How long sound waits now between decoding and leaving the speaker, as far as its driver tells.
    pub ahead: Duration,
}

/// A distribution of durations, exact to a thousandth, in microseconds.
#[derive(Clone, Debug)]
pub struct Delays(Histogram<u64>);

impl Delays {
    /// Adds a duration; anything over an hour counts as an hour.
    pub fn record(&mut self, delay: Duration) {
        const HOUR: u64 = 3_600_000_000;
        let micros = u64::try_from(delay.as_micros()).unwrap_or(HOUR).min(HOUR);
        // It grows with what it's given, and an hour is well within.
        let _ = self.0.record(micros);
    }

    /// Adds all the durations of another distribution.
    pub fn add(&mut self, other: &Self) {
        // Not saturating: that stops at the largest value a histogram happens to have room for, and an empty one has next to none.
        let merged = self.0.add(&other.0);
        debug_assert!(merged.is_ok(), "a histogram that grows has room for another's values");
    }

    /// Those that were added after `before` was what it is.
    #[must_use]
    pub fn since(&self, before: Option<&Self>) -> Self {
        let mut since = self.clone();
        if let Some(before) = before {
            // It fails where the other one isn't an earlier state of this one; then there's nothing better to say than all.
            let _ = since.0.subtract(&before.0);
        }
        since
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that the share `quantile` (0 to 1) doesn't exceed; `None` if there are none.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.value_at_quantile(quantile)))
    }

    /// The longest; `None` if there are none.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.max()))
    }

    /// The underlying histogram, in microseconds.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self(Histogram::new(3).expect("a histogram may have 0 to 5 significant digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_tell_their_quantiles() {
        let mut delays = Delays::default();
        assert_eq!((delays.count(), delays.quantile(0.5), delays.max()), (0, None, None));
        for millis in 1..=100 {
            delays.record(Duration::from_millis(millis));
        }
        delays.record(Duration::MAX);
        assert_eq!(delays.count(), 101);
        let mut merged = Delays::default();
        merged.add(&delays);
        assert_eq!((merged.count(), merged.quantile(0.5)), (101, delays.quantile(0.5)));
        let earlier = delays.clone();
        delays.record(Duration::from_millis(7));
        let since = delays.since(Some(&earlier));
        assert_eq!((since.count(), delays.since(None).count()), (1, 102));
        let delays = earlier;
        let median = delays.quantile(0.5).unwrap();
        assert!(median.abs_diff(Duration::from_millis(51)) < Duration::from_micros(200), "{median:?}");
        assert!(delays.max().unwrap() >= Duration::from_secs(3600));
    }
}
