//! A message as lines, JSON or YAML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::{Consume, Format};
use crate::kafka::fetch::Fetched;

/// One message in the requested format.
pub(crate) fn print(out: &mut Vec<u8>, args: &Consume, partition: i32, record: &Fetched) {
    match args.output {
        Format::Text => {
            if let Some(separator) = &args.key_separator {
                out.extend_from_slice(record.key.as_deref().unwrap_or_default());
                out.extend_from_slice(separator.as_bytes());
            }
            out.extend_from_slice(record.value.as_deref().unwrap_or_default());
            out.push(b'\n');
        }
        Format::Json => {
            out.extend_from_slice(document(partition, record).to_string().as_bytes());
            out.push(b'\n');
        }
        Format::Yaml => {
            out.extend_from_slice(b"---\n");
            out.extend_from_slice(crate::cmd::yaml(&document(partition, record)).as_bytes());
        }
    }
}

fn document(partition: i32, record: &Fetched) -> Value {
    let mut fields = Map::new();
    fields.insert("partition".into(), partition.into());
    fields.insert("offset".into(), record.offset.into());
    let time = Timestamp::from_millisecond(record.timestamp).ok().filter(|_| record.timestamp >= 0);
    fields.insert("timestamp".into(), time.map_or(Value::Null, |t| t.to_string().into()));
    insert(&mut fields, "key", record.key.as_ref());
    insert(&mut fields, "value", record.value.as_ref());
    let header = |(name, value): &(String, Option<Bytes>)| {
        let mut fields = Map::new();
        fields.insert("name".into(), json!(name));
        insert(&mut fields, "value", value.as_ref());
        Value::Object(fields)
    };
    fields.insert("headers".into(), record.headers.iter().map(header).collect());
    Value::Object(fields)
}

/// Text is a string, no value is null, and other bytes are base64 in a field of another name.
fn insert(fields: &mut Map<String, Value>, name: &str, bytes: Option<&Bytes>) {
    match bytes.map(|b| std::str::from_utf8(b).map_err(|_| b)) {
        None => fields.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => fields.insert(name.to_owned(), text.into()),
        Some(Err(bytes)) => fields.insert(format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_text_are_base64() {
        let record = Fetched {
            offset: 7,
            timestamp: 1_760_000_000_123,
            key: None,
            value: Some(Bytes::from_static(&[0xff, 0])),
            headers: vec![("h".into(), Some(Bytes::from_static(b"v"))), ("n".into(), None)],
        };
        assert_eq!(
            document(1, &record),
            json!({"partition": 1, "offset": 7, "timestamp": "2025-10-09T08:53:20.123Z", "key": null,
                "value_base64": "/wA=", "headers": [{"name": "h", "value": "v"}, {"name": "n", "value": null}]})
        );
    }
}
