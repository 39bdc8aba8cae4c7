//! One connection to one broker: frames, correlation ids, the version handshake.

use std::collections::BTreeMap;
use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes, VersionRange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::error::{KafkaError, Result, code};
use super::scram::{Exchange, MECHANISM};
use super::security::{Login, Security, Wire, secured};

/// Maximum size of a response, in bytes: Kafka's own limit for a request (`socket.request.max.bytes`). A TLS or HTTP
/// response would be interpreted as a larger size.
pub(crate) const MAX_FRAME: usize = 100 << 20;

/// An open connection to a broker whose supported versions are known.
///
/// One request at a time. A call that is dropped or fails midway leaves the stream at an unknown position; then
/// [`Conn::is_usable`] is false and no more calls are accepted.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: Box<dyn Wire>,
    peer: String,
    client_id: StrBytes,
    next_id: i32,
    usable: bool,
    versions: BTreeMap<i16, VersionRange>,
}

impl Conn {
    /// Connect to `address` (where the broker can be reached), request its versions and, if there is a password,
    /// authenticate. `peer` is the broker's name in errors, `host` the one in its certificate.
    pub(crate) async fn open(
        address: (&str, u16),
        (peer, host): (&str, &str),
        client_id: &str,
        security: &Security,
        deadline: Instant,
    ) -> Result<Self> {
        let during = || "connecting".to_owned();
        let stream = match timeout_at(deadline, TcpStream::connect(address)).await {
            Err(_) => return Err(KafkaError::Timeout { peer: peer.to_owned(), during: during() }),
            Ok(Err(source)) => return Err(KafkaError::Connect { to: peer.to_owned(), source }),
            Ok(Ok(stream)) => stream,
        };
        // Small requests that wait for their response: Nagle's algorithm would dominate the latency.
        stream.set_nodelay(true).map_err(|source| KafkaError::Connect { to: peer.to_owned(), source })?;
        let stream: Box<dyn Wire> = match &security.tls {
            None => Box::new(stream),
            Some(tls) => match timeout_at(deadline, tls.wrap(stream, host, peer)).await {
                Err(_) => return Err(KafkaError::Timeout { peer: peer.to_owned(), during: during() }),
                Ok(stream) => stream?,
            },
        };
        let mut conn = Self {
            stream,
            peer: peer.to_owned(),
            client_id: StrBytes::from_string(client_id.to_owned()),
            next_id: 0,
            usable: true,
            versions: BTreeMap::new(),
        };
        conn.versions = conn.handshake(deadline).await?;
        if let Some(login) = &security.login {
            conn.log_in(login, deadline).await?;
        }
        Ok(conn)
    }

