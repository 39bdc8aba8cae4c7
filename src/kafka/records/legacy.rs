//! Messages of formats v0 and v1, before Kafka 0.11: each is a single message, or a wrapper whose value is a
//! compressed set of messages.

use bytes::{Buf, Bytes};

use super::unpack::{Body, Codec};
use super::{Fetched, MAX_RECORD, PREFIX, Wrong, wrong};

/// Size of the smallest message after its length, in bytes: checksum, magic, attributes, and the lengths of key and
/// value.
pub(crate) const LEAST: usize = 14;
/// Maximum size of a decompressed set, in bytes: it is scanned once to find its last offset.
const MAX_SET: usize = MAX_RECORD;

/// A message, and the attributes that indicate whether it is a set.
pub(crate) struct Message {
    pub record: Fetched,
    pub attributes: i16,
    magic: u8,
}

/// Read one message with its offset and length.
pub(crate) fn message(bytes: &Bytes) -> Result<Message, Wrong> {
    if bytes.len() < PREFIX + LEAST {
        return wrong(format!("a message of {} bytes", bytes.len()));
    }
    let offset = (&bytes[..8]).get_i64();
    let mut checksum = flate2::Crc::new();
    checksum.update(&bytes[16..]);
    if checksum.sum() != (&bytes[PREFIX..16]).get_u32() {
        return wrong("a message whose checksum is wrong");
    }
    let mut fields = bytes.slice(16..);
    let magic = fields.get_u8();
    let attributes = i16::from(fields.get_u8());
    let timestamp = match magic {
        0 => -1,
        1 if fields.len() >= 8 => fields.get_i64(),
        _ => return wrong("a message of a different format than its set"),
    };
    let key = field(&mut fields)?;
    let value = field(&mut fields)?;
    // v0 defines no attributes but the codec.
    let attributes = if magic == 0 { attributes & 7 } else { attributes };
    Ok(Message { record: Fetched { offset, timestamp, key, value, headers: Vec::new() }, attributes, magic })
}

fn field(bytes: &mut Bytes) -> Result<Option<Bytes>, Wrong> {
    if bytes.len() < 4 {
        return wrong("a message that ends too early");
    }
    match bytes.get_i32() {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= bytes.len() => Ok(Some(bytes.split_to(length))),
            _ => wrong("a field that is longer than its message"),
        },
    }
}

/// A compressed set of messages.
pub(crate) struct Set {
    body: Body,
    /// Added to its offsets, which are relative from v1 on.
    base: i64,
    /// The broker's timestamp for all of them.
    appended: Option<i64>,
    inner: u8,
}

impl Set {
    /// The messages in `wrapper`.
    pub(crate) fn new(wrapper: Message, codec: Codec) -> Result<Self, Wrong> {
        let Message { record, attributes, magic } = wrapper;
        if (codec, magic) == (Codec::Lz4, 0) {
            return wrong("message format v0 with lz4, whose frames Kafka wrote with a wrong checksum");
        }
        let packed = record.value.unwrap_or_default();
        let mut walk = Body::new(packed.clone(), Some(codec))?;
        let (mut found, mut size) = (None, 0);
        while let Some(bytes) = next(&mut walk)? {
            size += bytes.len();
            if size > MAX_SET {
                return Err(Wrong::TooLarge);
            }
            found = Some((&bytes[..8]).get_i64());
        }
        let Some(last) = found else { return wrong("a compressed message without messages") };
        let base = if magic == 0 { 0 } else { record.offset.saturating_sub(last) };
        let appended = (attributes & 8 != 0).then_some(record.timestamp);
        Ok(Self { body: Body::new(packed, Some(codec))?, base, appended, inner: magic })
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Result<Option<Fetched>, Wrong> {
        let Some(bytes) = next(&mut self.body)? else { return Ok(None) };
        let Message { mut record, attributes, magic } = message(&bytes)?;
        if attributes & 7 != 0 || magic > self.inner {
            return wrong("a compressed message in a compressed message");
        }
        record.offset = record.offset.saturating_add(self.base);
        record.timestamp = self.appended.unwrap_or(record.timestamp);
        Ok(Some(record))
    }
}

/// The bytes of the next message of a set, from its offset on.
fn next(body: &mut Body) -> Result<Option<Bytes>, Wrong> {
    if body.is_empty()? {
        return Ok(None);
    }
    let prefix = body.bytes(PREFIX)?;
    let Ok(length) = usize::try_from((&prefix[8..]).get_i32()) else {
        return wrong("a message of negative length");
    };
    if length > MAX_RECORD {
        return Err(Wrong::TooLarge);
    }
    let message = body.bytes(length)?;
    let mut whole = Vec::with_capacity(PREFIX + length);
    whole.extend_from_slice(&prefix);
    whole.extend_from_slice(&message);
    Ok(Some(whole.into()))
}
