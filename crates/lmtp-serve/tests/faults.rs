//! What goes wrong on purpose is what the client meets, and its report is still true.

mod support;

use std::time::{Duration, Instant};

use lmtp_blocking::{Client, Envelope, Outcome, Report, send};
use support::Serving;

const MESSAGE: &str = "Subject: hi\r\n\r\nHello!\r\n";

fn with(faults: &str) -> Serving {
    let serving = Serving::begin(tempfile::tempdir().unwrap(), &format!("sink = \"memory\"\n[faults]\n{faults}\n"));
    assert!(serving.warnings.iter().any(|warning| warning.contains("go wrong on purpose")), "{:?}", serving.warnings);
    serving
}

fn sent(serving: &Serving) -> Report {
    send(serving.place().as_str(), "ann@x", ["bob@x", "eve@x"], MESSAGE).unwrap()
}

fn outcomes(report: &Report) -> Vec<Outcome> {
    report.recipients().map(|recipient| recipient.outcome()).collect()
}

#[test]
fn answers_that_fail() {
    use Outcome::{Delivered, Permanent, Temporary};
    for (faults, expected, kept) in [
        ("fail = [\"rcpt=450:eve@x\"]", [Delivered, Temporary], 1),
        ("fail = [\"rcpt=550\"]", [Permanent, Permanent], 0),
        ("fail = [\"mail=451:ann@x\"]", [Temporary, Temporary], 0),
        ("fail = [\"mail=451:somebody@x\"]", [Delivered, Delivered], 1),
        ("fail = [\"data=554\"]", [Permanent, Permanent], 0),
        ("fail = [\"final=552:EVE@x\"]", [Delivered, Permanent], 1),
        ("fail = [\"final=452:1x\"]", [Temporary, Delivered], 1),
        ("fail = [\"final=452:0%\"]", [Delivered, Delivered], 1),
    ] {
        let serving = with(faults);
        let report = sent(&serving);
        assert_eq!(outcomes(&report), expected, "{faults}");
        let messages = serving.memory.messages();
        let stored: Vec<&String> = messages.iter().flat_map(|message| &message.to).collect();
        // What was failed was not stored.
        let delivered = expected.iter().filter(|outcome| **outcome == Delivered).count();
        assert_eq!((messages.len(), stored.len()), (kept, delivered), "{faults}");
        serving.end();
    }
}

#[test]
fn a_share_is_a_share_and_a_seed_a_run() {
    let run = |seed: u64| {
        let serving = with(&format!("fail = [\"rcpt=450:30%\"]\nseed = {seed}"));
        let mut client = Client::connect(serving.place().as_str()).unwrap();
        let envelope = Envelope::new("ann@x".parse().unwrap(), ["bob@x".parse().unwrap()]).unwrap();
        let failed: Vec<bool> =
            (0..200).map(|_| outcomes(&client.deliver(&envelope, MESSAGE).unwrap()) == [Outcome::Temporary]).collect();
        drop(client);
        serving.end();
        failed
    };
    let (one, same, other) = (run(7), run(7), run(8));
    assert!(one == same && one != other);
    let count = one.iter().filter(|failed| **failed).count();
    assert!((30..=90).contains(&count), "{count} of 200 with 30%");
}

#[test]
fn a_delay_is_waited_for() {
    let serving = with("delay = [\"rcpt=30ms\", \"final=50ms\"]");
    let begun = Instant::now();
    assert!(sent(&serving).all_delivered());
    assert!(begun.elapsed() >= Duration::from_millis(2 * 30 + 2 * 50));
    serving.end();
}

/// Cut anywhere, nobody is told what is not so.
#[test]
fn a_connection_that_is_cut() {
    use Outcome::{Uncertain, Unsent};
    for (step, expected, phase) in [
        ("connect", Unsent, "greeting"),
        ("lhlo", Unsent, "lhlo"),
        ("mail", Unsent, "mail"),
        ("rcpt", Unsent, "rcpt"),
        ("data", Unsent, "data"),
        ("body", Unsent, "body"),
        ("final", Uncertain, "final"),
    ] {
        let serving = with(&format!("drop_at = [\"{step}\"]"));
        let report = sent(&serving);
        // A small message is written in one piece with its end, whatever becomes of it.
        let expected = if step == "body" { Uncertain } else { expected };
        assert_eq!(outcomes(&report), [expected; 2], "{step}: {report:?}");
        let fault = report.error().expect("the line is at fault");
        let at = fault.phase().to_string();
        assert!(at == phase || step == "body" && at == "final", "{step}: {fault}");
        serving.end();
    }
}

