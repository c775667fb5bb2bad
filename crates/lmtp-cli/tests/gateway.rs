//! `lmtp gateway`, the program: what it says, whom it serves, how it ends.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::served::{Served, mailbox, signal};

fn gateway(args: &[&str]) -> Command {
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    gateway.arg("gateway").args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    gateway
}

#[test]
fn it_serves_until_it_is_told_to_end() {
    let mut running = gateway(&["--listen", "127.0.0.1:0", "--allow", "192.0.2.7:24"]).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(running.stderr.take().unwrap()).read_line(&mut said).unwrap();
    let address =
        said.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("where it listens").to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request =
        format!("GET /api/lmtp/connect?host=192.0.2.8 HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.contains("192.0.2.8:24 is not among the targets"),
        "{answer}"
    );
    signal(&running, "TERM");
    assert_eq!(running.wait().unwrap().code(), Some(0));
}

#[test]
fn it_does_not_serve_strangers_without_a_token() {
    for (args, code, why) in [
        (&["--listen", "0.0.0.0:0"][..], 78, "give a --token-file"),
        (&["--token-file", "/no/such/file"], 78, "/no/such/file: "),
        (&["--allow", "mail.example.org:25"], 64, "--allow"),
        (&["--allow-unix", "/run/x"], 64, "write NAME=PATH"),
    ] {
        let output = gateway(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(why), "{args:?}: {:?} {said}", output.status);
    }
}

/// Two hundred messages of a megabyte at once, to a server that is slow: all are answered, and memory has the room that
/// bodies have and what is made of them, not as much as there are.
#[test]
#[cfg(target_os = "linux")]
fn many_large_messages_do_not_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    mailbox(&folder.path().join("mail/x/bob"));
    let served = Served::on(folder.path(), &["--delay", "final=200ms"]);
    let socket = format!("main={}", served.place().trim_start_matches("unix:"));
    let args = ["--listen", "127.0.0.1:0", "--per-minute", "100000", "--allow-unix", &socket];
    let mut running = gateway(&args).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(running.stderr.take().unwrap()).read_line(&mut said).unwrap();
    let address = said.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
    let text = "z".repeat(1_000_000);
    let body = format!(
        "{{\"unixName\":\"main\",\"from\":\"\",\"to\":\"bob@x\",\"subject\":\"x\",\"body\":\"{text}\",\"timeout\":60000}}"
    );
    let request = format!(
        "POST /api/lmtp/send HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let send = || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(100))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.contains("\"allDelivered\":true")
    };
    let delivered = std::thread::scope(|scope| {
        let sends: Vec<_> = (0..200).map(|_| scope.spawn(send)).collect();
        sends.into_iter().map(|send| send.join().unwrap()).filter(|delivered| *delivered).count()
    });
    assert_eq!(delivered, 200);
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    let peak: u64 = peak.parse().unwrap();
    signal(&running, "TERM");
    running.wait().unwrap();
    // Each message is there as JSON, as text and as a message: without a bound that is 400 MB.
    assert!(peak < 320_000, "{peak} kB at the most");
}
