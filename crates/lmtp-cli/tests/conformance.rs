//! `lmtp conformance`, the program, against `lmtp serve`: as it is, and with a fault.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A server for Bob.
struct Served(Child, tempfile::TempDir);

impl Served {
    fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(folder.path().join("mail/x/bob").join(part)).unwrap();
        }
        let socket = folder.path().join("lmtp");
        let mut serve = Command::new(env!("CARGO_BIN_EXE_lmtp"));
        serve.args(["serve", "--log", "none", "--listen"]).arg(format!("unix:{}", socket.display())).arg("--maildir");
        serve.arg(folder.path().join("mail")).args(more).stderr(Stdio::null());
        let server = serve.spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < patience, "it does not listen");
            thread::sleep(Duration::from_millis(2));
        }
        Self(server, folder)
    }

    fn check(&self, more: &[&str]) -> (Option<i32>, String) {
        let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
        check.args(["conformance", "server"]).arg(format!("unix:{}", self.1.path().join("lmtp").display()));
        check.args(["--good", "bob@x", "--bad", "nobody@x", "--rate", "1000"]).args(more);
        let output = check.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn our_server_passes_all_of_it() {
    let served = Served::new(&[]);
    let (code, said) = served.check(&["--json", "--cases", "10"]);
    let told: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(code, Some(0), "{told}");
    let results = told["checks"].as_array().unwrap_or_else(|| panic!("{told}"));
    assert!(results.len() >= 120, "{} checks", results.len());
}

/// One answer too few: it is found, and the conversation is shown.
#[test]
fn a_wrong_count_is_found() {
    let served = Served::new(&["--wrong-count", "fewer"]);
    let (code, said) = served.check(&["--only", "replies/2-recipients", "--cases", "0", "--timeout", "1"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("C: DATA"), "{said}");
}

#[test]
fn nobody_there_is_no_verdict() {
    let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    check.args(["conformance", "server", "unix:/no/such/socket", "--good", "bob@x"]);
    assert_eq!(check.output().unwrap().status.code(), Some(75));
}
