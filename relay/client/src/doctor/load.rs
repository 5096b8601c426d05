//! The upper rungs: what the way carries. All of it goes by HTTP/1.1, as media do.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Method;
use proto::{
    ErrorCode,
    api::{AskDoctor, DoctorTook},
    limits::{DOCTOR_MAX, UPLOAD_MAX, WAIT_MAX},
};

use super::{Drip, Look, Progress, Rung, Step, Trips, words};
use crate::{
    backoff::random,
    error::{Error, Found},
    http::{Ask, Http},
};

/// Sizes of uploads that are tried, in bytes.
const SIZES: [usize; 6] = [1 << 10, 16 << 10, 64 << 10, 128 << 10, 224 << 10, UPLOAD_MAX];

/// Where uploads end between two of these, it is found out to this many bytes.
const FINE: usize = 4 << 10;

/// What a keyframe takes at 1 Mbit/s: it is bounded to a quarter of a second of the rate, and the header and luck come on top.
const KEYFRAME: usize = 64 << 10;

/// Pieces of a body that is spread, and their length in bytes: together more than the buffers that nobody means as such.
const PIECES: u32 = 10;
const PIECE: usize = 2 << 10;

/// A spread body whose pieces arrive within this share of the time in which they were sent was gathered.
const GATHERED: f64 = 0.3;

/// Most requests for the rate of one direction.
const RATE_REQUESTS: usize = 8;

/// Where one takes so long it is large enough to tell the rate by.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

/// In kbit/s: below the first not even sound goes through well, headers and all; below the second a picture of 320x240 doesn't.
const FOR_SOUND: f64 = 100.0;
const FOR_PICTURES: f64 = 300.0;

/// Round trips, in milliseconds, above which people begin to talk into each other (the way from mouth to ear takes two halves of these and some 100 ms),
/// and above which they give up.
const SLOW: f64 = 300.0;
const TOO_SLOW: f64 = 1000.0;

/// Packets lost, in per cent, above which a call is no joy.
const TOO_LOSSY: f64 = 10.0;

/// How many are needed to say anything of round trips.
const FEW_TRIPS: usize = 10;

/// What noise is cut from: nothing on the way makes it smaller.
static NOISE: LazyLock<Bytes> =
    LazyLock::new(|| std::iter::repeat_with(random).take(UPLOAD_MAX / 8).flat_map(u64::to_le_bytes).collect());

/// A direction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To the relay.
    Up,
    /// From it.
    Down,
}

/// Whether a spread body came in one piece.
struct Gathered(bool);

impl<T: FnMut(Progress) + Send> Look<T> {
    /// All of the upper rungs.
    pub(super) async fn carry(&mut self, http: &Http) {
        self.begin(Step::Uploads);
        let largest = match self.upload(http, Bytes::from_static(b"?")).await {
            Err(Error::Refused { code, .. }) => {
                let why = match code {
                    ErrorCode::NotFound | ErrorCode::MethodNotAllowed => "Not looked at: this relay is too old to help with it.",
                    _ => "Not looked at: the relay has enough to do with others who look. Try again in a minute.",
                };
                for step in [Step::Uploads, Step::Polls, Step::Buffering, Step::Rates] {
                    self.end(Rung::untested(step, why));
                }
                return self.trips(http).await;
            }
            _ => self.uploads(http).await,
        };
        self.polls(http).await;
        self.buffering(http).await;
        self.rates(http, largest.min(UPLOAD_MAX)).await;
        self.trips(http).await;
    }

