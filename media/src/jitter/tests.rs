//! The buffer in virtual time, between a sender of a frame every 20 ms and an ear that takes one every 20 ms.

use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000;

/// What one step of shortening or stretching changes here, in microseconds: a typical pitch period.
const STEP_US: i64 = 7_000;

struct Ear {
    start: Instant,
    jitter: Jitter,
    /// Arrivals to come: when in microseconds, which packet, whether it's a silence marker.
    network: Vec<(u64, u32, bool)>,
    /// When the next 20 ms are asked for.
    now: u64,
    /// Sound decoded but not yet heard.
    ahead: i64,
    heard: Vec<Output>,
}

impl Ear {
    fn new(mut network: Vec<(u64, u32, bool)>) -> Self {
        network.sort_by_key(|arrival| std::cmp::Reverse(arrival.0));
        let start = Instant::now();
        Self { start, jitter: Jitter::new(start), network, now: 5 * MS, ahead: 0, heard: Vec::new() }
    }

    /// A talk without pause: packet n is captured at n * 20 ms and takes 100 ms and the delay given, in milliseconds.
    fn talk(count: u32, delay_ms: impl Fn(u32) -> Option<u64>) -> Self {
        Self::new((0..count).filter_map(|n| Some(((u64::from(n) * 20 + 100 + delay_ms(n)?) * MS, n, false))).collect())
    }

    fn listen(&mut self, seconds: f64) {
        let end = self.now + (seconds * 1e6) as u64;
        while self.now < end {
            while self.network.last().is_some_and(|arrival| arrival.0 <= self.now) {
                let (at, n, silence) = self.network.pop().unwrap();
                // The packet says which one it is.
                let packet = Packet { time: MediaTime(u64::from(n) * 20 * MS), silence, data: n.to_be_bytes().to_vec().into() };
                self.jitter.push(self.start + Duration::from_micros(at), n, packet);
            }
            while self.ahead < FRAME_US {
                let now = self.start + Duration::from_micros(self.now);
                let output = self.jitter.pull(now, Duration::from_micros(self.ahead.cast_unsigned()));
                let by = match &output {
                    Output::Packet { pace: Pace::Faster, .. } => -STEP_US,
                    Output::Packet { pace: Pace::Slower, .. } => STEP_US,
                    _ => 0,
                };
                if by > 0 {
                    self.jitter.stretched();
                }
                self.ahead += FRAME_US + by;
                self.heard.push(output);
            }
            self.ahead -= FRAME_US;
            self.now += 20 * MS;
        }
    }

    fn delay_ms(&self) -> u128 {
        self.jitter.playout_delay().as_millis()
    }

    fn packets(&self) -> Vec<u32> {
        let number = |output: &Output| match output {
            Output::Packet { packet, .. } => Some(u32::from_be_bytes(packet.data[..].try_into().unwrap())),
            _ => None,
        };
        self.heard.iter().filter_map(number).collect()
    }

    fn count(&self, what: &Output) -> usize {
        self.heard.iter().filter(|heard| *heard == what).count()
    }
}

#[test]
fn a_steady_track_plays_whole_with_a_frame_or_two_of_delay() {
    let mut ear = Ear::talk(500, |_| Some(0));
    ear.listen(9.9);
    assert!(ear.packets().iter().copied().eq(0..ear.packets().len() as u32));
    assert!(ear.packets().len() >= 485, "{}", ear.packets().len());
    assert!((20..=40).contains(&ear.delay_ms()), "{}", ear.delay_ms());
    let counts = ear.jitter.counts();
    assert_eq!((counts.late, counts.lost, counts.skipped, counts.concealed, counts.stalled), (0, 0, 0, 0, 0));
}

#[test]
fn a_jittery_track_waits_as_long_as_it_must_and_no_longer() {
    let mut ear = Ear::talk(3000, |n| Some(u64::from(n * 37 % 53)));
    ear.listen(10.0);
    let settled = ear.jitter.counts();
    ear.listen(49.0);
    assert!((50..=80).contains(&ear.delay_ms()), "{}", ear.delay_ms());
    assert!(ear.ahead < FRAME_US / 2, "{}", ear.ahead);
    let counts = ear.jitter.counts();
    assert_eq!(counts.lost - settled.lost, 0);
    assert_eq!(counts.concealed - settled.concealed, 0);
    assert!(counts.played - settled.played > 2400);
}

