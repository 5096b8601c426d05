//! Encoder and decoder together, with packets that get lost.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::testing::noise;

/// What a robot sends to measure delay: 100 ms from 500 Hz up to 2500 Hz, faded in and out.
fn chirp(amplitude: f64) -> Vec<f32> {
    let length = SAMPLE_RATE as usize / 10;
    let sample = |at: usize| {
        let (time, share) = (at as f64 / f64::from(SAMPLE_RATE), at as f64 / length as f64);
        let window = (std::f64::consts::PI * share).sin();
        (amplitude * window * (TAU * (500.0 * time + 0.5 * 20_000.0 * time * time)).sin()) as f32
    };
    (0..length).map(sample).collect()
}

fn silence(seconds: f64) -> Vec<f32> {
    vec![0.0; (seconds * f64::from(SAMPLE_RATE)) as usize]
}

/// A microphone in a quiet room.
fn hush(seconds: f64) -> Vec<f32> {
    let length = (seconds * f64::from(SAMPLE_RATE)) as usize;
    noise(length, 8).into_iter().map(|value| (f32::from(value) / 128.0 - 1.0) * 0.001).collect()
}

/// A voice, roughly: a buzz of 120 Hz through three formants, in syllables.
fn speech(seconds: f64) -> Vec<f32> {
    let formant = |frequency: f64, formant: f64| (-((frequency - formant) / 200.0).powi(2)).exp();
    let loudness = |frequency: f64| [500.0, 1500.0, 2500.0].map(|at| formant(frequency, at)).iter().sum::<f64>();
    let harmonics =
        (1..24).map(|number| 120.0 * f64::from(number)).map(|frequency| (frequency, loudness(frequency))).collect::<Vec<_>>();
    let sample = |at: usize| {
        let time = at as f64 / f64::from(SAMPLE_RATE);
        let buzz = harmonics.iter().map(|(frequency, loudness)| loudness * (TAU * frequency * time).sin()).sum::<f64>();
        (0.2 * (TAU * 2.0 * time).sin().max(0.0) * buzz) as f32
    };
    (0..(seconds * f64::from(SAMPLE_RATE)) as usize).map(sample).collect()
}

fn encode(samples: &[f32], config: Config) -> Vec<Packet> {
    let mut encoder = Encoder::new(config).unwrap();
    samples.as_chunks().0.iter().map(|frame| encoder.encode(frame).unwrap()).collect()
}

fn decode(packets: &[Packet]) -> Vec<f32> {
    let mut decoder = Decoder::new().unwrap();
    let mut samples = Vec::new();
    for packet in packets {
        let mut out = [0.0; FRAME];
        decoder.decode(&packet.data, &mut out).unwrap();
        samples.extend(out);
    }
    samples
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|&sample| f64::from(sample).powi(2)).sum()
}

/// The best match of `pattern` in `samples`: where, and how alike, 1 being equal but for loudness.
fn find(samples: &[f32], pattern: &[f32]) -> (usize, f64) {
    let loudness = energy(pattern);
    let likeness = |at: usize| {
        let window = &samples[at..at + pattern.len()];
        let product = window.iter().zip(pattern).map(|(&left, &right)| f64::from(left) * f64::from(right)).sum::<f64>();
        product / (energy(window) * loudness).sqrt().max(1e-9)
    };
    // Every 2nd place: the chirp's highest frequency has 19 samples to a wave.
    let places = (0..samples.len() - pattern.len()).step_by(2);
    places.map(|at| (at, likeness(at))).max_by(|left, right| left.1.total_cmp(&right.1)).unwrap()
}

#[test]
fn a_chirp_after_silence_comes_through_dtx() {
    let lookahead = Encoder::new(Config::default()).unwrap().lookahead().unwrap();
    // Opus takes even a faint hiss for sound, so only real silence is sure to be marked.
    for (name, quiet, marked) in [("silence", silence(1.2), 30), ("a quiet room", hush(1.2), 0)] {
        for amplitude in [0.5, 0.05] {
            // Not at a frame's edge.
            let before = [&quiet[..], &quiet[..333]].concat();
            let start = before.len();
            let packets = encode(&[&before, &chirp(amplitude), &quiet[..9600]].concat(), Config::default());
            let quiet_packets = packets.iter().take(start / FRAME).filter(|packet| packet.dtx).count();
            assert!(quiet_packets >= marked, "{name}: only {quiet_packets} of {} packets are marked", start / FRAME);
            let decoded = decode(&packets);
            let around = start - 960;
            let (at, likeness) = find(&decoded[around..around + 4800 + 2400], &chirp(amplitude));
            let delay = (around + at) as i64 - (start + lookahead) as i64;
            assert!(likeness > 0.9, "{name}, chirp of {amplitude}: likeness {likeness}");
            assert!(delay.abs() < 48, "{name}, chirp of {amplitude}: {delay} samples off");
            let ratio = energy(&decoded[around + at..][..4800]) / energy(&chirp(amplitude));
            assert!((0.5..1.5).contains(&ratio), "{name}, chirp of {amplitude}: energy {ratio}");
        }
    }
}

