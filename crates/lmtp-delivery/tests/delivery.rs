//! The adapter, with servers that behave and servers that do not.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lmtp_delivery::{Cancel, Delivery, Message, Options, Report, Uncertain};
use lmtp_serve::{Memory, Service, Settings};
use lmtp_tokio::{Envelope, Outcome, Shutdown};
use tempfile::TempDir;

const MESSAGE: &str = "Subject: hi\r\n\r\nHello!\r\n.dot\r\n";

/// A server that keeps what it gets in memory.
struct Server {
    folder: TempDir,
    shutdown: Shutdown,
    memory: Memory,
}

impl Server {
    async fn begin(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("lmtp");
        let text = format!(
            "listen = [\"unix:{}\"]\nsink = \"memory\"\n{settings}\n[log]\nformat = \"none\"\n",
            socket.display()
        );
        let service = Service::new(&Settings::parse(&text).unwrap()).unwrap();
        let (shutdown, memory) = (service.handle(), service.memory());
        tokio::spawn(service.run(tokio::sync::mpsc::channel(1).1));
        while !socket.exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Self { folder, shutdown, memory }
    }

    /// The option that leads to it.
    fn option(&self) -> String {
        format!("socket_path = \"{}\"\n", self.folder.path().join("lmtp").display())
    }

    fn delivery(&self, more: &str) -> Delivery {
        Delivery::new(&Options::parse(&format!("{}{more}", self.option())).unwrap()).unwrap()
    }

    /// Who has got something, in the order of the messages.
    fn kept(&self) -> Vec<Vec<String>> {
        self.memory.messages().into_iter().map(|message| message.to).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.shut_down();
    }
}

fn envelope(to: &[&str]) -> Envelope {
    Envelope::new("ann@x".parse().unwrap(), to.iter().map(|to| to.parse().unwrap())).unwrap()
}

fn outcomes(report: &Report) -> Vec<Outcome> {
    report.recipients().map(|recipient| recipient.outcome()).collect()
}

fn addresses(envelope: &Envelope) -> Vec<String> {
    envelope.recipients().iter().map(|(path, _)| path.to_string()).collect()
}

#[tokio::test]
async fn each_recipient_has_an_outcome_and_who_is_left_is_told() {
    let server = Server::begin("[faults]\nfail = [\"rcpt=550:gone@x\", \"final=452:full@x\"]").await;
    let delivery = server.delivery("");
    let report = delivery.deliver(&envelope(&["bob@x", "gone@x", "full@x", "bob@x"]), MESSAGE).await;
    let (delivered, permanent, temporary) = (Outcome::Delivered, Outcome::Permanent, Outcome::Temporary);
    assert_eq!(outcomes(&report), [delivered, permanent, temporary, delivered]);
    assert_eq!(addresses(&report.retry(Uncertain::Leave).unwrap()), ["full@x"]);
    let failures: Vec<String> = report.failures().map(|failure| failure.to_string()).collect();
    assert_eq!(failures, ["gone@x: permanent: 550 5.1.1 Injected fault"]);
    assert!(report.delivery_status("mx").unwrap().contains("Final-Recipient: rfc822; gone@x\r\n"));
    assert_eq!(server.memory.messages()[0].content, MESSAGE.as_bytes());
    let counted = delivery.metrics();
    assert_eq!((counted.messages, counted.delivered, counted.permanent, counted.temporary), (1, 2, 1, 1));
}

#[tokio::test]
async fn connections_are_used_again_and_a_stale_one_costs_nothing() {
    let server = Server::begin("[timeouts]\ncommand = 1").await;
    let delivery = server.delivery("");
    for _ in 0..5 {
        assert!(delivery.deliver(&envelope(&["bob@x"]), MESSAGE).await.all_delivered());
    }
    assert_eq!((delivery.metrics().connections, delivery.metrics().reused), (1, 4));
    // The server ends a session in which nothing is said.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(delivery.deliver(&envelope(&["bob@x"]), MESSAGE).await.all_delivered());
    assert_eq!((delivery.metrics().connections, delivery.metrics().stale), (2, 1));
    assert_eq!(server.kept().len(), 6);
}

