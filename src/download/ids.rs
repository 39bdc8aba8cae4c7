//! The error ids of this module.

/// The cache cannot be written.
pub(crate) use crate::errors::DOWNLOAD_CACHE as CACHE;
/// The connection cannot be made or breaks.
pub(crate) use crate::errors::DOWNLOAD_CONNECTION as CONNECTION;
/// A URL holds a user name or a password.
pub(crate) use crate::errors::DOWNLOAD_CREDENTIALS as CREDENTIALS;
/// The content is not what was published.
pub(crate) use crate::errors::DOWNLOAD_DIGEST as DIGEST;
/// The server's name does not resolve.
pub(crate) use crate::errors::DOWNLOAD_DNS as DNS;
/// The value of --mirror is no URL and no directory.
pub(crate) use crate::errors::DOWNLOAD_MIRROR as MIRROR;
/// The server or mirror has no such file (404, 410).
pub(crate) use crate::errors::DOWNLOAD_NOT_FOUND as NOT_FOUND;
/// Not in the cache, and the network is not to be used.
pub(crate) use crate::errors::DOWNLOAD_OFFLINE as OFFLINE;
/// The environment names a proxy that cannot be used.
pub(crate) use crate::errors::DOWNLOAD_PROXY as PROXY;
/// Too many redirects, or one that leads nowhere.
pub(crate) use crate::errors::DOWNLOAD_REDIRECT as REDIRECT;
/// The server refuses (401, 403, 407 and other 4xx).
pub(crate) use crate::errors::DOWNLOAD_REFUSED as REFUSED;
/// A URL is not http(s), or a redirect leaves https.
pub(crate) use crate::errors::DOWNLOAD_SCHEME as SCHEME;
/// The server fails or is busy, again and again (429, 5xx).
pub(crate) use crate::errors::DOWNLOAD_SERVER as SERVER;
/// The file is larger than the limit.
pub(crate) use crate::errors::DOWNLOAD_SIZE as SIZE;
/// The server sends, but hardly anything.
pub(crate) use crate::errors::DOWNLOAD_SLOW as SLOW;
/// No connection, or no data, within the limits.
pub(crate) use crate::errors::DOWNLOAD_TIMEOUT as TIMEOUT;
/// The server's certificate or its TLS is not acceptable.
pub(crate) use crate::errors::DOWNLOAD_TLS as TLS;
/// The caller stopped it.
pub(crate) use crate::errors::INTERRUPTED as CANCELLED;
