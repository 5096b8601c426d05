//! A home's router that knows the connections through it, and may forget them: as after a change of network, or of address. No I/O, no clock.

use std::collections::HashSet;

/// The lowest bits of a TCP packet's flags: it opens a connection.
const SYN: u8 = 2;

/// TCP in an IPv4 header.
const TCP: u8 = 6;

/// Of one home.
#[derive(Debug, Default)]
pub(super) struct Router {
    /// Home's and relay's port of the connections made since it forgot the others; all are known before the first time.
    known: Option<HashSet<(u16, u16)>>,
}

impl Router {
    /// Whatever is open now gets no packet through any more, nor a word about that.
    pub(super) fn forget(&mut self) {
        self.known = Some(HashSet::new());
    }

    /// Whether a packet from the home, or to it, passes.
    pub(super) fn passes(&mut self, packet: &[u8], from_home: bool) -> bool {
        let (Some(known), Some((from, to, flags))) = (&mut self.known, tcp(packet)) else { return true };
        let ports = if from_home { (from, to) } else { (to, from) };
        if from_home && flags & SYN != 0 {
            known.insert(ports);
        }
        known.contains(&ports)
    }
}

/// Ports and flags, if it is TCP over IPv4.
fn tcp(packet: &[u8]) -> Option<(u16, u16, u8)> {
    let length = usize::from(packet.first()? & 15) * 4;
    let segment = packet.get(length..).filter(|_| packet.get(9) == Some(&TCP))?;
    let port = |at: usize| Some(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?]));
    Some((port(0)?, port(2)?, *segment.get(13)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(from: u16, to: u16, flags: u8) -> Vec<u8> {
        let mut packet = vec![0; 40];
        (packet[0], packet[9], packet[33]) = (0x45, TCP, flags);
        packet[20..22].copy_from_slice(&from.to_be_bytes());
        packet[22..24].copy_from_slice(&to.to_be_bytes());
        packet
    }

    #[test]
    fn what_was_open_before_passes_no_longer_and_new_connections_do() {
        let mut router = Router::default();
        assert!(router.passes(&packet(5000, 80, 16), true));
        router.forget();
        assert!(!router.passes(&packet(5000, 80, 16), true) && !router.passes(&packet(80, 5000, 16), false));
        assert!(!router.passes(&packet(80, 5001, SYN), false), "nobody calls in from outside");
        assert!(router.passes(&packet(5001, 80, SYN), true));
        assert!(router.passes(&packet(80, 5001, SYN | 16), false) && router.passes(&packet(5001, 80, 16), true));
        assert!(router.passes(&[0x45; 3], true), "no TCP");
        router.forget();
        assert!(!router.passes(&packet(5001, 80, 16), true));
    }
}
