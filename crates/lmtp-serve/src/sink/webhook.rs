//! To a web service, in one request a message; its answer has a verdict for each recipient.

use std::io::Read;
use std::time::Duration;

use lmtp_tokio::Reply;
use lmtp_tokio::proto::bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::{Spool, Verdict, Whole, reply};

/// The most of an answer that is read.
const ANSWER: u64 = 16 * 1024 * 1024;

/// A web service that takes messages.
#[derive(Debug)]
pub(crate) struct Webhook {
    url: String,
    /// What goes into `Authorization`, if anything does.
    token: Option<String>,
    agent: ureq::Agent,
}

/// What the service is told of a message, beside its content.
#[derive(Debug, Serialize)]
struct Told<'a> {
    id: &'a str,
    from: String,
    recipients: Vec<ToldRecipient>,
    client: String,
    lhlo: String,
    size: u64,
}

#[derive(Debug, Serialize)]
struct ToldRecipient {
    index: usize,
    recipient: String,
}

/// What it answers.
#[derive(Debug, Deserialize)]
struct Answer {
    recipients: Vec<AnswerRecipient>,
}

#[derive(Debug, Deserialize)]
struct AnswerRecipient {
    index: usize,
    code: u16,
    enhanced: Option<String>,
    #[serde(default)]
    text: String,
}

impl Webhook {
    /// At that URL; an answer has to be there in time.
    ///
    /// # Errors
    ///
    /// It is no URL of a plain HTTP service.
    pub(crate) fn new(url: &str, token: Option<String>, patience: Duration) -> Result<Self, String> {
        let is_http = url.strip_prefix("http://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if !is_http || url.parse::<ureq::http::Uri>().is_err() {
            return Err(format!("{url:?} is no URL that begins with http://; for https, put a proxy in between"));
        }
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("lmtp");
        Ok(Self { url: url.to_owned(), token, agent: config.build().into() })
    }

    pub(super) async fn deliver(&self, message: Whole<'_>) -> Vec<Verdict> {
        let count = message.envelope.recipients().len();
        let told = Told {
            id: message.name,
            from: message.envelope.from().to_string(),
            recipients: (0..)
                .zip(message.envelope.recipients())
                .map(|(index, (path, _))| ToldRecipient { index, recipient: path.to_string() })
                .collect(),
            client: message.origin.peer.map(|peer| peer.to_string()).unwrap_or_default(),
            lhlo: message.origin.client.to_string(),
            size: message.content.len(),
        };
        let Ok(told) = serde_json::to_string(&told) else { return vec![failed("no JSON"); count] };
        let Ok(boundary) = boundary() else { return vec![failed("no random numbers"); count] };
        let (above, below) = parts(&boundary, message.name, &told);
        let (agent, url, token) = (self.agent.clone(), self.url.clone(), self.token.clone());
        let size = above.len() as u64 + message.content.len() + below.len() as u64;
        let kind = format!("multipart/form-data; boundary={boundary}");
        let content = Content { spool: message.content, at: 0, piece: Bytes::new(), runtime: Handle::current() };
        let asked = spawn_blocking(move || {
            let mut body = above.as_bytes().chain(content).chain(below.as_bytes());
            let mut request = agent.post(&url).header("Content-Type", kind).header("Content-Length", size.to_string());
            if let Some(token) = token {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let mut answer = request.send(ureq::SendBody::from_reader(&mut body)).map_err(|error| error.to_string())?;
            let text = answer.body_mut().with_config().limit(ANSWER).read_to_string();
            Ok::<_, String>((answer.status().as_u16(), text.map_err(|error| error.to_string())?))
        });
        match asked.await {
            Ok(Ok((status, text))) => verdicts(status, &text, count),
            Ok(Err(error)) => vec![failed(&error); count],
            Err(error) => vec![failed(&error.to_string()); count],
        }
    }
}

fn failed(why: &str) -> Verdict {
    Verdict::because(Reply::try_again_later(), format!("webhook: {why}"))
}

/// What does not occur in a message, for nobody can know it before.
fn boundary() -> Result<String, getrandom::Error> {
    Ok(format!("lmtp-{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?))
}

/// The form's parts above the content and below it (RFC 7578).
fn parts(boundary: &str, name: &str, told: &str) -> (String, String) {
    let above = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"envelope\"\r\nContent-Type: application/json\r\n\r\n\
         {told}\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"message\"; filename=\"{name}.eml\"\r\n\
         Content-Type: message/rfc822\r\n\r\n"
    );
    (above, format!("\r\n--{boundary}--\r\n"))
}

/// A verdict for each recipient. A yes has to be said for each: a service that says 200 to everything has
/// taken nothing.
fn verdicts(status: u16, text: &str, count: usize) -> Vec<Verdict> {
    if status == 204 {
        return vec![Verdict::new(Reply::stored()); count];
    }
    let answer = match serde_json::from_str::<Answer>(text) {
        Ok(answer) if status == 200 => answer,
        Ok(_) => return vec![failed(&format!("status {status}")); count],
        Err(error) => return vec![failed(&format!("status {status}, and an answer that is none: {error}")); count],
    };
    let mut verdicts = vec![failed("the answer leaves this recipient out"); count];
    for told in answer.recipients {
        let Some(place) = verdicts.get_mut(told.index) else { continue };
        let enhanced = told.enhanced.as_deref().and_then(|text| text.parse().ok());
        let words = reply(told.code, (0, 0), &told.text);
        *place = match (told.code, Reply::new(told.code, enhanced, &words.text())) {
            // 421 would end the session.
            (200..=299 | 400..=420 | 422..=599, Ok(reply)) => Verdict::new(reply),
            _ => failed(&format!("{} is no verdict", told.code)),
        };
    }
    verdicts
}

/// The content, as it is read by a thread that may wait.
struct Content {
    spool: Spool,
    /// Behind the piece at hand.
    at: u64,
    piece: Bytes,
    runtime: Handle,
}

impl Read for Content {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        if self.piece.is_empty() {
            self.piece = self.runtime.block_on(self.spool.piece(self.at))?;
            self.at += self.piece.len() as u64;
        }
        let count = self.piece.len().min(room.len());
        room[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, text: &str) -> Vec<String> {
        verdicts(status, text, 3).iter().map(|verdict| verdict.reply.to_string()).collect()
    }

    #[test]
    fn a_yes_is_said_for_each_recipient() {
        let later = "451 4.3.0 Internal error, try again later";
        let all = r#"{"recipients":[{"index":2,"code":552,"enhanced":"5.2.2","text":"full"},{"index":0,"code":250}]}"#;
        assert_eq!(said(200, all), ["250 ", later, "552 5.2.2 full"].map(|text| text.trim_end().to_owned()));
        assert_eq!(said(204, ""), ["250 2.0.0 Message stored"; 3]);
        for (status, text) in [
            (200, ""),
            (200, "<html>It works!</html>"),
            (500, all),
            (302, all),
            (200, r#"{"recipients":[]}"#),
            (
                200,
                r#"{"recipients":[{"index":9,"code":250},{"index":0,"code":354},{"index":1,"code":421},{"index":2,"code":150}]}"#,
            ),
        ] {
            assert_eq!(said(status, text), [later; 3], "{status} {text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let new = |url: &str| Webhook::new(url, None, Duration::from_secs(1)).map(drop);
        new("http://127.0.0.1:8080/mail").unwrap();
        for url in ["", "https://x/", "http://", "http:///x", "x", "http://a b/"] {
            new(url).unwrap_err();
        }
    }
}