#[test]
fn silence_costs_next_to_nothing_and_speech_about_its_bitrate() {
    let bytes = |packets: &[Packet]| packets.iter().map(|packet| packet.data.len()).sum::<usize>();
    let quiet = encode(&silence(2.0), Config::default());
    assert!(bytes(&quiet[50..]) < 150, "{} bytes in a second", bytes(&quiet[50..]));
    let loud = encode(&speech(2.0), Config::default());
    assert!((4_000..9_000).contains(&bytes(&loud)), "{} bytes in two seconds", bytes(&loud));
    assert!(loud.iter().filter(|packet| packet.dtx).count() < 10);
    let always = encode(&silence(1.0), Config { dtx: false, ..Config::default() });
    assert!(always.iter().all(|packet| !packet.dtx));
}

#[test]
fn the_bitrate_changes_on_the_fly() {
    let mut encoder = Encoder::new(Config { bits_per_second: 16_000, ..Config::default() }).unwrap();
    let samples = speech(2.0);
    let (first, second) = samples.as_chunks().0.split_at(50);
    let mut bytes = |frames: &[[f32; FRAME]]| frames.iter().map(|frame| encoder.encode(frame).unwrap().data.len()).sum::<usize>();
    let low = bytes(first);
    encoder.set_bitrate(48_000).unwrap();
    let mut bytes = |frames: &[[f32; FRAME]]| frames.iter().map(|frame| encoder.encode(frame).unwrap().data.len()).sum::<usize>();
    let high = bytes(second);
    assert!(high > 2 * low, "{low}, then {high}");
    assert!(matches!(encoder.set_bitrate(5_000), Err(Error::Bitrate { bits_per_second: 5_000 })));
    assert!(matches!(encoder.set_bitrate(u32::MAX), Err(Error::Bitrate { .. })));
}

#[test]
fn a_missing_packet_is_concealed_and_recovered() {
    let samples = speech(1.0);
    let packets = encode(&samples, Config { expected_loss_percent: 20, ..Config::default() });
    let whole = decode(&packets);
    // In the middle of a syllable, after the codec has settled.
    let lost = 31;
    let window = lost * FRAME..(lost + 1) * FRAME;
    let distance = |out: &[f32]| {
        let difference = whole[window.clone()].iter().zip(out).map(|(&left, &right)| left - right).collect::<Vec<_>>();
        energy(&difference) / energy(&whole[window.clone()])
    };
    let mut decoder = Decoder::new().unwrap();
    let mut out = [0.0; FRAME];
    for packet in &packets[..lost] {
        decoder.decode(&packet.data, &mut out).unwrap();
    }
    let mut recovered = [0.0; FRAME];
    decoder.recover(&packets[lost + 1].data, &mut recovered);
    decoder.decode(&packets[lost + 1].data, &mut out).unwrap();
    assert!(energy(&out) > 0.0);

    let mut decoder = Decoder::new().unwrap();
    for packet in &packets[..lost] {
        decoder.decode(&packet.data, &mut out).unwrap();
    }
    let mut concealed = [0.0; FRAME];
    decoder.conceal(&mut concealed);

    let original = energy(&whole[window.clone()]);
    assert!(energy(&concealed) > 0.1 * original, "{} of {original}", energy(&concealed));
    assert!(energy(&recovered) > 0.3 * original, "{} of {original}", energy(&recovered));
    assert!(distance(&recovered) < distance(&concealed), "{} against {}", distance(&recovered), distance(&concealed));
    assert!(distance(&recovered) < 0.5, "{}", distance(&recovered));
}

/// A tone that falls from 4 kHz to 100 Hz, an octave a second or so.
fn falling_sweep(seconds: f64) -> Vec<f32> {
    let (from, to) = (4_000.0_f64, 100.0_f64);
    let rate = (to / from).ln() / seconds;
    let phase = |time: f64| TAU * from * ((rate * time).exp() - 1.0) / rate;
    let sample = |at: usize| (0.3 * phase(at as f64 / f64::from(SAMPLE_RATE)).sin()) as f32;
    (0..(seconds * f64::from(SAMPLE_RATE)) as usize).map(sample).collect()
}

