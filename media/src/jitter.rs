//! The jitter buffer: packets of sound come as the network likes and leave one every 20 ms, late enough that most are
//! there in time and no later.
//!
//! It measures how much later than the quickest one each packet comes ([`delay`]) and aims at playing a packet that long after
//! its quickest possible arrival. What it does to get there, it leaves to who plays: each packet comes with a [`Pace`].
//! After a stall it skips to where the delay is short again, so that delay never creeps up.
//!
//! The thinking is NetEQ's (WebRTC's jitter buffer); the delay is measured on the packets' own times rather than by the length
//! of a queue, so that pauses in which nothing is sent don't disturb it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use codecs::MediaTime;

use self::delay::Delay;
use crate::sequence::Sequence;

pub(crate) mod delay;

/// The sound in one packet.
pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// Microseconds in [`FRAME`].
const FRAME_US: i64 = 20_000;

/// How many frames in a row are made up: speech goes on for about that long; a made-up hum that goes on is worse than silence.
const CONCEAL_MAX: u32 = 5;

/// Microseconds over the target that are kept after a stall and made up for by playing faster: the most that an ear takes
/// for a hurried speaker rather than a late one. What is older is skipped.
const KEEP_US: i64 = 100_000;

/// Microseconds over the target at which even running sound is skipped: shortening it would take more than a second.
const JUMP_US: i64 = 200_000;

/// Sound already decoded, in microseconds, that a step of shortening can be taken from without another packet: the longest
/// step there is.
const SPARE_US: i64 = 10_000;

/// Microseconds over the target that sound should wait before it's played: packets are asked for up to 10 ms before that, since so much is
/// played at once.
const MARGIN_US: i64 = 12_000;

/// Over how many frames the shortest delay decides that sound may be shortened: a sound card asks for several frames at once
/// and then for none, and only the last of each such group was near being late. Cards ask at least ten times a second.
const RECENT: usize = 10;

/// The same for stretching, which can't wait as long.
const RECENT_LOW: usize = 4;

/// The most packets kept: 2.5 s, more than is ever worth catching up on.
const HELD_MAX: usize = 128;

/// The packets of one audio track, between arrival and playout.
#[derive(Debug)]
pub(crate) struct Jitter {
    origin: Instant,
    sequence: Sequence,
    held: BTreeMap<u64, Packet>,
    delay: Delay,
    state: State,
    /// Everything before this position is decided.
    floor: u64,
    started: bool,
    /// Delays at which the last packets were asked for, in microseconds.
    recent: VecDeque<i64>,
    /// By how much the last packet waits longer than it should, in microseconds.
    excess: Option<i64>,
    counts: Counts,
}

/// 20 ms of sound as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// When it was captured, on the sender's clock.
    pub(crate) time: MediaTime,
    /// Nothing more may come for a while.
    pub(crate) silence: bool,
    /// The coded sound.
    pub(crate) data: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waiting for the right moment to go on.
    Paused(Pause),
    /// One packet after the other.
    Playing {
        /// Frames made up since the last real one.
        made_up: u32,
        /// The last one said that nothing may follow.
        silence: bool,
    },
}

/// Why nothing plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// Nothing has come yet.
    Start,
    /// There is nothing to hear.
    Silence,
    /// There should be something.
    Stall,
}

/// What to play for the next 20 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// This packet.
    Packet {
        /// What to decode.
        packet: Packet,
        /// How fast to play it.
        pace: Pace,
    },
    /// A packet is missing: what the one after it remembers of it.
    Recover {
        /// The packet after the missing one; it comes again as [`Output::Packet`].
        next: Bytes,
    },
    /// A packet is missing: what may have been in it.
    Conceal,
    /// Nothing is to be heard but the room.
    Quiet,
    /// Nothing at all.
    Silence,
}

/// How to play a packet so that the delay gets where it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As it is.
    Normal,
    /// Shorter by a few milliseconds, if that can be done unheard.
    Faster,
    /// Longer by a few milliseconds.
    Slower,
}

