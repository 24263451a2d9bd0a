//! Compression, told from the first bytes, and the bound on what comes out.

use std::io::{self, Cursor, Read};

use crate::options::choices;
use crate::{Error, Place};

choices! {
    /// How an input is compressed as a whole.
    Codec ("compression") {
        /// Not at all.
        Plain = "plain",
        /// Gzip, one or more members.
        Gzip = "gzip",
        /// Zstandard, one or more frames.
        Zstd = "zstd",
    }
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The reader of decompressed bytes, which fails once more than `max_bytes` come out, and the codec.
///
/// # Errors
/// Whatever reading the first bytes answers.
pub(crate) fn decompress(mut raw: Box<dyn Read>, max_bytes: u64) -> io::Result<(Codec, Box<dyn Read>)> {
    let head = read_head(&mut raw, ZSTD_MAGIC.len())?;
    let codec = match head.as_slice() {
        head if head.starts_with(&GZIP_MAGIC) => Codec::Gzip,
        head if head.starts_with(&ZSTD_MAGIC) => Codec::Zstd,
        _ => Codec::Plain,
    };
    let whole = Cursor::new(head).chain(raw);
    let reader: Box<dyn Read> = match codec {
        Codec::Plain => Box::new(whole),
        Codec::Gzip => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        Codec::Zstd => Box::new(zstd::Decoder::new(whole)?),
    };
    Ok((codec, Box::new(Capped { reader, left: max_bytes })))
}

/// Up to `length` first bytes: fewer only at the end of the input.
pub(crate) fn read_head(reader: &mut dyn Read, length: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(length as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Turns a failure to read into the error that says whose fault it was.
pub(crate) fn read_error(place: Place, codec: Codec, max_bytes: u64, source: io::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    match source.kind() {
        io::ErrorKind::FileTooLarge => Error::TooManyBytes { place, max_bytes },
        UnexpectedEof if codec != Codec::Plain => {
            Error::Compression { place, codec, cause: "it ends too early".to_owned() }
        }
        InvalidData | InvalidInput | Other if codec != Codec::Plain => {
            Error::Compression { place, codec, cause: source.to_string() }
        }
        _ => Error::Io { place, verb: "read", source },
    }
}

/// Fails with `FileTooLarge` where the bound is passed, so that a small file cannot unfold into a full memory.
struct Capped {
    reader: Box<dyn Read>,
    left: u64,
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(got as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(got)
    }
}
