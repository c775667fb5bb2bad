//! `lmtp deliver`, as a mail system calls it: the exit code and the first words are what it goes by.

mod support;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::served::{Served, signal};

/// A server with Maildirs for everybody, and faults, and the options that lead to it.
struct Desk {
    _served: Served,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(faults: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let served = Served::on(folder.path(), &[&["--create"], faults].concat());
        let options = format!("socket_path = \"{}\"\n", served.socket.display());
        fs::write(folder.path().join("deliver.toml"), options).unwrap();
        Self { _served: served, folder }
    }

    fn options(&self) -> PathBuf {
        self.folder.path().join("deliver.toml")
    }

    fn deliver(&self, args: &[&str]) -> (Option<i32>, String) {
        deliver(&self.options(), args, "Subject: hi\n\nHello\n.dot\n")
    }

    fn inbox(&self, user: &str) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.folder.path().join(format!("mail/x/{user}/new"))) else { return Vec::new() };
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

fn command(config: &Path, args: &[&str]) -> Command {
    let mut deliver = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    deliver.arg("deliver").arg("--config").arg(config).args(args);
    deliver.env_remove("SENDER").env_remove("RECIPIENT");
    deliver.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    deliver
}

fn deliver(config: &Path, args: &[&str], message: &str) -> (Option<i32>, String) {
    ended(command(config, args).spawn().unwrap(), message)
}

