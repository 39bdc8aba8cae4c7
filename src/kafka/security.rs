//! How a connection is secured: TLS, a client certificate, a password.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore, crypto};

use super::error::{KafkaError, Result};

/// The security settings of a listener. None by default.
#[derive(Clone, Default)]
pub(crate) struct Security {
    /// TLS with these trusted authorities, and optionally a client certificate.
    pub tls: Option<Rc<Tls>>,
    /// Name and password for SCRAM-SHA-512.
    pub login: Option<Rc<Login>>,
}

/// A name and a password.
pub(crate) struct Login {
    /// The user's name.
    pub user: String,
    /// The password. Never printed.
    pub password: String,
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.login.as_ref().map(|l| l.user.as_str());
        f.debug_struct("Security")
            .field("tls", &self.tls.is_some())
            .field("user", &user)
            .finish_non_exhaustive()
    }
}

/// A TLS configuration.
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trust the authorities of `ca`, PEM; use a client certificate and its key, both PEM, if there are any.
    ///
    /// # Errors
    ///
    /// A sentence without secrets, if one of them cannot be read.
    pub(crate) fn new(ca: &str, identity: Option<(&str, &str)>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for cert in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            let cert = cert.map_err(|e| format!("the authority's certificate cannot be read: {e}"))?;
            roots.add(cert).map_err(|e| format!("the authority's certificate cannot be used: {e}"))?;
        }
        if roots.is_empty() {
            return Err("there is no authority's certificate".into());
        }
        // Downloads use ring, too: one implementation in the program.
        let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let certs: std::result::Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(cert.as_bytes()).collect();
                let certs = certs.map_err(|e| format!("the user's certificate cannot be read: {e}"))?;
                // The error of a key may contain a part of it.
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|_| "the user's key cannot be read".to_owned())?;
                builder
                    .with_client_auth_cert(certs, key)
                    .map_err(|e| format!("the user's certificate cannot be used: {e}"))?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// TLS over a connection to the broker with this `name`.
    pub(super) async fn wrap(&self, stream: TcpStream, name: &str, peer: &str) -> Result<Box<dyn Wire>> {
        let name = ServerName::try_from(name.to_owned()).map_err(|e| KafkaError::Untrusted {
            peer: peer.to_owned(),
            why: format!("{name} is not a name that a certificate can have: {e}"),
        })?;
        match TlsConnector::from(self.0.clone()).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(secured(peer, "connecting", error)),
        }
    }
}

/// The byte stream of a connection.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + fmt::Debug> Wire for T {}

/// An error of a connection that may be a TLS error.
pub(super) fn secured(peer: &str, during: &str, error: io::Error) -> KafkaError {
    let peer = peer.to_owned();
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => {
            let name = format!("{alert:?}");
            // `CertificateExpired` as RFC 8446 writes it: certificate_expired.
            let mut words = String::new();
            for c in name.chars() {
                if c.is_ascii_uppercase() && !words.is_empty() {
                    words.push('_');
                }
                words.push(c.to_ascii_lowercase());
            }
            KafkaError::Refused { peer, why: format!("it ended TLS with the alert {words}") }
        }
        Some(Error::InvalidCertificate(why)) => {
            KafkaError::Untrusted { peer, why: format!("its certificate is not valid: {why}") }
        }
        Some(Error::InvalidMessage(_)) => {
            KafkaError::Protocol(format!("what responds at {peer} does not use TLS; is it a plain listener?"))
        }
        Some(other) => KafkaError::Untrusted { peer, why: other.to_string() },
        None => {
            let source = (error.kind() != io::ErrorKind::UnexpectedEof).then_some(error);
            KafkaError::Closed { peer, during: during.to_owned(), source }
        }
    }
}