#[test]
fn a_wrong_number_of_answers() {
    let serving = with("wrong_count = [\"fewer\"]");
    let mut client = Client::builder(serving.place().as_str()).unwrap();
    client = client.timeouts(lmtp_blocking::Timeouts::all(Duration::from_millis(300)));
    let mut client = client.connect().unwrap();
    let to = ["bob@x", "eve@x"].map(|to| to.parse().unwrap());
    let envelope = Envelope::new("ann@x".parse().unwrap(), to).unwrap();
    let report = client.deliver(&envelope, MESSAGE).unwrap();
    // The one answer that comes is the first one's, as far as anybody can know.
    assert_eq!(outcomes(&report), [Outcome::Delivered, Outcome::Uncertain]);
    assert_eq!(report.error().unwrap().kind().name(), "timeout");
    drop(client);
    serving.end();

    let serving = with("wrong_count = [\"more\"]");
    let mut client = Client::connect(serving.place().as_str()).unwrap();
    assert_eq!(outcomes(&client.deliver(&envelope, MESSAGE).unwrap()), [Outcome::Delivered; 2]);
    // One too many is no answer to what comes next.
    let report = client.deliver(&envelope, MESSAGE).unwrap();
    assert_eq!(outcomes(&report), [Outcome::Unsent; 2]);
    drop(client);
    serving.end();
}

#[test]
fn answers_that_are_none() {
    let serving = with("garble = \"100%\"");
    for _ in 0..20 {
        let report = sent(&serving);
        assert_eq!(outcomes(&report), [Outcome::Unsent; 2]);
        assert_eq!(report.error().unwrap().kind().name(), "protocol");
    }
    serving.end();
}

/// The relay between them changes nothing that it is not told to change: chunks and pipelined messages as well.
#[test]
fn a_relay_without_luck_is_a_line() {
    let serving = with("drop_at = [\"final:0%\"]\nwrong_count = [\"fewer:0%\"]\ngarble = \"0%\"");
    let mut client = Client::connect(serving.place().as_str()).unwrap();
    let to = ["bob@x", "eve@x"].map(|to| to.parse().unwrap());
    let envelope = Envelope::new("ann@x".parse().unwrap(), to).unwrap();
    let large = "0123456789abcdef\r\n.\r\n".repeat(20_000);
    let bodies = [MESSAGE, &large, "", ".\r\n", MESSAGE];
    let mut deliveries = client.deliver_all(bodies.iter().map(|body| (envelope.clone(), *body)));
    let mut count = 0;
    for report in deliveries.by_ref() {
        assert!(report.all_delivered(), "{report:?}");
        count += 1;
    }
    drop(deliveries);
    drop(client);
    let kept = serving.memory.messages();
    assert_eq!(count, bodies.len());
    assert!(kept.iter().zip(bodies).all(|(kept, sent)| kept.content == sent.as_bytes()));
    serving.end();
}

#[test]
fn faults_that_cannot_be_are_refused() {
    for (faults, why) in [
        ("fail = [\"quit=450\"]", "faults.fail: \"quit=450\": \"quit\" is no step"),
        ("delay = [\"rcpt=soon\"]", "faults.delay: \"rcpt=soon\""),
        ("drop_at = [\"nowhere\"]", "faults.drop_at"),
        ("wrong_count = [\"some\"]", "faults.wrong_count: \"some\": is neither fewer nor more"),
        ("wrong_count = [\"fewerx:5%\"]", "faults.wrong_count: \"fewerx:5%\": is neither"),
        ("wrong_count = [\"more:often\"]", "faults.wrong_count: \"more:often\": \"often\" is no share"),
        ("garble = \"often\"", "faults.garble: \"often\" is no share"),
    ] {
        let text = format!("listen = [\"unix:/nowhere\"]\nsink = \"discard\"\n[faults]\n{faults}\n");
        let problem = lmtp_serve::Service::check(&lmtp_serve::Settings::parse(&text).unwrap()).unwrap_err();
        assert!(problem.to_string().contains(why), "{problem}");
    }
}
