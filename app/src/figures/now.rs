//! What the call view shows: how the call fares just now.

use std::{collections::BTreeMap, time::Duration};

use codecs::Size;
use media::stats::{Delays, Received, Stats, VideoReceived};
use proto::PeerId;

use super::Offset;

/// The figures of the last second. Of what isn't known there's none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// To the relay and back.
    pub round_trip_ms: Option<f32>,
    /// All that goes over the network, headers included.
    pub up_kbps: f32,
    pub down_kbps: f32,
    pub sent: Pictures,
    /// What comes of each of the others.
    pub received: BTreeMap<PeerId, Coming>,
}

/// Pictures of one direction and what they are delayed by.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pictures {
    pub size: Option<Size>,
    pub per_second: f32,
    /// To encode one, or to decode one.
    pub codec_ms: Option<f32>,
    /// Between the two machines without any queue: half of both round trips to the relay.
    pub way_ms: Option<f32>,
    /// Waiting in queues on that way.
    pub queue_ms: Option<f32>,
    /// Waiting for the sound.
    pub held_ms: Option<f32>,
    /// From the camera to being put up for showing, read off a test picture. Nothing else can tell when it was captured.
    pub measured_ms: Option<f32>,
}

impl Pictures {
    /// From one end to the other: measured, or else what is known of it; `None` where not even the way is.
    pub fn delay_ms(&self) -> Option<f32> {
        let parts = [self.codec_ms, self.queue_ms, self.held_ms].into_iter().flatten().sum::<f32>();
        self.measured_ms.or_else(|| Some(self.way_ms? + parts))
    }
}

/// What comes of one of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Coming {
    pub pictures: Pictures,
    /// Freezes since the call began.
    pub freezes: u64,
    /// How long sound waits, in the jitter buffer and for the speaker.
    pub sound_ms: f32,
    /// How much of the sound was made up or left out for want of packets.
    pub made_up_percent: f32,
    /// How much later than the picture sound is; less than 0 where it comes first.
    pub av_offset_ms: Option<f32>,
}

/// What media don't know of the network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Network {
    pub round_trip: Option<Duration>,
    /// The other's, as they report it.
    pub far_round_trip: Option<Duration>,
    /// How long what comes waits in queues on its way.
    pub queue: Option<Duration>,
    pub bytes_up: u64,
    pub bytes_down: u64,
}

/// The figures of the time between two states.
pub(super) fn between((before, then): (&Stats, &Network), (now, net): (&Stats, &Network), passed: Duration) -> Figures {
    let seconds = passed.as_secs_f32().max(0.001);
    let per_second = |now: u64, before: u64| now.saturating_sub(before) as f32 / seconds;
    let way_ms = net.round_trip.zip(net.far_round_trip).map(|(near, far)| millis((near + far) / 2));
    let (sent, sent_before) = (&now.sent.video, &before.sent.video);
    let ahead = now.played.ahead;
    let coming = |(peer, now): (&u16, &Received)| {
        let none = Received::default();
        let before = before.received.get(peer).unwrap_or(&none);
        let (video, video_before, audio, audio_before) = (&now.video, &before.video, &now.audio, &before.audio);
        let median = |delays: fn(&VideoReceived) -> &Delays| median(delays(video), delays(video_before));
        let pictures = Pictures {
            size: video.size,
            per_second: per_second(video.shown, video_before.shown),
            codec_ms: median(|video| &video.decode_time),
            way_ms,
            queue_ms: net.queue.map(millis),
            held_ms: median(|video| &video.held),
            measured_ms: median(|video| &video.shown_delay),
        };
        let made_up = (audio.concealed + audio.stalled).saturating_sub(audio_before.concealed + audio_before.stalled);
        let real = (audio.played + audio.recovered).saturating_sub(audio_before.played + audio_before.recovered);
        let offset = Offset::of(std::iter::once(video.offset.since(Some(&video_before.offset))));
        let coming = Coming {
            pictures,
            freezes: video.freezes.freezes,
            sound_ms: millis(audio.playout_delay + ahead),
            made_up_percent: 100.0 * made_up.as_secs_f32() / (made_up + real).as_secs_f32().max(0.001),
            av_offset_ms: offset.p50.map(|offset| offset as f32),
        };
        (PeerId(*peer), coming)
    };
    Figures {
        round_trip_ms: net.round_trip.map(millis),
        up_kbps: per_second(net.bytes_up, then.bytes_up) * 8.0 / 1000.0,
        down_kbps: per_second(net.bytes_down, then.bytes_down) * 8.0 / 1000.0,
        sent: Pictures {
            size: sent.size,
            per_second: per_second(sent.sent, sent_before.sent),
            codec_ms: median(&sent.encode_time, &sent_before.encode_time),
            way_ms,
            queue_ms: sent.queue.map(millis),
            held_ms: None,
            measured_ms: None,
        },
        received: now.received.iter().map(coming).collect(),
    }
}

fn median(now: &Delays, before: &Delays) -> Option<f32> {
    now.since(Some(before)).quantile(0.5).map(millis)
}

fn millis(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_the_time_between() {
        let (mut before, ms) = (Stats::default(), Duration::from_millis);
        before.sent.video.sent = 100;
        let seen = before.received.entry(2).or_default();
        seen.video.shown = 500;
        seen.video.decode_time.record(ms(9));
        seen.video.offset.record(-200_000);
        seen.audio.played = ms(10_000);
        let mut now = before.clone();
        now.sent.video.sent += 60;
        now.sent.video.encode_time.record(ms(2));
        now.played.ahead = ms(12);
        let seen = now.received.entry(2).or_default();
        seen.video.shown += 50;
        seen.video.decode_time.record(ms(1));
        seen.video.held.record(ms(20));
        seen.video.offset.record(43_000);
        seen.audio.played += ms(1_900);
        seen.audio.concealed += ms(100);
        seen.audio.playout_delay = ms(30);
        let then = Network { bytes_up: 1_000, ..Network::default() };
        let network = Network {
            round_trip: Some(ms(20)),
            far_round_trip: Some(ms(40)),
            queue: Some(ms(5)),
            bytes_up: 26_000,
            bytes_down: 0,
        };
        let figures = between((&before, &then), (&now, &network), Duration::from_secs(2));
        assert_eq!((figures.up_kbps, figures.down_kbps, figures.sent.per_second), (100.0, 0.0, 30.0));
        let coming = figures.received[&PeerId(2)];
        let near = |is: Option<f32>, ms: f32| assert!(is.is_some_and(|is| (is - ms).abs() < 0.1), "{is:?}, not {ms}");
        near(figures.sent.delay_ms(), 2.0 + 30.0);
        near(coming.pictures.delay_ms(), 30.0 + 5.0 + 1.0 + 20.0);
        near(coming.av_offset_ms, 43.0);
        near(Some(coming.sound_ms), 42.0);
        near(Some(coming.made_up_percent), 5.0);
        near(Some(coming.pictures.per_second), 25.0);
    }

    #[test]
    fn a_delay_of_which_the_longest_part_is_not_known_is_not_known() {
        assert_eq!(Pictures { codec_ms: Some(2.0), queue_ms: Some(50.0), ..Pictures::default() }.delay_ms(), None);
        let measured = Pictures { measured_ms: Some(7.0), way_ms: Some(90.0), ..Pictures::default() };
        assert_eq!(measured.delay_ms(), Some(7.0));
    }
}
