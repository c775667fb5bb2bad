//! The checks of a server that stops: all of them are under way when it is told to, for it can be told once.

use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use lmtp_conformance::{Addresses, Check, Conversation, Lost, NoTls, Outcome, Socket, Verdict, run};

use super::line::{Line, gone};
use super::not_run;

/// Runs the checks, with the command once the last of them waits for it.
pub(super) fn checked(checks: &[&Check], addresses: &Addresses, line: &Line<'_>, command: &str) -> Vec<Verdict> {
    thread::scope(|scope| {
        let mut waiting = Vec::new();
        let mut running = Vec::new();
        for check in checks {
            let (arrive, arrived) = mpsc::channel();
            let (go, told) = mpsc::channel();
            running.push(scope.spawn(move || match line.connect() {
                Ok(socket) => run(check, addresses, &mut Held { socket, arrive, told }),
                Err(error) => gone(&error),
            }));
            waiting.push((arrived, go));
        }
        // Who ends before it comes to that is not waited for.
        for (arrived, _) in &waiting {
            let _ = arrived.recv();
        }
        let mut words = command.split_whitespace();
        let mut stop = Command::new(words.next().unwrap_or_default());
        // What it says belongs to no result.
        stop.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        let started = stop.spawn().map_err(|error| format!("--shutdown {command}: {error}"));
        for (_, go) in waiting {
            // Who has ended needs no word.
            let _ = go.send(started.as_ref().map(drop).map_err(Clone::clone));
        }
        let ended: Vec<_> = running.into_iter().map(thread::ScopedJoinHandle::join).collect();
        let status = started.ok().map(|mut stop| stop.wait());
        let failed = status.and_then(|status| match status {
            Ok(status) if status.success() => None,
            Ok(status) => Some(format!("--shutdown {command}: {status}")),
            Err(error) => Some(format!("--shutdown {command}: {error}")),
        });
        let verdicts = ended.into_iter().map(|ended| ended.unwrap_or_else(|_| not_run("it panicked".to_owned())));
        // Of a server that was not told to stop, no check has anything to say.
        verdicts.map(|verdict| failed.clone().map_or(verdict, not_run)).collect()
    })
}

/// A connection whose check waits for the command.
struct Held {
    socket: Socket,
    arrive: Sender<()>,
    told: Receiver<Result<(), String>>,
}

impl Conversation for Held {
    fn send(&mut self, octets: &[u8]) {
        self.socket.send(octets);
    }

    fn read(&mut self) -> Result<Vec<u8>, Lost> {
        self.socket.read()
    }

    fn secure(&mut self) -> Result<(), NoTls> {
        self.socket.secure()
    }

    fn wait(&mut self, most: Duration) {
        self.socket.wait(most);
    }

    fn stop(&mut self) -> Result<(), String> {
        // The other end stays until the command has been started.
        let _ = self.arrive.send(());
        self.told.recv().unwrap_or_else(|_| Err("the command was not started".to_owned()))
    }
}

/// What was wrong with the command.
pub(super) fn trouble(verdict: &Verdict) -> Option<&str> {
    match &verdict.outcome {
        Outcome::NotRun(why) if why.starts_with("--shutdown ") => Some(why),
        _ => None,
    }
}

/// Whether a check is one of these.
pub(super) fn is_one(check: &Check) -> bool {
    check.id.starts_with("shutdown/")
}
