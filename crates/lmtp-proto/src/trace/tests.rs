//! Trace fields as they are written, and what no value can do to them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::ForwardPath;
use crate::value::{Domain, LhloName};

fn name(text: &str) -> LhloName {
    text.parse().unwrap()
}

fn date() -> Date {
    Date::new(1_795_428_000, 60).unwrap()
}

fn protocol(tls: bool, auth: bool, utf8: bool) -> Protocol {
    Protocol { tls, auth, utf8 }
}

#[test]
fn paths_and_mailboxes() {
    lmtp_testkit::proves!("R5321-4.4-g", "R9228-4-a");
    assert_eq!(return_path(&"<ann@example.org>".parse().unwrap()), "Return-Path: <ann@example.org>\r\n");
    assert_eq!(return_path(&ReversePath::Null), "Return-Path: <>\r\n");
    assert_eq!(delivered_to(&"\"b ;o\\\"b\"@x".parse().unwrap()), "Delivered-To: \"b ;o\\\"b\"@x\r\n");
}

#[test]
fn the_original_recipient() {
    let told = |text: &str, utf8| original_to(&text.parse().unwrap(), utf8);
    let field = |address| Some(std::format!("X-Original-To: {address}\r\n"));
    assert_eq!(told("rfc822;bob+2Bx@example.org", false), field("bob+x@example.org"));
    assert_eq!(told("RFC822;b", true), field("b"));
    assert_eq!(told("utf-8;j\u{f6}rg@x", true), field("j\u{f6}rg@x"));
    for (text, utf8) in [("utf-8;j\u{f6}rg@x", false), ("utf-8;j\\x{F6}rg@x", false), ("x400;bob", true)] {
        assert_eq!(told(text, utf8), None, "{text}");
    }
}

#[test]
fn every_protocol_has_its_word() {
    let words = ["LMTP", "LMTPA", "LMTPS", "LMTPSA"];
    for (number, word) in words.into_iter().enumerate() {
        let (tls, auth) = (number & 2 != 0, number & 1 != 0);
        assert_eq!(protocol(tls, auth, false).to_string(), word);
        assert_eq!(protocol(tls, auth, true).to_string(), std::format!("UTF8{word}"));
    }
}

#[test]
fn a_field_with_all_its_clauses() {
    lmtp_testkit::proves!("R5321-4.4-b");
    let (from, by, id) = (name("mx.example.org"), name("mda.example.net"), "4XyZ".parse().unwrap());
    let recipient = "bob@example.net".parse().unwrap();
    let received = Received::new(&from, &by, protocol(true, true, false), date());
    assert_eq!(
        received.clone().peer("2001:db8::1".parse().unwrap()).id(&id).recipients([&recipient]).to_string(),
        "Received: from mx.example.org ([IPv6:2001:db8::1]) by mda.example.net\r\n \
         with LMTPSA id 4XyZ for <bob@example.net>; Mon, 23 Nov 2026 11:00:00 +0100\r\n"
    );
    assert_eq!(
        received.to_string(),
        "Received: from mx.example.org by mda.example.net with LMTPSA;\r\n Mon, 23 Nov 2026 11:00:00 +0100\r\n"
    );
    let mapped = received.peer("::ffff:192.0.2.1".parse().unwrap()).to_string();
    assert!(mapped.contains("mx.example.org ([192.0.2.1])"), "{mapped}");
}

/// R5321-4.4-c.
#[test]
fn only_one_recipient_is_named() {
    let (from, by) = (name("a"), name("b"));
    let received = Received::new(&from, &by, Protocol::default(), date());
    let [bob, eve] = ["bob@x", "eve@x"].map(|address| address.parse::<ForwardPath>().unwrap());
    let names = |recipients: &[&ForwardPath]| received.clone().recipients(recipients.iter().copied()).to_string();
    assert!(names(&[&bob]).contains(" for <bob@x>;"));
    for none in [names(&[]), names(&[&bob, &eve]), names(&[&bob, &bob]), names(&[&ForwardPath::Postmaster])] {
        assert!(!none.contains("for"), "{none}");
    }
}

#[test]
fn utf8_where_it_may_be() {
    let (from, by, domain) = (name("a"), name("xn--bcher-kva.example"), "bücher.example".parse::<Domain>().unwrap());
    let recipient = "jörg@x".parse().unwrap();
    let field = |utf8| {
        let received = Received::new(&from, &by, protocol(false, false, utf8), date());
        received.by_utf8(&domain).recipients([&recipient]).to_string()
    };
    assert!(field(true).contains("by bücher.example with UTF8LMTP for <jörg@x>;"), "{}", field(true));
    assert!(field(false).contains("by xn--bcher-kva.example with LMTP;"), "{}", field(false));
}

#[test]
fn what_is_no_id() {
    for text in ["", "a b", "a.b", "a\r\nb", "<a@b>", "a;", "(a)", "\u{e4}", &"a".repeat(65)] {
        assert_eq!(text.parse::<TraceId>(), Err(InvalidTraceId), "{text:?}");
    }
    assert_eq!("a".repeat(64).parse::<TraceId>().unwrap().as_str().len(), 64);
}