fn ended(mut child: Child, message: &str) -> (Option<i32>, String) {
    // One that refuses its command line does not read it.
    let _ = child.stdin.take().unwrap().write_all(message.as_bytes());
    let output = child.wait_with_output().unwrap();
    // A mail system takes both together.
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn what_the_server_says_is_what_the_mail_system_hears() {
    let desk = Desk::new(&["--fail", "rcpt=550:gone@x", "--fail", "final=452:full@x"]);
    let (code, said) = desk.deliver(&["--from", "ann@x", "--", "bob@x"]);
    assert!(code == Some(0) && said.starts_with("2.0.0 Saved ("), "{code:?} {said}");
    let kept = desk.inbox("bob");
    assert!(kept[0].starts_with("Return-Path: <ann@x>\n") && kept[0].ends_with("\n\nHello\n.dot\n"), "{kept:?}");
    for (to, code, said) in [("gone@x", 69, "5.1.1 Injected fault\n"), ("full@x", 75, "4.2.2 Injected fault (")] {
        let (exit, heard) = desk.deliver(&["--from", "", to]);
        assert!(exit == Some(code) && heard.starts_with(said), "{to}: {exit:?} {heard}");
    }
    // One exit code for all: who has to wait comes first.
    let (code, said) = desk.deliver(&["--many", "--from", "ann@x", "bob@x", "gone@x", "full@x"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(code, Some(75));
    assert!(
        lines[0].starts_with("4.2.2 ") && lines[1].starts_with("5.1.1 ") && lines[2].starts_with("2.0.0 "),
        "{said}"
    );
    let (code, said) = desk.deliver(&["--many", "--json", "--from", "ann@x", "bob@x", "gone@x"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, Some(69));
    assert_eq!((&told["recipients"][1]["code"], &told["recipients"][0]["outcome"]), (&550.into(), &"delivered".into()));
}

/// As some mail systems say it.
#[test]
fn the_envelope_may_be_in_the_environment() {
    let desk = Desk::new(&[]);
    let mut deliver = command(&desk.options(), &[]);
    deliver.env("SENDER", "ann@example.org").env("RECIPIENT", "bob@x");
    let (code, said) = ended(deliver.spawn().unwrap(), "From ann Thu Nov 26 00:00:00 2026\nSubject: hi\n\nHi\n");
    assert_eq!(code, Some(0), "{said}");
    let kept = desk.inbox("bob").remove(0);
    assert!(kept.starts_with("Return-Path: <ann@example.org>\n") && !kept.contains("From ann Thu"), "{kept}");
}

/// Whatever is wrong here: the mail waits, and the first words say why.
#[test]
fn a_fault_of_ours_bounces_nobody() {
    let desk = Desk::new(&[]);
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.toml");
    fs::write(&broken, "socket = \"/run/lmtp\"\n").unwrap();
    let nowhere = folder.path().join("nowhere.toml");
    fs::write(&nowhere, "socket_path = \"/no/such/socket\"\n").unwrap();
    for (config, args, why) in [
        (Path::new("/no/such/file"), &["bob@x"][..], "4.3.5 /no/such/file: No such file"),
        (&broken, &["bob@x"], "4.3.5 "),
        (&nowhere, &["bob@x"], "4.4.1 unix:/no/such/socket: cannot connect"),
        (&nowhere, &[], "4.3.5 there is no recipient"),
        (&nowhere, &["a@x", "b@x"], "4.3.5 2 recipients, and one exit code"),
        (&nowhere, &["no address"], "4.3.5 the recipient \"no address\""),
        (&nowhere, &["--form", "a@x", "bob@x"], "4.3.5 unexpected argument '--form'"),
    ] {
        let (code, said) = deliver(config, args, "Subject: x\n\n");
        assert!(code == Some(75) && said.starts_with(why), "{args:?}: {code:?} {said}");
    }
    // What no server may be sent is no server's refusal.
    let (code, said) = deliver(&desk.options(), &["bob@x"], "Subject: x\n\n\0\n");
    assert!(code == Some(75) && said.starts_with("4."), "{code:?} {said}");
    assert!(desk.inbox("bob").is_empty());
}

#[test]
fn stopped_by_a_signal_it_says_to_try_again() {
    let desk = Desk::new(&["--delay", "final=30s"]);
    let mut child = command(&desk.options(), &["--from", "ann@x", "bob@x"]).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"Subject: x\n\nHi\n").unwrap();
    thread::sleep(Duration::from_millis(700));
    signal(&child, "TERM");
    let begun = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(75) && said.starts_with("4.4.2 "), "{:?} {said}", output.status);
}

/// Some mail systems take a process that a signal has ended for a refusal.
#[test]
fn stopped_while_it_reads_it_says_to_try_again() {
    let desk = Desk::new(&[]);
    let mut child = command(&desk.options(), &["--from", "ann@x", "bob@x"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"Subject: x\n").unwrap();
    thread::sleep(Duration::from_millis(700));
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.code() == Some(75) && said.starts_with("4.3.5 stopped by a signal"),
        "{:?} {said}",
        output.status
    );
    drop(input);
    assert!(desk.inbox("bob").is_empty());
}

/// It takes leave as a client should (RFC 5321 section 4.1.1.10).
#[test]
fn it_says_quit() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("lmtp");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let config = folder.path().join("deliver.toml");
    fs::write(&config, format!("socket_path = \"{}\"\n", socket.display())).unwrap();
    let heard = thread::spawn(move || {
        use std::io::{BufRead as _, BufReader};
        let (stream, _) = listener.accept().unwrap();
        let mut say = stream.try_clone().unwrap();
        let mut heard = Vec::new();
        say.write_all(b"220 mx\r\n").unwrap();
        let mut in_content = false;
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let reply: &[u8] = match line.split(' ').next().unwrap() {
                "." if in_content => b"250 2.0.0 ok\r\n",
                _ if in_content => continue,
                "DATA" => b"354 go\r\n",
                "QUIT" => b"221 bye\r\n",
                _ => b"250 ok\r\n",
            };
            in_content = reply.starts_with(b"3") || in_content && line != ".";
            heard.push(line);
            say.write_all(reply).unwrap();
        }
        heard
    });
    assert_eq!(deliver(&config, &["--from", "ann@x", "bob@x"], "Subject: x\n\nHi\n").0, Some(0));
    assert_eq!(heard.join().unwrap().last().unwrap(), "QUIT");
}

/// More than is kept in memory.
#[test]
fn a_large_message_arrives() {
    let desk = Desk::new(&[]);
    let message = format!("Subject: hi\n\n{}", "0123456789abcdef0123456789abcdef\n".repeat(100_000));
    let (code, said) = deliver(&desk.options(), &["bob@x"], &message);
    assert_eq!(code, Some(0), "{said}");
    assert!(desk.inbox("bob")[0].ends_with(&message));
}