    /// How large uploads may be.
    async fn uploads(&mut self, http: &Http) -> usize {
        let (mut passes, mut per_byte) = (0, 0.0);
        for size in SIZES {
            // At this rate it would say nothing but that the rate is low.
            if per_byte * size as f64 > self.plan.answer.as_secs_f64() * 0.5 {
                break;
            }
            let mut began = Instant::now();
            let mut outcome = self.upload(http, noise(size)).await;
            if outcome.as_ref().is_err_and(is_no_answer_of_the_relay) {
                // Once may be an accident.
                began = Instant::now();
                outcome = self.upload(http, noise(size)).await;
            }
            match outcome {
                Ok(_) => {
                    passes = size;
                    per_byte = began.elapsed().saturating_sub(self.shortest).as_secs_f64() / size as f64;
                }
                Err(error) if is_no_answer_of_the_relay(&error) => {
                    passes = self.between(http, passes, size).await;
                    self.figures.upload_bytes = Some(passes);
                    self.end(too_large(passes, &error));
                    return passes;
                }
                Err(error) => {
                    self.end(Rung::untested(Step::Uploads, format!("Not looked at: {error}")));
                    return passes;
                }
            }
        }
        self.figures.upload_bytes = Some(passes);
        let found = if passes == UPLOAD_MAX {
            format!("{} pass, the largest that tvphone sends.", kib(passes))
        } else {
            format!("{} pass; larger ones would take too long at this rate.", kib(passes))
        };
        self.end(Rung::good(Step::Uploads, found));
        passes
    }

    /// The largest upload that passes, between one that does and one that doesn't.
    async fn between(&mut self, http: &Http, mut passes: usize, mut fails: usize) -> usize {
        while fails - passes > FINE.max(passes / 8) {
            let size = passes.midpoint(fails);
            let began = Instant::now();
            match self.upload(http, noise(size)).await {
                Ok(_) => passes = size,
                Err(_) => fails = size,
            }
            // Where each failure takes long, nobody waits for the exact number.
            if began.elapsed() > self.plan.answer / 3 {
                break;
            }
        }
        passes
    }

    async fn upload(&mut self, http: &Http, body: Bytes) -> Result<DoctorTook, Error> {
        let size = body.len() as u64;
        let ask = Ask::new(Method::POST, http.url(&["doctor"])).octets(body).timeout(self.plan.answer);
        let took: DoctorTook = http.parse(&http.send(&http.media, ask).await?)?;
        // Whoever passes on a part of it has cut it.
        if took.bytes == size { Ok(took) } else { Err(http.not_a_relay(Found::Nonsense)) }
    }

    fn give(&self, http: &Http, ask: AskDoctor, timeout: Duration) -> Ask {
        let AskDoctor { bytes, wait_ms, spread_ms } = ask;
        let mut url = http.url(&["doctor"]);
        url.set_query(Some(&format!("bytes={bytes}&wait_ms={wait_ms}&spread_ms={spread_ms}")));
        Ask::new(Method::GET, url).timeout(timeout)
    }

    /// How long a request may be held.
    async fn polls(&mut self, http: &Http) {
        self.begin(Step::Polls);
        let wait = self.plan.hold.min(WAIT_MAX);
        let (first, age) = self.hold(http, wait).await;
        let Err(error) = first else { return self.held(wait, "") };
        if !is_no_answer_of_the_relay(&error) {
            return self.end(Rung::untested(Step::Polls, format!("Not looked at: {error}")));
        }
        // Once may be an accident.
        let (second, again) = self.hold(http, wait).await;
        if second.is_ok() {
            return self.held(wait, &format!(" (Another one was cut after {}.)", words::time(age)));
        }
        let cut = age.min(again);
        self.figures.cut_ms = Some(ms(cut));
        let how = match &error {
            Error::Timeout { .. } => format!("A request that is held for {} is never answered", words::time(wait)),
            error => format!("A request that is held is cut after {} ({})", words::time(cut), how(error)),
        };
        let found = format!("{how}. tvphone then asks more often, which costs more requests and some delay.");
        let advice = "Ask whoever runs the network's proxy, or the web server before the relay, to let requests be silent for 30 s (nginx: \
                      proxy_read_timeout 60s).";
        self.end(Rung::weak(Step::Polls, found, advice));
    }

    fn held(&mut self, wait: Duration, besides: &str) {
        self.figures.held_ms = Some(ms(wait));
        let most = if wait == WAIT_MAX { ", the longest that tvphone asks for" } else { "; longer was not tried" };
        self.end(Rung::good(Step::Polls, format!("A request was held for {}{most}.{besides}", words::time(wait))));
    }

