//! HTTP servers in pods: the bridge, and metrics.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use serde_json::{Value, json};

use crate::broker::log::Logs;

/// A pod's response.
#[derive(Clone)]
pub enum Says {
    Bridge,
    Metrics,
}

/// The head of a request.
pub struct Head {
    pub method: String,
    pub path: String,
    /// Of the body.
    length: usize,
}

impl Head {
    pub fn read(reader: &mut impl BufRead) -> anyhow::Result<Self> {
        let mut lines = reader.lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let mut length = 0;
        for line in lines {
            let line = line?;
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse()?;
                }
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        let mut words = first.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Ok(Self { method, path, length })
    }
}

/// Serve, with a thread for each connection. `status`: its response to every request, if it is broken.
pub fn serve(listener: &TcpListener, dir: &Path, says: &Says, status: Option<u16>) {
    while let Ok((stream, _)) = listener.accept() {
        let (dir, says) = (dir.to_owned(), says.clone());
        std::thread::spawn(move || {
            // A client that disconnects is not an error.
            let _ = answer(&stream, &dir, &says, status);
        });
    }
}

fn answer(mut stream: &TcpStream, dir: &Path, says: &Says, broken: Option<u16>) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let Head { method, path, length } = Head::read(&mut reader)?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, text) = match broken {
        Some(status) => (status, json!({"error_code": status, "message": "broken as told"}).to_string()),
        None => said(dir, says, &method, &path, &body)?,
    };
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())?;
    Ok(())
}

fn said(dir: &Path, says: &Says, method: &str, path: &str, body: &[u8]) -> anyhow::Result<(u16, String)> {
    let logs = Logs::open(dir)?;
    match (says, method) {
        (Says::Metrics, "GET") => {
            let mut text = "# TYPE kafka_topic_partitions gauge\n".to_owned();
            for topic in logs.names()? {
                text.push_str(&format!("kafka_topic_partitions{{topic=\"{topic}\"}} 1\n"));
            }
            Ok((200, text))
        }
        (Says::Bridge, "POST") => {
            let Some(topic) = path.strip_prefix("/topics/") else { return Ok((404, String::new())) };
            let sent: Value = serde_json::from_slice(body)?;
            let records = sent["records"].as_array().cloned().unwrap_or_default();
            // With the JSON content type a value is written as JSON.
            let values: Vec<String> = records.iter().map(|r| r["value"].to_string()).collect();
            let first = logs.write(topic, &values)?;
            let offsets: Vec<Value> =
                (first..).take(values.len()).map(|o| json!({"partition": 0, "offset": o})).collect();
            Ok((200, json!({"offsets": offsets}).to_string()))
        }
        _ => Ok((405, String::new())),
    }
}
