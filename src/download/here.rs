//! Requests to a program in the cluster over a port-forward on this machine: plain HTTP, no proxy, one request.
//! Blocking.

use std::io;
use std::time::Duration;

use ureq::Agent;

/// How long a response may take.
const LIMIT: Duration = Duration::from_secs(15);
/// Maximum size of a response, in bytes: the metrics of a broker are some hundred thousand.
const MOST: u64 = 16 << 20;

/// The body of a request: its content type and its text.
pub(crate) type Content = (&'static str, String);

/// Send a GET request for `path` to `127.0.0.1:port`, or a POST request with `content`; returns status and text of
/// the response.
pub(crate) fn ask(port: u16, path: &str, content: Option<&Content>) -> io::Result<(u16, String)> {
    let config = Agent::config_builder()
        .user_agent(concat!("kstrim/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(LIMIT))
        .proxy(None);
    let agent = config.build().new_agent();
    let url = format!("http://127.0.0.1:{port}{path}");
    let answer = match content {
        None => agent.get(&url).call(),
        Some((kind, text)) => agent.post(&url).header("content-type", *kind).send(text.as_str()),
    };
    let mut answer = answer.map_err(ureq::Error::into_io)?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(MOST).read_to_string().map_err(ureq::Error::into_io)?;
    Ok((status, text))
}
