//! Packets to samples, with stand-ins for those that are missing.

use ::opus::{Channels, packet};

use super::{FRAME, SAMPLE_RATE};
use crate::Error;

/// Samples in a packet, at 48 kHz.
///
/// # Errors
/// [`Error::Opus`] when it is broken.
pub fn samples(packet: &[u8]) -> Result<usize, Error> {
    Ok(packet::get_nb_samples(packet, SAMPLE_RATE)?)
}

/// Decodes one track. Call one of its three methods for every 20 ms of playout, in order.
#[derive(Debug)]
pub struct Decoder {
    inner: ::opus::Decoder,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// [`Error::Opus`] without memory.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { inner: ::opus::Decoder::new(SAMPLE_RATE, Channels::Mono)? })
    }

    /// Decodes a packet; samples may exceed -1..=1 a little.
    ///
    /// # Errors
    /// [`Error::PacketDuration`] when it is not 20 ms long, [`Error::Opus`] when it is broken. Either way `out` is as it
    /// was, and the decoder can go on.
    pub fn decode(&mut self, packet: &[u8], out: &mut [f32; FRAME]) -> Result<(), Error> {
        // To the library an empty packet is a lost one; here it is a broken one.
        let samples = samples(packet)?;
        if samples != FRAME {
            return Err(Error::PacketDuration { samples });
        }
        self.fill(packet, out, false)
    }

    /// Decodes a packet of any length and appends its samples, as in a file by whomever.
    ///
    /// # Errors
    /// [`Error::Opus`] when it is broken; then nothing is appended.
    pub fn append(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<(), Error> {
        let before = out.len();
        out.resize(before + samples(packet)?, 0.0);
        let length = self.inner.decode_float(packet, &mut out[before..], false);
        out.truncate(before + *length.as_ref().unwrap_or(&0));
        Ok(length.map(drop)?)
    }

    /// Stands in for a frame that is missing, by carrying on and fading what came before.
    pub fn conceal(&mut self, out: &mut [f32; FRAME]) {
        if self.fill(&[], out, false).is_err() {
            out.fill(0.0);
        }
    }

    /// Stands in for a frame that is missing with what the packet after it says about it, or as [`Self::conceal`] does
    /// when that says nothing. Then decode `next`.
    pub fn recover(&mut self, next: &[u8], out: &mut [f32; FRAME]) {
        let fits = packet::get_nb_samples(next, SAMPLE_RATE).is_ok_and(|samples| samples == FRAME);
        if !fits || self.fill(next, out, true).is_err() {
            self.conceal(out);
        }
    }

    fn fill(&mut self, packet: &[u8], out: &mut [f32; FRAME], recover: bool) -> Result<(), Error> {
        let mut samples = [0.0; FRAME];
        let length = self.inner.decode_float(packet, &mut samples, recover)?;
        if length != FRAME {
            return Err(Error::PacketDuration { samples: length });
        }
        *out = samples;
        Ok(())
    }
}
