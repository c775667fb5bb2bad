//! The routes for programs, with servers that behave and servers that do not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::running::Running;

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

async fn later<T>(what: impl Future<Output = T>) -> T {
    tokio::time::sleep(Duration::from_millis(50)).await;
    what.await
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
    // The one place is taken for half a second, and whoever comes waits for it as long as its time is.
    let soon = json!({"host": "127.0.0.1", "port": running.port, "timeout": 200});
    let (one, two, three) = tokio::join!(
        running.post("/api/lmtp/connect", &asked),
        later(running.post("/api/lmtp/connect", &soon)),
        later(running.post("/api/lmtp/connect", &asked))
    );
    assert_eq!((one.0, two.0, &two.1["kind"], three.0), (200, 429, &"busy".into(), 200));
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

/// A message may be any octets, not only text.
#[tokio::test]
async fn a_message_that_is_no_text_is_sent_as_it_is() {
    use base64::Engine as _;
    let running = Running::new("").await;
    let octets = b"Subject: x\r\n\r\n\xe4\xf6\xfc \xff\r\n.\r\nend\r\n";
    let text = base64::engine::general_purpose::STANDARD.encode(octets);
    let asked = json!({"unixName": "main", "from": "", "to": "bob@x", "rawBase64": text});
    let (status, sent) = running.post("/api/lmtp/send", &asked).await;
    assert_eq!((status, &sent["allDelivered"]), (200, &true.into()), "{sent}");
    let kept = running.memory.messages();
    assert!(kept[0].content.ends_with(octets), "{:?}", kept[0].content);
    for (field, value) in [("rawBase64", "not base64!"), ("raw", "Subject: x\r\n\r\n")] {
        let mut asked = asked.clone();
        asked[field] = value.into();
        let (status, problem) = running.post("/api/lmtp/send", &asked).await;
        assert_eq!((status, &problem["field"]), (400, &field.into()), "{problem}");
    }
}

/// A recipient that the server cannot take is told of, with the reason, and the server is not asked.
#[tokio::test]
async fn what_a_server_does_not_offer_is_said() {
    let running =
        Running::with("", |config| config.policy = lmtp_gateway::Policy::new(vec!["127.0.0.0/8".parse().unwrap()]))
            .await;
    let plain = plain_server().await;
    let asked = json!({"host": "127.0.0.1", "port": plain, "from": "ann@x", "to": ["bob@x", "bøb@x"], "subject": "Hi", "body": "x"});
    let (status, sent) = running.post("/api/lmtp/send", &asked).await;
    let told = &sent["deliveryStatus"][1];
    assert_eq!((status, &sent["success"], &sent["kind"]), (422, &false.into(), &"unsupported".into()), "{sent}");
    assert_eq!((&told["origin"], &told["outcome"]), (&"local".into(), &"permanent".into()), "{sent}");
    assert!(sent["error"].as_str().unwrap().contains("SMTPUTF8"), "{sent}");
}

/// A server that offers nothing and takes everything.
async fn plain_server() -> u16 {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 plain LMTP\r\n").await.unwrap();
            let mut line = String::new();
            while let Ok(1..) = stream.read_line(&mut line).await {
                let reply = if line.starts_with("DATA") { "354 go on\r\n" } else { "250 ok\r\n" };
                let is_text = !matches!(line.get(..4), Some("LHLO" | "MAIL" | "RCPT" | "DATA" | "QUIT" | "RSET"))
                    && line != ".\r\n";
                if !is_text {
                    let _ = stream.write_all(reply.as_bytes()).await;
                }
                line.clear();
            }
        }
    });
    port
}

/// What was said before it failed is what tells why.
#[tokio::test]
async fn a_failure_has_its_conversation() {
    let running = Running::new("fail = [\"lhlo=554\"]").await;
    let (status, problem) = running.post("/api/lmtp/connect", &json!({"unixName": "main", "transcript": true})).await;
    let said = problem["transcript"].to_string();
    assert!(status == 502 && said.contains("LHLO") && said.contains("554"), "{problem}");
}

#[tokio::test]
async fn what_was_asked_is_counted() {
    let running = Running::new("").await;
    running.post("/api/lmtp/connect", &json!({"unixName": "main"})).await;
    running.post("/api/lmtp/connect", &json!({"unixName": "nobody"})).await;
    running.post("/api/lmtp/send", &running.message(&json!("bob@x"))).await;
    let (status, used, _) = running.ask("GET", "/api/usage", "", "").await;
    assert_eq!((status, used), (200, json!([{"protocol": "LMTP", "count": 2}])));
}

