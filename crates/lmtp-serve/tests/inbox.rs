//! The inbox over HTTP: what came, what each recipient was answered, and nothing that anybody could abuse.

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use lmtp_blocking::send;
use lmtp_serve::{Service, Settings};
use support::Serving;

const MESSAGE: &str = "From: Ann <ann@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe_<i>?=\r\n\r\n<script>alert(1)</script>\r\n.dot\r\n";

struct Running {
    serving: Serving,
    port: u16,
}

impl Running {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(folder.path().join(format!("mail/example.org/bob/{part}"))).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = folder.path().join("mail");
        let text = format!(
            "http = \"127.0.0.1:{port}\"\ninbox = true\n{more}\n[maildir]\nroot = \"{}\"\n[log]\nformat = \"none\"\n",
            root.display()
        );
        Self { serving: Serving::begin(folder, &text), port }
    }

    fn stream(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn ask(&self, path: &str, headers: &str) -> String {
        let port = self.port;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{headers}\r\n");
        let mut answer = String::new();
        self.stream(&request).read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn what_came_is_shown_and_is_only_text() {
    let running = Running::new("");
    assert!(running.ask("/", "").contains("There is no mail yet"));
    let to = ["bob@example.org", "nobody@example.org"];
    let report = send(running.serving.place().as_str(), "ann@x", to, MESSAGE).unwrap();
    assert!(!report.all_delivered());
    let page = running.ask("/", "");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("1 message<"), "{page}");
    assert!(page.contains("Ann &lt;ann@example.org&gt;") && page.contains("Grüße &lt;i&gt;"), "{page}");
    // The log has those who were refused, too.
    for (to, class, reply) in [("bob", "delivered", "250 2.0.0 Saved"), ("nobody", "permanent", "550 5.1.1")] {
        let row = format!("<td>&lt;{to}@example.org&gt;</td><td class=\"{class}\">{reply}");
        assert!(page.contains(&row), "{row} in {page}");
    }
    let policy = "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    assert!(page.contains(policy), "{page}");
    let link = page.split("href=\"/message").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let message = running.ask(&format!("/message{link}"), "");
    assert!(message.starts_with("HTTP/1.1 200 ") && message.contains(policy), "{message}");
    assert!(
        message.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !message.contains("<script>alert"),
        "{message}"
    );
    assert!(message.contains("\n.dot\n") && message.contains("250 2.0.0 Saved"), "{message}");
    for path in ["/message?mailbox=example.org/bob&file=../../../x", "/message?mailbox=..&file=x", "/message"] {
        assert!(running.ask(path, "").starts_with("HTTP/1.1 404 "), "{path}");
    }
    // Looking changes nothing: it is still new.
    assert_eq!(fs::read_dir(running.serving.folder.path().join("mail/example.org/bob/new")).unwrap().count(), 1);
    running.serving.end();
}

#[test]
fn who_looks_hears_of_what_comes() {
    let running = Running::new("");
    let port = running.port;
    let events = running.stream(&format!("GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"));
    let mut events = BufReader::new(events);
    let mut line = String::new();
    while events.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
    let report = send(running.serving.place().as_str(), "ann@x", ["bob@example.org"], MESSAGE).unwrap();
    assert!(report.all_delivered());
    let mut told = String::new();
    while !told.contains("data: 1") {
        assert!(events.read_line(&mut told).unwrap() > 0, "{told}");
    }
    assert!(told.contains("event: answered"), "{told}");
    // It ends with the server, whoever looks.
    running.serving.end();
    let timed_out = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(!events.read_to_string(&mut told).is_err_and(|error| timed_out(&error)), "it still waits");
}

#[test]
fn strangers_see_nothing() {
    let running = Running::new("");
    let port = running.port;
    let evil = format!("GET / HTTP/1.1\r\nHost: evil.example:{port}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    running.stream(&evil).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    for headers in ["Sec-Fetch-Site: cross-site\r\n", "Origin: http://evil.example\r\n"] {
        assert!(running.ask("/", headers).starts_with("HTTP/1.1 403 "), "{headers}");
    }
    running.serving.end();
    let token = tempfile::NamedTempFile::new().unwrap();
    fs::write(token.path(), "sesame\n").unwrap();
    let running = Running::new(&format!("http_token_file = \"{}\"", token.path().display()));
    for path in ["/", "/message", "/events"] {
        assert!(running.ask(path, "").starts_with("HTTP/1.1 401 "), "{path}");
    }
    assert!(running.ask("/", "Authorization: Bearer sesame\r\n").starts_with("HTTP/1.1 200 "));
    // Who watches the machine is no reader of mail, and needs no token.
    assert!(running.ask("/healthz", "").starts_with("HTTP/1.1 200 "));
    running.serving.end();
}

#[test]
fn it_is_not_shown_by_mistake() {
    for (settings, why) in [
        ("inbox = true", "inbox: is shown over HTTP"),
        ("inbox = true\nhttp = \"0.0.0.0:8026\"", "can be reached from elsewhere: set http_token_file"),
        ("inbox = true\nhttp = \"[::1]:8026\"\nsink = \"discard\"", "inbox: shows Maildirs"),
        ("inbox = true\nhttp = \"127.0.0.1:8026\"\nhttp_token_file = \"/no/such\"", "http_token_file: /no/such"),
        ("inbox = true\nhttp = \"127.0.0.1:8026\"\nhttp_token_file = \"/dev/null\"", "there is no token in it"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("listen = [\"unix:/x\"]\n{settings}\n[maildir]\nroot = \"{}\"\n", folder.path().display());
        let problem = Service::check(&Settings::parse(&text).unwrap()).unwrap_err().to_string();
        assert!(problem.contains(why), "{settings}: {problem}");
    }
}
