//! Requests that try to make the gateway dial whom it may not. Somebody listens wherever they could arrive on this machine,
//! and counts.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lmtp_gateway::{Config, Policy, Resolver};
use serde_json::json;
use tokio::net::TcpListener;

use crate::running::Running;

/// Addresses that are special, and what they can hide in.
pub(crate) const SPECIAL: [&str; 30] = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.31.0.1",
    "192.0.0.8",
    "192.168.0.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:0:7f00:1:3:4:5:6",
    "2001:0:1:2:3:4:80ff:fffe",
    "2a00::5efe:7f00:1",
];

/// Listeners at one port of all addresses of this machine, and how often somebody came.
struct Trap {
    port: u16,
    came: Arc<AtomicUsize>,
}

impl Trap {
    async fn set() -> Self {
        let came = Arc::new(AtomicUsize::new(0));
        let everywhere = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = everywhere.local_addr().unwrap().port();
        let mut listeners = vec![everywhere];
        // Not every machine has IPv6.
        listeners.extend(TcpListener::bind(("::1", port)).await.ok());
        for listener in listeners {
            let came = Arc::clone(&came);
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    came.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // It does count.
        let trap = Self { port, came };
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        while trap.came() == 0 {
            tokio::task::yield_now().await;
        }
        trap
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

fn resolving(addresses: &'static str) -> Resolver {
    let found: Vec<IpAddr> = addresses.split(' ').map(|address| address.parse().unwrap()).collect();
    Resolver::new(move |_| {
        let found = found.clone();
        async move { Ok(found) }
    })
}

async fn is_refused(set: impl FnOnce(&mut Config), host: &str, port: u16) {
    let running = Running::with("", |config| {
        config.unix.clear();
        config.per_minute = 1000;
        set(config);
    })
    .await;
    for path in ["/api/lmtp/connect", "/api/lmtp/send"] {
        let mut asked = json!({"host": host, "port": port, "timeout": 500});
        if path.ends_with("send") {
            for (field, value) in [("from", ""), ("to", "bob@x"), ("subject", "x"), ("body", "x")] {
                asked[field] = value.into();
            }
        }
        let (status, problem) = running.post(path, &asked).await;
        assert!(matches!(status, 400 | 403), "{host}:{port}: {status} {problem}");
    }
}

/// Without a list nobody is dialled, however he is written.
#[tokio::test]
async fn by_default_nobody_is_dialled() {
    let trap = Trap::set().await;
    let other = [
        "localhost",
        "localhost.",
        "LOCALHOST",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "127.0.0.1.nip.io",
        "[::1]",
        "[::ffff:7f00:1]",
        "::1%lo",
        "user@127.0.0.1",
        "127.0.0.1:24",
        "127.0.0.1#",
        "127.0.0.1/",
        "①②⑦.0.0.1",
        "metadata.google.internal",
        "x.local",
        "unix:/run/docker.sock",
    ];
    for host in SPECIAL.into_iter().chain(other) {
        is_refused(|config| config.policy = Policy::default(), host, trap.port).await;
    }
    assert_eq!(trap.came(), 1);
}

/// Names that are on the list and lead to a special address, and networks that are everything.
#[tokio::test]
async fn what_is_special_is_not_dialled_by_a_name_or_by_everything() {
    let trap = Trap::set().await;
    for address in SPECIAL {
        for rules in [&["mail.example.org"][..], &["0.0.0.0/0", "::/0"], &["mail.example.org", "0.0.0.0/0", "::/0"]] {
            let policy = || Policy::new(rules.iter().map(|rule| rule.parse().unwrap()).collect());
            let set = |config: &mut Config| (config.policy, config.resolver) = (policy(), resolving(address));
            is_refused(set, "mail.example.org", trap.port).await;
            is_refused(|config| config.policy = policy(), address, trap.port).await;
        }
    }
    assert_eq!(trap.came(), 1);
}

/// A name is looked up once, and what was looked at is what is dialled: another answer the next time changes nothing.
#[tokio::test]
async fn a_name_that_leads_elsewhere_the_second_time() {
    let asked = Arc::new(AtomicUsize::new(0));
    let trap = Trap::set().await;
    let counted = Arc::clone(&asked);
    let resolver = Resolver::new(move |_| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        async move { Ok(vec![if first { "127.0.0.7" } else { "127.0.0.1" }.parse().unwrap()]) }
    });
    let running = Running::with("", |config| {
        config.policy = Policy::new(vec!["127.0.0.7/32".parse().unwrap()]);
        config.resolver = resolver;
    })
    .await;
    let asking = json!({"host": "mail.example.org", "port": trap.port, "timeout": 300});
    let (status, problem) = running.post("/api/lmtp/connect", &asking).await;
    assert_eq!((status, asked.load(Ordering::SeqCst), trap.came()), (502, 1, 2), "{problem}");
    let (status, problem) = running.post("/api/lmtp/connect", &asking).await;
    assert_eq!((status, asked.load(Ordering::SeqCst), trap.came()), (403, 2, 2), "{problem}");
}
