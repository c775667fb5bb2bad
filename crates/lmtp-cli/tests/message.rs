//! Where the message comes from, and what is done to it on the way.

mod support;

use std::fs;

use support::{MESSAGE, Script, Server, run, run_with_input, send};

/// A file of this content, and its path.
fn file(content: &[u8]) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("message.eml");
    fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

const SIZED: &str = "250-mx.test\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 PIPELINING";

#[test]
fn a_file_is_sent_with_its_size() {
    let server = Server::unix(Script { lhlo: SIZED, ..Script::default() });
    let (_directory, path) = file(MESSAGE.as_bytes());
    let run = run(&mut send(&server, &["b@x"], &[&path]));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let seen = server.seen();
    assert_eq!(seen.lines[1], format!("MAIL FROM:<ann@x> SIZE={}", MESSAGE.len()));
    assert_eq!(seen.content.unwrap(), MESSAGE.as_bytes());
}

#[test]
fn a_file_on_standard_input_is_a_file() {
    let server = Server::unix(Script { lhlo: SIZED, ..Script::default() });
    let (_directory, path) = file(MESSAGE.as_bytes());
    for more in [&["-"][..], &[]] {
        let run = run(send(&server, &["b@x"], more).stdin(fs::File::open(&path).unwrap()));
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    let size = format!("MAIL FROM:<ann@x> SIZE={}", MESSAGE.len());
    assert_eq!(server.seen().lines.iter().filter(|line| **line == size).count(), 2);
}

#[test]
fn unix_line_ends_are_converted_and_it_is_said() {
    lmtp_testkit::proves!("R5321-2.3.8-b");
    let unix = "Subject: x\n\n.dot\nno end";
    let wire = "Subject: x\r\n\r\n..dot\r\nno end\r\n";
    let (_directory, path) = file(unix.as_bytes());
    let server = Server::unix(Script::default());

    let from_file = run(&mut send(&server, &["b@x"], &[&path]));
    assert_eq!(from_file.code, Some(0));
    assert_eq!(from_file.stderr, format!("note: {path} has Unix line ends; they are sent as CRLF\n"));
    assert_eq!(server.seen().content.unwrap(), wire.as_bytes());

    let from_pipe = run_with_input(&mut send(&server, &["b@x"], &["--json", "-"]), unix.as_bytes());
    assert_eq!(from_pipe.code, Some(0));
    assert_eq!(from_pipe.stderr, "note: standard input has Unix line ends; they are sent as CRLF\n");
    assert_eq!(server.seen().content.unwrap(), wire.as_bytes());
}

#[test]
fn unix_line_ends_can_be_refused() {
    let (_directory, path) = file(b"Subject: x\r\n\r\na\nb\r\n");
    let server = Server::unix(Script::default());
    let run = run(&mut send(&server, &["b@x"], &[&path, "--line-endings", "reject"]));
    assert_eq!(run.code, Some(65));
    assert!(run.stderr.contains("line 3") && run.stderr.contains("--line-endings convert"), "{run:?}");
    assert!(!server.seen().lines.iter().any(|line| line.starts_with("MAIL")));
}

#[test]
fn a_message_at_fault_is_65() {
    let content = b"Subject: x\r\n\r\nnul\0nul\r\n";
    let (_directory, path) = file(content);
    let server = Server::unix(Script::default());
    let from_file = run(&mut send(&server, &["b@x"], &[&path, "--json"]));
    assert_eq!(from_file.code, Some(65));
    from_file.assert_outcomes(&[("unsent", "body")]);
    assert_eq!(from_file.json()["error"]["kind"], "body");
    assert!(server.seen().lines.iter().all(|line| line.starts_with("LHLO") || line == "QUIT"));

    // In a stream it is found on the way: the end is never sent.
    let from_pipe = run_with_input(&mut send(&server, &["b@x"], &["--json"]), content);
    assert_eq!(from_pipe.code, Some(65));
    from_pipe.assert_outcomes(&[("unsent", "body")]);
    assert_eq!(server.seen().content, None);
}

#[test]
fn a_message_that_cannot_be_read_is_66() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::unix(Script::default());
    let none = directory.path().join("none.eml");
    let missing = run(&mut send(&server, &["b@x"], &[none.to_str().unwrap(), "--json"]));
    assert_eq!(missing.code, Some(66));
    missing.assert_outcomes(&[("unsent", "body")]);
    assert_eq!(missing.json()["error"]["kind"], "body");
    assert_eq!(server.seen().connections, 0);

    let folder = run(&mut send(&server, &["b@x"], &[directory.path().to_str().unwrap()]));
    assert_eq!(folder.code, Some(66));
    assert_eq!(server.seen().connections, 0);
    assert!(folder.stderr.contains("directory"), "{folder:?}");
    assert_eq!(server.seen().content, None);
}