/// The bare path has a manual for curl, a description for programs and the page for browsers.
#[tokio::test]
async fn the_bare_path_is_for_everybody() {
    let running = Running::new("").await;
    for (path, headers, status, what) in [
        ("/lmtp", "User-Agent: curl/8\r\nAccept: */*\r\n", 200, "SYNOPSIS"),
        ("/lmtp", "User-Agent: Mozilla/5.0\r\nAccept: text/html,*/*\r\n", 303, "location: /"),
        ("/lmtp", "Accept: application/json\r\n", 200, "\"defaultPort\":24"),
        ("/lmtp?format=json", "Accept: text/html\r\n", 200, "\"shortRoute\":false"),
        ("/lmtp?format=text", "Accept: application/json\r\n", 200, "SYNOPSIS"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", running.gateway);
        let (head, body) = running.raw(&request).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {headers}: {head}");
        assert!(format!("{head}\r\n{body}").contains(what), "{path} {headers}: {head}\n{body}");
    }
}

/// What is described is what is read, field by field: each is complained of by its name if it is of a wrong kind, and
/// no other is known.
#[tokio::test]
async fn the_description_has_the_fields_that_are_read() {
    let running = Running::new("").await;
    let (status, api, _) = running.ask("GET", "/openapi.json", "", "").await;
    assert_eq!((status, &api["openapi"]), (200, &"3.1.0".into()));
    for (path, name) in [("/api/lmtp/connect", "ConnectRequest"), ("/api/lmtp/send", "SendRequest")] {
        let schema = &api["components"]["schemas"][name];
        assert_eq!(schema["additionalProperties"], false, "{schema}");
        let fields: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let mut asked: Value = fields.iter().map(|field| ((*field).clone(), json!({"of": "no kind"}))).collect();
        asked["another"] = 1.into();
        let (_, problem) = running.post(path, &asked).await;
        let mut complained: Vec<&str> =
            problem["fields"].as_array().unwrap().iter().map(|wrong| wrong["field"].as_str().unwrap()).collect();
        complained.sort_unstable();
        complained.dedup();
        let unknown = problem["message"].as_str().unwrap();
        assert!(unknown.contains("\"another\" is not known"), "{unknown}");
        for field in &fields {
            assert!(complained.contains(&field.as_str()), "{path}: {field} is described and not read: {problem}");
        }
        assert_eq!(unknown.matches("is not known").count(), 1, "{unknown}");
        assert_eq!(fields.len(), if name == "SendRequest" { 13 } else { 7 });
    }
}

/// The conversation is seen while it takes place, and the answer is the same one.
#[tokio::test]
async fn a_conversation_is_seen_as_it_goes() {
    let running = Running::new("delay = [\"final=300ms\"]").await;
    let asked = running.message(&json!(["bob@x"])).to_string();
    let head = "Content-Type: application/json\r\nAccept: application/x-ndjson\r\n";
    let request = format!(
        "POST /api/lmtp/send HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{head}\r\n{asked}",
        running.gateway,
        asked.len()
    );
    let (begun, mut first) = (Instant::now(), None);
    let mut text = String::new();
    let mut stream = tokio::net::TcpStream::connect(running.gateway).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut part = [0; 4096];
    while let octets @ 1.. = tokio::io::AsyncReadExt::read(&mut stream, &mut part).await.unwrap() {
        text.push_str(std::str::from_utf8(&part[..octets]).unwrap());
        if text.contains("DATA") {
            first.get_or_insert_with(|| begun.elapsed());
        }
    }
    let values: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect();
    let lines: Vec<&str> = values.iter().filter_map(|value| value["line"].as_str()).collect();
    assert!(lines.iter().any(|line| line.contains("RCPT TO:<bob@x>")), "{text}");
    let last = values.last().unwrap();
    assert_eq!((&last["status"], &last["answer"]["allDelivered"]), (&200.into(), &true.into()), "{text}");
    assert!(begun.elapsed() >= Duration::from_millis(300) && first.unwrap() < Duration::from_millis(250), "{first:?}");
    let (_, plain) = running.post("/api/lmtp/connect", &json!({"unixName": "main", "transcript": true})).await;
    assert!(plain["transcript"].to_string().contains("LHLO"), "{plain}");
    assert_eq!(
        plain["explained"][0],
        json!({"capability": "PIPELINING", "meaning": "commands need not wait for replies", "rfc": 2920})
    );
}

/// A client that was written for the seed finds each of its fields, of its type.
#[tokio::test]
async fn the_answers_have_the_fields_of_the_seed() {
    let running = Running::new("").await;
    let (_, found) = running.post("/api/lmtp/connect", &json!({"host": "127.0.0.1", "port": running.port})).await;
    for field in ["host", "protocol", "greeting", "note"] {
        assert!(found[field].is_string(), "{field}: {found}");
    }
    assert!(found["success"].is_boolean() && found["port"].is_u64() && found["capabilities"].is_array(), "{found}");
    let (_, sent) = running.post("/api/lmtp/send", &running.message(&json!(["bob@x"]))).await;
    for field in ["host", "from", "note"] {
        assert!(sent[field].is_string(), "{field}: {sent}");
    }
    for field in ["port", "recipientCount", "acceptedCount"] {
        assert!(sent[field].is_u64(), "{field}: {sent}");
    }
    assert!(sent["success"].is_boolean() && sent["allDelivered"].is_boolean(), "{sent}");
    let row = &sent["deliveryStatus"][0];
    assert!(row["recipient"].is_string() && row["code"].is_u64() && row["delivered"].is_boolean(), "{row}");
    assert!(row["message"].as_str().unwrap().starts_with("250 2.0.0 "), "{row}");
    assert!(sent["timings"]["totalMs"].is_u64() && sent["messageId"].is_string(), "{sent}");
}

/// Port 24, ten seconds for a probe and fifteen for a message.
#[tokio::test]
async fn what_is_left_out_is_as_it_was() {
    let running = Running::with("", |config| config.policy = lmtp_gateway::Policy::default()).await;
    let (_, problem) = running.post("/api/lmtp/connect", &json!({"host": "127.0.0.1"})).await;
    assert!(problem["error"].as_str().unwrap().contains("127.0.0.1:24"), "{problem}");
    for port in [json!(0), json!("24"), json!(24.5), json!(65536)] {
        let (status, problem) = running.post("/api/lmtp/connect", &json!({"host": "127.0.0.1", "port": port})).await;
        assert_eq!((status, &problem["fields"][0]["field"]), (400, &"port".into()), "{problem}");
    }
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let running =
        Running::with("", |config| config.policy = lmtp_gateway::Policy::new(vec!["127.0.0.0/8".parse().unwrap()]))
            .await;
    let begun = Instant::now();
    let mut message = running.message(&json!(["bob@x"]));
    message["port"] = port.into();
    let (probe, sent) = tokio::join!(
        async {
            let (status, _) = running.post("/api/lmtp/connect", &json!({"host": "127.0.0.1", "port": port})).await;
            (status, begun.elapsed().as_secs())
        },
        async {
            let (status, _) = running.post("/api/lmtp/send", &message).await;
            (status, begun.elapsed().as_secs())
        },
    );
    assert_eq!((probe.0, sent.0), (504, 504));
    assert!((10..15).contains(&probe.1) && (15..30).contains(&sent.1), "{probe:?} {sent:?}");
}

/// Bounces, local names, and what is quoted; an empty subject and an empty text are some.
#[tokio::test]
async fn addresses_that_lmtp_is_for() {
    let running = Running::new("").await;
    let to = ["postmaster", "user@localhost", "\"a b@c\"@x", "user@[127.0.0.1]", "user+detail@x.example"];
    let mut asked = running.message(&json!(to));
    (asked["from"], asked["subject"], asked["body"]) = ("".into(), "".into(), "".into());
    let (status, sent) = running.post("/api/lmtp/send", &asked).await;
    assert_eq!((status, &sent["allDelivered"], &sent["recipientCount"]), (200, &true.into(), &5.into()), "{sent}");
    for wrong in ["bob", "bob@", "@x", "bob@x y", "bob@x, eve@x"] {
        let (status, problem) = running.post("/api/lmtp/send", &running.message(&json!([wrong]))).await;
        assert_eq!((status, &problem["field"]), (400, &"to".into()), "{wrong}: {problem}");
        assert!(problem["error"].as_str().unwrap().contains(wrong.split(' ').next().unwrap()), "{problem}");
    }
}