#[test]
fn after_a_stall_the_delay_is_short_again_within_two_seconds() {
    // Everything captured from 4 s to 6 s comes at 6 s.
    let stall = |n: u32| Some(u64::from(if (200..300).contains(&n) { (300 - n) * 20 } else { 0 }));
    let mut ear = Ear::talk(600, stall);
    ear.listen(4.05);
    let before = ear.delay_ms();
    ear.listen(2.1);
    let during = ear.jitter.counts();
    assert_eq!(during.concealed, u64::from(CONCEAL_MAX));
    assert!((85..=105).contains(&during.stalled), "{during:?}");
    ear.listen(2.0);
    assert!(ear.delay_ms() <= before + 20, "{} after {before}", ear.delay_ms());
    let after = ear.jitter.counts();
    assert!((85..=105).contains(&after.skipped), "{after:?}");
    ear.listen(3.0);
    assert_eq!(ear.jitter.counts().concealed, during.concealed);
}

#[test]
fn many_stalls_never_make_delay_creep() {
    let mut ear = Ear::talk(3000, |n| Some(u64::from(if n % 250 > 240 { (250 - n % 250) * 20 } else { 0 })));
    for _ in 0..11 {
        ear.listen(5.0);
        assert!(ear.delay_ms() <= 300, "{}", ear.delay_ms());
    }
    assert!(ear.jitter.held.len() < 20);
}

#[test]
fn a_lost_packet_is_recovered_from_the_next_and_of_two_the_first_is_made_up() {
    let mut ear = Ear::talk(300, |n| (n != 100 && n != 200 && n != 201).then_some(0));
    ear.listen(5.9);
    let counts = ear.jitter.counts();
    // Of the two, the first is first taken for late.
    assert_eq!((counts.lost, counts.recovered, counts.concealed), (3, 2, 2));
    assert_eq!(counts.late, 0);
}

#[test]
fn a_pause_in_the_talk_is_no_loss() {
    // Frames 100 to 400 are silent: only the first of them is sent, and numbers go on without a hole.
    let arrivals = (0..=100).map(|n: u32| (u64::from(n) * 20 * MS, n, n == 100));
    let mut ear = Ear::new(arrivals.collect());
    ear.listen(8.0);
    let again = ear.now;
    for n in 101..200_u32 {
        let time = MediaTime(again + u64::from(n - 101) * 20 * MS);
        let packet = Packet { time, silence: false, data: n.to_be_bytes().to_vec().into() };
        ear.jitter.push(ear.start + Duration::from_micros(again + u64::from(n - 101) * 20 * MS), n, packet);
        ear.listen(0.02);
    }
    let counts = ear.jitter.counts();
    assert_eq!((counts.late, counts.lost, counts.concealed, counts.stalled), (0, 0, 0, 0));
    assert!(ear.count(&Output::Quiet) > 290);
    assert!(ear.packets().len() > 195);
    assert!((20..=40).contains(&ear.delay_ms()), "{}", ear.delay_ms());
}

#[test]
fn a_track_that_ends_without_a_word_falls_silent() {
    let mut ear = Ear::talk(100, |_| Some(0));
    ear.listen(4.0);
    let counts = ear.jitter.counts();
    assert_eq!(counts.concealed, u64::from(CONCEAL_MAX));
    assert!((85..=100).contains(&counts.stalled), "{counts:?}");
    assert_eq!(ear.heard.last(), Some(&Output::Silence));
}

#[test]
fn repeated_and_overtaken_packets_play_once_and_in_order() {
    // Each packet comes over two connections; the second one is up to 60 ms behind.
    let arrivals = (0..500_u32).flat_map(|n| {
        let sent = u64::from(n) * 20 * MS;
        [(sent + u64::from(n * 13 % 25) * MS, n, false), (sent + u64::from(n * 29 % 60) * MS, n, false)]
    });
    let mut ear = Ear::new(arrivals.collect());
    ear.listen(10.5);
    let packets = ear.packets();
    assert!(packets.is_sorted_by(|a, b| a < b));
    assert!(packets.len() >= 495, "{}", packets.len());
    assert_eq!(ear.jitter.counts().duplicates, 500);
}

#[test]
fn a_sender_clock_that_jumps_costs_next_to_nothing() {
    let mut ear = Ear::talk(0, |_| None);
    let mut sent = 0;
    for n in 0..1500_u32 {
        // The sender's clock loses 3 s after 10 s, and gains 5 s after 20 s.
        let clock = match n {
            0..500 => 10_000 * MS,
            500..1000 => 7_000 * MS,
            _ => 12_000 * MS,
        };
        let packet = Packet { time: MediaTime(clock + sent), silence: false, data: n.to_be_bytes().to_vec().into() };
        ear.jitter.push(ear.start + Duration::from_micros(sent), n, packet);
        ear.listen(0.02);
        sent += 20 * MS;
    }
    assert!(ear.packets().len() > 1470, "{}", ear.packets().len());
    assert!(ear.packets().is_sorted_by(|a, b| a < b));
}

