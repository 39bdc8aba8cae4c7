//! SCRAM-SHA-512 (RFC 5802) as implemented by Kafka: it proves knowledge of a password without sending it.
//!
//! Our own code on ring's primitives, which TLS needs anyway: Kafka uses names and passwords as bytes, without the
//! preparation of RFC 5802 that SASL libraries perform, so these would reject or change what Kafka accepts
//! (`org.apache.kafka.common.security.scram.internals.ScramFormatter`).

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::{digest, hmac, pbkdf2, rand};

/// The mechanism's name in Kafka.
pub(crate) const MECHANISM: &str = "SCRAM-SHA-512";

/// Fewer iterations than Kafka's minimum (`ScramMechanism`) would make the password easy to guess.
const LEAST_ROUNDS: u32 = 4096;
/// More iterations than this would keep a client busy for nothing; Kafka's maximum is 16,384.
const MOST_ROUNDS: u32 = 1_000_000;
/// `n,,` in base64: no channel binding.
const HEADER: &str = "n,,";

/// One exchange. Errors are sentences without secrets.
pub(crate) struct Exchange<'a> {
    user: &'a str,
    password: &'a str,
    nonce: String,
}

impl<'a> Exchange<'a> {
    /// A new one with its own nonce.
    pub(crate) fn new(user: &'a str, password: &'a str) -> Result<Self, String> {
        let mut bytes = [0; 24];
        rand::SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| "the system provides no random bytes".to_owned())?;
        Ok(Self { user, password, nonce: STANDARD.encode(bytes) })
    }

    /// The client's first message, without its header.
    fn bare(&self) -> String {
        let user = self.user.replace('=', "=3D").replace(',', "=2C");
        format!("n={user},r={}", self.nonce)
    }

    /// The client's first message.
    pub(crate) fn first(&self) -> String {
        format!("{HEADER}{}", self.bare())
    }

    /// The client's second message, for the server's first, and what the server must respond to it.
    ///
    /// # Errors
    ///
    /// If the server's message is invalid, or requests what a client should not do.
    pub(crate) fn second(&self, server: &str) -> Result<(String, String), String> {
        let nonce = attribute(server, 'r')?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the broker did not use the client's nonce".into());
        }
        let salt = STANDARD.decode(attribute(server, 's')?).map_err(|_| "the broker's salt is not base64")?;
        let rounds: u32 =
            attribute(server, 'i')?.parse().map_err(|_| "the broker's iteration count is not a number")?;
        if !(LEAST_ROUNDS..=MOST_ROUNDS).contains(&rounds) {
            return Err(format!("the broker requests {rounds} iterations"));
        }
        let rounds = NonZeroU32::new(rounds).ok_or("the broker requests no iterations")?;
        let mut salted = [0; digest::SHA512_OUTPUT_LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, &salt, self.password.as_bytes(), &mut salted);
        let last = format!("c={},r={nonce}", STANDARD.encode(HEADER));
        let signed = format!("{},{server},{last}", self.bare());
        let client = keyed(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA512, client.as_ref());
        let signature = keyed(stored.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server = keyed(keyed(&salted, b"Server Key").as_ref(), signed.as_bytes());
        Ok((format!("{last},p={}", STANDARD.encode(proof)), STANDARD.encode(server)))
    }

    /// Whether the server's last message proves that it also knows the password.
    pub(crate) fn verify(server: &str, expected: &str) -> Result<(), String> {
        if attribute(server, 'v')? == expected {
            return Ok(());
        }
        Err("the broker could not prove that it knows the user's password".into())
    }
}

fn keyed(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, key), message)
}

/// `r=...` of a message; an error that the server reports instead (`e=...`).
fn attribute(message: &str, name: char) -> Result<&str, String> {
    let of = |name: char| {
        message.split(',').find_map(|part| part.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')))
    };
    match (of(name), of('e')) {
        (Some(value), _) => Ok(value),
        (None, Some(error)) => Err(format!("the broker reports {error}")),
        (None, None) => Err(format!("the broker's response has no {name}=")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> Exchange<'static> {
        Exchange { user: "user", password: "pencil", nonce: "fyko+d2lbbFgONRv9qkxdawL".into() }
    }

    /// An exchange computed with Python's hashlib and hmac.
    #[test]
    fn the_proof_matches_another_implementation() {
        let server = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        let (second, expected) = exchange().second(server).unwrap();
        assert_eq!(second, include_str!("../../tests/fixtures/scram-second.txt").trim_end());
        assert_eq!(expected, include_str!("../../tests/fixtures/scram-server.txt").trim_end());
        assert!(Exchange::verify(&format!("v={expected}"), &expected).is_ok());
        assert!(Exchange::verify("v=AAAA", &expected).is_err());
        assert_eq!(
            Exchange::verify("e=other-error", &expected).unwrap_err(),
            "the broker reports other-error"
        );
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_rejected() {
        for server in [
            "r=another,s=QSXCR+Q6sek8bf92,i=4096",
            "r=fyko+d2lbbFgONRv9qkxdawL,s=QSXCR+Q6sek8bf92,i=4096",
            "r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXCR+Q6sek8bf92,i=1",
            "r=fyko+d2lbbFgONRv9qkxdawLx,s=*,i=4096",
            "",
        ] {
            assert!(exchange().second(server).is_err(), "{server}");
        }
    }

    #[test]
    fn names_are_escaped() {
        let exchange = Exchange { user: "a=b,c", ..exchange() };
        assert!(exchange.first().starts_with("n,,n=a=3Db=2Cc,r="));
    }
}
