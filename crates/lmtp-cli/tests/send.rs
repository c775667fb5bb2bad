//! `lmtp send`: outcomes, JSON, exit codes.

mod support;

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::{MESSAGE, Script, Server, lmtp, run, run_with_input, send};

const THREE: [&str; 3] = ["a@x", "b@x", "c@x"];

#[test]
fn all_delivered() {
    for server in [Server::unix(Script::default()), Server::tcp(Script::default())] {
        let run = run_with_input(&mut send(&server, &["b@x", "c@x"], &["--json"]), MESSAGE.as_bytes());
        assert_eq!(run.code, Some(0), "{run:?}");
        let expected = format!(
            concat!(
                r#"{{"endpoint":"{}","from":"ann@x","all_delivered":true,"recipients":["#,
                r#"{{"index":0,"recipient":"b@x","outcome":"delivered","phase":"final","origin":"peer","#,
                r#""code":250,"enhanced":"2.0.0","message":"Saved"}},"#,
                r#"{{"index":1,"recipient":"c@x","outcome":"delivered","phase":"final","origin":"peer","#,
                r#""code":250,"enhanced":"2.0.0","message":"Saved"}}"#,
                r#"],"warnings":[],"error":null}}"#,
                "\n"
            ),
            server.url
        );
        assert_eq!(run.stdout, expected);
        assert_eq!(run.stderr, "");
        assert_eq!(server.seen().content.as_deref(), Some(MESSAGE.as_bytes()));
    }
}

#[test]
fn one_line_for_each_recipient() {
    let script = Script { rcpt: vec!["250 ok", "550 5.1.1 No such user"], ..Script::default() };
    let run = run_with_input(&mut send(&Server::unix(script), &["b@x", "c@x"], &[]), MESSAGE.as_bytes());
    assert_eq!(run.code, Some(69));
    assert_eq!(
        run.stdout,
        "b@x: delivered: 250 2.0.0 Saved\nc@x: permanent: 550 5.1.1 No such user (in reply to RCPT)\n"
    );
}

/// By position, also when an address is given twice.
#[test]
fn nothing_left_to_retry_is_69() {
    lmtp_testkit::proves!("R2033-4.2-i");
    let script = Script { finals: vec!["250 2.0.0 Saved", "552 5.2.2 Quota"], ..Script::default() };
    let run = run_with_input(&mut send(&Server::unix(script), &["b@x", "b@x"], &["--json"]), MESSAGE.as_bytes());
    assert_eq!(run.code, Some(69));
    run.assert_outcomes(&[("delivered", "final"), ("permanent", "final")]);
    assert_eq!(run.json()["recipients"][1]["enhanced"], "5.2.2");
}

#[test]
fn something_left_to_retry_is_75() {
    let script = Script {
        rcpt: vec!["250 ok", "550 5.1.1 No", "450 4.2.1 Later"],
        finals: vec!["452 4.2.2 Full"],
        ..Script::default()
    };
    let run = run_with_input(&mut send(&Server::unix(script), &THREE, &["--json"]), MESSAGE.as_bytes());
    assert_eq!(run.code, Some(75));
    run.assert_outcomes(&[("temporary", "final"), ("permanent", "rcpt"), ("temporary", "rcpt")]);
}

/// What was read stands.
#[test]
fn closed_after_the_first_of_three_final_replies() {
    lmtp_testkit::proves!("R2033-5-j");
    let script = Script { finals: vec!["250 2.0.0 Saved"], ..Script::default() };
    let server = Server::unix(script);
    let run = run_with_input(&mut send(&server, &THREE, &["--json"]), MESSAGE.as_bytes());
    assert_eq!(run.code, Some(75));
    run.assert_outcomes(&[("delivered", "final"), ("uncertain", "final"), ("uncertain", "final")]);
    let json = run.json();
    assert_eq!(json["error"]["kind"], "closed");
    assert_eq!(json["error"]["phase"], "final");
    assert_eq!(json["recipients"][1]["code"], serde_json::Value::Null);
    assert_eq!(json["recipients"][1]["origin"], serde_json::Value::Null);
    assert!(json["error"]["message"].as_str().unwrap().contains(&server.url));
}

#[test]
fn a_missing_reply_to_quit_is_a_warning() {
    let server = Server::unix(Script { quit: None, ..Script::default() });
    let json = run_with_input(&mut send(&server, &["b@x"], &["--json"]), MESSAGE.as_bytes());
    assert_eq!(json.code, Some(0));
    json.assert_outcomes(&[("delivered", "final")]);
    assert_eq!(json.json()["warnings"].as_array().unwrap().len(), 1);
    assert!(json.json()["error"].is_null());

    let plain = run_with_input(&mut send(&server, &["b@x"], &[]), MESSAGE.as_bytes());
    assert_eq!(plain.code, Some(0));
    assert!(plain.stderr.starts_with("warning: ") && plain.stderr.contains("QUIT"), "{plain:?}");
}

