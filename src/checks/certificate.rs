//! When certificates expire.

use jiff::Timestamp;
use x509_cert::Certificate;

/// The earliest expiry time of these PEM certificates; `None` if there are none.
pub(crate) fn earliest_expiry(pem: &[u8]) -> Option<Timestamp> {
    let ends = Certificate::load_pem_chain(pem).ok()?.into_iter().filter_map(|certificate| {
        let end = certificate.tbs_certificate.validity.not_after.to_unix_duration();
        Timestamp::from_second(i64::try_from(end.as_secs()).ok()?).ok()
    });
    ends.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_expiry_of_a_chain_counts() {
        let old = include_bytes!("../../tests/fixtures/ended-2021.crt").to_vec();
        let new = include_bytes!("../../tests/fixtures/until-2120.crt").to_vec();
        let year = |pem: &[u8]| earliest_expiry(pem).map(|t| t.strftime("%Y-%m-%d").to_string());
        assert_eq!(year(&new).as_deref(), Some("2120-01-01"));
        assert_eq!(year(&old).as_deref(), Some("2021-01-01"));
        assert_eq!(year(&[new, old].concat()).as_deref(), Some("2021-01-01"));
        assert_eq!(year(b"no certificate"), None);
    }
}