#[test]
fn numbers_that_wrap_play_on() {
    let mut jitter = Jitter::new(Instant::now());
    let mut played = 0;
    for n in 0..100_u32 {
        let now = jitter.origin + FRAME * n;
        let packet = Packet { time: MediaTime(u64::from(n) * 20 * MS), silence: false, data: Bytes::from_static(b"x") };
        jitter.push(now, (u32::MAX - 50).wrapping_add(n), packet);
        played += u32::from(matches!(jitter.pull(now + Duration::from_millis(5), Duration::ZERO), Output::Packet { .. }));
    }
    assert!(played >= 97);
    assert_eq!(jitter.counts().lost, 0);
}

#[test]
fn a_sender_who_begins_anew_is_followed() {
    let mut ear = Ear::talk(0, |_| None);
    for n in 0..1000_u32 {
        let now = ear.start + Duration::from_micros(u64::from(n) * 20 * MS);
        let (seq, clock) = if n < 500 { (n, 3_600_000 * MS) } else { (n - 500, 0) };
        let time = MediaTime(clock + u64::from(seq) * 20 * MS);
        ear.jitter.push(now, seq, Packet { time, silence: false, data: n.to_be_bytes().to_vec().into() });
        ear.listen(0.02);
    }
    assert!(ear.packets().len() > 990, "{}", ear.packets().len());
    assert!(ear.packets().is_sorted_by(|a, b| a < b));
    assert!((20..=40).contains(&ear.delay_ms()), "{}", ear.delay_ms());
    assert_eq!(ear.jitter.counts().lost, 0);
}

proptest! {
    #[test]
    fn whatever_comes_plays_once_in_order_and_is_accounted_for(
        steps in prop::collection::vec((0_u32..200, 0_u64..50_000, any::<bool>(), any::<bool>()), 1..400),
        start: u32,
    ) {
        let mut jitter = Jitter::new(Instant::now());
        let (mut now, mut last, mut played) = (jitter.origin, None, 0);
        for (n, wait, silence, pull) in steps {
            now += Duration::from_micros(wait);
            let packet = Packet { time: MediaTime(u64::from(n) * 20 * MS), silence, data: n.to_be_bytes().to_vec().into() };
            jitter.push(now, start.wrapping_add(n), packet);
            if pull && let Output::Packet { packet: Packet { data, .. }, .. } = jitter.pull(now, Duration::ZERO) {
                let n = u32::from_be_bytes(data[..].try_into().unwrap());
                prop_assert!(last.is_none_or(|last| n > last), "{n} after {last:?}");
                last = Some(n);
                played += 1;
            }
            let counts = jitter.counts();
            prop_assert_eq!(counts.played, played);
            prop_assert_eq!(counts.received, played + counts.late + counts.skipped + jitter.held.len() as u64);
            prop_assert!(jitter.held.len() <= HELD_MAX);
            prop_assert!(jitter.target_delay() <= Duration::from_micros(250_000));
        }
    }

    #[test]
    fn nothing_makes_it_panic_or_grow(
        steps in prop::collection::vec((any::<u32>(), any::<u64>(), 0_u64..5_000_000, any::<bool>()), 0..400),
    ) {
        let mut jitter = Jitter::new(Instant::now());
        let mut now = jitter.origin;
        for (seq, time, wait, silence) in steps {
            now += Duration::from_micros(wait);
            jitter.push(now, seq, Packet { time: MediaTime(time), silence, data: Bytes::from_static(b"x") });
            jitter.pull(now, Duration::ZERO);
            prop_assert!(jitter.held.len() <= HELD_MAX);
        }
    }

    #[test]
    fn any_network_that_calms_down_ends_in_a_short_delay(delays in prop::collection::vec(0_u64..3_000, 1..200)) {
        let calm = delays.len();
        let mut ear = Ear::talk(calm as u32 + 500, |n| Some(delays.get(n as usize).copied().unwrap_or(0)));
        ear.listen((calm as f64 + 400.0) / 50.0);
        // The target remembers the storm for a while; the delay keeps to the target.
        prop_assert!(ear.delay_ms() <= 300, "{}", ear.delay_ms());
        prop_assert!(ear.jitter.held.len() < 20);
    }
}