#[test]
fn a_silent_server_is_named_in_time() {
    let server = Server::acting(support::Peer::wait_for_close);
    let start = Instant::now();
    let arguments = ["send", &server.url, "--from", "ann@x", "--to", "b@x", "--json", "--timeout", "0.4"];
    let run = run_with_input(&mut lmtp(arguments), MESSAGE.as_bytes());
    assert!((Duration::from_millis(350)..Duration::from_secs(3)).contains(&start.elapsed()));
    assert_eq!(run.code, Some(75));
    run.assert_outcomes(&[("unsent", "greeting")]);
    let json = run.json();
    assert_eq!(json["error"]["kind"], "timeout");
    assert_eq!(json["error"]["phase"], "greeting");
    assert!(json["error"]["message"].as_str().unwrap().contains(&server.url));
}

#[test]
fn a_refusal_of_mail_is_the_answer_for_all() {
    let script = Script { mail: "451 4.3.0 Later", rcpt: vec!["503 no"; 2], data: "503 no", ..Script::default() };
    let server = Server::unix(script);
    let run = run_with_input(&mut send(&server, &["b@x", "c@x"], &["--json"]), MESSAGE.as_bytes());
    assert_eq!(run.code, Some(75));
    run.assert_outcomes(&[("temporary", "mail"), ("temporary", "mail")]);
    assert_eq!(run.json()["recipients"][1]["code"], 451);
    assert_eq!(run.json()["error"], serde_json::Value::Null);
}

#[test]
fn no_connection_leaves_all_unsent() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("unix:{}", directory.path().join("none").display());
    let arguments = ["send", &url, "--from", "", "--to", "b@x", "--to", "b@x", "--body", "hello"];
    let json = run(lmtp(arguments).arg("--json"));
    assert_eq!(json.code, Some(75));
    json.assert_outcomes(&[("unsent", "connect"), ("unsent", "connect")]);
    assert_eq!(json.json()["error"]["kind"], "connect");
    assert_eq!(json.json()["from"], "");

    let plain = run(&mut lmtp(arguments));
    assert_eq!(plain.code, Some(75));
    assert_eq!(plain.stdout, "b@x: unsent: stopped at connect\nb@x: unsent: stopped at connect\n");
    assert!(plain.stderr.contains("error: ") && plain.stderr.contains("hint: "), "{plain:?}");
}

#[test]
fn an_smtp_server_is_named_as_such() {
    let script = Script {
        greeting: "220 mx.test ESMTP Postfix",
        lhlo: "502 5.5.2 Error: command not recognized",
        ..Script::default()
    };
    let run = run_with_input(&mut send(&Server::tcp(script), &["b@x"], &[]), MESSAGE.as_bytes());
    assert_eq!(run.code, Some(75));
    assert!(run.stderr.contains("hint: this looks like an SMTP server"), "{run:?}");
}

/// And nothing is dialled.
#[test]
fn what_cannot_be_sent_is_a_usage_error() {
    lmtp_testkit::proves!("R2033-1-a");
    let server = Server::unix(Script::default());
    let url = server.url.as_str();
    let injection = "a@b\r\nRCPT TO:<c@d>";
    for (flag, arguments) in [
        ("--to <ADDRESS>", vec![url, "--from", "a@x", "--body", "x", "--to", injection]),
        ("--from <ADDRESS>", vec![url, "--from", injection, "--body", "x", "--to", "b@x"]),
        ("--to <ADDRESS>", vec![url, "--from", "a@x", "--body", "x", "--to", "b@x\u{1b}[31m"]),
        ("--lhlo-name <NAME>", vec![url, "--from", "a@x", "--body", "x", "--to", "b@x", "--lhlo-name", "a b"]),
        ("--lhlo-name <NAME>", vec![url, "--from", "a@x", "--body", "x", "--to", "b@x", "--lhlo-name", "bücher.x"]),
        ("--timeout <SECONDS>", vec![url, "--from", "a@x", "--body", "x", "--to", "b@x", "--timeout", "0"]),
        ("--subject <TEXT>", vec![url, "--from", "a@x", "--to", "b@x", "--body", "x", "--subject", "x\r\nBcc: y@z"]),
        ("<URL>", vec!["lmtp://127.0.0.1:25", "--from", "a@x", "--body", "x", "--to", "b@x"]),
        ("<URL>", vec!["127.0.0.1", "--from", "a@x", "--body", "x", "--to", "b@x"]),
        ("--to <ADDRESS>", vec![url, "--from", "a@x", "--body", "x"]),
        ("--body <TEXT>", vec![url, "--from", "a@x", "--to", "b@x", "--subject", "x"]),
    ] {
        let plain = run(lmtp(["send"]).args(&arguments));
        assert_eq!(plain.code, Some(64), "{plain:?}");
        assert_eq!(plain.stdout, "");
        assert!(plain.stderr.starts_with("error: ") && plain.stderr.contains(flag), "{flag} in {plain:?}");

        let json = run(lmtp(["send", "--json"]).args(&arguments));
        assert_eq!((json.code, json.stderr.as_str()), (Some(64), ""), "{json:?}");
        assert_eq!(json.json()["error"]["kind"], "usage");
        assert!(json.json()["error"]["message"].as_str().unwrap().contains(flag), "{json:?}");
    }
    assert_eq!(server.seen().connections, 0);
}

