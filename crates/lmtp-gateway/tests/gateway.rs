//! The gateway over HTTP, with servers that behave and servers that do not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lmtp_gateway::{Config, Policy, router};
use lmtp_serve::{Memory, Service, Settings};
use lmtp_tokio::Shutdown;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A gateway, and a server that it may dial at a port and by the name `main`.
struct Running {
    gateway: SocketAddr,
    port: u16,
    memory: Memory,
    shutdown: Shutdown,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn new(faults: &str) -> Self {
        Self::with(faults, |_| ()).await
    }

    async fn with(faults: &str, set: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("lmtp");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "listen = [\"lmtp://127.0.0.1:{port}\", \"unix:{}\"]\nname = \"mx.example.org\"\nsink = \"memory\"\n[faults]\n{faults}\n\
             [log]\nformat = \"none\"\n",
            socket.display()
        );
        let service = Service::new(&Settings::parse(&text).unwrap()).unwrap();
        let (memory, shutdown) = (service.memory(), service.handle());
        tokio::spawn(service.run(tokio::sync::mpsc::channel(1).1));
        while !socket.exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let mut config = Config::default();
        config.policy =
            Policy::new(vec![format!("127.0.0.1:{port}").parse().unwrap(), "mail.invalid".parse().unwrap()]);
        config.unix = [("main".to_owned(), socket)].into();
        set(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = listener.local_addr().unwrap();
        let routes = router(config).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async { axum::serve(listener, routes).await });
        Self { gateway, port, memory, shutdown, _folder: folder }
    }

    /// Sends a request as it is, and gives the head and the body of the answer.
    async fn raw(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.gateway).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, Value, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.gateway,
            body.len()
        );
        let (head, body) = self.raw(&request).await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null), head)
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, body, _) = self.ask("POST", path, "Content-Type: application/json\r\n", &body.to_string()).await;
        (status, body)
    }

    fn message(&self, to: &Value) -> Value {
        json!({"host": "127.0.0.1", "port": self.port, "from": "ann@x", "to": to, "subject": "Hi", "body": "Hello!\n.dot"})
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.shut_down();
    }
}

#[tokio::test]
async fn a_probe_by_body_by_query_and_by_socket() {
    let running = Running::new("").await;
    let asked = json!({"host": "127.0.0.1", "port": running.port, "timeout": 5000, "transcript": true});
    let (status, by_body) = running.post("/api/lmtp/connect", &asked).await;
    assert_eq!(status, 200, "{by_body}");
    assert_eq!(
        (&by_body["success"], &by_body["protocol"], &by_body["host"]),
        (&true.into(), &"LMTP".into(), &"127.0.0.1".into())
    );
    assert!(by_body["greeting"].as_str().unwrap().starts_with("220 "), "{by_body}");
    let capabilities = by_body["capabilities"].as_array().unwrap();
    // The server's own name is no capability.
    assert!(
        capabilities.contains(&"PIPELINING".into()) && !capabilities.contains(&"mx.example.org".into()),
        "{by_body}"
    );
    assert_eq!(by_body["serverName"], "mx.example.org");
    let lines = by_body["transcript"].as_array().unwrap();
    assert!(
        lines[1].as_str().unwrap().starts_with("C: LHLO ")
            && lines.last().unwrap().as_str().unwrap().starts_with("S: 221"),
        "{lines:?}"
    );
    let query = format!("/api/lmtp/connect?host=127.0.0.1&port={}&timeout=5000", running.port);
    let (status, by_query, _) = running.ask("GET", &query, "", "").await;
    assert_eq!((status, &by_query["capabilities"]), (200, &by_body["capabilities"]));
    let (status, by_socket) = running.post("/api/lmtp/connect", &json!({"unixName": "main"})).await;
    assert_eq!((status, &by_socket["host"], &by_socket["endpoint"]), (200, &Value::Null, &"unix:main".into()));
}

