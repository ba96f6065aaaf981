//! Input for a command in the guest: chunks with their length before them, on the third serial port.

use std::io::{self, Read, Write};

/// One chunk; an empty one is the end of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk(pub Vec<u8>);

impl Chunk {
    /// The most that one has: it fits into the buffer of a terminal, which has no other way to say
    /// that it is full.
    pub const MOST: usize = 2048;

    /// Writes it.
    ///
    /// # Errors
    ///
    /// What the writer says, or a chunk of more than [`Chunk::MOST`] bytes.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let length = u16::try_from(self.0.len()).map_err(io::Error::other)?;
        if self.0.len() > Chunk::MOST {
            return Err(io::Error::other("a chunk that is too long"));
        }
        to.write_all(&[&length.to_le_bytes(), self.0.as_slice()].concat())
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub fn read(mut from: impl Read) -> io::Result<Chunk> {
        let mut length = [0; 2];
        from.read_exact(&mut length)?;
        let mut bytes = vec![0; usize::from(u16::from_le_bytes(length))];
        from.read_exact(&mut bytes)?;
        Ok(Chunk(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Chunk;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        for chunk in [b"ab".as_slice(), b""] {
            Chunk(chunk.to_vec()).write(&mut bytes).unwrap();
        }
        let mut from = bytes.as_slice();
        assert_eq!(Chunk::read(&mut from).unwrap(), Chunk(b"ab".to_vec()));
        assert_eq!(Chunk::read(&mut from).unwrap(), Chunk(Vec::new()));
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let mut bytes = Vec::new();
        assert!(Chunk(vec![0; Chunk::MOST + 1]).write(&mut bytes).is_err());
        assert_eq!(bytes, b"");
    }
}
