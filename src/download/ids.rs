//! The error ids of this module.

use crate::failure::Id;

/// A URL is not http(s), or a redirect leaves https.
pub const SCHEME: Id = Id("KS-DOWNLOAD-SCHEME");
/// The server or mirror has no such file (404, 410).
pub const NOT_FOUND: Id = Id("KS-DOWNLOAD-NOT-FOUND");
/// The server refuses (401, 403, 407 and other 4xx).
pub const REFUSED: Id = Id("KS-DOWNLOAD-REFUSED");
/// The server fails or is busy, again and again (429, 5xx).
pub const SERVER: Id = Id("KS-DOWNLOAD-SERVER");
/// A URL holds a user name or a password.
pub const CREDENTIALS: Id = Id("KS-DOWNLOAD-CREDENTIALS");
/// The environment names a proxy that cannot be used.
pub const PROXY: Id = Id("KS-DOWNLOAD-PROXY");
/// The server's name does not resolve.
pub const DNS: Id = Id("KS-DOWNLOAD-DNS");
/// The server's certificate or its TLS is not acceptable.
pub const TLS: Id = Id("KS-DOWNLOAD-TLS");
/// No connection, or no data, within the limits.
pub const TIMEOUT: Id = Id("KS-DOWNLOAD-TIMEOUT");
/// The server sends, but hardly anything.
pub const SLOW: Id = Id("KS-DOWNLOAD-SLOW");
/// The connection cannot be made or breaks.
pub const CONNECTION: Id = Id("KS-DOWNLOAD-CONNECTION");
/// Too many redirects, or one that leads nowhere.
pub const REDIRECT: Id = Id("KS-DOWNLOAD-REDIRECT");
/// The file is larger than the limit.
pub const SIZE: Id = Id("KS-DOWNLOAD-SIZE");
/// The content is not what was published.
pub const DIGEST: Id = Id("KS-DOWNLOAD-DIGEST");
/// The cache cannot be written.
pub const CACHE: Id = Id("KS-DOWNLOAD-CACHE");
/// The value of --mirror is no URL and no folder.
pub const MIRROR: Id = Id("KS-DOWNLOAD-MIRROR");
/// Not in the cache, and the network is not to be used.
pub const OFFLINE: Id = Id("KS-DOWNLOAD-OFFLINE");
/// The caller stopped it.
pub const CANCELLED: Id = Id("KS-INTERRUPTED");