    /// Authenticate: SCRAM messages in Kafka's frames.
    async fn log_in(&mut self, login: &Login, deadline: Instant) -> Result<()> {
        let version = self.pick::<SaslHandshakeRequest>(VersionRange { min: 1, max: 1 })?;
        let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(MECHANISM));
        let answer = self.call(&request, version, deadline).await?;
        if answer.error_code != 0 {
            let offered: Vec<&str> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
            let what = format!("broker {} offers [{}], not {MECHANISM}", self.peer, offered.join(", "));
            return Err(KafkaError::broker(answer.error_code, what, None));
        }
        let refused = |peer: &str, why: String| KafkaError::Refused { peer: peer.to_owned(), why };
        let exchange = Exchange::new(&login.user, &login.password).map_err(KafkaError::Protocol)?;
        let server = self.authenticate(exchange.first(), deadline).await?;
        let (second, expected) = exchange.second(&server).map_err(|why| refused(&self.peer, why))?;
        let server = self.authenticate(second, deadline).await?;
        Exchange::verify(&server, &expected)
            .map_err(|why| KafkaError::Untrusted { peer: self.peer.clone(), why })
    }

    async fn authenticate(&mut self, message: String, deadline: Instant) -> Result<String> {
        let version = self.pick::<SaslAuthenticateRequest>(VersionRange { min: 0, max: 2 })?;
        let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into_bytes().into());
        let answer = self.call(&request, version, deadline).await?;
        if answer.error_code == code::SASL_AUTHENTICATION_FAILED {
            let words = answer.error_message.as_ref().map(StrBytes::as_str).unwrap_or("no reason given");
            return Err(KafkaError::Refused { peer: self.peer.clone(), why: words.to_owned() });
        }
        if answer.error_code != 0 {
            let words = answer.error_message.as_ref().map(StrBytes::as_str);
            return Err(KafkaError::broker(answer.error_code, "SaslAuthenticate", words));
        }
        String::from_utf8(answer.auth_bytes.to_vec()).map_err(|_| {
            KafkaError::Protocol(format!("broker {}: the SaslAuthenticate response is not text", self.peer))
        })
    }

    /// Whether the stream is at the start of a frame.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable
    }

    /// The highest version of `R` that the broker, the message definitions and `handled` support.
    pub(crate) fn pick<R: Request>(&self, handled: VersionRange) -> Result<i16> {
        let theirs = self.versions.get(&R::KEY).copied().unwrap_or(VersionRange { min: 0, max: -1 });
        let both = theirs.intersect(&R::VERSIONS).intersect(&handled);
        if both.is_empty() {
            let ours = R::VERSIONS.intersect(&handled);
            return Err(KafkaError::Protocol(format!(
                "broker {} supports {} in versions {theirs}, this client in {ours}: no common one",
                self.peer,
                api_name(R::KEY),
            )));
        }
        Ok(both.max)
    }

    /// Send `request` and wait for its response, at most until `deadline`.
    pub(crate) async fn call<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        deadline: Instant,
    ) -> Result<R::Response> {
        let body = self.exchange(request, version, deadline).await?;
        decode::<R::Response>(body, version, &self.peer, R::KEY)
    }

    /// The handshake of KIP-511: send version 3; an older broker responds in version 0 with `UNSUPPORTED_VERSION`,
    /// possibly with its supported range.
    async fn handshake(&mut self, deadline: Instant) -> Result<BTreeMap<i16, VersionRange>> {
        let mut version = 3;
        loop {
            let mut request = ApiVersionsRequest::default();
            if version >= 3 {
                request.client_software_name = StrBytes::from_static_str("kstrim");
                request.client_software_version = StrBytes::from_static_str(env!("CARGO_PKG_VERSION"));
            }
            let body = self.exchange(&request, version, deadline).await?;
            let refused = body.get(..2) == Some(code::UNSUPPORTED_VERSION.to_be_bytes().as_slice());
            let read_as = if refused { 0 } else { version };
            let answer: ApiVersionsResponse = decode(body, read_as, &self.peer, ApiVersionsRequest::KEY)?;
            if refused && version > 0 {
                let theirs = answer.api_keys.iter().find(|k| k.api_key == ApiVersionsRequest::KEY);
                version = theirs.map_or(0, |k| k.max_version).clamp(0, version - 1);
                continue;
            }
            if answer.error_code != 0 {
                let what = format!("broker {}, ApiVersions", self.peer);
                return Err(KafkaError::broker(answer.error_code, what, None));
            }
            let range = |k: &kafka_protocol::messages::api_versions_response::ApiVersion| VersionRange {
                min: k.min_version,
                max: k.max_version,
            };
            return Ok(answer.api_keys.iter().map(|k| (k.api_key, range(k))).collect());
        }
    }

    /// Send a request and return the response's body, without its header.
    async fn exchange<R: Request>(&mut self, request: &R, version: i16, deadline: Instant) -> Result<Bytes> {
        let during = api_name(R::KEY);
        if !self.usable {
            return Err(KafkaError::Closed { peer: self.peer.clone(), during, source: None });
        }
        self.next_id = self.next_id.wrapping_add(1);
        let id = self.next_id;
        let frame = encode(request, version, id, &self.client_id)?;
        // Stays false if this future is dropped before the response was read.
        self.usable = false;
        let answer = timeout_at(deadline, async {
            self.stream.write_all(&frame).await?;
            self.stream.flush().await?;
            read_frame(&mut *self.stream).await
        })
        .await;
        let mut body = match answer {
            Err(_) => return Err(KafkaError::Timeout { peer: self.peer.clone(), during }),
            Ok(Err(FrameError::Io(source))) => return Err(secured(&self.peer, &during, source)),
            Ok(Err(FrameError::Length(length))) => {
                return Err(KafkaError::Protocol(format!(
                    "what responds at {} does not use Kafka's plain protocol: it announced a response of \
                     {length} bytes ({during}); is it a TLS listener?",
                    self.peer
                )));
            }
            Ok(Ok(body)) => body,
        };
        let header_version = R::Response::header_version(version);
        let header = ResponseHeader::decode(&mut body, header_version).map_err(|e| {
            KafkaError::Protocol(format!("broker {}: {during} answer's header: {e}", self.peer))
        })?;
        if header.correlation_id != id {
            return Err(KafkaError::Protocol(format!(
                "broker {} answered request {} where {id} was due ({during})",
                self.peer, header.correlation_id
            )));
        }
        self.usable = true;
        Ok(body)
    }
}

/// A request's name in Kafka, `Produce`.
pub(crate) fn api_name(key: i16) -> String {
    ApiKey::try_from(key).map_or_else(|_| format!("request {key}"), |known| format!("{known:?}"))
}

fn encode<R: Request>(request: &R, version: i16, id: i32, client_id: &StrBytes) -> Result<BytesMut> {
    let wrong = |e| KafkaError::Protocol(format!("cannot encode {} v{version}: {e}", api_name(R::KEY)));
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(id)
        .with_client_id(Some(client_id.clone()));
    let mut frame = BytesMut::new();
    frame.put_u32(0); // the length, known below
    header.encode(&mut frame, R::header_version(version)).map_err(wrong)?;
    request.encode(&mut frame, version).map_err(wrong)?;
    let length = u32::try_from(frame.len() - 4)
        .map_err(|_| KafkaError::Protocol(format!("{} of more than 4 GiB", api_name(R::KEY))))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

fn decode<T: Decodable>(mut body: Bytes, version: i16, peer: &str, key: i16) -> Result<T> {
    T::decode(&mut body, version)
        .map_err(|e| KafkaError::Protocol(format!("broker {peer}: {} v{version} answer: {e}", api_name(key))))
}

enum FrameError {
    Io(io::Error),
    Length(u32),
}

impl From<io::Error> for FrameError {
    fn from(e: io::Error) -> Self {
        FrameError::Io(e)
    }
}

/// Read one frame. Memory grows with what arrives, not with what was announced.
async fn read_frame(stream: &mut dyn Wire) -> Result<Bytes, FrameError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let announced = (&length[..]).get_u32();
    let wanted = announced as usize;
    if !(4..=MAX_FRAME).contains(&wanted) {
        return Err(FrameError::Length(announced));
    }
    let mut body = BytesMut::with_capacity(wanted.min(64 << 10));
    let mut rest = stream.take(u64::from(announced));
    while body.len() < wanted {
        if rest.read_buf(&mut body).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(body.freeze())
}
