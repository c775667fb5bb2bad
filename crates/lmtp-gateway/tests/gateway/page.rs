//! The page and its forms, as a browser without scripts uses them.

use crate::running::Running;

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
    // Help, and what is different from SMTP.
    for help in ["LMTP and SMTP: what is different", "rfc2033", "Port 24 is LMTP's"] {
        assert!(page.contains(help), "{help}");
    }
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
    assert!(head.starts_with("HTTP/1.1 200 ") && page.contains("<li>PIPELINING: commands need not wait"), "{page}");
    assert!(page.contains("<a href=\"/\">Back</a>"), "{page}");
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

/// With a token, a browser gets the page by a form for it, once; other sites' links to it are followed.
#[tokio::test]
async fn a_browser_logs_in() {
    let running = Running::with("", |config| config.token = Some("sesame".into())).await;
    let ask = |text: String| {
        let running = &running;
        async move { running.raw(&text).await }
    };
    let head = |first: &str, more: &str| {
        format!("{first} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{more}\r\n", running.gateway)
    };
    let link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let (status, page) = ask(head("GET /", link)).await;
    assert!(status.starts_with("HTTP/1.1 401 ") && page.contains("action=\"/login\""), "{status}\n{page}");
    let form = |token: &str| {
        let body = format!("token={token}");
        let kind = "Content-Type: application/x-www-form-urlencoded";
        head("POST /login", &format!("{kind}\r\nContent-Length: {}\r\n", body.len())) + &body
    };
    let (status, page) = ask(form("open")).await;
    assert!(status.starts_with("HTTP/1.1 401 ") && page.contains("not the token"), "{status}");
    let (status, _) = ask(form("sesame")).await;
    assert!(status.starts_with("HTTP/1.1 303 ") && !status.contains("sesame"), "{status}");
    let cookie = status.to_lowercase();
    assert!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "{status}");
    let cookie = cookie.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let cookie = format!("Cookie: other=1; {cookie}\r\n");
    let (status, page) = ask(head("GET /", &cookie)).await;
    assert!(status.starts_with("HTTP/1.1 200 ") && page.contains("formToken"), "{status}");
    let (status, _) = ask(head("GET /api/usage", &cookie)).await;
    assert!(status.starts_with("HTTP/1.1 200 "), "{status}");
    // A page of another site in that browser has the cookie, and may not ask.
    let (status, _) = ask(head("GET /api/usage", &format!("{cookie}Sec-Fetch-Site: cross-site\r\n"))).await;
    assert!(status.starts_with("HTTP/1.1 403 "), "{status}");
    let (status, _) = ask(head("GET /", "Cookie: lmtp-gateway=\r\n")).await;
    assert!(status.starts_with("HTTP/1.1 401 "), "{status}");
}
