//! Where the fake Kafka broker goes: it speaks Kafka's protocol on the port-forward's listener.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

/// What the test chose for the broker: `scenario.broker`.
pub type Faults = Value;

/// Serve connections until the process ends; topics are kept in `store`.
pub fn serve(listener: TcpListener, _store: &Path, _faults: Faults) {
    for connection in listener.incoming() {
        // Replaced by the wire broker; until then a client sees its connection closed.
        drop(connection);
    }
}
