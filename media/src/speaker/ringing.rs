//! A ringtone on a speaker, played until somebody answers.

use std::{io::Cursor, sync::Arc, thread, time::Duration};

use ringbuf::traits::{Observer, Producer};

use crate::{
    Part, Trouble,
    devices::choice::Choice,
    sound::{
        ring::{Exchange, Source, Wake, ring as samples},
        stream::{self, Running},
        watch::{self, Follow},
    },
    stop::Stop,
    watch::{State, Watch},
    wav,
};

/// How much sound is kept ready, in parts of a second: enough to sleep between two looks.
const AHEAD: u32 = 5;
/// From one look at the ring to the next.
const BEAT: Duration = Duration::from_millis(50);

/// A ringtone that sounds until it's dropped.
#[derive(Debug)]
pub struct Ringing {
    stop: Stop,
}

/// Plays a WAV file that's in memory, over and over, until the result is dropped: on the speaker of this id or name (see
/// [`crate::devices::speakers`]), or on the system's default one.
///
/// Nothing can go wrong for the caller: without that speaker the default one rings, and without any it stays silent, and `state` hears why.
#[must_use]
pub fn ring(speaker: Option<String>, wav: &'static [u8], state: State) -> Ringing {
    sound(wav, Rounds::Many, state, speaker)
}

/// Plays a WAV file that's in memory once, likewise; dropped earlier, it ends earlier.
#[must_use]
pub fn chime(speaker: Option<String>, wav: &'static [u8], state: State) -> Ringing {
    sound(wav, Rounds::One, state, speaker)
}

/// How often a tone is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rounds {
    One,
    Many,
}

fn sound(wav: &'static [u8], rounds: Rounds, state: State, speaker: Option<String>) -> Ringing {
    let choice = Choice::new(speaker, true);
    let follow = Follow::new(Part::Speaker, choice.clone());
    play(wav, rounds, state, follow, device(choice))
}

fn device(choice: Choice) -> impl Fn(Duration) -> Result<(Running, Line), Trouble> + Send + Sync + 'static {
    let (wake, underruns) = (Wake::default(), Arc::default());
    move |period| {
        stream::open_speaker(choice.get(), period, &wake, &underruns, |rate| {
            let (source, drain) = samples(rate);
            (drain, (source, rate))
        })
    }
}

/// Where the tone goes: a device's ring and its rate in Hz.
type Line = (Source, u32);

fn play(
    wav: &'static [u8],
    rounds: Rounds,
    state: State,
    follow: Follow,
    open: impl Fn(Duration) -> Result<(Running, Line), Trouble> + Send + Sync + 'static,
) -> Ringing {
    let stop = Stop::default();
    let ringing = Ringing { stop: stop.clone() };
    let exchange = Exchange::default();
    let lines = exchange.clone();
    let feeder = {
        let stop = stop.clone();
        move || feed(wav, rounds, &exchange, &stop)
    };
    let player = move || {
        let open: watch::Open<Line> = Arc::new(open);
        watch::run(&open, &follow, &stop, Watch::new(Part::Speaker, state), BEAT, |now| {
            if let watch::Now::Open(line) = now {
                lines.offer(line);
            }
        });
    };
    for (name, work) in [("ringtone", Box::new(feeder) as Box<dyn FnOnce() + Send>), ("ringtone device", Box::new(player))] {
        if let Err(error) = thread::Builder::new().name(name.into()).spawn(work) {
            tracing::warn!(%error, "no ringtone");
        }
    }
    ringing
}

impl Drop for Ringing {
    fn drop(&mut self) {
        self.stop.set();
    }
}

