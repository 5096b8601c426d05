//! Opus in Ogg as a file (RFC 7845), one channel.

use std::{borrow::Cow, io::Cursor};

use codecs::opus::{FRAME, SAMPLE_RATE};
use ogg::{PacketReader, PacketWriteEndInfo, PacketWriter};

/// The only stream in a file of ours.
const SERIAL: u32 = 1;
/// Packets in a page: a second.
const PAGE: u64 = 50;

/// Writes packets of 20 ms into memory.
pub(super) struct Writer {
    pages: PacketWriter<'static, Cursor<Vec<u8>>>,
    /// Samples before the sound begins.
    skip: u16,
    packets: u64,
}

impl Writer {
    /// A file with its two headers (RFC 7845, 5). An encoder is behind by `skip` samples.
    pub(super) fn new(skip: u16) -> Self {
        let mut writer = Self { pages: PacketWriter::new(Cursor::default()), skip, packets: 0 };
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend(skip.to_le_bytes());
        head.extend(SAMPLE_RATE.to_le_bytes());
        // No gain, and one channel or two without a table.
        head.extend([0, 0, 0]);
        writer.put(head, PacketWriteEndInfo::EndPage, 0);
        let maker = b"tvphone";
        let tags = [b"OpusTags", &(maker.len() as u32).to_le_bytes()[..], maker, &[0; 4]].concat();
        writer.put(tags, PacketWriteEndInfo::EndPage, 0);
        writer
    }

    /// Appends a packet.
    pub(super) fn packet(&mut self, packet: Vec<u8>) {
        self.packets += 1;
        let end = if self.packets.is_multiple_of(PAGE) { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
        self.put(packet, end, self.packets * FRAME as u64);
    }

    /// Appends the packet with which the encoder gives what it held back, and makes the file as long as the sound before it.
    pub(super) fn finish(mut self, last: Vec<u8>) -> Vec<u8> {
        let end = u64::from(self.skip) + self.packets * FRAME as u64;
        self.put(last, PacketWriteEndInfo::EndStream, end);
        self.pages.into_inner().into_inner()
    }

    fn put(&mut self, packet: Vec<u8>, end: PacketWriteEndInfo, position: u64) {
        // Memory refuses nothing.
        let _ = self.pages.write_packet(Cow::Owned(packet), SERIAL, end, position);
    }
}

/// What there is in a file.
pub(super) struct Contents {
    pub(super) packets: Vec<Vec<u8>>,
    /// Samples at 48 kHz that are decoded and not played.
    pub(super) skip: usize,
    /// Samples at 48 kHz, those that are skipped among them, if the file says.
    pub(super) end: Option<u64>,
}

/// Reads the first stream of a file; nothing where it isn't Opus in one or two channels, is damaged, or has more than `most` packets.
pub(super) fn read(file: &[u8], most: usize) -> Option<Contents> {
    let mut reader = PacketReader::new(Cursor::new(file));
    let head = reader.read_packet().ok()??;
    // The version's upper half must be 0, and so must be the mapping.
    let fits = head.data.starts_with(b"OpusHead") && head.data.len() >= 19 && head.data[8] < 16 && head.data[18] == 0;
    if !fits {
        return None;
    }
    let skip = usize::from(u16::from_le_bytes([head.data[10], head.data[11]]));
    let tags = reader.read_packet().ok()??;
    if !tags.data.starts_with(b"OpusTags") {
        return None;
    }
    let (mut packets, mut end) = (Vec::new(), None);
    while let Some(packet) = reader.read_packet().ok()? {
        if packet.stream_serial() != head.stream_serial() || packets.len() == most {
            return None;
        }
        if packet.last_in_stream() {
            end = Some(packet.absgp_page());
        }
        packets.push(packet.data);
    }
    (!packets.is_empty()).then_some(Contents { packets, skip, end })
}
