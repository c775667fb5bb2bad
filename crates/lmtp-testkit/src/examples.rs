//! The examples of a front end, as programs, one against the other.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `cargo test` builds the examples, beside the tests; with `--tests` it does not.
fn example(name: &str) -> Command {
    let tests: PathBuf = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples");
    Command::new(tests.join(name))
}

/// Lets the example `NAME_send` send to `NAME_receive`, which takes mail for Bob alone.
pub fn one_sends_and_the_other_receives(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp.sock");
    let place = format!("unix:{}", path.display());
    let mut receive = Running(example(&format!("{name}_receive")).arg(&place).stdout(Stdio::piped()).spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < deadline, "it does not listen");
        thread::sleep(Duration::from_millis(10));
    }
    for (to, outcome) in [
        ("bob@example.org", "bob@example.org: delivered: 250 2.0.0 Message stored\n"),
        ("eve@example.org", "eve@example.org: permanent: 550 5.1.1 No such user (in reply to RCPT)\n"),
    ] {
        let mut send = example(&format!("{name}_send"));
        let mut send =
            send.args([&place, "ann@example.org", to]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // One that is refused may not read it.
        let _ = send.stdin.take().unwrap().write_all(b"Subject: hi\r\n\r\nHello!\r\n");
        let output = send.wait_with_output().unwrap();
        assert_eq!(output.status.success(), outcome.contains(": delivered: "));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), outcome);
    }
    let mut told = String::new();
    BufReader::new(receive.0.stdout.take().unwrap()).read_line(&mut told).unwrap();
    assert_eq!(told, "23 octets from ann@example.org\n");
}