#[tokio::test]
async fn an_old_connection_is_not_used() {
    let server = Server::begin("").await;
    for (option, connections) in [("idle = 0\n", 3), ("age = 0\n", 3), ("messages = 2\n", 2), ("", 1)] {
        let delivery = server.delivery(option);
        for _ in 0..3 {
            assert!(delivery.deliver(&envelope(&["bob@x"]), MESSAGE).await.all_delivered());
        }
        assert_eq!(delivery.metrics().connections, connections, "{option}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_at_once_share_a_few_connections() {
    let server = Server::begin("[limits]\nconnections = 4").await;
    let delivery = server.delivery("connections = 4\n");
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let delivery = delivery.clone();
            tokio::spawn(async move {
                let to = format!("user{number}@x");
                delivery.deliver(&envelope(&[&to]), MESSAGE).await.all_delivered()
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    let counted = delivery.metrics();
    assert!(counted.connections <= 4 && counted.delivered == 100, "{counted:?}");
    let mut kept: Vec<String> = server.kept().into_iter().flatten().collect();
    kept.sort();
    kept.dedup();
    assert_eq!(kept.len(), 100);
}

#[tokio::test]
async fn more_recipients_than_a_server_takes_go_in_parts() {
    let server = Server::begin("[limits]\nrecipients = 3").await;
    let delivery = server.delivery("");
    let to: Vec<String> = (0..10).map(|number| format!("user{number}@x")).collect();
    let report = delivery.deliver(&envelope(&to.iter().map(String::as_str).collect::<Vec<_>>()), MESSAGE).await;
    assert!(report.all_delivered(), "{:?}", outcomes(&report));
    let kept = server.kept();
    assert_eq!(kept.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 3, 1]);
    assert_eq!(kept.concat(), to);
}

/// The next target gets a message only for those for whom the one before was handed nothing.
#[tokio::test]
async fn the_next_target_is_asked_for_those_who_are_left() {
    let (first, second) = (Server::begin("").await, Server::begin("").await);
    let options = |first: &str| {
        let second = second.option();
        let text = format!("default = [\"a\", \"b\"]\n[targets.a]\n{first}timeout = 5\n[targets.b]\n{second}");
        Delivery::new(&Options::parse(&text).unwrap()).unwrap()
    };
    let down = options("socket_path = \"/no/such/socket\"\n");
    let report = down.deliver(&envelope(&["bob@x"]), MESSAGE).await;
    assert_eq!(
        (outcomes(&report), report.recipients().next().unwrap().target()),
        (vec![Outcome::Delivered], Some("b"))
    );
    assert!(options(&first.option()).deliver(&envelope(&["bob@x"]), MESSAGE).await.all_delivered());
    assert_eq!((first.kept().len(), second.kept().len()), (1, 1));

    // Before the content nothing can have arrived; behind it, it may have.
    let counts = [("data", Outcome::Delivered, 1), ("final", Outcome::Uncertain, 0)];
    for (step, outcome, kept) in counts {
        second.memory.clear();
        let broken = Server::begin(&format!("[faults]\ndrop_at = [\"{step}\"]")).await;
        let report = options(&broken.option()).deliver(&envelope(&["bob@x"]), MESSAGE).await;
        assert_eq!(outcomes(&report), [outcome], "{step}");
        assert_eq!(second.kept().len(), kept, "{step}");
        let again = report.retry(Uncertain::Resend).map(|envelope| addresses(&envelope));
        assert_eq!(again.is_some(), outcome == Outcome::Uncertain);
        assert!(report.retry(Uncertain::Leave).is_none());
    }
    // An answer is an answer: nobody else is asked.
    let refusing = Server::begin("[faults]\nfail = [\"rcpt=451\"]").await;
    second.memory.clear();
    let report = options(&refusing.option()).deliver(&envelope(&["bob@x"]), MESSAGE).await;
    assert_eq!((outcomes(&report), second.kept().len()), (vec![Outcome::Temporary], 0));
}

#[tokio::test]
async fn each_goes_where_his_route_leads_and_nobody_is_lost() {
    let (main, other) = (Server::begin("").await, Server::begin("").await);
    let text = format!(
        "[routes]\n\"example.org\" = [\"main\"]\n\"Example.NET\" = [\"other\"]\n[targets.main]\n{}[targets.other]\n{}",
        main.option(),
        other.option()
    );
    let delivery = Delivery::new(&Options::parse(&text).unwrap()).unwrap();
    let to = ["a@example.org", "b@example.net", "c@nowhere", "d@EXAMPLE.ORG", "postmaster"];
    // A file can be read once for each of them.
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(MESSAGE.as_bytes()).unwrap();
    let report = delivery.deliver(&envelope(&to), Message::file(file)).await;
    let (delivered, unsent) = (Outcome::Delivered, Outcome::Unsent);
    assert_eq!(outcomes(&report), [delivered, delivered, unsent, delivered, unsent]);
    assert_eq!(
        (main.kept(), other.kept()),
        (vec![vec!["a@example.org".into(), "d@EXAMPLE.ORG".into()]], vec![vec!["b@example.net".into()]])
    );
    assert_eq!(other.memory.messages()[0].content, MESSAGE.as_bytes());
    assert_eq!(addresses(&report.retry(Uncertain::Leave).unwrap()), ["c@nowhere", "postmaster"]);
    assert!(report.recipients().nth(2).unwrap().to_string().contains("no route"), "{report:?}");
}

#[tokio::test]
async fn a_folder_stands_behind_the_delimiter_or_is_refused() {
    let server = Server::begin("").await;
    let to = envelope(&["bob@x", "eve@x", "ann@x"]);
    let folders = [Some("lists"), None, Some("a b")];
    let delivery = server.delivery("delimiter = \"+\"\n");
    let report = delivery.deliver_with(&to, MESSAGE, &folders, &Cancel::new()).await;
    assert!(report.all_delivered());
    assert_eq!(server.kept(), [["bob+lists@x", "eve@x", "\"ann+a b\"@x"]]);
    // The report is about whom it was asked for.
    assert_eq!(report.recipients().next().unwrap().path().to_string(), "bob@x");
    let report = server.delivery("").deliver_with(&to, MESSAGE, &folders, &Cancel::new()).await;
    assert_eq!(outcomes(&report), [Outcome::Unsent, Outcome::Delivered, Outcome::Unsent]);
}

#[tokio::test]
async fn cancelled_it_says_what_is_known() {
    let server = Server::begin("[faults]\ndelay = [\"final=30s\"]\nfail = [\"rcpt=550:gone@x\"]").await;
    let delivery = Arc::new(server.delivery("connections = 1\n"));
    let cancel = Cancel::new();
    let first = {
        let (delivery, cancel) = (Arc::clone(&delivery), cancel.clone());
        tokio::spawn(async move { delivery.deliver_with(&envelope(&["bob@x", "gone@x"]), MESSAGE, &[], &cancel).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    // One that waits for a place.
    let second = {
        let (delivery, cancel) = (Arc::clone(&delivery), cancel.clone());
        tokio::spawn(async move { delivery.deliver_with(&envelope(&["eve@x"]), MESSAGE, &[], &cancel).await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    cancel.cancel();
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(outcomes(&first), [Outcome::Uncertain, Outcome::Permanent]);
    assert_eq!(outcomes(&second), [Outcome::Unsent]);
}

#[tokio::test]
async fn nobody_answers_and_all_are_unsent() {
    let text = "host = \"127.0.0.1\"\nport = 1\nconnect_timeout = 5\n";
    let delivery = Delivery::new(&Options::parse(text).unwrap()).unwrap();
    let report = delivery.deliver(&envelope(&["bob@x", "eve@x"]), MESSAGE).await;
    assert_eq!(outcomes(&report), [Outcome::Unsent; 2]);
    let said = report.recipients().next().unwrap().to_string();
    assert!(said.starts_with("bob@x: unsent: lmtp://127.0.0.1:1: cannot connect"), "{said}");
}

/// The seed looks at nobody's certificate by default. Here that has to be written.
#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_certificate_is_checked_unless_none_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: &str| folder.path().join(file).display().to_string();
    let made = rcgen::generate_simple_self_signed(["mail.internal".to_owned()]).unwrap();
    std::fs::write(path("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "listen = [\"lmtps://127.0.0.1:{port}\"]\nsink = \"memory\"\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        path("chain.pem"),
        path("key.pem")
    );
    let service = Service::new(&Settings::parse(&text).unwrap()).unwrap();
    let (shutdown, memory) = (service.handle(), service.memory());
    tokio::spawn(service.run(tokio::sync::mpsc::channel(1).1));
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let trusted = format!("ca_file = \"{}\"\n", path("chain.pem"));
    for (options, outcome) in [
        (String::new(), Outcome::Unsent),
        (trusted.clone(), Outcome::Unsent),
        (format!("{trusted}server_name = \"mail.internal\"\n"), Outcome::Delivered),
        ("verify = \"none\"\n".to_owned(), Outcome::Delivered),
    ] {
        let text = format!("port = {port}\nssl = true\n{options}");
        let delivery = Delivery::new(&Options::parse(&text).unwrap()).unwrap();
        let report = delivery.deliver(&envelope(&["bob@x"]), MESSAGE).await;
        assert_eq!(outcomes(&report), [outcome], "{options}: {}", report.recipients().next().unwrap());
    }
    assert_eq!(memory.messages().len(), 2);
    shutdown.shut_down();
}
