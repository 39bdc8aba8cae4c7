//! Where the fake Kafka broker goes: it speaks Kafka's protocol on the port-forward's listener.

use std::io;
use std::net::TcpListener;
use std::path::Path;

use serde::Deserialize;

/// Who the broker is, and its faults.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Setup {}

/// Serve connections until the listener breaks; logs are kept in `dir/topics/NAME`.
pub fn serve(listener: &TcpListener, _dir: &Path, _setup: Setup) -> io::Result<()> {
    for connection in listener.incoming() {
        // Replaced by the wire broker; until then a client sees its connection closed.
        drop(connection?);
    }
    Ok(())
}
