//! `lmtp serve`, the program: what it says of its settings, its signals, and what is left when it is killed.

#![cfg(unix)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lmtp_blocking::{Client, Envelope, Outcome, send};
use lmtp_testkit::effort::Effort;
use support::served::{Served, signal};

fn lmtp(args: &[&str]) -> Command {
    let mut lmtp = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    lmtp.arg("serve").args(args).stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
    lmtp
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_settings_that_it_prints_are_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lmtp.toml");
    let printed = lmtp(&["--print-default"]).output().unwrap();
    assert!(printed.status.success());
    fs::write(&file, &printed.stdout).unwrap();
    let config = file.display().to_string();
    let base = folder.path().display().to_string();
    let check =
        lmtp(&["--config", &config, "--listen", "unix:/nowhere", "--maildir", &base, "--check"]).output().unwrap();
    assert!(check.status.success(), "{}", said(&check));
    let words = said(&check);
    assert!(words.contains("it would listen at unix:/nowhere"), "{words}");
    assert!(words.contains("warning: mail for <postmaster> is refused"), "{words}");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lmtp.toml");
    fs::write(&file, "listen = [\"unix:/nowhere\"]\n[maildir]\nrot = \"/var/mail\"\n").unwrap();
    let output = lmtp(&["--config", &file.display().to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let words = said(&output);
    assert!(words.contains("lmtp.toml: ") && words.contains("line 3, column 1") && words.contains("rot"), "{words}");
    for (args, code, why) in [
        (&["--listen", "unix:/nowhere"][..], 78, "maildir.root: names no directory"),
        (&["--maildir", "/"], 78, "listen: names no place"),
        (&["--listen", "unix:/no/such/directory/x", "--discard"], 75, "cannot listen at unix:/no/such/directory/x"),
        (&["--config", "/no/such/file"], 78, "/no/such/file: "),
        (&["--tls-cert", "x"], 64, "--tls-key"),
    ] {
        let output = lmtp(args).output().unwrap();
        assert!(said(&output).contains(why), "{args:?}: {}", said(&output));
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}

fn mailbox(folder: &Path) -> PathBuf {
    support::served::mailbox(&folder.join("mail/example.org/bob"))
}

#[test]
fn it_ends_when_it_is_told_and_reads_its_settings_again() {
    let folder = tempfile::tempdir().unwrap();
    let new = mailbox(folder.path());
    let config = folder.path().join("lmtp.toml");
    fs::write(&config, "[maildir]\npostmaster = \"bob@example.org\"\n").unwrap();
    let mut served = Served::on(folder.path(), &["--config", &config.display().to_string()]);
    let outcome = |to: &str| {
        let report = send(served.place().as_str(), "ann@x", [to], "Hi\r\n").unwrap();
        report.recipients().next().unwrap().outcome()
    };
    assert_eq!(outcome("bob@example.org"), Outcome::Delivered);
    assert_eq!(outcome("info@example.org"), Outcome::Permanent);
    let aliases = folder.path().join("aliases");
    fs::write(&aliases, "info@example.org bob@example.org\n").unwrap();
    fs::write(&config, format!("[maildir]\naliases = \"{}\"\n", aliases.display())).unwrap();
    signal(&served.server, "HUP");
    let patience = Instant::now() + Duration::from_secs(20);
    while outcome("info@example.org") != Outcome::Delivered {
        assert!(Instant::now() < patience, "the new settings do not count");
        thread::sleep(Duration::from_millis(10));
    }
    // What cannot be leaves the old ones.
    fs::write(&config, "nonsense = 1\n").unwrap();
    signal(&served.server, "HUP");
    assert_eq!(outcome("info@example.org"), Outcome::Delivered);
    assert!(fs::read_dir(new).unwrap().count() >= 3);
    signal(&served.server, "TERM");
    assert_eq!(served.server.wait().unwrap().code(), Some(0));
    assert!(!served.socket.exists());
}

/// As the first page and the demonstration say it: nothing has to be there before.
#[test]
fn everything_is_made_where_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::on(folder.path(), &["--create"]);
    assert!(send(served.place().as_str(), "ann@x", ["bob@example.org"], "Hi\r\n").unwrap().all_delivered());
    assert_eq!(fs::read_dir(folder.path().join("mail/example.org/bob/new")).unwrap().count(), 1);
}

/// Two servers on one Maildir: no name is given twice, and nothing is lost.
#[test]
fn two_servers_share_a_mailbox() {
    const EACH: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let new = mailbox(folder.path());
    let one = Served::on(folder.path(), &[]);
    fs::create_dir(folder.path().join("other")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("mail"), folder.path().join("other/mail")).unwrap();
    let two = Served::on(&folder.path().join("other"), &[]);
    thread::scope(|scope| {
        for place in [one.place(), two.place(), one.place(), two.place()] {
            scope.spawn(move || {
                for _ in 0..EACH {
                    assert!(send(place.as_str(), "ann@x", ["bob@example.org"], "Hi\r\n").unwrap().all_delivered());
                }
            });
        }
    });
    assert_eq!(fs::read_dir(new).unwrap().count(), 4 * EACH);
}

/// What a service manager passes and hears (`sd_listen_fds(3)`, `sd_notify(3)`).
#[test]
fn under_a_service_manager() {
    const OPEN: &str = "import os, socket, sys\n\
        s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(8)\n\
        os.dup2(s.fileno(), 3); os.set_inheritable(3, True)\n\
        os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n\
        os.execv(sys.argv[2], sys.argv[2:])\n";
    let folder = tempfile::tempdir().unwrap();
    let new = mailbox(folder.path());
    let (socket, mail) = (folder.path().join("lmtp"), folder.path().join("mail"));
    let heard = std::os::unix::net::UnixDatagram::bind(folder.path().join("notify")).unwrap();
    heard.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut manager = Command::new("python3");
    manager.args(["-c", OPEN]).arg(&socket).arg(env!("CARGO_BIN_EXE_lmtp")).args(["serve", "--listen", "systemd"]);
    manager.arg("--maildir").arg(&mail).env("NOTIFY_SOCKET", folder.path().join("notify")).stderr(Stdio::null());
    let Ok(server) = manager.spawn() else {
        eprintln!("under_a_service_manager: skipped, there is no python3 to open a socket");
        return;
    };
    let mut served = Served { server, socket };
    let hear = || {
        let mut room = [0; 100];
        let count = heard.recv(&mut room).expect("a word");
        String::from_utf8_lossy(&room[..count]).trim().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    assert!(send(served.place().as_str(), "ann@x", ["bob@example.org"], "Hi\r\n").unwrap().all_delivered());
    assert_eq!(fs::read_dir(new).unwrap().count(), 1);
    signal(&served.server, "TERM");
    assert_eq!(hear(), "STOPPING=1");
    assert_eq!(served.server.wait().unwrap().code(), Some(0));
    // It is the manager's.
    assert!(served.socket.exists());
    let output = lmtp(&["--listen", "systemd", "--discard"]).output().unwrap();
    assert_eq!(output.status.code(), Some(75));
    assert!(said(&output).contains("no socket was passed"), "{}", said(&output));
}

/// Invariants 16 and 17: killed at any moment under twenty sessions, it has kept whatever it said it had, whole;
/// and nothing in `new` is short.
#[test]
fn what_was_answered_is_there_whenever_it_is_killed() {
    const SESSIONS: usize = 20;
    let rounds: u32 = match Effort::current() {
        Effort::Quick => 30,
        Effort::Ci => 250,
        Effort::Long => 3000,
    };
    let folder = tempfile::tempdir().unwrap();
    let new = mailbox(folder.path());
    let (mut acknowledged, mut in_flight) = (Vec::new(), 0);
    for round in 0..rounds {
        let served = Served::on(folder.path(), &[]);
        let (begun, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let told: Vec<(Vec<String>, bool)> = thread::scope(|scope| {
            let sessions: Vec<_> = (0..SESSIONS)
                .map(|session| {
                    let (place, begun, stop) = (served.place(), &begun, &stop);
                    scope.spawn(move || sending(&place, (round, session), begun, stop))
                })
                .collect();
            // Another moment in each round, within the time of some messages, once there are any.
            let patience = Instant::now() + Duration::from_secs(20);
            while !begun.load(Ordering::SeqCst) {
                assert!(Instant::now() < patience, "nothing is delivered");
                thread::sleep(Duration::from_micros(100));
            }
            thread::sleep(Duration::from_micros(u64::from(round) * 7919 % 40_000));
            drop(served);
            stop.store(true, Ordering::SeqCst);
            sessions.into_iter().map(|session| session.join().unwrap()).collect()
        });
        let broken = told.iter().filter(|(_, broken)| *broken).count();
        assert!(broken > 0, "round {round}: it was not amid a message");
        in_flight += broken;
        acknowledged.extend(told.into_iter().flat_map(|(names, _)| names));
    }
    let kept: Vec<String> =
        fs::read_dir(new).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    for text in &kept {
        assert!(text.starts_with("Return-Path: ") && text.ends_with("\nThe end.\n"), "short: {text}");
    }
    let names: std::collections::BTreeSet<&str> =
        kept.iter().filter_map(|text| text.lines().find_map(|line| line.strip_prefix("Subject: "))).collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|name| !names.contains(name.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
    println!("{rounds} rounds, {in_flight} deliveries under way, {} messages acknowledged", acknowledged.len());
    assert!(acknowledged.len() > 300, "{} messages are not many", acknowledged.len());
}

/// Sends until the server is gone; the names of what was acknowledged, and whether a message was under way.
fn sending(place: &str, (round, session): (u32, usize), begun: &AtomicBool, stop: &AtomicBool) -> (Vec<String>, bool) {
    let mut acknowledged = Vec::new();
    let Ok(mut client) = Client::connect(place) else { return (acknowledged, false) };
    let envelope = Envelope::new("ann@x".parse().unwrap(), ["bob@example.org".parse().unwrap()]).unwrap();
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            return (acknowledged, false);
        }
        let name = format!("{round}-{session}-{number}");
        let message = format!("Subject: {name}\r\n\r\n{}The end.\r\n", format!("{}\r\n", "x".repeat(70)).repeat(40));
        let Ok(report) = client.deliver(&envelope, message.as_str()) else { break };
        match report.recipients().next().unwrap().outcome() {
            Outcome::Delivered => {
                begun.store(true, Ordering::SeqCst);
                acknowledged.push(name);
            }
            _ => return (acknowledged, true),
        }
    }
    (acknowledged, false)
}

/// Settings are looked at without a trace.
#[test]
fn a_check_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let check = |args: &[&str]| {
        let always = ["--listen", "unix:lmtp", "--check", "--maildir", "not/yet"];
        let output = lmtp(&[&always, args].concat()).current_dir(folder.path()).output().unwrap();
        (output.status.code(), said(&output))
    };
    let (code, words) = check(&["--create"]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("warning: mail for <postmaster> is refused: 550"), "{words}");
    let (code, words) = check(&["--create", "--postmaster", "bob@example.org"]);
    assert!(code == Some(0) && !words.contains("warning"), "{words}");
    let (code, words) = check(&[]);
    assert!(code == Some(78) && words.contains("maildir.root: not/yet: "), "{words}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Nobody hears that it is ready before all of it listens.
#[test]
fn an_address_for_http_that_is_taken_ends_it_before_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let http = format!("http = \"{}\"\n", taken.local_addr().unwrap());
    fs::write(folder.path().join("lmtp.toml"), http).unwrap();
    let heard = std::os::unix::net::UnixDatagram::bind(folder.path().join("notify")).unwrap();
    let mut server = lmtp(&["--config", "lmtp.toml", "--listen", "unix:lmtp", "--discard"]);
    server.current_dir(folder.path()).env("NOTIFY_SOCKET", folder.path().join("notify"));
    let output = server.output().unwrap();
    assert_eq!(output.status.code(), Some(75));
    assert!(said(&output).contains("cannot listen at http://127.0.0.1:"), "{}", said(&output));
    heard.set_nonblocking(true).unwrap();
    heard.recv(&mut [0; 100]).expect_err("nothing was notified");
}

/// A certificate that is about to run out is replaced without anybody being cut off.
#[test]
fn a_new_certificate_counts_after_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let certify = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        fs::write(folder.path().join("chain.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        fs::write(folder.path().join(format!("{name}.pem")), made.cert.pem()).unwrap();
    };
    certify("old.example");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let secured = format!("lmtps://127.0.0.1:{port}");
    let path = |file: &str| folder.path().join(file).display().to_string();
    let served = Served::on(
        folder.path(),
        &["--create", "--listen", &secured, "--tls-cert", &path("chain.pem"), "--tls-key", &path("key.pem")],
    );
    let shows = |name: &str| {
        let mut probe = Command::new(env!("CARGO_BIN_EXE_lmtp"));
        probe.args(["probe", &secured, "--server-name", name, "--ca-file", &path(&format!("{name}.pem"))]);
        probe.output().unwrap().status.success()
    };
    assert!(shows("old.example"));
    // Half of a new pair changes nothing.
    let key = fs::read(path("key.pem")).unwrap();
    certify("new.example");
    fs::write(path("key.pem"), key).unwrap();
    signal(&served.server, "HUP");
    thread::sleep(Duration::from_millis(200));
    assert!(shows("old.example") && !shows("new.example"));
    certify("new.example");
    signal(&served.server, "HUP");
    let patience = Instant::now() + Duration::from_secs(20);
    while !shows("new.example") {
        assert!(Instant::now() < patience, "it shows the old certificate");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!shows("old.example"));
}

/// Who may write to the socket may connect; whose it is is said by name or number.
#[test]
fn its_socket_has_the_owner_and_mode_that_are_set() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let ours = fs::metadata(folder.path()).unwrap();
    // To give it to somebody else takes root, as which tests may run.
    let group = if ours.uid() == 0 { 65534 } else { ours.gid() };
    let config = folder.path().join("lmtp.toml");
    let access = format!("[access]\nunix_mode = \"0620\"\nunix_owner = \"{}\"\nunix_group = \"{group}\"\n", ours.uid());
    fs::write(&config, access).unwrap();
    let served = Served::on(folder.path(), &["--config", &config.display().to_string(), "--create"]);
    let found = fs::metadata(&served.socket).unwrap();
    assert_eq!((found.mode() & 0o777, found.uid(), found.gid()), (0o620, ours.uid(), group));
    let unknown = "[access]\nunix_group = \"no such group\"\n";
    fs::write(&config, unknown).unwrap();
    let output =
        lmtp(&["--config", &config.display().to_string(), "--discard", "--listen", "unix:x"]).output().unwrap();
    assert!(said(&output).contains("access.unix_group: there is no group \"no such group\""), "{}", said(&output));
}
