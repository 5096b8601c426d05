//! A ringtone on the default speaker, played until somebody answers.

use std::{io::Cursor, sync::Arc, thread, time::Duration};

use ringbuf::traits::{Observer, Producer};

use crate::{
    Part,
    sound::{
        ring::{Exchange, Source, Wake, ring as samples},
        stream, watch,
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

/// Plays a WAV file that's in memory on the default speaker, over and over, until the result is dropped.
///
/// Nothing can go wrong for the caller: on a machine without a speaker it stays silent, and `state` hears why.
#[must_use]
pub fn ring(wav: &'static [u8], state: State) -> Ringing {
    let stop = Stop::default();
    let ringing = Ringing { stop: stop.clone() };
    let (exchange, wake) = (Exchange::default(), Wake::default());
    let lines = exchange.clone();
    let feeder = {
        let stop = stop.clone();
        move || feed(wav, &exchange, &stop)
    };
    let player = move || {
        let open = move || {
            stream::open_speaker(None, &wake, |rate| {
                let (source, drain) = samples(rate);
                lines.offer((source, rate));
                drain
            })
        };
        let open: watch::Open = Arc::new(open);
        watch::run(Part::Speaker, &open, &stop, Watch::new(Part::Speaker, state), BEAT, |_| {});
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

/// Keeps the device's ring filled.
fn feed(wav: &'static [u8], exchange: &Exchange<(Source, u32)>, stop: &Stop) {
    let mut playing: Option<Playing> = None;
    while !stop.wait(BEAT) {
        if let Some((source, rate)) = exchange.take() {
            match wav::Loop::from_bytes(wav, rate) {
                Ok(sound) => playing = Some((source, sound, rate)),
                Err(error) => {
                    tracing::error!(%error, "the ringtone can't be played");
                    return;
                }
            }
        }
        let Some((source, sound, rate)) = &mut playing else { continue };
        let mut block = [0.0; 480];
        while source.samples.occupied_len() < (*rate / AHEAD) as usize {
            if sound.read(&mut block).is_err() {
                return;
            }
            source.samples.push_slice(&block);
        }
    }
}
