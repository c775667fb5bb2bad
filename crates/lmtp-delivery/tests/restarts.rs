//! A server that is killed again and again amid deliveries: nobody is lost, and nobody gets twice what he surely has.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lmtp_delivery::{Backoff, Delivery, Options, Uncertain};
use lmtp_serve::{Service, Settings};
use lmtp_testkit::effort::Effort;
use lmtp_tokio::{Envelope, Outcome};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const RESTARTS: usize = 5;
const TASKS: usize = 20;
const USERS: [&str; 2] = ["bob", "eve"];

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Begins a server over the Maildirs in that folder. It lives in a runtime of its own, so that it can die at once.
fn begin(folder: &Path) -> Runtime {
    let runtime = runtime();
    // A while between what is kept and its answer: somebody is always there when it dies.
    let text = format!(
        "listen = [\"unix:{0}/lmtp\"]\n[maildir]\nroot = \"{0}/mail\"\ncreate = true\n[log]\nformat = \"none\"\n\
         [faults]\ndelay = [\"final=2ms\"]\n",
        folder.display()
    );
    let service = Service::new(&Settings::parse(&text).unwrap()).unwrap();
    runtime.spawn(service.run(tokio::sync::mpsc::channel(1).1));
    runtime
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Seen {
    /// Messages that nobody waits for any more.
    done: AtomicUsize,
    /// Deaths of the server.
    deaths: AtomicUsize,
    /// Attempts without an answer, by the death before them.
    broken: [AtomicUsize; RESTARTS + 1],
}

/// What was told of a recipient.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    delivered: usize,
    uncertain: usize,
}

/// A message that is no other. Some are so long that a death comes amid them.
fn message(number: usize) -> String {
    let more = "0123456789abcdef0123456789abcdef\r\n".repeat(if number.is_multiple_of(10) { 10_000 } else { 1 });
    format!("Subject: {number}\r\n\r\n{more}The end of {number}.\r\n")
}

/// Sends a message until nobody waits for it.
async fn send(delivery: &Delivery, number: usize, seen: &Seen) -> [Told; USERS.len()] {
    let backoff = Backoff {
        first: Duration::from_millis(2),
        longest: Duration::from_millis(50),
        lifetime: Duration::from_secs(60),
    };
    let (begun, message, mut told) = (Instant::now(), message(number), [Told::default(); USERS.len()]);
    let to = USERS.map(|user| format!("{user}@x").parse().unwrap());
    let mut open = Envelope::new("ann@x".parse().unwrap(), to).unwrap();
    for failed in 0.. {
        let report = delivery.deliver(&open, message.as_str()).await;
        assert_eq!(report.recipients().len(), open.recipients().len());
        for recipient in report.recipients() {
            let address = recipient.path().to_string();
            let place = USERS.iter().position(|user| address == format!("{user}@x")).unwrap();
            match recipient.outcome() {
                Outcome::Delivered => told[place].delivered += 1,
                Outcome::Uncertain => told[place].uncertain += 1,
                Outcome::Temporary | Outcome::Unsent => {}
                Outcome::Permanent => panic!("{recipient}"),
            }
            if matches!(recipient.outcome(), Outcome::Uncertain | Outcome::Unsent) {
                seen.broken[seen.deaths.load(Ordering::SeqCst)].fetch_add(1, Ordering::SeqCst);
            }
        }
        let Some(again) = report.retry(Uncertain::Resend) else { break };
        assert!(!backoff.is_over(begun.elapsed()), "{number} is given up: {report:?}");
        open = again;
        tokio::time::sleep(backoff.wait(failed)).await;
    }
    seen.done.fetch_add(1, Ordering::SeqCst);
    told
}

/// How often each message is in a user's mailbox. All that is there is whole.
fn stored(folder: &Path, user: &str) -> BTreeMap<usize, usize> {
    let mut stored = BTreeMap::new();
    for file in fs::read_dir(folder.join(format!("mail/x/{user}/new"))).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let number = text.split_once("\nSubject: ").and_then(|(_, rest)| rest.lines().next()).unwrap();
        let number = number.parse().unwrap();
        assert!(text.ends_with(&message(number).replace("\r\n", "\n")), "a part of {number} was taken for the whole");
        *stored.entry(number).or_default() += 1;
    }
    stored
}

#[test]
fn restarts_lose_nobody_and_nobody_gets_twice_what_he_surely_has() {
    let count = match Effort::current() {
        Effort::Quick => 500,
        Effort::Ci => 10_000,
        Effort::Long => 50_000,
    };
    let folder = tempfile::tempdir().unwrap();
    let mut server = begin(folder.path());
    while !folder.path().join("lmtp").exists() {
        thread::sleep(Duration::from_millis(1));
    }
    let options = format!("socket_path = \"{}/lmtp\"\nconnections = 8\n", folder.path().display());
    let delivery = Delivery::new(&Options::parse(&options).unwrap()).unwrap();
    let (next, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Seen::default()));
    let (callers, mut tasks) = (runtime(), JoinSet::new());
    for _ in 0..TASKS {
        let (delivery, next, seen) = (delivery.clone(), Arc::clone(&next), Arc::clone(&seen));
        let task = async move {
            let mut told = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= count {
                    break told;
                }
                told.push((number, send(&delivery, number, &seen).await));
            }
        };
        tasks.spawn_on(task, callers.handle());
    }
    for death in 1..=RESTARTS {
        while seen.done.load(Ordering::SeqCst) < count * death / (RESTARTS + 1) {
            assert!(tasks.try_join_next().is_none(), "a task has ended too soon");
            thread::sleep(Duration::from_millis(1));
        }
        seen.deaths.store(death, Ordering::SeqCst);
        // All that it does is dropped where it stands, and so are its sockets.
        server.shutdown_timeout(Duration::from_secs(10));
        thread::sleep(Duration::from_millis(20));
        server = begin(folder.path());
    }
    let told = callers.block_on(tasks.join_all()).concat();

    let (mut twice, mut uncertain) = (0, 0);
    for (place, user) in USERS.iter().enumerate() {
        let stored = stored(folder.path(), user);
        for (number, told) in &told {
            let (told, copies) = (told[place], stored.get(number).copied().unwrap_or_default());
            // One that is told of as delivered is there; more of them only where somebody could not know.
            assert_eq!(told.delivered, 1, "{number} for {user}");
            assert!((1..=1 + told.uncertain).contains(&copies), "{number} for {user}: {copies} copies, {told:?}");
            twice += copies - 1;
            uncertain += told.uncertain;
        }
        assert_eq!(stored.len(), count, "what is there for {user} was sent");
    }
    assert_eq!(told.len(), count);
    let broken = seen.broken.each_ref().map(|broken| broken.load(Ordering::SeqCst));
    println!("{broken:?} recipients without an answer, {uncertain} of them uncertain; {twice} copies too many");
    // Without that it would show nothing.
    assert!(broken[0] == 0 && broken[1..].iter().all(|broken| *broken > 0) && uncertain > 0, "{broken:?} {uncertain}");
}
