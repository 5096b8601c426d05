//! The controller against a path with a bottleneck, in virtual time.

use super::*;

/// A way through one link to the relay and on to a reader, whose reports come back. Times in milliseconds.
struct Path {
    start: Instant,
    now: u64,
    rtt: u64,
    /// What is left of the link's rate for pictures, in bits a second.
    link: f64,
    /// The longest queue, in milliseconds.
    queue_max: f64,
    free_at: f64,
    rate: Rate,
    next_frame: f64,
    /// What is on its way: when its answer comes back, and its upload.
    answers: Vec<(u64, Uploaded)>,
    /// When they were sent that are on their way.
    in_flight: Vec<u64>,
    /// Arrived at the reader: when, its delay, its bytes.
    arrived: Vec<(u64, f64, usize)>,
    /// What the reader's last report says, and from when on the relay has it.
    reports: Vec<(u64, Duration, u32)>,
    /// Pictures' wish in parts of the rate; 1 uses it all.
    appetite: f64,
    seed: u64,
    sizes: Vec<(u64, Size)>,
}

/// What was seen over some time.
struct Seen {
    p95_delay: f64,
    /// Mean of what got through, in bits a second.
    through: f64,
    frames_per_second: f64,
}

impl Path {
    fn new(most: u32, link: f64, rtt: u64) -> Self {
        let (start, config) = (Instant::now(), VideoConfig { bits_per_second: most, ..VideoConfig::default() });
        Self {
            start,
            now: 0,
            rtt,
            link,
            queue_max: 200.0,
            free_at: 0.0,
            rate: Rate::new(config, start),
            next_frame: 0.0,
            answers: Vec::new(),
            in_flight: Vec::new(),
            arrived: Vec::new(),
            reports: Vec::new(),
            appetite: 1.0,
            seed: 7,
            sizes: Vec::new(),
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    /// From 0.7 to 1.3.
    fn noise(&mut self) -> f64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        0.7 + 0.6 * (self.seed >> 40) as f64 / (1 << 24) as f64
    }

    fn run(&mut self, ms: u64) -> Seen {
        let (from, until) = (self.now, self.now + ms);
        let first = self.arrived.len();
        while self.now < until {
            self.now += 1;
            self.frame();
            self.sound();
            self.report();
            self.answer();
            let size = self.rate.decision().size;
            if self.sizes.last().is_none_or(|(_, last)| *last != size) {
                self.sizes.push((self.now, size));
            }
        }
        let seen: Vec<_> = self.arrived[first..].iter().filter(|(at, ..)| *at <= until).collect();
        let mut delays: Vec<f64> = seen.iter().map(|(_, delay, _)| *delay).collect();
        delays.sort_by(f64::total_cmp);
        let seconds = (until - from) as f64 / 1000.0;
        Seen {
            p95_delay: delays.get(delays.len() * 95 / 100).copied().unwrap_or(f64::MAX),
            through: seen.iter().map(|(.., bytes)| *bytes as f64 * 8.0).sum::<f64>() / seconds,
            frames_per_second: seen.len() as f64 / seconds,
        }
    }

    /// Sound is small, and waits in the same queue.
    fn sound(&mut self) {
        if self.now.is_multiple_of(20) {
            let took = (self.free_at - self.now as f64).max(0.0) + self.rtt as f64;
            self.upload(Kind::Audio, took, 80);
        }
    }

    fn upload(&mut self, kind: Kind, took: f64, bytes: usize) {
        let (backlog, took_ms) = (Duration::ZERO, self.now as f64 + took);
        let took = Duration::from_secs_f64(took / 1000.0);
        let uploaded =
            Uploaded { kind, took, bytes, backlog, waiting: Duration::ZERO, readers: 1, delay: None, received_bps: None };
        self.answers.push((took_ms as u64, uploaded));
    }

    fn frame(&mut self) {
        let decision = self.rate.decision();
        let waits = self.in_flight.get(1).is_some_and(|sent| u128::from(self.now - sent) > decision.patience.as_millis());
        if (self.now as f64) < self.next_frame || self.in_flight.len() >= decision.in_flight || waits {
            return;
        }
        let period = 1000.0 / f64::from(decision.frames_per_second);
        self.next_frame = self.next_frame.max(self.now as f64 - 33.0) + period;
        let bits = f64::from(decision.video_bps) / f64::from(decision.frames_per_second.max(1.0)) * self.noise() * self.appetite;
        let begins = self.free_at.max(self.now as f64);
        // TCP: what finds no room comes again, a round trip later.
        let lost = begins - self.now as f64 > self.queue_max;
        self.free_at = begins + bits / self.link * 1000.0;
        let there = self.free_at + self.rtt as f64 / 2.0 + if lost { self.rtt as f64 + 30.0 } else { 0.0 };
        self.in_flight.push(self.now);
        let bytes = (bits / 8.0) as usize;
        let at_reader = there + self.rtt as f64 / 2.0;
        self.arrived.push((at_reader as u64, at_reader - self.now as f64, bytes));
        self.upload(Kind::Video, there + self.rtt as f64 / 2.0 - self.now as f64, bytes);
    }

    /// How long each of three sounds has been on its way.
    fn waiting(&self) -> Duration {
        let sounds = self.answers.iter().filter(|(_, uploaded)| uploaded.kind == Kind::Audio);
        let mut ages: Vec<_> =
            sounds.map(|(at, uploaded)| uploaded.took.saturating_sub(Duration::from_millis(at - self.now))).collect();
        ages.sort_unstable();
        ages.iter().rev().nth(2).copied().unwrap_or_default()
    }

    /// Every 250 ms, from what came in the last 250 ms.
    fn report(&mut self) {
        if !self.now.is_multiple_of(250) {
            return;
        }
        let now = self.now;
        let came = |ms: u64| self.arrived.iter().filter(move |(at, ..)| *at <= now && at + ms > now);
        let least = came(10_000).map(|(_, delay, _)| *delay).fold(f64::MAX, f64::min);
        let mut delays: Vec<f64> = came(250).map(|(_, delay, _)| delay - least).collect();
        delays.sort_by(f64::total_cmp);
        let bytes: usize = came(250).map(|(.., bytes)| bytes).sum();
        if let Some(median) = delays.get(delays.len() / 2) {
            let delay = Duration::from_secs_f64(median / 1000.0);
            self.reports.push((now + self.rtt / 2, delay, bytes as u32 * 32));
        }
    }

    fn answer(&mut self) {
        let now = self.now;
        let (due, later): (Vec<_>, Vec<_>) = self.answers.drain(..).partition(|(at, _)| *at <= now);
        self.answers = later;
        for (_, uploaded) in due {
            if uploaded.kind == Kind::Video {
                self.in_flight.remove(0);
            }
            // The relay answered half a round trip ago.
            let known = self.reports.iter().rev().find(|(at, ..)| at + self.rtt / 2 <= now);
            let known = known.filter(|(at, ..)| at + 1500 > now);
            let (delay, received_bps) = (known.map(|(_, delay, _)| *delay), known.map(|(.., bps)| *bps));
            let waiting = self.waiting();
            self.rate.uploaded(&Uploaded { waiting, delay, received_bps, ..uploaded }, self.at(now));
        }
    }
}

#[test]
fn an_empty_path_is_used_to_the_full_within_seconds_and_stays_so() {
    for rtt in [0, 50, 200] {
        let mut path = Path::new(1_000_000, 20_000_000.0, rtt);
        path.run(3_000);
        assert_eq!(path.rate.decision().video_bps, 1_000_000, "{rtt} ms");
        let seen = path.run(60_000);
        assert!(seen.frames_per_second > 28.0, "{rtt} ms: {}", seen.frames_per_second);
        assert_eq!(path.rate.decision().video_bps, 1_000_000, "{rtt} ms");
        assert_eq!(path.rate.decision().size.to_string(), "640x480");
        assert_eq!(path.rate.decision().audio_bps, 32_000);
    }
}

#[test]
fn a_step_down_is_followed_without_a_long_queue_and_a_step_up_within_five_seconds() {
    for rtt in [0, 40, 100] {
        let mut path = Path::new(3_000_000, 3_000_000.0, rtt);
        path.run(20_000);
        let before = path.run(5_000);
        assert!(before.through > 2_200_000.0, "{rtt} ms: {} before", before.through);
        path.link = 500_000.0;
        let narrow = path.run(5_000);
        assert!(narrow.p95_delay < 300.0 + rtt as f64, "{rtt} ms: p95 {} ms after the step", narrow.p95_delay);
        let narrow = path.run(20_000);
        assert!(narrow.p95_delay < 150.0 + rtt as f64, "{rtt} ms: p95 {} ms in the long run", narrow.p95_delay);
        assert!(narrow.through > 0.75 * 500_000.0, "{rtt} ms: {} in the long run", narrow.through);
        path.link = 3_000_000.0;
        let most = (0..5).map(|_| path.run(1_000).through).fold(0.0, f64::max);
        assert!(most > 0.8 * 3_000_000.0, "{rtt} ms: {most} at most within 5 s after the step up");
        let wide = path.run(10_000);
        assert!(wide.through > 0.75 * 3_000_000.0, "{rtt} ms: {} after that", wide.through);
    }
}

#[test]
fn on_a_steady_thin_path_the_size_does_not_swing() {
    for link in [100_000.0, 150_000.0, 250_000.0, 400_000.0, 700_000.0] {
        let mut path = Path::new(1_500_000, link, 100);
        path.run(15_000);
        path.sizes.clear();
        let seen = path.run(60_000);
        assert!(path.sizes.len() <= 3, "{link}: {:?}", path.sizes);
        assert!(seen.p95_delay < 350.0, "{link}: p95 {}", seen.p95_delay);
        assert!(seen.through > 0.7 * link, "{link}: {}", seen.through);
        assert!(seen.frames_per_second >= 9.5, "{link}: {} frames", seen.frames_per_second);
    }
}

#[test]
fn a_way_is_thin_where_requests_take_as_much_as_pictures_and_not_at_a_calls_slow_beginning() {
    let mut path = Path::new(3_000_000, 3_000_000.0, 40);
    for _ in 0..50 {
        path.run(100);
        assert!(!path.rate.decision().thin, "at {} bits a second", path.rate.decision().video_bps);
    }
    path.link = 300_000.0;
    path.run(3_000);
    assert!(path.rate.decision().thin);
    path.link = 3_000_000.0;
    path.run(10_000);
    assert!(!path.rate.decision().thin);
}

#[test]
fn where_hardly_anything_gets_through_the_picture_stands_still_and_comes_back() {
    let mut path = Path::new(1_000_000, 15_000.0, 50);
    path.run(30_000);
    let starved = path.rate.decision();
    assert!(starved.frames_per_second < 1.0, "{starved:?}");
    assert!(starved.audio_bps == 16_000 && starved.size.to_string() == "320x240", "{starved:?}");
    path.link = 2_000_000.0;
    path.run(20_000);
    let back = path.rate.decision();
    assert!(back.frames_per_second > 29.0 && back.audio_bps == 32_000 && back.size.to_string() == "640x480", "{back:?}");
}

#[test]
fn a_rate_that_is_not_used_does_not_grow() {
    let mut path = Path::new(3_000_000, 3_000_000.0, 20);
    path.appetite = 0.2;
    path.run(60_000);
    assert!(path.rate.decision().video_bps < 900_000, "{:?}", path.rate.decision());
    path.appetite = 1.0;
    path.run(5_000);
    assert!(path.rate.decision().video_bps > 2_000_000, "{:?}", path.rate.decision());
}

#[test]
fn what_is_given_up_halves_the_rate() {
    let now = Instant::now();
    let mut rate = Rate::new(VideoConfig::default(), now);
    let before = rate.decision().video_bps;
    rate.gave_up(now);
    assert_eq!(rate.decision().video_bps, before, "nothing has got through yet");
    let (took, backlog) = (Duration::from_millis(10), Duration::ZERO);
    let (kind, bytes, readers) = (Kind::Video, 1000, 1);
    let waiting = Duration::ZERO;
    rate.uploaded(&Uploaded { kind, took, bytes, waiting, backlog, readers, delay: None, received_bps: None }, now);
    let later = now + Duration::from_secs(1);
    rate.gave_up(later);
    rate.gave_up(later);
    assert_eq!(rate.decision().video_bps, before / 2, "what is given up together counts once");
    rate.gave_up(later + Duration::from_secs(1));
    assert_eq!(rate.decision().video_bps, before / 4);
}

#[test]
fn a_shared_screen_takes_most_of_the_rate_and_gives_it_back() {
    let mut path = Path::new(1_000_000, 8_000_000.0, 40);
    path.run(10_000);
    let parts = |path: &Path| (path.rate.decision().video_bps, path.rate.decision().screen_bps);
    assert_eq!(parts(&path), (1_000_000, 0));
    path.rate.set_sharing(true, path.at(path.now));
    assert_eq!(parts(&path), (250_000, 750_000));
    let large = path.rate.decision().size;
    path.run(5_000);
    let (camera, screen) = parts(&path);
    assert!(camera <= 250_000 && screen >= 600_000, "what isn't used isn't taken away: {camera} and {screen}");
    assert!(path.rate.decision().size.width < large.width, "a face of {} is enough", path.rate.decision().size);
    path.rate.set_sharing(false, path.at(path.now));
    path.run(5_000);
    assert_eq!(parts(&path), (1_000_000, 0));
}

#[test]
fn the_transfer_of_a_screens_large_picture_is_no_queue() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut rate = Rate::new(VideoConfig::default(), start);
    rate.set_sharing(true, start);
    let upload = |bytes, ms| Uploaded {
        kind: Kind::Screen,
        took: Duration::from_millis(ms),
        bytes,
        waiting: Duration::ZERO,
        backlog: Duration::ZERO,
        readers: 1,
        delay: None,
        received_bps: None,
    };
    rate.uploaded(&upload(20, 30), at(0));
    assert_eq!(rate.decision().keyframes_apart, Duration::from_millis(30), "what is small tells of the way");
    // 25,000 bytes take a second at the first rate of 200 kbit/s.
    rate.uploaded(&upload(25_000, 900), at(900));
    assert_eq!(rate.queue(at(900)), Some(Duration::ZERO));
    for picture in 0..20 {
        rate.uploaded(&upload(25_000, 2000), at(1000 + picture * 50));
    }
    assert!(rate.queue(at(2000)).unwrap() > Duration::from_millis(500), "which takes twice as long is one");
    assert_eq!(rate.decision().keyframes_apart, Duration::from_millis(30));
}

