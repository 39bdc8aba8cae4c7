//! The bytes of a batch, decompressed while they are read: at most one block of the codec is in memory.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use bytes::{Buf, Bytes};

use super::{MAX_RECORD, Wrong, wrong};

/// How a batch is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        })
    }
}

/// The codec of a batch's attributes, if any.
pub(crate) fn codec(attributes: i16) -> Result<Option<Codec>, Wrong> {
    Ok(match attributes & 7 {
        0 => None,
        1 => Some(Codec::Gzip),
        2 => Some(Codec::Snappy),
        3 => Some(Codec::Lz4),
        4 => Some(Codec::Zstd),
        other => return wrong(format!("compressed with codec {other}, which this client does not support")),
    })
}

/// Bytes to read fields from.
pub(crate) enum Body {
    Plain(Bytes),
    Packed(Box<dyn BufRead>),
}

/// Maximum number of bytes that are allocated before they have arrived.
const AT_ONCE: usize = 64 << 10;

impl Body {
    pub(crate) fn plain(bytes: Bytes) -> Self {
        Body::Plain(bytes)
    }

    /// Bytes compressed with `codec`.
    pub(crate) fn new(bytes: Bytes, codec: Option<Codec>) -> Result<Self, Wrong> {
        let packed = bytes.reader();
        Ok(match codec {
            None => Body::Plain(packed.into_inner()),
            Some(Codec::Gzip) => boxed(flate2::bufread::MultiGzDecoder::new(packed)),
            Some(Codec::Snappy) => boxed(Snappy::new(packed.into_inner())),
            Some(Codec::Lz4) => boxed(lz4::Decoder::new(packed)?),
            Some(Codec::Zstd) => boxed(zstd::stream::read::Decoder::with_buffer(packed)?),
        })
    }

    /// The number of remaining bytes, if known.
    pub(crate) fn left(&self) -> usize {
        match self {
            Body::Plain(bytes) => bytes.len(),
            Body::Packed(_) => usize::MAX,
        }
    }

    /// Whether no bytes remain.
    pub(crate) fn is_empty(&mut self) -> Result<bool, Wrong> {
        Ok(match self {
            Body::Plain(bytes) => bytes.is_empty(),
            Body::Packed(stream) => stream.fill_buf()?.is_empty(),
        })
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Wrong> {
        match self {
            Body::Plain(bytes) if bytes.is_empty() => {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
            }
            Body::Plain(bytes) => Ok(bytes.get_u8()),
            Body::Packed(stream) => {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                Ok(byte[0])
            }
        }
    }

    /// That many bytes, at most [`MAX_RECORD`]. Memory grows with what arrives, not with the announced length.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<Bytes, Wrong> {
        match self {
            Body::Plain(bytes) if bytes.len() < count => {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
            }
            Body::Plain(bytes) => Ok(bytes.split_to(count)),
            Body::Packed(_) if count > MAX_RECORD => Err(Wrong::TooLarge),
            Body::Packed(stream) => {
                let mut bytes = Vec::with_capacity(count.min(AT_ONCE));
                stream.take(count as u64).read_to_end(&mut bytes)?;
                if bytes.len() < count {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                Ok(bytes.into())
            }
        }
    }

    /// A 32-bit number in protobuf's zigzag form.
    pub(crate) fn varint(&mut self) -> Result<i32, Wrong> {
        let Ok(raw) = u32::try_from(self.varying(5)?) else { return wrong("a number of more than 32 bits") };
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// The same with 64 bits.
    pub(crate) fn varlong(&mut self) -> Result<i64, Wrong> {
        let raw = self.varying(10)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    fn varying(&mut self, most: u32) -> Result<u64, Wrong> {
        let mut value = 0_u64;
        for at in 0..most {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(7 * at).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        wrong("an unterminated number")
    }

    /// Bytes preceded by their length; -1 is none.
    pub(crate) fn nullable(&mut self) -> Result<Option<Bytes>, Wrong> {
        match self.varint()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.bytes(length).map(Some),
                Err(_) => wrong("a field of negative length"),
            },
        }
    }
}

fn boxed(stream: impl Read + 'static) -> Body {
    Body::Packed(Box::new(BufReader::with_capacity(32 << 10, stream)))
}

/// snappy as framed by xerial's `SnappyOutputStream` (Java's client), or one block without a frame (librdkafka).
struct Snappy {
    packed: Bytes,
    framed: bool,
    block: Bytes,
}

/// xerial's magic number; its version and the minimum version for reading follow, 4 bytes each.
const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const MAGIC_REST: usize = 8;

impl Snappy {
    fn new(mut packed: Bytes) -> Self {
        let framed = packed.starts_with(MAGIC) && packed.len() >= MAGIC.len() + MAGIC_REST;
        if framed {
            packed.advance(MAGIC.len() + MAGIC_REST);
        }
        Self { packed, framed, block: Bytes::new() }
    }

    /// The compressed bytes of the next block.
    fn frame(&mut self) -> io::Result<Bytes> {
        if !self.framed {
            return Ok(std::mem::take(&mut self.packed));
        }
        // Streams may be concatenated, each with its own header.
        while self.packed.starts_with(MAGIC) && self.packed.len() >= MAGIC.len() + MAGIC_REST {
            self.packed.advance(MAGIC.len() + MAGIC_REST);
        }
        if self.packed.is_empty() {
            return Ok(Bytes::new());
        }
        if self.packed.len() < 4 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = usize::try_from(self.packed.get_i32()).unwrap_or(usize::MAX);
        if length > self.packed.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.packed.split_to(length))
    }
}

impl Read for Snappy {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() {
            if self.packed.is_empty() {
                return Ok(0);
            }
            let frame = self.frame()?;
            if frame.is_empty() {
                continue;
            }
            let length = snap::raw::decompress_len(&frame)?;
            // A block without a frame is a whole batch.
            if length > MAX_RECORD {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let mut block = vec![0; length];
            let got = snap::raw::Decoder::new().decompress(&frame, &mut block)?;
            block.truncate(got);
            self.block = block.into();
        }
        let count = out.len().min(self.block.len());
        self.block.copy_to_slice(&mut out[..count]);
        Ok(count)
    }
}