    /// One poll, and how old it became.
    async fn hold(&mut self, http: &Http, wait: Duration) -> (Result<(), Error>, Duration) {
        let query = AskDoctor { bytes: 1, wait_ms: ms(wait), spread_ms: 0 };
        let ask = self.give(http, query, wait + self.plan.answer).poll(wait);
        let began = Instant::now();
        let mut asking = std::pin::pin!(http.send(&http.media, ask));
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        let outcome = loop {
            tokio::select! {
                outcome = &mut asking => break outcome,
                _ = seconds.tick() => (self.tell)(Progress::Held(began.elapsed().min(wait), wait)),
            }
        };
        let whole = outcome.and_then(|body| if body.len() == 1 { Ok(()) } else { Err(http.not_a_relay(Found::Nonsense)) });
        (whole, began.elapsed())
    }

    /// Whether bodies are gathered whole before they are passed on.
    async fn buffering(&mut self, http: &Http) {
        self.begin(Step::Buffering);
        let answers = self.twice(http, Way::Down).await;
        let uploads = self.twice(http, Way::Up).await;
        let (answers, uploads) = match (answers, uploads) {
            (Ok(Gathered(answers)), Ok(Gathered(uploads))) => (answers, uploads),
            (Err(error), _) | (_, Err(error)) => {
                let found = format!(
                    "A body that came piece by piece within {} did not pass ({}).",
                    words::time(self.plan.spread),
                    how(&error)
                );
                let rung = if is_no_answer_of_the_relay(&error) {
                    let advice = "Something on the way cuts what is slow. Ask the network's administrator to let the relay's address pass unfiltered.";
                    Rung::weak(Step::Buffering, found, advice)
                } else {
                    Rung::untested(Step::Buffering, format!("Not looked at: {error}"))
                };
                return self.end(rung);
            }
        };
        (self.figures.answers_gathered, self.figures.uploads_gathered) = (Some(answers), Some(uploads));
        let what = match (answers, uploads) {
            (false, false) => {
                return self.end(Rung::good(Step::Buffering, "Uploads and answers are passed on as they come."));
            }
            (true, false) => "Answers are",
            (false, true) => "Uploads are",
            (true, true) => "Uploads and answers are",
        };
        let found = format!(
            "{what} held back until they are whole. Calls go on; each picture comes later by the time it takes to be gathered."
        );
        let advice = "Ask whoever runs the network's proxy, or the web server before the relay, to pass the relay's requests and answers on unbuffered \
                      (nginx: proxy_buffering off, proxy_request_buffering off; virus scanners: an exception for the address).";
        self.end(Rung::weak(Step::Buffering, found, advice));
    }

    /// What looks gathered is looked at again: a hiccup gathers, too.
    async fn twice(&mut self, http: &Http, way: Way) -> Result<Gathered, Error> {
        match self.in_pieces(http, way).await {
            Ok(Gathered(true)) | Err(_) => self.in_pieces(http, way).await,
            passed => passed,
        }
    }

    async fn in_pieces(&mut self, http: &Http, way: Way) -> Result<Gathered, Error> {
        match way {
            Way::Up => self.upload_in_pieces(http).await,
            Way::Down => self.answer_in_pieces(http).await,
        }
    }

    async fn answer_in_pieces(&mut self, http: &Http) -> Result<Gathered, Error> {
        let query = AskDoctor { bytes: (PIECE as u64) * u64::from(PIECES), wait_ms: 0, spread_ms: ms(self.plan.spread) };
        let ask = self.give(http, query, self.plan.spread + self.plan.answer);
        let mut answer = http.open(&http.media, ask).await?;
        let (mut first, mut last, mut bytes) = (None, None, 0);
        while let Some(piece) = answer.piece().await? {
            let now = Instant::now();
            (first, last) = (first.or(Some(now)), Some(now));
            bytes += piece.len();
        }
        if bytes != PIECE * PIECES as usize {
            return Err(http.not_a_relay(Found::Nonsense));
        }
        let seen = first.zip(last).map_or(Duration::ZERO, |(first, last)| last.saturating_duration_since(first));
        Ok(Gathered(seen < self.plan.spread.mul_f64(GATHERED)))
    }

