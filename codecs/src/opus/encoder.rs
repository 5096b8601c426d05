//! Samples to packets.

use ::opus::{Application, Bitrate, Channels, Signal};

use super::{FRAME, Packet, SAMPLE_RATE};
use crate::Error;

/// The longest packet of one frame (RFC 6716, 3.4): a code byte and 1275 bytes.
const PACKET_LIMIT: usize = 1276;

/// A packet up to this long codes no sound (RFC 6716, 2.1.9).
const DTX_PACKET: usize = 2;

/// What an [`Encoder`] is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bits a second to aim at, 6,000 to 128,000.
    pub bits_per_second: u32,
    /// Effort, 0 to 10.
    pub complexity: u8,
    /// Percent of packets that the receiver is expected to miss, 0 to 100: the more, the more each packet says about the
    /// one before it.
    pub expected_loss_percent: u8,
    /// Whether silence is coded as next to nothing.
    pub dtx: bool,
}

impl Default for Config {
    /// Wideband speech and better at 32 kbit/s. The transport loses nothing, but playout drops what comes too late, so some
    /// loss is expected; complexity 9 is the highest that still leaves the whole track under 1 % of a core.
    fn default() -> Self {
        Self { bits_per_second: 32_000, complexity: 9, expected_loss_percent: 5, dtx: true }
    }
}

/// Encodes one microphone.
#[derive(Debug)]
pub struct Encoder {
    inner: ::opus::Encoder,
}

impl Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// [`Error::Bitrate`] or [`Error::Opus`] when the configuration is out of bounds.
    pub fn new(config: Config) -> Result<Self, Error> {
        let mut inner = ::opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
        inner.set_signal(Signal::Voice)?;
        inner.set_vbr(true)?;
        // Packets of like size: a burst would wait in the uplink behind itself.
        inner.set_vbr_constraint(true)?;
        inner.set_complexity(i32::from(config.complexity))?;
        inner.set_inband_fec(config.expected_loss_percent > 0)?;
        inner.set_packet_loss_perc(i32::from(config.expected_loss_percent))?;
        inner.set_dtx(config.dtx)?;
        let mut encoder = Self { inner };
        encoder.set_bitrate(config.bits_per_second)?;
        Ok(encoder)
    }

    /// Encodes 20 ms; samples are within -1..=1.
    ///
    /// # Errors
    /// [`Error::Opus`] when the library fails.
    pub fn encode(&mut self, samples: &[f32; FRAME]) -> Result<Packet, Error> {
        let mut buffer = [0; PACKET_LIMIT];
        let length = self.inner.encode_float(samples, &mut buffer)?;
        Ok(Packet { data: buffer[..length].to_vec(), dtx: length <= DTX_PACKET })
    }

    /// Aims at another bitrate from the next frame on.
    ///
    /// # Errors
    /// [`Error::Bitrate`] when it is outside 6,000 to 128,000 bits a second.
    pub fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), Error> {
        let rate = i32::try_from(bits_per_second).ok().filter(|rate| (6_000..=128_000).contains(rate));
        Ok(self.inner.set_bitrate(Bitrate::Bits(rate.ok_or(Error::Bitrate { bits_per_second })?))?)
    }

    /// Expects another share of packets to be missed, 0 to 100 percent.
    ///
    /// # Errors
    /// [`Error::Opus`] when it is over 100.
    pub fn set_expected_loss(&mut self, percent: u8) -> Result<(), Error> {
        self.inner.set_inband_fec(percent > 0)?;
        Ok(self.inner.set_packet_loss_perc(i32::from(percent))?)
    }

    /// Samples by which the sound that comes out is behind what went in.
    ///
    /// # Errors
    /// [`Error::Opus`] when the library fails.
    pub fn lookahead(&mut self) -> Result<usize, Error> {
        Ok(usize::try_from(self.inner.get_lookahead()?).unwrap_or(0))
    }
}
