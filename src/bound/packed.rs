//! What is compressed, as what it was: gzip, xz and zstd, known by their first bytes.
//!
//! Each of them may be several members (streams, frames), one after the other: pigz, eStargz and zstd:chunked make
//! them so. All of them are read, since an archive that is cut between two members looks whole to its reader.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use anyhow::{Context as _, Result};
use flate2::bufread::GzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Reads what is compressed in a way that is known as what it was, and anything else as it is.
///
/// A read fails where what follows a member is neither another one nor padding (zeros).
///
/// # Errors
///
/// The first bytes cannot be read, or there is no memory for a decoder.
pub fn plain<'a>(mut from: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    let mut head = Vec::new();
    from.by_ref()
        .take(4)
        .read_to_end(&mut head)
        .context("failed to read its first bytes")?;
    let magic = head.clone();
    let from = Cursor::new(head).chain(BufReader::new(from));
    Ok(match magic.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(Gzip(Some(GzDecoder::new(from)))),
        [0xfd, b'7', b'z', b'X'] => Box::new(super::xz(from)?),
        // A frame, or one to be passed over (RFC 8878, 3.1.1 and 3.1.2).
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Box::new(Zstd {
            from,
            frame: FrameDecoder::new(),
            begun: false,
        }),
        _ => Box::new(from),
    })
}

/// Whether nothing is left but padding.
fn ended(from: &mut impl BufRead) -> io::Result<bool> {
    let mut padded = false;
    loop {
        let ahead = from.fill_buf()?;
        match ahead.first() {
            None => return Ok(true),
            Some(0) => {}
            Some(_) if padded => return Err(io::Error::other("something follows its padding")),
            Some(_) => return Ok(false),
        }
        padded = true;
        let zeros = ahead.iter().take_while(|byte| **byte == 0).count();
        from.consume(zeros);
    }
}

/// Every member of a gzip file (RFC 1952, 2.2); always one.
struct Gzip<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() || ended(member.get_mut())? {
                return Ok(count);
            }
            let next = |member: GzDecoder<R>| GzDecoder::new(member.into_inner());
            self.0 = self.0.take().map(next);
        }
        Ok(0)
    }
}

/// Every frame of a zstd file.
struct Zstd<R> {
    from: R,
    frame: FrameDecoder,
    begun: bool,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.begun {
                let count = self.frame.read(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
                if !self.frame.is_finished() {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    let decoded = self.frame.decode_blocks(&mut self.from, one);
                    decoded.map_err(io::Error::other)?;
                    continue;
                }
                self.begun = false;
            }
            if ended(&mut self.from)? {
                return Ok(0);
            }
            use ReadFrameHeaderError::SkipFrame;
            match self.frame.init(&mut self.from) {
                Ok(()) => self.begun = true,
                Err(FrameDecoderError::ReadFrameHeaderError(SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    let mut frame = self.from.by_ref().take(length);
                    if io::copy(&mut frame, &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::fast())
            .read_to_end(&mut out)
            .unwrap();
        out
    }

    fn xz(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        liblzma::read::XzEncoder::new(text.as_bytes(), 0)
            .read_to_end(&mut out)
            .unwrap();
        out
    }

    fn zstd(text: &str) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(
            text.as_bytes(),
            ruzstd::encoding::CompressionLevel::Fastest,
        )
    }

    fn read(bytes: &[u8]) -> Result<String> {
        let mut text = String::new();
        plain(bytes)?.read_to_string(&mut text)?;
        Ok(text)
    }

    const WAYS: [fn(&str) -> Vec<u8>; 3] = [gzip, xz, zstd];

    #[test]
    fn every_member_is_read_and_padding_is_none() {
        for way in WAYS {
            let members = [way("one, "), way("two"), vec![0; 8]].concat();
            assert_eq!(read(&members).unwrap(), "one, two");
        }
    }

    #[test]
    fn what_follows_the_last_member_is_an_error() {
        for way in WAYS {
            for rest in [b"rest".as_slice(), b"\0\0\0\0rest"] {
                read(&[&way("one"), rest].concat()).unwrap_err();
            }
        }
    }

    #[test]
    fn what_is_cut_is_an_error() {
        for way in WAYS {
            let whole = [way("one"), way("two")].concat();
            read(&whole[..whole.len() - 5]).unwrap_err();
        }
    }

    #[test]
    fn a_frame_to_be_passed_over_is_nothing() {
        let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc".as_slice();
        let all = [skipped, &zstd("one"), skipped].concat();
        assert_eq!(read(&all).unwrap(), "one");
        read(&all[..all.len() - 1]).unwrap_err();
    }

    #[test]
    fn what_is_not_compressed_is_read_as_it_is() {
        for text in ["", "x", "text"] {
            assert_eq!(read(text.as_bytes()).unwrap(), text);
        }
    }
}