    async fn upload_in_pieces(&mut self, http: &Http) -> Result<Gathered, Error> {
        let body = Drip::new(noise(PIECE), PIECES, self.plan.spread / (PIECES - 1));
        let ask = Ask::new(Method::POST, http.url(&["doctor"])).drip(body).timeout(self.plan.spread + self.plan.answer);
        let took: DoctorTook = http.parse(&http.send(&http.media, ask).await?)?;
        Ok(Gathered(Duration::from_millis(took.spread_ms) < self.plan.spread.mul_f64(GATHERED)))
    }

    /// How much gets through.
    async fn rates(&mut self, http: &Http, largest: usize) {
        self.begin(Step::Rates);
        let up = self.rate(http, Way::Up, largest).await;
        let down = self.rate(http, Way::Down, DOCTOR_MAX).await;
        (self.figures.up_kbps, self.figures.down_kbps) = (up.map(rounded), down.map(rounded));
        let (Some(up), Some(down)) = (up, down) else {
            return self.end(Rung::untested(Step::Rates, "Not looked at: too few requests were answered."));
        };
        let both = format!("{} up, {} down, at least", spoken(up), spoken(down));
        let least = up.min(down);
        let which = if up <= down { "from here to the relay" } else { "from the relay to here" };
        let advice =
            "Let nothing else load this line, move nearer to the wireless access point or use a cable, or another network.";
        self.end(if least < FOR_SOUND {
            Rung::bad(Step::Rates, format!("{both}: too little gets through {which}, even for sound alone."), advice)
        } else if least < FOR_PICTURES {
            Rung::weak(
                Step::Rates,
                format!("{both}: enough for sound, but less than a picture needs gets through {which}."),
                advice,
            )
        } else {
            Rung::good(Step::Rates, format!("{both}."))
        });
    }

    /// In kbit/s: ever larger requests, one after the other, until one takes long enough. Those of the largest size count.
    async fn rate(&mut self, http: &Http, way: Way, largest: usize) -> Option<f64> {
        let began = Instant::now();
        let mut size = (16 << 10).min(largest);
        let (mut bytes, mut time) = (0, Duration::ZERO);
        for _ in 0..RATE_REQUESTS {
            let sent = Instant::now();
            let outcome = self.send(http, way, size).await;
            let took = sent.elapsed();
            match outcome {
                // The round trip isn't the rate's; but what is hardly longer than that says little, and isn't to say anything.
                Ok(()) => (bytes, time) = (bytes + size, time + took.saturating_sub(self.shortest).max(took / 5)),
                // It didn't get through in that time.
                Err(Error::Timeout { .. }) if bytes == 0 => return Some(kbps(size, took)),
                Err(_) => break,
            }
            // A connection that begins needs some round trips until it is as quick as it can be.
            if began.elapsed() > self.plan.rate.max(self.shortest * 10) {
                break;
            }
            if took < LONG_ENOUGH + self.shortest * 4 && size < largest {
                size = (size * 4).min(largest);
                (bytes, time) = (0, Duration::ZERO);
            }
        }
        (bytes > 0).then(|| kbps(bytes, time))
    }

    async fn send(&mut self, http: &Http, way: Way, size: usize) -> Result<(), Error> {
        if way == Way::Up {
            return self.upload(http, noise(size)).await.map(|_| ());
        }
        let ask = self.give(http, AskDoctor { bytes: size as u64, ..AskDoctor::default() }, self.plan.answer);
        let body = http.send(&http.media, ask).await?;
        if body.len() == size { Ok(()) } else { Err(http.not_a_relay(Found::Nonsense)) }
    }