/// Names and addresses short and long, hostile text among them.
fn words() -> impl Strategy<Value = (String, String, String)> {
    let label = "[a-z0-9]{1,40}";
    let host = prop::collection::vec(label, 1..6).prop_map(|labels| labels.join("."));
    let host = prop_oneof![host, Just("[tag:!(;,<>\"]".to_string()), any::<IpAddr>().prop_map(|ip| ip.to_string())];
    let local = prop_oneof!["[a-z!#$%&'*+/=?^_`{|}~-]{1,60}", "\"([ !#-\\[\\]-~é]|\\\\[ -~]){0,60}\"", "[a-zéß]{1,9}"];
    let mailbox = (local, "[a-zü]{1,30}\\.example").prop_map(|(local, domain)| std::format!("{local}@{domain}"));
    (host.clone(), host, mailbox)
}

proptest! {
    #![proptest_config(lmtp_testkit::effort::cases(500))]

    /// However it is folded, it is one field: the same words with one space between them, nothing that ends a
    /// line but CRLF and a space behind it, and no line too long that could be shorter.
    #[test]
    fn a_field_is_one_field(
        (from, by, mailbox) in words(), peer: Option<IpAddr>, id in "[a-zA-Z0-9]{1,64}",
        (tls, auth, utf8) in any::<(bool, bool, bool)>(), seconds in 0..253_402_000_000_i64, zone in -1439..1440_i16,
    ) {
        let (Ok(from), Ok(by)) = (from.parse::<LhloName>(), by.parse::<LhloName>()) else { return Ok(()) };
        let (id, recipient) = (id.parse().unwrap(), mailbox.parse::<ForwardPath>().unwrap());
        let date = Date::new(seconds, zone).unwrap();
        let protocol = protocol(tls, auth, utf8);
        let mut received = Received::new(&from, &by, protocol, date).id(&id).recipients([&recipient]);
        if let Some(peer) = peer {
            received = received.peer(peer);
        }
        let field = received.to_string();
        prop_assert!(utf8 || field.is_ascii(), "{}", field);

        let body = field.strip_suffix("\r\n").unwrap();
        let lines: Vec<&str> = body.split("\r\n").collect();
        for (number, line) in lines.iter().enumerate() {
            prop_assert!(!line.contains(['\r', '\n', '\0']), "{:?}", field);
            prop_assert!(number == 0 || line.starts_with(' ') && !line.starts_with("  "), "{:?}", field);
            prop_assert!(!line.trim().is_empty() && line.len() <= 998, "{:?}", field);
            // A line that is too long holds one word, or the name of the field and one.
            let long = line.chars().count() > 78;
            prop_assert!(!long || number > 0 && !outside_quotes(line[1..].trim_end_matches(';')), "{:?}", field);
        }
        let for_clause = match utf8 || mailbox.is_ascii() {
            true => std::format!(" for <{mailbox}>"),
            false => String::new(),
        };
        let peer = match peer.map(|peer| peer.to_canonical()) {
            None => String::new(),
            Some(IpAddr::V4(ip)) => std::format!(" ([{ip}])"),
            Some(IpAddr::V6(ip)) => std::format!(" ([IPv6:{ip}])"),
        };
        let expected =
            std::format!("Received: from {from}{peer} by {by} with {protocol} id {}{for_clause}; {date}", id.as_str());
        prop_assert_eq!(lines.concat(), expected);
    }

    /// Whatever becomes a value stays in its line.
    #[test]
    fn nothing_can_be_injected(text in "\\PC{0,20}[\r\n\\x00]?[a-z:@<>]{0,20}") {
        let mut fields = Vec::new();
        let encoded = text.bytes().fold(String::new(), |encoded, octet| encoded + &std::format!("+{octet:02X}"));
        for (kind, text) in [("rfc822", &text), ("rfc822", &encoded), ("utf-8", &text)] {
            let original = std::format!("{kind};{text}").parse().ok();
            fields.extend(original.and_then(|original| original_to(&original, true)));
        }
        fields.extend(text.parse().map(|path| return_path(&path)));
        fields.extend(text.parse().map(|mailbox| delivered_to(&mailbox)));
        for field in fields {
            let line = field.strip_suffix("\r\n").unwrap();
            prop_assert!(!line.contains(['\r', '\n', '\0']), "{:?}", field);
        }
        if text.contains(['\r', '\n', '\0']) {
            prop_assert!(text.parse::<TraceId>().is_err() && text.parse::<LhloName>().is_err());
        }
    }
}

/// Whether there is a space that a line could be broken at.
fn outside_quotes(line: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    line.chars().any(|c| {
        let (was_quoted, was_escaped) = (quoted, escaped);
        quoted ^= c == '"' && !was_escaped;
        escaped = was_quoted && c == '\\' && !was_escaped;
        c == ' ' && !was_quoted
    })
}
