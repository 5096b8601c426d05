//! Bodies that come in chunks (RFC 9112, section 7.1). Ours have a length; some proxies take it away.

use std::io;

use bytes::{Buf, Bytes};
use httparse::Status;

/// Most bytes of a chunk's size with what stands beside it, and of everything after the last chunk.
const LINE: usize = 4096;

/// Where in a chunked body a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunked {
    /// Before the size of a chunk.
    Size,
    /// So many bytes of it are left.
    Data(u64),
    /// Before the end of its line.
    End,
    /// After the last one, with so many bytes of trailers seen.
    Trailers(usize),
    Over,
}

impl Chunked {
    pub(super) fn is_over(self) -> bool {
        self == Self::Over
    }

    /// Takes what it can use of these bytes and gives a piece of the body; `None` when it needs more of them or is over.
    pub(super) fn take(&mut self, bytes: &mut Bytes) -> io::Result<Option<Bytes>> {
        loop {
            match *self {
                Self::Size => match httparse::parse_chunk_size(bytes) {
                    // A size without a digit, and a line end within the line, are read by some as something else.
                    Ok(Status::Complete((used, _)))
                        if used > LINE || !bytes[0].is_ascii_hexdigit() || breaks(&bytes[..used.saturating_sub(2)]) =>
                    {
                        return Err(malformed());
                    }
                    Ok(Status::Complete((used, size))) => {
                        bytes.advance(used);
                        *self = if size == 0 { Self::Trailers(0) } else { Self::Data(size) };
                    }
                    Ok(Status::Partial) if bytes.len() <= LINE => return Ok(None),
                    Ok(Status::Partial) | Err(_) => return Err(malformed()),
                },
                Self::Data(_) if bytes.is_empty() => return Ok(None),
                Self::Data(left) => {
                    let piece = bytes.split_to(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
                    let left = left - piece.len() as u64;
                    *self = if left == 0 { Self::End } else { Self::Data(left) };
                    return Ok(Some(piece));
                }
                Self::End if bytes.len() < 2 => return Ok(None),
                Self::End => {
                    if !bytes.starts_with(b"\r\n") {
                        return Err(malformed());
                    }
                    bytes.advance(2);
                    *self = Self::Size;
                }
                Self::Trailers(seen) => {
                    let end = bytes.windows(2).position(|two| two == b"\r\n");
                    let length = end.map_or(bytes.len(), |end| end + 2);
                    if seen + length > LINE {
                        return Err(malformed());
                    }
                    let Some(end) = end else { return Ok(None) };
                    if breaks(&bytes[..end]) {
                        return Err(malformed());
                    }
                    bytes.advance(length);
                    *self = if end == 0 { Self::Over } else { Self::Trailers(seen + length) };
                }
                Self::Over => return Ok(None),
            }
        }
    }
}

/// Whether there is half a line end among these bytes.
fn breaks(line: &[u8]) -> bool {
    line.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its chunks can't be read")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Fed so many bytes at a time; the body, and what is left.
    fn read(text: &[u8], step: usize) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let (mut chunked, mut body, mut unread) = (Chunked::Size, Vec::new(), Vec::new());
        for piece in text.chunks(step) {
            unread.extend_from_slice(piece);
            let mut bytes = Bytes::from(unread);
            while let Some(piece) = chunked.take(&mut bytes)? {
                body.extend_from_slice(&piece);
            }
            unread = bytes.to_vec();
        }
        if chunked.is_over() { Ok((body, unread)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    #[test]
    fn extensions_and_trailers_are_passed_over_and_what_follows_is_left() {
        let text = b"4;x=\"y\"\r\nWiki\r\n5\r\npedia\r\n0\r\nX: y\r\nZ: z\r\n\r\nGET /";
        for step in [1, 2, 3, 7, text.len()] {
            assert_eq!(read(text, step).unwrap(), (b"Wikipedia".to_vec(), b"GET /".to_vec()), "{step}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = format!("4;{}\r\nWiki\r\n0\r\n\r\n", "x".repeat(LINE));
        let many = format!("0\r\n{}\r\n", "X: y\r\n".repeat(LINE));
        for text in [
            "x\r\n",
            "-1\r\n",
            "4\r\nWikis\r\n",
            "ffffffffffffffffff\r\n",
            "4\r\nWiki0\r\n\r\n",
            "",
            "\r\n\r\n",
            ";\r\n\r\n",
            " 0\r\n\r\n",
            "2;\nxx\r\n0\r\n\r\n",
            "0\r\nX: y\n\r\n\r\n",
            &long,
            &many,
        ] {
            assert!(read(text.as_bytes(), 1000).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_is_the_same(body in prop::collection::vec(any::<u8>(), 0..200), chunk in 1_usize..50, step in 1_usize..50) {
            let mut text = Vec::new();
            for piece in body.chunks(chunk) {
                text.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                text.extend_from_slice(piece);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(read(&text, step).unwrap(), (body, Vec::new()));
        }

        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..100), step in 1_usize..20) {
            let _ = read(&text, step);
        }
    }
}