    /// How long it takes there and back.
    async fn trips(&mut self, http: &Http) {
        self.begin(Step::RoundTrip);
        let began = Instant::now();
        let (mut times, mut unanswered) = (Vec::new(), 0);
        // The first may have to connect.
        let _ = self.health(http).await;
        for at in 0..self.plan.trips {
            if at >= FEW_TRIPS && began.elapsed() > self.plan.trips_within || unanswered >= FEW_TRIPS / 2 {
                break;
            }
            match self.health(http).await {
                (Ok(_), took) => times.push(took),
                (Err(_), _) => unanswered += 1,
            }
        }
        let Some(trips) = Trips::of(times, unanswered) else {
            let found = "Small requests aren't answered any more.";
            return self.end(Rung::bad(
                Step::RoundTrip,
                found,
                "The connection comes and goes: look again, nearer to the access point or by cable.",
            ));
        };
        self.figures.round_trip = Some(trips);
        let lost = if trips.late == 0 {
            "no packet seems to be lost".to_owned()
        } else {
            format!(
                "{} of {} took so much longer that a packet may have been lost, which makes about {} % loss (an estimate: a busy line or computer \
                 looks the same)",
                trips.late, trips.count, trips.loss_percent
            )
        };
        let (median, min, p95) = (trips.median_ms, trips.min_ms, trips.p95_ms);
        let said = format!("{median:.1} ms there and back (shortest {min:.1}, 95 % within {p95:.1}); {lost}");
        let lossy = "Packets get lost. Move nearer to the wireless access point or use a cable; let nothing else load the line.";
        let far = "Use a relay nearer by, or a network without a satellite, VPN or loaded line in between.";
        self.end(if trips.loses() && trips.loss_percent > TOO_LOSSY {
            Rung::bad(Step::RoundTrip, format!("{said}. That is too much for a call."), lossy)
        } else if trips.median_ms > TOO_SLOW {
            Rung::bad(Step::RoundTrip, format!("{said}. That is too long for a call."), far)
        } else if trips.loses() {
            Rung::weak(Step::RoundTrip, format!("{said}. Sound and pictures will stumble."), lossy)
        } else if trips.median_ms > SLOW {
            Rung::weak(Step::RoundTrip, format!("{said}. It is so long that people talk into each other."), far)
        } else {
            Rung::good(Step::RoundTrip, format!("{said}."))
        });
    }
}

/// What uploads that are too large come to.
fn too_large(passes: usize, error: &Error) -> Rung {
    let how = how(error);
    let advice = "Ask whoever runs the network's proxy, or the web server before the relay, to let bodies of 320 KiB pass (nginx: client_max_body_size 1m).";
    if passes == 0 {
        return Rung::bad(Step::Uploads, format!("Not even an upload of 1 KiB passes ({how})."), advice);
    }
    let found = format!("Uploads of up to {} pass, larger ones don't ({how})", kib(passes));
    if passes < KEYFRAME {
        Rung::bad(Step::Uploads, format!("{found}: too little for a picture to begin with."), advice)
    } else {
        Rung::weak(Step::Uploads, format!("{found}. Large pictures will stall."), advice)
    }
}

/// How a request failed that something on the way has refused or cut.
fn how(error: &Error) -> String {
    match error {
        Error::NotARelay { found: Found::Status(status), .. } | Error::Gateway { status, .. } => {
            format!("refused with status {status}")
        }
        Error::NotARelay { .. } => "something else than the relay answers".to_owned(),
        Error::Timeout { .. } => "no answer".to_owned(),
        Error::Refused { code: ErrorCode::TooLarge, .. } => "refused as too large".to_owned(),
        _ => "the connection is cut".to_owned(),
    }
}

/// Whether it isn't the relay that says no, for reasons of its own.
fn is_no_answer_of_the_relay(error: &Error) -> bool {
    match error {
        Error::Refused { code, .. } => *code == ErrorCode::TooLarge,
        _ => true,
    }
}

/// So many bytes, at most [`UPLOAD_MAX`].
fn noise(bytes: usize) -> Bytes {
    NOISE.slice(..bytes.min(NOISE.len()))
}

fn kbps(bytes: usize, time: Duration) -> f64 {
    bytes as f64 * 8.0 / 1000.0 / time.as_secs_f64().max(1e-6)
}

/// A rate in words: nobody needs more than four digits.
fn spoken(kbps: f64) -> String {
    if kbps < 10_000.0 { format!("{kbps:.0} kbit/s") } else { format!("{:.0} Mbit/s", kbps / 1000.0) }
}

fn rounded(kbps: f64) -> f64 {
    (kbps * 10.0).round() / 10.0
}

fn kib(bytes: usize) -> String {
    format!("{} KiB", bytes >> 10)
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
