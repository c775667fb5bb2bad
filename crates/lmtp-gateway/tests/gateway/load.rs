//! Many at once, and those who go away.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::running::Running;

/// Two hundred messages to a slow server: each is answered and delivered once, so many at a time, and meanwhile the page
/// is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_are_all_answered() {
    let running = Running::with("delay = [\"final=100ms\"]", |config| {
        (config.per_minute, config.concurrency, config.bodies) = (100_000, 20, 1 << 20);
        config.body = 1 << 20;
    })
    .await;
    let running = std::sync::Arc::new(running);
    let mut sends = JoinSet::new();
    for number in 0..200 {
        let running = std::sync::Arc::clone(&running);
        sends.spawn(async move {
            let mut asked = running.message(&json!([format!("bob{number}@x"), "eve@x"]));
            // Together they are five times the room that there is for bodies.
            asked["body"] = " ".repeat(25_000).into();
            let (status, sent) = running.post("/api/lmtp/send", &asked).await;
            assert_eq!((status, &sent["allDelivered"]), (200, &true.into()), "{sent}");
        });
    }
    let mut looks = 0;
    let mut slowest = Duration::ZERO;
    while !sends.is_empty() {
        let begun = Instant::now();
        let (status, ..) = running.ask("GET", "/", "", "").await;
        assert_eq!(status, 200);
        slowest = slowest.max(begun.elapsed());
        looks += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
        while let Some(done) = sends.try_join_next() {
            done.unwrap();
        }
    }
    assert!(looks > 5 && slowest < Duration::from_secs(2), "{looks} looks at the page, the slowest {slowest:?}");
    let mut names: Vec<String> = running.memory.messages().iter().map(|kept| kept.to[0].clone()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), running.memory.messages().len()), (200, 200));
}

/// Who asked is gone: nobody would hear of it, so the message is not sent on.
#[tokio::test]
async fn a_request_that_ends_ends_its_transaction() {
    let running = Running::with("delay = [\"data=1s\"]", |config| config.concurrency = 1).await;
    let asked = running.message(&json!(["bob@x"])).to_string();
    let mut stream = TcpStream::connect(running.gateway).await.unwrap();
    let request = format!(
        "POST /api/lmtp/send HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{asked}",
        running.gateway,
        asked.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(stream);
    // The only place is free again before the server has answered DATA.
    let begun = Instant::now();
    let (status, _) = running.post("/api/lmtp/connect", &json!({"unixName": "main"})).await;
    assert!(status == 200 && begun.elapsed() < Duration::from_millis(500), "{status} after {:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(running.memory.messages().is_empty(), "it was delivered all the same");
}

/// A body that does not come holds its room for half a minute at most, and a head that does not end its connection for
/// ten seconds.
#[tokio::test]
async fn who_does_not_end_a_request_is_left() {
    use tokio::io::AsyncReadExt as _;
    let running = Running::new("").await;
    let mut stream = TcpStream::connect(running.gateway).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection is still there");
}
