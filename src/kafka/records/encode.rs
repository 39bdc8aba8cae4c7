//! Writing: one uncompressed batch of format v2.

use bytes::{BufMut, Bytes, BytesMut};

use super::{HEADER, PREFIX};
use crate::kafka::produce::Message;

const NO_PRODUCER: (i64, i16, i32) = (-1, -1, -1);
const NO_EPOCH: i32 = -1;

/// One batch whose first offset is 0: the broker assigns the real one. All records have the same `timestamp`, in
/// milliseconds since 1970. `stamp` is the producer's id and epoch, and the number of the first message.
pub(crate) fn encode(messages: &[Message], stamp: Option<(i64, i16, i32)>, timestamp: i64) -> Bytes {
    let (producer, epoch, sequence) = stamp.unwrap_or(NO_PRODUCER);
    let count = i32::try_from(messages.len()).unwrap_or(i32::MAX);
    let size: usize = messages.iter().map(Message::bytes).sum();
    let mut out = BytesMut::with_capacity(HEADER + size);
    out.put_i64(0);
    out.put_i32(0); // the length, known below
    out.put_i32(NO_EPOCH);
    out.put_i8(2);
    out.put_u32(0); // the checksum, known below
    out.put_i16(0);
    out.put_i32(count - 1);
    out.put_i64(timestamp);
    out.put_i64(timestamp);
    out.put_i64(producer);
    out.put_i16(epoch);
    out.put_i32(sequence);
    out.put_i32(count);
    for (message, delta) in messages.iter().zip(0_i32..) {
        let length = 2 + varint_len(delta) + fields_len(message);
        put_varint(&mut out, i32::try_from(length).unwrap_or(i32::MAX));
        out.put_i8(0);
        put_varint(&mut out, 0); // the time since the batch's
        put_varint(&mut out, delta);
        put_nullable(&mut out, message.key.as_ref());
        put_nullable(&mut out, message.value.as_ref());
        put_varint(&mut out, i32::try_from(message.headers.len()).unwrap_or(i32::MAX));
        for (name, value) in &message.headers {
            put_varint(&mut out, i32::try_from(name.len()).unwrap_or(i32::MAX));
            out.put_slice(name.as_bytes());
            put_nullable(&mut out, value.as_ref());
        }
    }
    let length = i32::try_from(out.len() - PREFIX).unwrap_or(i32::MAX);
    out[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&checksum.to_be_bytes());
    out.freeze()
}

fn fields_len(message: &Message) -> usize {
    let headers = message.headers.iter();
    let headers: usize =
        headers.map(|(name, value)| sized_len(name.len()) + nullable_len(value.as_ref())).sum();
    let count = i32::try_from(message.headers.len()).unwrap_or(i32::MAX);
    nullable_len(message.key.as_ref()) + nullable_len(message.value.as_ref()) + varint_len(count) + headers
}

fn nullable_len(bytes: Option<&Bytes>) -> usize {
    bytes.map_or(1, |bytes| sized_len(bytes.len()))
}

fn sized_len(length: usize) -> usize {
    varint_len(i32::try_from(length).unwrap_or(i32::MAX)) + length
}

fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

fn varint_len(value: i32) -> usize {
    let bits = 32 - zigzag(value).leading_zeros() as usize;
    bits.div_ceil(7).max(1)
}

fn put_varint(out: &mut BytesMut, value: i32) {
    let mut rest = zigzag(value);
    while rest > 0x7f {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8((rest & 0x7f) as u8);
}

fn put_nullable(out: &mut BytesMut, bytes: Option<&Bytes>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            out.put_slice(bytes);
        }
    }
}
