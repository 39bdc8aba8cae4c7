//! SHA-256 digests as text.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// The SHA-256 of bytes, as 64 lower-case hexadecimal digits.
pub(crate) fn of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of everything in a reader, as 64 lower-case hexadecimal digits, read in pieces of 64 KiB.
pub(crate) fn of_reader(mut reader: impl Read) -> io::Result<String> {
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

/// A digest as lower-case hexadecimal digits, two per byte.
pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_in_hexadecimal_digits() {
        // FIPS 180-2, appendix B.1.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(b"abc"), digest);
        assert_eq!(of_reader(&b"abc"[..]).expect("read"), digest);
        assert_eq!(hex(&[0, 0x0f, 0xf0]), "000ff0");
    }
}