#[test]
fn an_outage_says_nothing_of_the_rate() {
    let start = Instant::now();
    let mut rate = Rate::new(VideoConfig { bits_per_second: 900_000, ..VideoConfig::default() }, start);
    let ms = Duration::from_millis;
    let answer = |rate: &mut Rate, at: u64, kind, took: u64| {
        let bytes = if kind == Kind::Audio { 80 } else { 3_750 };
        // What was on its way during the outage has waited as long.
        let waiting = ms(if took > 100 { took } else { 0 });
        let uploaded =
            Uploaded { kind, took: ms(took), bytes, backlog: ms(0), waiting, readers: 1, delay: None, received_bps: None };
        rate.uploaded(&uploaded, start + ms(at));
    };
    let run = |rate: &mut Rate, from: u64, until: u64| {
        for at in (from..until).step_by(10) {
            if at.is_multiple_of(20) {
                answer(rate, at, Kind::Audio, 3);
            }
            if at.is_multiple_of(30) && rate.decision().frames_per_second >= 10.0 {
                answer(rate, at, Kind::Video, 4);
            }
        }
        rate.decision()
    };
    assert!(run(&mut rate, 0, 5_000).video_bps > 600_000);
    for (number, took) in (0..8).map(|number| (number, 1_200 - 20 * number)) {
        answer(&mut rate, 6_200 + number, Kind::Audio, took);
    }
    let decision = run(&mut rate, 6_210, 7_200);
    assert!(decision.frames_per_second >= 10.0 && decision.video_bps > 200_000, "{decision:?}");
}
