//! What a robot wrote down line by line (`--trace`), and what can be told from that.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

/// Sound that takes so much longer than the quickest is late, in milliseconds: a jitter buffer that waits longer is heard as delay.
pub const LATE_MS: f64 = 60.0;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Video(Picture),
    Audio(Packet),
    Figures { at: u64, so_far: Value },
}

/// A picture that was decoded. Times are in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Picture {
    /// When it was captured.
    pub captured: u64,
    /// When it was decoded.
    pub at: u64,
    /// How many bytes it took.
    pub bytes: usize,
    /// Whether it stands for itself.
    pub keyframe: bool,
}

impl Picture {
    /// Capture to decoded, in milliseconds.
    #[must_use]
    pub fn delay(&self) -> f64 {
        self.at.saturating_sub(self.captured) as f64 / 1000.0
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Packet {
    at: u64,
    seq: u32,
    media_us: u64,
}

/// One robot's call.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// In the order they were decoded in.
    pub pictures: Vec<Picture>,
    /// The first of each number.
    sound: BTreeMap<u32, Packet>,
    /// Once a second: when, and all that was counted until then.
    figures: Vec<(u64, Value)>,
}

impl Trace {
    /// Reads a trace; a line that a stopped robot left half written is left out.
    ///
    /// # Errors
    /// When there is none, or nothing in it.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("no trace {}", file.display()))?;
        let trace = Self::parse(&text);
        anyhow::ensure!(!trace.figures.is_empty(), "nothing in the trace {}", file.display());
        Ok(trace)
    }

    fn parse(text: &str) -> Self {
        let mut trace = Self::default();
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(Line::Video(picture)) => trace.pictures.push(picture),
                Ok(Line::Audio(packet)) => {
                    trace.sound.entry(packet.seq).or_insert(packet);
                }
                Ok(Line::Figures { at, so_far }) => trace.figures.push((at, so_far)),
                Err(_) => {}
            }
        }
        trace
    }

    /// What came of what was sent between two moments.
    #[must_use]
    pub fn between(&self, from: u64, to: u64) -> Self {
        let within = |at: u64| (from..to).contains(&at);
        Self {
            pictures: self.pictures.iter().copied().filter(|picture| within(picture.captured)).collect(),
            sound: self.sound.iter().filter(|(_, packet)| within(packet.at)).map(|(seq, packet)| (*seq, *packet)).collect(),
            figures: self.figures.iter().filter(|(at, _)| within(*at)).cloned().collect(),
        }
    }

    /// The pictures' delays in milliseconds, sorted.
    #[must_use]
    pub fn delays(&self) -> Vec<f64> {
        let mut delays: Vec<f64> = self.pictures.iter().map(Picture::delay).collect();
        delays.sort_by(f64::total_cmp);
        delays
    }

    /// How many pictures a second were decoded, by when they were captured.
    #[must_use]
    pub fn rate(&self, seconds: f64) -> f64 {
        self.pictures.len() as f64 / seconds
    }

    /// The longest time without a new picture, in milliseconds.
    #[must_use]
    pub fn longest_still(&self) -> f64 {
        let pairs = self.pictures.iter().zip(self.pictures.iter().skip(1));
        pairs.map(|(one, next)| next.at.saturating_sub(one.at)).max().unwrap_or_default() as f64 / 1000.0
    }

    /// The longest time without a new packet of sound, in milliseconds.
    #[must_use]
    pub fn longest_silence(&self) -> f64 {
        let mut arrivals: Vec<u64> = self.sound.values().map(|packet| packet.at).collect();
        arrivals.sort_unstable();
        arrivals.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default() as f64 / 1000.0
    }

    /// Size of the middle picture in bytes.
    #[must_use]
    pub fn middle_size(&self) -> f64 {
        crate::median(&self.pictures.iter().map(|picture| picture.bytes as f64).collect::<Vec<_>>())
    }

    /// Percent of the packets of sound that came over [`LATE_MS`] later than the quickest, or never, and how many there were. Where clocks drift,
    /// packets are compared with the quickest of the same ten seconds.
    #[must_use]
    pub fn late(&self, drifting: bool) -> (f64, usize) {
        let (Some((first, _)), Some((last, _))) = (self.sound.first_key_value(), self.sound.last_key_value()) else {
            return (100.0, 0);
        };
        let sent = (last - first) as usize + 1;
        let span = |packet: &Packet| if drifting { packet.media_us / 10_000_000 } else { 0 };
        let took = |packet: &Packet| packet.at as f64 - packet.media_us as f64;
        let mut quickest = BTreeMap::new();
        for packet in self.sound.values() {
            let least = quickest.entry(span(packet)).or_insert(f64::MAX);
            *least = took(packet).min(*least);
        }
        let in_time =
            |packet: &&Packet| took(packet) - quickest.get(&span(packet)).copied().unwrap_or_default() <= LATE_MS * 1000.0;
        let good = self.sound.values().filter(in_time).count();
        (sent.saturating_sub(good) as f64 / sent as f64 * 100.0, sent)
    }

    /// The growth of a figure, such as "/audio/concealed_ms", from the first second to the last.
    #[must_use]
    pub fn growth(&self, path: &str) -> f64 {
        let number = |entry: Option<&(u64, Value)>| {
            entry.and_then(|(_, all)| all.pointer(path)).and_then(Value::as_f64).unwrap_or_default()
        };
        number(self.figures.last()) - number(self.figures.first())
    }

    /// A figure at its last.
    #[must_use]
    pub fn last(&self, path: &str) -> Option<f64> {
        self.figures.last()?.1.pointer(path)?.as_f64()
    }

    /// Percent of the sound played that was made up, or silence for want of any.
    #[must_use]
    pub fn concealed(&self) -> f64 {
        let of = |names: &[&str]| names.iter().map(|name| self.growth(&format!("/audio/{name}_ms"))).sum::<f64>();
        let broken = of(&["concealed", "stalled"]);
        broken / (broken + of(&["played", "recovered"])).max(1.0) * 100.0
    }

    /// A figure over time: seconds since the first, value.
    #[must_use]
    pub fn course(&self, path: &str) -> Vec<(f64, f64)> {
        let start = self.figures.first().map_or(0, |(at, _)| *at);
        let point = |(at, all): &(u64, Value)| Some((at.saturating_sub(start) as f64 / 1e6, all.pointer(path)?.as_f64()?));
        self.figures.iter().filter_map(point).collect()
    }

    /// The pictures' delay over time: seconds since a moment, the median of each ten seconds in milliseconds.
    #[must_use]
    pub fn delay_course(&self) -> Vec<(f64, f64)> {
        let start = self.pictures.first().map_or(0, |picture| picture.captured);
        let mut spans: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for picture in &self.pictures {
            spans.entry(picture.captured.saturating_sub(start) / 10_000_000).or_default().push(picture.delay());
        }
        spans.into_iter().map(|(span, delays)| (span as f64 * 10.0, crate::median(&delays))).collect()
    }
}

