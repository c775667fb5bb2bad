//! `lmtp probe`: four exit codes, and what was found.

mod support;

use support::{Run, Script, Server, lmtp, run};

fn probe(url: &str, more: &[&str]) -> Run {
    run(lmtp(["probe", url]).args(more))
}

#[test]
fn an_lmtp_server() {
    let server = Server::tcp(Script::default());
    let json = probe(&server.url, &["--json"]);
    assert_eq!((json.code, json.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        json.stdout,
        format!(
            concat!(
                r#"{{"endpoint":"{}","lmtp":true,"greeting":"mx.test LMTP ready","server":"mx.test","#,
                r#""capabilities":["PIPELINING","ENHANCEDSTATUSCODES","8BITMIME"],"warnings":[],"error":null}}"#,
                "\n"
            ),
            server.url
        )
    );
    let plain = probe(&server.url, &["--lhlo-name", "me.test"]);
    assert_eq!(plain.code, Some(0));
    for text in [&server.url, "speaks LMTP", "220 mx.test LMTP ready", "PIPELINING", "RFC 2920"] {
        assert!(plain.stdout.contains(text), "{text} in {plain:?}");
    }
    let lines = server.seen().lines;
    assert_eq!(lines[2..], ["LHLO me.test", "QUIT"]);
    assert_eq!(lines[1], "QUIT");
}

#[test]
fn a_missing_reply_to_quit_is_a_warning() {
    let server = Server::unix(Script { quit: None, ..Script::default() });
    let run = probe(&server.url, &["--json"]);
    assert_eq!(run.code, Some(0));
    assert_eq!(run.json()["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn refused_for_good() {
    for script in [
        Script { greeting: "554 5.7.1 Go away", ..Script::default() },
        Script { lhlo: "550 5.7.1 Not you", ..Script::default() },
    ] {
        let run = probe(&Server::unix(script).url, &["--json"]);
        assert_eq!(run.code, Some(69), "{run:?}");
        assert_eq!(run.json()["lmtp"], false);
        assert_eq!(run.json()["error"]["kind"], "closed");
    }
}

#[test]
fn unreachable_silent_or_not_now() {
    let busy = Server::unix(Script { greeting: "421 4.3.2 Later", ..Script::default() });
    let silent = Server::acting(support::Peer::wait_for_close);
    let gone = Server::acting(|_| {});
    let directory = tempfile::tempdir().unwrap();
    let none = format!("unix:{}", directory.path().join("none").display());
    for (url, kind, phase) in [
        (&busy.url, "closed", "greeting"),
        (&silent.url, "timeout", "greeting"),
        (&gone.url, "closed", "greeting"),
        (&none, "connect", "connect"),
    ] {
        let run = probe(url, &["--json", "--timeout", "0.3"]);
        assert_eq!(run.code, Some(75), "{run:?}");
        assert_eq!(run.json()["error"]["kind"], kind);
        assert_eq!(run.json()["error"]["phase"], phase);
        assert!(run.json()["error"]["message"].as_str().unwrap().contains(url.as_str()));
    }
}

/// And no EHLO is tried.
#[test]
fn something_else() {
    lmtp_testkit::proves!("R2033-4.1-f");
    let smtp = Server::tcp(Script {
        greeting: "220 mx.test ESMTP Postfix",
        lhlo: "502 5.5.2 Error: command not recognized",
        ..Script::default()
    });
    let web = Server::acting(|peer| peer.say("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"));
    for (server, greeting, hint) in
        [(&smtp, "mx.test ESMTP Postfix".into(), "SMTP server"), (&web, serde_json::Value::Null, "another protocol")]
    {
        let json = probe(&server.url, &["--json"]);
        assert_eq!(json.code, Some(76), "{json:?}");
        assert_eq!((&json.json()["lmtp"], &json.json()["greeting"]), (&false.into(), &greeting));
        let plain = probe(&server.url, &[]);
        assert_eq!(plain.code, Some(76));
        assert!(plain.stderr.contains("hint: ") && plain.stderr.contains(hint), "{plain:?}");
    }
    assert!(smtp.seen().lines.iter().all(|line| line.starts_with("LHLO")), "{:?}", smtp.seen());
}

#[test]
fn port_25_is_not_dialled() {
    lmtp_testkit::proves!("R2033-5-a");
    let run = probe("lmtp://127.0.0.1:25", &[]);
    assert_eq!(run.code, Some(64));
    assert!(run.stderr.contains("port 25"), "{run:?}");
}