/// Pure tones are the worst case of SILK's prediction: a frame is coded by what the one before it left in the decoder. Without
/// prediction they'd stay at 0.2, but the library then leaves out what a packet says about the one before it (FEC), and speech,
/// which prediction doesn't make louder, is what a call is for.
#[test]
fn a_frame_made_up_does_not_make_the_next_ones_clip() {
    let loudest = loudest_quarter(Config::default());
    assert!((0.15..0.5).contains(&loudest), "a tone of 0.21 came out at {loudest}");
}

/// The level of the loudest quarter second of a falling sweep of which each fifth frame is made up.
fn loudest_quarter(config: Config) -> f64 {
    let (mut encoder, mut decoder) = (Encoder::new(config).unwrap(), Decoder::new().unwrap());
    let mut heard = Vec::new();
    for (number, frame) in falling_sweep(5.0).as_chunks().0.iter().enumerate() {
        let (packet, mut out) = (encoder.encode(frame).unwrap(), [0.0; FRAME]);
        if number % 5 == 4 {
            decoder.conceal(&mut out);
        } else {
            decoder.decode(&packet.data, &mut out).unwrap();
        }
        heard.extend(out);
    }
    let quarter = SAMPLE_RATE as usize / 4;
    heard.chunks_exact(quarter).map(|part| (energy(part) / quarter as f64).sqrt()).fold(0.0, f64::max)
}

#[test]
fn a_long_gap_fades_to_silence() {
    let mut decoder = Decoder::new().unwrap();
    let mut out = [0.0; FRAME];
    decoder.conceal(&mut out);
    assert_eq!(energy(&out), 0.0, "nothing came before");
    for packet in encode(&speech(0.3), Config::default()) {
        decoder.decode(&packet.data, &mut out).unwrap();
    }
    for _ in 0..50 {
        decoder.conceal(&mut out);
    }
    assert!(energy(&out) < 1e-3, "{}", energy(&out));
}

#[test]
fn packets_of_another_duration_are_refused_and_change_nothing() {
    let mut decoder = Decoder::new().unwrap();
    let mut out = [0.5; FRAME];
    // Code bytes of RFC 6716, 3.1: 10 ms and 60 ms of SILK, two frames of 20 ms.
    for (packet, samples) in [(&[0x00, 0][..], 480), (&[0x18, 0], 2880), (&[0x09, 0, 0], 1920)] {
        let result = decoder.decode(packet, &mut out);
        assert!(matches!(result, Err(Error::PacketDuration { samples: found }) if found == samples), "{result:?}");
    }
    assert!(matches!(decoder.decode(&[], &mut out), Err(Error::Opus(_))));
    assert_eq!(out, [0.5; FRAME]);
}

#[test]
fn bad_configurations_are_refused() {
    let refused = |config: Config| Encoder::new(config).is_err();
    assert!(refused(Config { complexity: 11, ..Config::default() }));
    assert!(refused(Config { expected_loss_percent: 101, ..Config::default() }));
    assert!(refused(Config { bits_per_second: 0, ..Config::default() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_packets_never_panic(packets in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..200), 0..3_u8), 1..8)) {
        let mut decoder = Decoder::new().unwrap();
        let mut out = [0.0; FRAME];
        for (packet, how) in packets {
            match how {
                0 => decoder.conceal(&mut out),
                1 => decoder.recover(&packet, &mut out),
                _ => {
                    let _ = decoder.decode(&packet, &mut out);
                }
            }
            prop_assert!(out.iter().all(|sample| sample.is_finite()));
        }
    }

    #[test]
    fn damaged_packets_never_panic(damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), any::<u8>()), 1..20)) {
        let mut packets = packets_once().to_vec();
        for (packet, byte, value) in damage {
            let data = &mut packets[packet.index(10)].data;
            let at = byte.index(data.len());
            data[at] = value;
        }
        let mut decoder = Decoder::new().unwrap();
        let mut out = [0.0; FRAME];
        for packet in &packets {
            let _ = decoder.decode(&packet.data, &mut out);
            prop_assert!(out.iter().all(|sample| sample.is_finite()));
        }
    }
}

/// 200 ms of speech.
fn packets_once() -> &'static [Packet] {
    static PACKETS: std::sync::OnceLock<Vec<Packet>> = std::sync::OnceLock::new();
    PACKETS.get_or_init(|| encode(&speech(0.2), Config::default()))
}
