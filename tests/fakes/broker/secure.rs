//! TLS and SCRAM-SHA-512 of a broker.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use kafka_protocol::protocol::StrBytes;
use ring::{digest, hmac, pbkdf2};
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto};

const CA: &[u8] = include_bytes!("../../fixtures/tls/ca.crt");
const CERT: &[u8] = include_bytes!("../../fixtures/tls/broker.crt");
const KEY: &[u8] = include_bytes!("../../fixtures/tls/broker.key");

/// What the listener requires of its clients.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Secured {
    pub tls: bool,
    pub certificates: bool,
    /// Clients have this password, whatever their name.
    pub password: Option<String>,
    /// Anonymous clients may do nothing: authorization is enabled, and topics are hidden on this listener.
    pub hides: bool,
}

/// A connection that is read and written.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Secured {
    /// TLS over a connection, if enabled.
    pub fn wrap(&self, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        if !self.tls {
            return Ok(Box::new(stream));
        }
        let provider = Arc::new(crypto::ring::default_provider());
        let certs =
            |pem| CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().expect("certificates");
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
        let builder = if self.certificates {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certs(CA));
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(io::Error::other)?)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
        let config = builder.with_single_cert(certs(CERT), key).map_err(io::Error::other)?;
        let mut connection = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        let mut stream = stream;
        let shaken = connection.complete_io(&mut stream);
        if shaken.is_err() {
            // The alert with the reason.
            let _ = connection.write_tls(&mut stream);
        }
        shaken?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }
}

/// The state of a connection's authentication.
#[derive(Default)]
pub struct Login {
    done: RefCell<bool>,
    /// The client's first message without its header, and the server's.
    first: RefCell<Option<(String, String)>>,
}

const ROUNDS: u32 = 4096;
const SALT: &[u8] = b"the fake's salt";

impl Login {
    /// Whether the client is authenticated.
    pub fn is_done(&self) -> bool {
        *self.done.borrow()
    }

    /// Respond to one of the client's two messages.
    pub fn answer(&self, asked: &SaslAuthenticateRequest, password: &str) -> SaslAuthenticateResponse {
        let text = String::from_utf8_lossy(&asked.auth_bytes).into_owned();
        let made = match self.first.take() {
            None => self.begin(&text),
            Some((client, server)) => self.end(&text, &client, &server, password),
        };
        match made {
            Some(text) => SaslAuthenticateResponse::default().with_auth_bytes(text.into_bytes().into()),
            None => SaslAuthenticateResponse::default().with_error_code(58).with_error_message(Some(
                StrBytes::from_static_str(
                    "Authentication failed during authentication due to invalid credentials with SASL mechanism \
                     SCRAM-SHA-512",
                ),
            )),
        }
    }

    fn begin(&self, text: &str) -> Option<String> {
        let bare = text.strip_prefix("n,,")?;
        let nonce = bare.split_once(",r=")?.1;
        let server = format!("r={nonce}fake,s={},i={ROUNDS}", STANDARD.encode(SALT));
        self.first.replace(Some((bare.to_owned(), server.clone())));
        Some(server)
    }

    fn end(&self, text: &str, client: &str, server: &str, password: &str) -> Option<String> {
        let (last, proof) = text.rsplit_once(",p=")?;
        let proof = STANDARD.decode(proof).ok()?;
        let keyed = |key: &[u8], m: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, key), m);
        let mut salted = [0; 64];
        let rounds = std::num::NonZeroU32::new(ROUNDS)?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, SALT, password.as_bytes(), &mut salted);
        let stored = digest::digest(&digest::SHA512, keyed(&salted, b"Client Key").as_ref());
        let signed = format!("{client},{server},{last}");
        let signature = keyed(stored.as_ref(), signed.as_bytes());
        // A broker stores no password: the key in the proof must have the digest that it stores.
        let key: Vec<u8> = proof.iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        if digest::digest(&digest::SHA512, &key).as_ref() != stored.as_ref() {
            return None;
        }
        self.done.replace(true);
        let server = keyed(keyed(&salted, b"Server Key").as_ref(), signed.as_bytes());
        Some(format!("v={}", STANDARD.encode(server)))
    }
}