/// A quantile of sorted values, from 0 to 1; 0 where there are none.
#[must_use]
pub fn quantile(sorted: &[f64], of: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((of * last as f64).round() as usize).copied().unwrap_or_default()
}

/// How fast values rise: the slope of the straight line that fits best, in units of value per unit of time.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len().max(1) as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let (mut up, mut along) = (0.0, 0.0);
    for point in points {
        up += (point.0 - x) * (point.1 - y);
        along += (point.0 - x).powi(2);
    }
    if along == 0.0 { 0.0 } else { up / along }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_tells_delays_stills_and_late_sound() {
        let trace = Trace::parse(
            r#"{"video":{"captured":1000,"at":11000,"bytes":3000,"keyframe":true}}
{"video":{"captured":34000,"at":64000,"bytes":1000,"keyframe":false}}
{"audio":{"at":10000,"seq":1,"media_us":0}}
{"audio":{"at":90001,"seq":2,"media_us":20000}}
{"audio":{"at":90000,"seq":2,"media_us":20000}}
{"audio":{"at":70000,"seq":4,"media_us":60000}}
{"figures":{"at":1,"so_far":{"audio":{"played_ms":100,"recovered_ms":0,"concealed_ms":0,"stalled_ms":0}}}}
{"figures":{"at":2,"so_far":{"audio":{"played_ms":190,"recovered_ms":0,"concealed_ms":10,"stalled_ms":0}}}}
{"audio":{"at":7"#,
        );
        assert_eq!(trace.delays(), [10.0, 30.0]);
        assert_eq!((trace.longest_still(), trace.middle_size()), (53.0, 2000.0));
        // Number 2 came 60.001 ms later than it might have, number 3 never.
        assert_eq!(trace.late(false), (50.0, 4));
        assert_eq!(trace.concealed(), 10.0);
        assert_eq!(trace.between(0, 2000).delays(), [10.0]);
    }

    #[test]
    fn quantiles_and_slopes_are_what_they_are_called() {
        let sorted: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!((quantile(&sorted, 0.5), quantile(&sorted, 0.95), quantile(&[], 0.5)), (50.0, 95.0, 0.0));
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), 2.0);
        assert_eq!(slope(&[(1.0, 1.0)]), 0.0);
    }
}
