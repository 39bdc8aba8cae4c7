//! Kubernetes' quantities and heap sizes.

use serde_json::Value;

/// Suffixes of quantities and their factors.
const SUFFIXES: [(&str, f64); 14] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
];

/// A quantity as a number: `500m` is 0.5, `4Gi` is 4294967296.
pub(super) fn quantity(value: &Value) -> Option<f64> {
    let text = match value {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    let suffix = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix));
    let (digits, factor) =
        suffix.map_or((text, 1.0), |(suffix, factor)| (&text[..text.len() - suffix.len()], *factor));
    let digits = digits.trim();
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || "+.".contains(c));
    let number: f64 = digits.parse().ok().filter(|_| plain)?;
    Some(number * factor).filter(|number| number.is_finite())
}

/// Bytes as a quantity, rounded down to whole units: `768Mi`.
pub(super) fn bytes(number: u64) -> String {
    match number {
        n if n >= 1 << 30 && n % (1 << 30) == 0 => format!("{}Gi", n >> 30),
        n if n >= 1 << 20 => format!("{}Mi", n >> 20),
        n => n.to_string(),
    }
}

/// A JVM's heap in bytes: `4g`, `512m`, `1073741824`.
pub(super) fn heap(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, shift) = match text.chars().last()?.to_ascii_lowercase() {
        'k' => (&text[..text.len() - 1], 10),
        'm' => (&text[..text.len() - 1], 20),
        'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_numbers() {
        for (value, expected) in [
            (json!("4Gi"), 4_294_967_296.0),
            (json!("500m"), 0.5),
            (json!(2), 2.0),
            (json!("1.5"), 1.5),
            (json!("64M"), 64e6),
            (json!("1e3"), 1000.0),
        ] {
            assert_eq!(quantity(&value), Some(expected), "{value}");
        }
        for wrong in
            [json!("x"), json!("Gi"), json!(""), json!(true), json!("inf"), json!("nan"), json!("-1")]
        {
            assert_eq!(quantity(&wrong), None, "{wrong}");
        }
        assert_eq!(
            (bytes(1 << 30), bytes(1536 << 20), bytes((700 << 20) + 5)),
            ("1Gi".into(), "1536Mi".into(), "700Mi".into())
        );
    }

    #[test]
    fn heaps_are_bytes() {
        assert_eq!(
            (heap("4g"), heap("512M"), heap("1024"), heap("1k")),
            (Some(4 << 30), Some(512 << 20), Some(1024), Some(1024))
        );
        assert_eq!((heap(""), heap("g"), heap("ü"), heap("99999999999999999999g")), (None, None, None, None));
    }
}