/// The tone as it plays: where it goes, where it comes from, and at which rate.
type Playing = (Source, wav::Loop<Cursor<&'static [u8]>>, u32);

/// Keeps the device's ring filled. What is played once begins again only on another device.
fn feed(wav: &'static [u8], rounds: Rounds, exchange: &Exchange<Line>, stop: &Stop) {
    let mut playing: Option<Playing> = None;
    let mut played = 0;
    while !stop.wait(BEAT) {
        if let Some((source, rate)) = exchange.take() {
            match wav::Loop::from_bytes(wav, rate) {
                Ok(sound) => {
                    playing = Some((source, sound, rate));
                    played = 0;
                }
                Err(error) => {
                    tracing::error!(%error, "the ringtone can't be played");
                    return;
                }
            }
        }
        let Some((source, sound, rate)) = &mut playing else { continue };
        let mut block = [0.0; 480];
        if rounds == Rounds::One && played >= sound.length() {
            // Closed once the device has taken all.
            if source.samples.occupied_len() == 0 {
                stop.set();
            }
            continue;
        }
        while source.samples.occupied_len() < (*rate / AHEAD) as usize {
            if sound.read(&mut block).is_err() {
                return;
            }
            played += source.samples.push_slice(&block);
            if rounds == Rounds::One && played >= sound.length() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicU32, Ordering},
            mpsc::{Sender, channel},
        },
        time::Instant,
    };

    use ringbuf::traits::Consumer;

    use super::*;
    use crate::sound::{callback::Pulse, ring::Drain};

    /// A tenth of a second of one level.
    fn tone() -> &'static [u8] {
        let spec =
            hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        (0..4_800).for_each(|_| writer.write_sample(8_192_i16).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner().leak()
    }

    /// Fails twice, the second time after it had a ring already, and then works.
    fn third_time_lucky(devices: Sender<Drain>) -> impl Fn(Duration) -> Result<(Running, Line), Trouble> {
        let attempts = AtomicU32::new(0);
        move |_| {
            if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                return Err(Trouble::Missing(Part::Speaker));
            }
            let (source, drain) = samples(44_100);
            if attempts.load(Ordering::Relaxed) == 2 {
                return Err(Trouble::Denied(Part::Speaker));
            }
            devices.send(drain).map_err(|_| Trouble::Missing(Part::Speaker))?;
            Ok((Running::fake(Pulse::default(), ()), (source, 44_100)))
        }
    }

    /// A machine on which nothing comes or goes.
    fn alone() -> Follow {
        Follow { choice: Choice::default(), look: Box::new(|| None) }
    }

    #[test]
    fn rings_as_soon_as_the_speaker_can_be_opened() {
        let ((told, news), (to_test, devices)) = (channel(), channel());
        let ringing =
            play(tone(), Rounds::Many, Arc::new(move |state| drop(told.send(state))), alone(), third_time_lucky(to_test));
        let patience = Duration::from_secs(20);
        assert_eq!(news.recv_timeout(patience).unwrap(), Err(Trouble::Missing(Part::Speaker)));
        assert_eq!(news.recv_timeout(patience).unwrap(), Err(Trouble::Denied(Part::Speaker)));
        let mut drain = devices.recv_timeout(patience).unwrap();
        let (mut heard, mut block, deadline) = (Vec::new(), [0.0; 480], Instant::now() + patience);
        // Three rounds of the tone.
        while heard.len() < 3 * 4_410 {
            let count = drain.samples.pop_slice(&mut block);
            heard.extend_from_slice(&block[..count]);
            assert!(Instant::now() < deadline, "{} samples", heard.len());
            assert!(!ringing.stop.wait(Duration::from_millis(1)));
        }
        let loud = heard.iter().filter(|sample| (**sample - 0.25).abs() < 0.02).count();
        assert!(loud > heard.len() * 9 / 10, "{loud} of {}", heard.len());
    }

    #[test]
    fn what_is_to_sound_once_ends_by_itself() {
        let ((told, _news), (to_test, devices)) = (channel(), channel());
        let chime = play(tone(), Rounds::One, Arc::new(move |state| drop(told.send(state))), alone(), third_time_lucky(to_test));
        let patience = Duration::from_secs(20);
        let mut drain = devices.recv_timeout(patience).unwrap();
        let (mut heard, mut block, deadline) = (0, [0.0; 480], Instant::now() + patience);
        while !chime.stop.wait(Duration::from_millis(1)) {
            heard += drain.samples.pop_slice(&mut block);
            assert!(Instant::now() < deadline, "{heard} samples");
        }
        assert!((4_410..4_410 + 960).contains(&heard), "{heard} samples of a tenth of a second");
    }
}