/// The seed's example, which becomes true here: the refused recipient is there with its code.
#[tokio::test]
async fn every_recipient_is_answered_for() {
    let running = Running::new("fail = [\"rcpt=550:gone@x\", \"final=452:full@x\"]").await;
    let (status, sent) =
        running.post("/api/lmtp/send", &running.message(&json!(["bob@x", "gone@x", "full@x", "bob@x"]))).await;
    assert_eq!(status, 200, "{sent}");
    assert_eq!((&sent["success"], &sent["allDelivered"]), (&true.into(), &false.into()));
    assert_eq!((&sent["recipientCount"], &sent["acceptedCount"]), (&4.into(), &3.into()));
    let told: Vec<_> = sent["deliveryStatus"]
        .as_array()
        .unwrap()
        .iter()
        .map(|told| {
            (
                told["recipient"].as_str().unwrap(),
                told["code"].as_u64().unwrap(),
                told["delivered"].as_bool().unwrap(),
                told["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("bob@x", 250, true, "delivered"),
            ("gone@x", 550, false, "permanent"),
            ("full@x", 452, false, "temporary"),
            ("bob@x", 250, true, "delivered")
        ]
    );
    assert_eq!(sent["deliveryStatus"][1]["message"], "550 5.1.1 Injected fault");
    let kept = String::from_utf8(running.memory.messages()[0].content.to_vec()).unwrap();
    assert!(
        kept.contains("Subject: Hi\r\n") && kept.ends_with("Hello!\r\n.dot") || kept.ends_with("Hello!\r\n.dot\r\n"),
        "{kept}"
    );
    assert!(kept.contains(&format!("Message-ID: {}", sent["messageId"].as_str().unwrap())), "{kept}");
    // One recipient as a string, and all refused: an answer, and no failure of the service.
    let (status, sent) = running.post("/api/lmtp/send", &running.message(&json!("gone@x"))).await;
    assert_eq!(
        (status, &sent["success"], &sent["allDelivered"], &sent["deliveryStatus"][0]["code"]),
        (200, &true.into(), &false.into(), &550.into())
    );
    let (status, sent) = running.post("/api/lmtp/send", &running.message(&json!(["bob@x"]))).await;
    assert_eq!((status, &sent["allDelivered"]), (200, &true.into()));
}

#[tokio::test]
async fn a_raw_message_is_sent_as_it_is() {
    let running = Running::new("").await;
    let asked = json!({"unixName": "main", "from": "", "to": "postmaster", "raw": "Subject: raw\n\n.dot\n"});
    let (status, sent) = running.post("/api/lmtp/send", &asked).await;
    assert_eq!((status, &sent["messageId"], &sent["from"]), (200, &Value::Null, &"".into()), "{sent}");
    assert_eq!(&running.memory.messages()[0].content[..], b"Subject: raw\r\n\r\n.dot\r\n");
}

/// What is in a field stays in it.
#[tokio::test]
async fn nothing_is_injected() {
    let running = Running::new("").await;
    let mut asked = running.message(&json!(["bob@x"]));
    asked["subject"] = "Hi\r\nBcc: eve@x\r\n\r\nevil".into();
    let (status, _) = running.post("/api/lmtp/send", &asked).await;
    let kept = String::from_utf8(running.memory.messages()[0].content.to_vec()).unwrap();
    assert!(status == 200 && !kept.contains("\nBcc:") && kept.contains("Hello!"), "{kept}");
    for (field, value) in [("from", "ann@x>\r\nRCPT TO:<eve@x"), ("to", "bob@x\r\nDATA")] {
        let mut asked = running.message(&json!(["bob@x"]));
        asked[field] = value.into();
        let (status, problem) = running.post("/api/lmtp/send", &asked).await;
        assert_eq!((status, &problem["field"]), (400, &field.into()), "{problem}");
    }
    assert_eq!(running.memory.messages().len(), 1);
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let running = Running::new("").await;
    let asked = json!({"host": ["127.0.0.1"], "port": 24.5, "timeout": -1, "from": 7, "to": [], "subject": 1, "tls": "yes", "caName": "x", "x": 1});
    let (status, problem) = running.post("/api/lmtp/send", &asked).await;
    let fields: Vec<&str> =
        problem["fields"].as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap()).collect();
    for field in ["host", "port", "timeout", "from", "to", "subject", "body", "tls", "caName", "(unknown)"] {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }
    assert_eq!((status, &problem["success"], &problem["kind"]), (400, &false.into(), &"validation".into()));
    assert_eq!(problem["error"], problem["message"]);
    for (body, status) in [("", 400), ("null", 400), ("{", 400), ("[]", 400)] {
        let (answered, problem, _) =
            running.ask("POST", "/api/lmtp/connect", "Content-Type: application/json\r\n", body).await;
        assert_eq!((answered, &problem["kind"]), (status, &"json".into()), "{body}");
    }
    let many: Vec<String> = (0..101).map(|number| format!("u{number}@x")).collect();
    let (status, problem) = running.post("/api/lmtp/send", &running.message(&json!(many))).await;
    assert_eq!((status, &problem["field"]), (422, &"to".into()));
}

#[tokio::test]
async fn nobody_is_dialled_who_may_not_be() {
    let running = Running::new("").await;
    for (host, port, status) in [
        ("127.0.0.1", 1, 403),
        ("127.0.0.2", i32::from(running.port), 403),
        ("::ffff:127.0.0.2", i32::from(running.port), 403),
        ("127.0.0.1.nip.example", 24, 403),
        ("localhost", i32::from(running.port) ^ 1, 403),
        ("2130706433", i32::from(running.port), 400),
        ("127.0.0.1.", i32::from(running.port), 400),
        ("127.0.0.1:80", 24, 400),
        ("127.0.0.1", 25, 400),
        ("mail.invalid", 24, 502),
    ] {
        let (answered, problem) = running.post("/api/lmtp/connect", &json!({"host": host, "port": port})).await;
        assert_eq!(answered, status, "{host}:{port}: {problem}");
        assert!(problem["success"] == false && problem["kind"].is_string(), "{problem}");
    }
    let (status, problem) = running.post("/api/lmtp/connect", &json!({"unixName": "/run/docker.sock"})).await;
    assert_eq!((status, &problem["field"]), (400, &"unixName".into()));
}

/// A page of another site, a name that leads here, a form.
#[tokio::test]
async fn nobody_else_s_page_may_ask() {
    let running = Running::new("").await;
    let query = format!("/api/lmtp/connect?host=127.0.0.1&port={}", running.port);
    let own = format!("Origin: http://{}\r\n", running.gateway);
    for (headers, status) in [
        ("", 200),
        (own.as_str(), 200),
        ("Sec-Fetch-Site: same-origin\r\n", 200),
        ("Origin: http://evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
    ] {
        assert_eq!(running.ask("GET", &query, headers, "").await.0, status, "{headers}");
    }
    for (host, status) in [("evil.example", 421), ("localhost:1", 200), ("127.0.0.1.evil.example", 421)] {
        let (head, _) =
            running.raw(&format!("GET {query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {head}");
    }
    let body = json!({"host": "127.0.0.1", "port": running.port}).to_string();
    for (kind, status) in
        [("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/json; charset=utf-8", 200)]
    {
        let header = format!("Content-Type: {kind}\r\n");
        assert_eq!(running.ask("POST", "/api/lmtp/connect", &header, &body).await.0, status, "{kind}");
    }
    let (status, problem, head) = running.ask("GET", "/api/lmtp/send", "", "").await;
    assert_eq!((status, &problem["kind"]), (405, &"method".into()));
    assert!(head.to_lowercase().contains("allow: post"), "{head}");
    let (status, problem, head) = running.ask("GET", "/nothing", "", "").await;
    assert_eq!((status, &problem["kind"]), (404, &"not-found".into()));
    for header in [
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "content-security-policy: default-src 'none'",
    ] {
        assert!(head.to_lowercase().contains(header), "{header}: {head}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_if_there_is_one() {
    let running = Running::with("", |config| config.token = Some("sesame".into())).await;
    let query = format!("/api/lmtp/connect?host=127.0.0.1&port={}", running.port);
    for (headers, status) in [
        ("", 401),
        ("Authorization: Bearer sesam\r\n", 401),
        ("Authorization: Basic sesame\r\n", 401),
        ("Authorization: Bearer sesame\r\n", 200),
    ] {
        assert_eq!(running.ask("GET", &query, headers, "").await.0, status, "{headers}");
    }
}

#[tokio::test]
async fn too_much_is_refused() {
    let running = Running::with("delay = [\"lhlo=500ms\"]", |config| {
        (config.body, config.per_minute, config.concurrency) = (1000, 6, 1);
    })
    .await;
    let large = " ".repeat(2000);
    let (status, problem, _) =
        running.ask("POST", "/api/lmtp/connect", "Content-Type: application/json\r\n", &large).await;
    assert_eq!((status, &problem["kind"]), (413, &"size".into()));
    let asked = json!({"host": "127.0.0.1", "port": running.port});
    let (one, two) = tokio::join!(running.post("/api/lmtp/connect", &asked), running.post("/api/lmtp/connect", &asked));
    let mut statuses = [one.0, two.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429]);
    let mut last = (0, Value::Null);
    for _ in 0..6 {
        last = running.post("/api/lmtp/connect", &json!({"unixName": "main"})).await;
    }
    assert_eq!((last.0, &last.1["kind"]), (429, &"rate".into()));
}

/// Out of time, the message is not delivered behind our back, and what is known is told.
#[tokio::test]
async fn out_of_time_it_says_what_became_of_each() {
    let running = Running::new("delay = [\"data=5s\"]\nfail = [\"rcpt=550:gone@x\"]").await;
    let mut asked = running.message(&json!(["bob@x", "gone@x"]));
    asked["timeout"] = 600.into();
    let begun = Instant::now();
    let (status, sent) = running.post("/api/lmtp/send", &asked).await;
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!((status, &sent["success"], &sent["kind"]), (504, &false.into(), &"timeout".into()), "{sent}");
    assert_eq!(
        (&sent["deliveryStatus"][0]["outcome"], &sent["deliveryStatus"][1]["outcome"]),
        (&"unsent".into(), &"permanent".into())
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(running.memory.messages().is_empty(), "it was delivered all the same");
}

#[tokio::test]
async fn a_server_at_fault_is_502_with_the_phase() {
    for (faults, phase, outcome) in [
        ("drop_at = [\"lhlo\"]", "lhlo", "unsent"),
        ("drop_at = [\"final\"]", "final", "uncertain"),
        ("garble = \"100%\"", "greeting", "unsent"),
    ] {
        let running = Running::new(faults).await;
        let (status, sent) = running.post("/api/lmtp/send", &running.message(&json!(["bob@x"]))).await;
        assert_eq!(
            (status, &sent["phase"], &sent["deliveryStatus"][0]["outcome"]),
            (502, &phase.into(), &outcome.into()),
            "{faults}: {sent}"
        );
        assert!(sent["success"] == false && sent["error"].is_string(), "{sent}");
    }
}

/// The page and its forms, as a browser without scripts uses them.
#[tokio::test]
async fn a_page_for_people() {
    let running = Running::new("fail = [\"rcpt=550:gone@x\"]").await;
    let (head, page) =
        running.raw(&format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", running.gateway)).await;
    let policy =
        "content-security-policy: default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    assert!(head.starts_with("HTTP/1.1 200 ") && head.to_lowercase().contains(policy), "{head}");
    // With no-referrer a browser sends `Origin: null` with the form, which is refused.
    assert!(head.to_lowercase().contains("referrer-policy: same-origin"), "{head}");
    assert!(page.contains("<option>main</option>"), "{page}");
    let token = page.split("formToken\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for path in ["/page.css", "/page.js"] {
        let (status, _, head) = running.ask("GET", path, "", "").await;
        assert!(status == 200 && head.contains("text/"), "{head}");
    }
    let form = |path: &'static str, body: String| {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            running.gateway,
            body.len()
        );
        let running = &running;
        async move { running.raw(&request).await }
    };
    let (head, page) =
        form("/probe", format!("formToken={token}&host=&port=24&tls=none&unixName=main&caName=&timeout=5000")).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && page.contains("<li>PIPELINING</li>"), "{page}");
    let message = "unixName=main&host=&port=24&from=ann%40x&to=bob%40x%2C+gone%40x&subject=%3Cb%3EHi&body=Hello";
    let (head, page) = form("/deliver", format!("formToken={token}&{message}")).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        page.contains("<td>gone@x</td><td><b class=\"permanent\">permanent</b></td><td>550 5.1.1 Injected fault</td>"),
        "{page}"
    );
    assert_eq!(running.memory.messages().len(), 1);
    // A form of somebody else's page.
    for token in ["", "formToken=00000000000000000000000000000000&"] {
        let (head, _) = form("/deliver", format!("{token}{message}")).await;
        assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    }
    let (head, page) = form("/probe", format!("formToken={token}&host=%3Cscript%3E&port=24")).await;
    assert!(
        head.starts_with("HTTP/1.1 400 ") && page.contains("&lt;script&gt;") && !page.contains("<script>"),
        "{page}"
    );
    assert_eq!(running.memory.messages().len(), 1);
}