#[test]
fn hostile_replies_make_valid_json_and_harmless_text() {
    let server = Server::acting(|peer| {
        peer.say(b"220 \x1b[2J\xc2\x9b2J mx\x07");
        while let Some(line) = peer.line() {
            match line.split(' ').next().unwrap() {
                "LHLO" => peer.say(b"250-mx\x1b]0;x\x07\r\n250 X-\x1b[31m\xff"),
                "RCPT" => {
                    peer.say(b"550-5.1.1 \x1b[31mred\xff\"\\\r\n550 5.1.1 \xe2\x80\xaetxt\xc2\x85\xf0\x9f\x98\x80");
                }
                "DATA" => peer.say("503 no"),
                _ => peer.say("250 ok"),
            }
        }
    });
    let json = run_with_input(&mut send(&server, &["b@x"], &["--json", "--transcript"]), MESSAGE.as_bytes());
    assert_eq!(json.code, Some(69), "{json:?}");
    assert_eq!(json.json()["recipients"][0]["message"], "\u{1b}[31mred\u{fffd}\"\\\n\u{202e}txt\u{85}\u{1f600}");
    assert!(json.stderr.contains("S: 550 5.1.1 \\u{202e}txt"), "{json:?}");
    let plain = run_with_input(&mut send(&server, &["b@x"], &[]), MESSAGE.as_bytes());
    assert_eq!(plain.code, Some(69));
}

#[test]
fn the_transcript_has_times() {
    let server = Server::unix(Script::default());
    let more = ["--transcript", "--lhlo-name", "me.test", "--json"];
    let run = run_with_input(&mut send(&server, &["b@x"], &more), MESSAGE.as_bytes());
    assert_eq!(run.code, Some(0));
    let lines: Vec<_> = run.stderr.lines().map(|line| line.split_at(8)).collect();
    for (time, _) in &lines {
        let seconds: f64 = time.trim().parse().unwrap();
        assert!((0.0..5.0).contains(&seconds));
    }
    let said: Vec<_> = lines.iter().map(|(_, said)| *said).collect();
    assert_eq!(said[..2], ["S: 220 mx.test LMTP ready", "C: LHLO me.test"]);
    assert_eq!(said[6..9], ["C: MAIL FROM:<ann@x> BODY=8BITMIME", "C: RCPT TO:<b@x>", "C: DATA"]);
    assert_eq!(said[12..], ["C: <39 octets of content>", "C: .", "S: 250 2.0.0 Saved", "C: QUIT", "S: 221 2.0.0 Bye"]);
    assert_eq!(run.json()["all_delivered"], true);
}

#[test]
fn pipelining_can_be_switched_off() {
    let server = Server::unix(Script::default());
    let more = ["--transcript", "--no-pipelining"];
    let run = run_with_input(&mut send(&server, &["b@x"], &more), MESSAGE.as_bytes());
    let speakers: String = run.stderr.lines().map(|line| line.as_bytes()[8] as char).collect();
    assert!(speakers.contains("CSCSCS"), "{speakers}");
}

#[test]
fn closed_outputs_change_nothing() {
    let script = Script { rcpt: vec!["550 5.1.1 No"], data: "503 no", ..Script::default() };
    let server = Server::unix(script);
    for more in [&["--json"][..], &[], &["--transcript"]] {
        let [stdout, stderr] = [(); 2].map(|()| {
            let (reader, writer) = io::pipe().unwrap();
            drop(reader);
            writer
        });
        let mut command = send(&server, &["b@x"], &["--body", "hello"]);
        let status = command.args(more).stdout(stdout).stderr(stderr).status().unwrap();
        assert_eq!(status.code(), Some(69), "{more:?}");
    }
    for (arguments, code) in [(&["--help"][..], 0), (&["--bogus"], 64), (&["--bogus", "--json"], 64), (&[], 64)] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let stderr = writer.try_clone().unwrap();
        let status = lmtp(arguments).stdout(writer).stderr(stderr).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn help_names_the_exit_codes() {
    for command in ["send", "probe", "demo"] {
        let run = run(lmtp([command, "--help"]).stdin(Stdio::null()));
        assert_eq!(run.code, Some(0));
        assert!(run.stdout.contains("Examples:") && run.stdout.contains("Exit codes:"), "{run:?}");
    }
    let version = run(&mut lmtp(["--version"]));
    assert_eq!(version.stdout, concat!("lmtp ", env!("CARGO_PKG_VERSION"), "\n"));
}
