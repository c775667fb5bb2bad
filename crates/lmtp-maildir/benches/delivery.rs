//! Messages a second into Maildirs: `cargo bench -p lmtp-maildir`.
//!
//! Each thread is a session that delivers one message after the other and waits for the verdict, with
//! both fsyncs. The directory for it is made where `TMPDIR` says, which should be a real disk.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use lmtp_maildir::{Config, Origin, Store};
use lmtp_proto::value::RcptParams;

/// Octets of a message.
const SIZE: usize = 5 * 1024;

/// Who delivers where.
struct Case {
    name: &'static str,
    threads: usize,
    /// Mailboxes in all; a thread begins with its own.
    mailboxes: usize,
    /// Recipients of each message.
    recipients: usize,
    configure: fn(&mut Config),
}

fn grouped(_: &mut Config) {}

fn alone(config: &mut Config) {
    config.group_commit = false;
}

fn linked(config: &mut Config) {
    config.link_copies = true;
}

fn main() {
    let seconds = env::var("LMTP_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let case =
        |name, threads, mailboxes, recipients, configure| Case { name, threads, mailboxes, recipients, configure };
    let mut cases = Vec::new();
    for threads in [1, 10, 50] {
        cases.push(case("a mailbox each, group commit", threads, threads, 1, grouped));
        cases.push(case("a mailbox each, fsyncs alone", threads, threads, 1, alone));
    }
    for threads in [10, 50] {
        cases.push(case("one mailbox, group commit", threads, 1, 1, grouped));
        cases.push(case("one mailbox, fsyncs alone", threads, 1, 1, alone));
    }
    cases.push(case("ten recipients, a copy each", 1, 10, 10, grouped));
    cases.push(case("ten recipients, linked", 1, 10, 10, linked));
    println!("{SIZE} octets a message, {seconds} s a row\n");
    println!("{:<32} {:>8} {:>12} {:>10} {:>10}", "", "sessions", "messages/s", "mean ms", "CPU us");
    let wanted = env::args().nth(1).filter(|name| !name.starts_with('-')).unwrap_or_default();
    for case in cases.into_iter().filter(|case| case.name.contains(&wanted)) {
        let (rate, cpu) = run(&case, Duration::from_secs_f64(seconds));
        #[expect(clippy::cast_precision_loss, reason = "few threads")]
        let mean = case.threads as f64 * 1000.0 / rate;
        println!("{:<32} {:>8} {rate:>12.0} {mean:>10.2} {cpu:>10.0}", case.name, case.threads);
    }
}

/// What this process has had of the processors, where the system tells it: hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Messages a second, each for all of its recipients, and the microseconds of a processor that each takes.
fn run(case: &Case, time: Duration) -> (f64, f64) {
    let root = tempfile::tempdir().expect("a directory");
    for mailbox in 0..case.mailboxes {
        for folder in ["cur", "new", "tmp"] {
            fs::create_dir_all(root.path().join(format!("x/u{mailbox}/{folder}"))).expect("a mailbox");
        }
    }
    let mut config = Config::default();
    (case.configure)(&mut config);
    let store = Store::open(root.path(), config).expect("a store");
    let origin = Origin {
        sender: "ann@example.org".parse().expect("an address"),
        client: "mx.example.org".parse().expect("a name"),
        peer: None,
        protocol: lmtp_proto::trace::Protocol::default(),
        id: None,
        date: lmtp_proto::trace::Date::new(0, 0).expect("a date"),
    };
    let message = format!("Subject: hi\r\n\r\n{}", "Some text in a line of a letter.\r\n".repeat(SIZE / 34));
    let (over, delivered) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Barrier::new(case.threads + 1);
    let ticks = cpu_ticks();
    let elapsed = thread::scope(|scope| {
        for thread in 0..case.threads {
            let (store, origin, message, over, delivered, start) =
                (&store, &origin, &message, &over, &delivered, &start);
            scope.spawn(move || {
                let recipients: Vec<_> = (0..case.recipients)
                    .map(|number| {
                        let path = format!("u{}@x", (thread + number) % case.mailboxes).parse().expect("an address");
                        store.recipient(&path, &RcptParams::default(), None).expect("a mailbox")
                    })
                    .collect();
                start.wait();
                while !over.load(Ordering::Relaxed) {
                    let mut delivery = store.deliver(origin, recipients.clone());
                    delivery.write(message.as_bytes());
                    assert!(delivery.finish().iter().all(lmtp_maildir::Verdict::is_stored));
                    delivered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        start.wait();
        let begin = Instant::now();
        thread::sleep(time);
        over.store(true, Ordering::Relaxed);
        begin
    })
    .elapsed();
    let ticks = cpu_ticks() - ticks;
    let delivered = delivered.load(Ordering::Relaxed);
    let stored: usize = (0..case.mailboxes)
        .map(|mailbox| fs::read_dir(root.path().join(format!("x/u{mailbox}/new"))).expect("a mailbox").count())
        .sum();
    assert_eq!(stored as u64, delivered * case.recipients as u64, "each is there once");
    #[expect(clippy::cast_precision_loss, reason = "less than 2^52 messages and ticks")]
    let (delivered, ticks) = (delivered as f64, ticks as f64);
    (delivered / elapsed.as_secs_f64(), ticks * 10_000.0 / delivered)
}