/// What became of packets and frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Packets that came, without duplicates.
    pub(crate) received: u64,
    /// Packets that came again.
    pub(crate) duplicates: u64,
    /// Packets that came after their turn.
    pub(crate) late: u64,
    /// Packets whose turn passed without them.
    pub(crate) lost: u64,
    /// Packets thrown away to shorten the delay.
    pub(crate) skipped: u64,
    /// Frames played from their packet.
    pub(crate) played: u64,
    /// Frames played from the packet after.
    pub(crate) recovered: u64,
    /// Frames made up.
    pub(crate) concealed: u64,
    /// Frames of silence where there should have been sound.
    pub(crate) stalled: u64,
}

impl Jitter {
    /// An empty buffer; all times are taken relative to `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            origin: now,
            sequence: Sequence::default(),
            held: BTreeMap::new(),
            delay: Delay::default(),
            state: State::Paused(Pause::Start),
            floor: 0,
            started: false,
            recent: VecDeque::with_capacity(RECENT),
            excess: None,
            counts: Counts::default(),
        }
    }

    /// Takes a packet that came at `now`.
    pub(crate) fn push(&mut self, now: Instant, seq: u32, packet: Packet) {
        let arrival = self.sequence.arrive(seq);
        if arrival.repeated || self.held.contains_key(&arrival.position) {
            self.counts.duplicates += 1;
            return;
        }
        self.counts.received += 1;
        if arrival.anew {
            self.begin_anew();
        }
        let at = self.micros(now);
        self.delay.arrive(at, at - media_micros(packet.time));
        if arrival.position < self.floor {
            self.counts.late += 1;
            return;
        }
        self.held.insert(arrival.position, packet);
        if self.held.len() > HELD_MAX {
            self.skip_first();
        }
    }

    /// What to play next, to be asked at `now` in the rhythm of playing. `spare` is the sound that has been given out and not
    /// yet been played, beyond what playing needs now.
    pub(crate) fn pull(&mut self, now: Instant, spare: Duration) -> Output {
        self.excess = None;
        let at = self.micros(now);
        let mut output = match self.state {
            State::Paused(why) => self.pull_paused(at, why),
            State::Playing { made_up, silence } => self.pull_playing(at, made_up, silence),
        };
        if let Output::Packet { pace, .. } = &mut output {
            let spare = i64::try_from(spare.as_micros()).unwrap_or(i64::MAX);
            *pace = self.pace(spare);
            let waits = self.recent.back().copied().unwrap_or(0).saturating_add(spare);
            self.excess = Some(waits.saturating_sub(self.delay.target() + MARGIN_US));
        }
        output
    }

    /// By how much the packet that was asked for last plays later than it should, in microseconds; `None` if it wasn't there.
    pub(crate) fn excess(&self) -> Option<i64> {
        self.excess
    }

    /// Playing has made a frame longer: from now on packets are asked for later.
    pub(crate) fn stretched(&mut self) {
        self.recent.clear();
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// How long packets wait now, after their quickest possible arrival, until they're decoded; zero if none has been.
    pub(crate) fn playout_delay(&self) -> Duration {
        Duration::from_micros(self.recent.iter().min().map_or(0, |delay| (*delay).max(0).cast_unsigned()))
    }

    /// How long they should wait.
    pub(crate) fn target_delay(&self) -> Duration {
        Duration::from_micros(self.delay.target().cast_unsigned())
    }

    fn pull_paused(&mut self, at: i64, why: Pause) -> Output {
        let target = self.delay.target();
        while self.delay_of_first(at).is_some_and(|delay| delay > target + KEEP_US) && self.span() > target + KEEP_US {
            self.skip_first();
        }
        if self.delay_of_first(at).is_some_and(|delay| delay >= target) {
            return self.play_first(at);
        }
        match why {
            Pause::Start => Output::Silence,
            Pause::Silence => Output::Quiet,
            Pause::Stall => {
                self.counts.stalled += 1;
                Output::Silence
            }
        }
    }

    fn pull_playing(&mut self, at: i64, made_up: u32, silence: bool) -> Output {
        let first = self.held.first_key_value().map(|(position, _)| *position);
        if first == Some(self.floor) {
            let limit = self.delay.target() + JUMP_US;
            if self.delay_of_first(at).is_some_and(|delay| delay > limit) && self.span() > limit {
                return self.pause(at, Pause::Stall);
            }
            return self.play_first(at);
        }
        if silence {
            return self.pause(at, Pause::Silence);
        }
        if made_up >= CONCEAL_MAX {
            return self.pause(at, Pause::Stall);
        }
        self.state = State::Playing { made_up: made_up + 1, silence };
        let Some(first) = first else {
            // Nothing is lost on a TCP connection but time: the packet is still to come, and what follows it too.
            self.counts.concealed += 1;
            return Output::Conceal;
        };
        // Later ones are here: this one's turn is over.
        self.counts.lost += 1;
        self.floor += 1;
        match self.held.get(&first) {
            Some(next) if first == self.floor => {
                self.counts.recovered += 1;
                Output::Recover { next: next.data.clone() }
            }
            _ => {
                self.counts.concealed += 1;
                Output::Conceal
            }
        }
    }

    fn pause(&mut self, at: i64, why: Pause) -> Output {
        self.state = State::Paused(why);
        self.recent.clear();
        self.pull_paused(at, why)
    }

    fn play_first(&mut self, at: i64) -> Output {
        let delay = self.delay_of_first(at);
        let Some((position, packet)) = self.held.pop_first() else { return Output::Silence };
        self.decide(position);
        self.started = true;
        self.state = State::Playing { made_up: 0, silence: packet.silence };
        self.counts.played += 1;
        if let Some(delay) = delay {
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(delay);
        }
        Output::Packet { packet, pace: Pace::Normal }
    }

    /// Packets are asked for in steps of a frame, so their delay comes to rest between the target and one frame more. What is
    /// spare comes on top, and goes away as far as it makes no packet be asked for any sooner.
    fn pace(&self, spare: i64) -> Pace {
        let Some(&shortest) = self.recent.iter().min() else { return Pace::Normal };
        let over = shortest - self.delay.target();
        if over < 0 {
            return if self.recent.len() >= RECENT_LOW { Pace::Slower } else { Pace::Normal };
        }
        let known = self.recent.len() == RECENT || over > KEEP_US / 2;
        let ample = over > FRAME_US && !self.held.is_empty();
        if known && (ample || spare >= SPARE_US) { Pace::Faster } else { Pace::Normal }
    }

    /// The sender was restarted, and its clock too.
    fn begin_anew(&mut self) {
        self.counts.skipped += self.held.len() as u64;
        self.held.clear();
        self.delay.rebase();
        self.recent.clear();
        self.state = State::Paused(Pause::Start);
        self.started = false;
    }

    fn skip_first(&mut self) {
        if let Some((position, _)) = self.held.pop_first() {
            self.counts.skipped += 1;
            self.decide(position);
        }
    }

    /// Everything up to `position` has had its turn.
    fn decide(&mut self, position: u64) {
        if self.started {
            self.counts.lost += position - self.floor;
        }
        self.floor = position + 1;
    }

    /// How long after its quickest possible arrival the first packet would play, in microseconds.
    fn delay_of_first(&self, at: i64) -> Option<i64> {
        let (_, packet) = self.held.first_key_value()?;
        Some(at - media_micros(packet.time) - self.delay.base()?)
    }

    /// Sound held, from the first packet to the last, in microseconds. Unlike a delay it can't be wrong by a sender's clock that has
    /// jumped, so nothing is skipped unless there is something newer to skip to.
    fn span(&self) -> i64 {
        match (self.held.first_key_value(), self.held.last_key_value()) {
            (Some((first, _)), Some((last, _))) => {
                i64::try_from(last - first).unwrap_or(i64::MAX / FRAME_US - 1) * FRAME_US + FRAME_US
            }
            _ => 0,
        }
    }

    fn micros(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.origin).as_micros()).unwrap_or(i64::MAX)
    }
}

/// A sender's time in microseconds. One beyond 36,000 years is as good as that.
fn media_micros(time: MediaTime) -> i64 {
    time.as_micros().min(1 << 60).cast_signed()
}

#[cfg(test)]
mod tests;
