//! The names that we are called by.

use std::net::{IpAddr, Ipv6Addr};

/// Whether a `Host` is one of our names: an address, localhost, or one that was set. What has to be kept out is a name of
/// somebody else's that he has let lead here; an address leads where it says.
pub(crate) fn is_ours(host: &str, set: &[String]) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name,
        _ => host,
    };
    let address = match bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']')) {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => bare.parse().ok(),
    };
    let is_set = |ours: &String| ours.eq_ignore_ascii_case(host) || ours.eq_ignore_ascii_case(bare);
    address.is_some() || bare.eq_ignore_ascii_case("localhost") || set.iter().any(is_set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_somebody_else_is_not_ours() {
        let set = ["mail.example.org".to_owned()];
        for ours in [
            "localhost",
            "LOCALHOST:8025",
            "127.0.0.1:8025",
            "127.9.9.9",
            "[::1]:8025",
            "[::1]",
            "Mail.Example.org:443",
        ] {
            assert!(is_ours(ours, &set), "{ours}");
        }
        for other in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "192.0.2.1.",
            "[x]",
            "::2",
            ":80",
        ] {
            assert!(!is_ours(other, &set), "{other}");
        }
    }
}