#[test]
fn eight_bit_content_is_refused_or_sent() {
    let content = "Subject: x\r\n\r\nGrüße\r\n".as_bytes();
    let (_directory, path) = file(content);
    let server = Server::unix(Script { lhlo: "250 mx.test", ..Script::default() });
    let refused = run(&mut send(&server, &["b@x"], &[&path, "--json"]));
    assert_eq!(refused.code, Some(69));
    let json = refused.json();
    let recipient = &json["recipients"][0];
    assert_eq!((&recipient["origin"], &recipient["enhanced"]), (&"local".into(), &"5.6.3".into()));
    let told = run(&mut send(&server, &["b@x"], &[&path]));
    assert!(told.stdout.contains("the server was not asked") && told.stderr.contains("--eight-bit send"), "{told:?}");

    let sent = run(&mut send(&server, &["b@x"], &[&path, "--eight-bit", "send"]));
    assert_eq!(sent.code, Some(0));
    assert_eq!(server.seen().content.unwrap(), content);
}

#[test]
fn an_empty_message_is_a_message() {
    let server = Server::unix(Script::default());
    let run = run_with_input(&mut send(&server, &["b@x"], &[]), b"");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(server.seen().content.unwrap(), b"");
    // Whoever forgot to pass one on should hear of it.
    assert!(run.stderr.contains("warning: the message was empty"), "{run:?}");
}

/// What no server could be sent is found before one is looked for: a message at
/// fault is not tried again because the server happens to be down.
#[test]
fn a_bad_message_is_bad_without_a_server_too() {
    let (directory, path) = file(b"Subject: x\r\n\r\nnul\0nul\r\n");
    let to_nobody = |path: &str| {
        let arguments = ["send", "unix:/nonexistent/lmtp", "--from", "ann@x", "--to", "b@x", path, "--json"];
        run(&mut support::lmtp(arguments))
    };
    assert_eq!(to_nobody(&path).code, Some(65));
    assert_eq!(to_nobody(directory.path().to_str().unwrap()).code, Some(66));
    let (_directory, good) = file(b"Subject: x\r\n\r\nfine\r\n");
    let run = to_nobody(&good);
    assert_eq!(run.code, Some(75));
    assert_eq!(run.json()["error"]["kind"], "connect");
}

#[test]
fn a_large_stream_arrives_whole() {
    let server = Server::unix(Script::default());
    let line = [b'x'; 76];
    let content: Vec<u8> = (0..40_000).flat_map(|_| [&line[..], b"\r\n"].concat()).collect();
    let run = run_with_input(&mut send(&server, &["b@x"], &[]), &content);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert!(server.seen().content.unwrap() == content);
}

#[test]
fn a_message_is_composed() {
    let server = Server::unix(Script::default());
    let more = ["--subject", "Grüße", "--body", "Schöne\n.Tage", "--lhlo-name", "me.test"];
    let run = run(&mut send(&server, &["b@x", "c@x"], &more));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let content = String::from_utf8(server.seen().content.unwrap()).unwrap();
    assert!(content.is_ascii(), "encoded words, transfer encoding: {content}");
    let (header, body) = content.split_once("\r\n\r\n").unwrap();
    for line in
        ["From: <ann@x>", "To: <b@x>, <c@x>", "MIME-Version: 1.0", "Content-Transfer-Encoding: quoted-printable"]
    {
        assert!(header.lines().any(|header| header == line), "{line} in {header}");
    }
    assert!(header.contains("\r\nSubject: =?utf-8?"), "{header}");
    assert!(header.contains("\r\nDate: "), "{header}");
    let id = header.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap();
    assert!(id.starts_with('<') && id.ends_with("@me.test>"), "{id}");
    assert_eq!(body, "Sch=C3=B6ne\r\n..Tage\r\n", "its dot doubled on the wire");
    assert_eq!(server.seen().lines[1], "MAIL FROM:<ann@x>", "7-bit needs nothing");
}

#[test]
fn an_address_in_utf8_does_not_keep_the_message_from_the_others() {
    let server = Server::unix(Script::default());
    let run = run(&mut send(&server, &["b@x", "jörg@x"], &["--body", "x", "--json"]));
    assert_eq!(run.code, Some(69));
    run.assert_outcomes(&[("delivered", "final"), ("permanent", "rcpt")]);
    let json = run.json();
    assert_eq!((&json["recipients"][1]["code"], &json["recipients"][1]["origin"]), (&553.into(), &"local".into()));
    assert!(String::from_utf8(server.seen().content.unwrap()).unwrap().contains("\r\nTo: <b@x>\r\n"));
}
