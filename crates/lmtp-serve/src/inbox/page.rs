//! The pages of the inbox. Whatever comes from a message is escaped text.

use std::fmt::Write as _;
use std::time::SystemTime;

use lmtp_tokio::proto::trace::Date;
use lmtp_web::escaped;
use mail_parser::{Address, Message, MessageParser};

use super::journal::Answered;
use super::store::{Contents, Store};

/// Octets that are looked at for the fields of the list.
const HEAD: u64 = 32 * 1024;

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/page.css\"><script src=\"/inbox.js\" type=\"module\"></script></head>\
         <body><main>{body}</main></body></html>"
    )
}

pub(super) fn failed(why: &str) -> String {
    page("Inbox", &format!("<h1>Inbox</h1><p class=\"error\">{}</p><p><a href=\"/\">Back</a></p>", escaped(why)))
}

/// What there is, and what the latest recipients were answered.
pub(super) fn list(store: &Store, contents: &Contents, mailbox: Option<&str>, answers: &[Answered]) -> String {
    let mut body = String::from(
        "<h1>Inbox</h1><form action=\"/\"><label>Mailbox <select name=\"mailbox\"><option value=\"\">all</option>",
    );
    // Writing to a String cannot fail.
    for name in &contents.mailboxes {
        let selected = if Some(name.as_str()) == mailbox { " selected" } else { "" };
        let _ = write!(body, "<option{selected}>{}</option>", escaped(name));
    }
    body.push_str("</select></label><button>Show</button></form><div id=\"live\">");
    let (shown, total) = (contents.messages.len(), contents.total);
    let _ = match (shown, total) {
        (_, 0) => write!(body, "<p>There is no mail yet. What comes in is shown here.</p>"),
        (_, 1) => write!(body, "<p>1 message</p>"),
        _ if shown == total => write!(body, "<p>{total} messages</p>"),
        _ => write!(body, "<p>{total} messages, of which the latest {shown} are shown</p>"),
    };
    if shown > 0 {
        body.push_str(&head(&["Received", "Mailbox", "From", "Subject", "Octets"]));
        for listed in &contents.messages {
            // One that was removed meanwhile is listed no more the next time.
            let Ok((octets, size)) = store.read(&listed.mailbox, &listed.file, HEAD) else { continue };
            let message = MessageParser::default().parse_headers(&octets);
            let subject = message.as_ref().and_then(Message::subject).unwrap_or("(no subject)");
            let _ = write!(
                body,
                "<tr{}><td>{}</td><td>{}</td><td>{}</td><td><a href=\"/message?mailbox={}&amp;file={}\">{}</a></td><td>{size}</td></tr>",
                if listed.is_new { " class=\"new\"" } else { "" },
                time(listed.received),
                escaped(&listed.mailbox),
                escaped(&message.as_ref().map(|message| addresses(message.from())).unwrap_or_default()),
                in_query(&listed.mailbox),
                in_query(&listed.file),
                escaped(subject),
            );
        }
        body.push_str("</table>");
    }
    if !answers.is_empty() {
        body.push_str("<h2>What recipients were answered</h2>");
        body.push_str(&answered(answers));
    }
    body.push_str("</div>");
    page("Inbox", &body)
}

/// A message: who, what, what each recipient was answered, and its source.
pub(super) fn message(mailbox: &str, octets: &[u8], size: u64, answers: &[Answered]) -> String {
    let message = MessageParser::default().parse_headers(octets);
    let message = message.as_ref();
    let subject = message.and_then(Message::subject).unwrap_or("(no subject)");
    let mut body = format!("<p><a href=\"/\">Inbox</a></p><h1>{}</h1><dl>", escaped(subject));
    let date = message.and_then(Message::date).map(mail_parser::DateTime::to_rfc822).unwrap_or_default();
    for (name, text) in [
        ("From", message.map(|message| addresses(message.from())).unwrap_or_default()),
        ("To", message.map(|message| addresses(message.to())).unwrap_or_default()),
        ("Date", date),
        ("Mailbox", mailbox.to_owned()),
        ("Octets", size.to_string()),
    ] {
        let _ = write!(body, "<dt>{name}</dt><dd>{}</dd>", escaped(&text));
    }
    body.push_str("</dl>");
    if !answers.is_empty() {
        body.push_str("<h2>What its recipients were answered</h2>");
        body.push_str(&answered(answers));
    }
    body.push_str("<h2>Source</h2>");
    if (octets.len() as u64) < size {
        let _ = write!(body, "<p>The first {} of {size} octets.</p>", octets.len());
    }
    let _ = write!(body, "<pre tabindex=\"0\">{}</pre>", escaped(&String::from_utf8_lossy(octets)));
    page(&escaped(subject), &body)
}

fn answered(answers: &[Answered]) -> String {
    let mut table = head(&["Time", "From", "To", "Answer"]);
    for answered in answers {
        let class = match answered.reply.as_bytes().first() {
            Some(b'2') => "delivered",
            Some(b'4') => "temporary",
            _ => "permanent",
        };
        let seconds = answered.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let _ = write!(
            table,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{}</td></tr>",
            time(i64::try_from(seconds).unwrap_or_default()),
            escaped(answered.from.as_deref().unwrap_or_default()),
            escaped(&answered.to),
            escaped(&answered.reply),
        );
    }
    table.push_str("</table>");
    table
}

fn head(titles: &[&str]) -> String {
    let mut table = String::from("<table><tr>");
    for title in titles {
        let _ = write!(table, "<th scope=\"col\">{title}</th>");
    }
    table.push_str("</tr>");
    table
}

fn time(seconds: i64) -> String {
    Date::new(seconds, 0).map(|date| date.to_string()).unwrap_or_default()
}

fn addresses(addresses: Option<&Address<'_>>) -> String {
    let address = |address: &mail_parser::Addr<'_>| match (address.name(), address.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => address.or(name).unwrap_or_default().to_owned(),
    };
    addresses.map(|all| all.iter().map(address).collect::<Vec<_>>().join(", ")).unwrap_or_default()
}

/// Text as a value in a query.
fn in_query(text: &str) -> String {
    let mut encoded = String::new();
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => encoded.push(octet.into()),
            _ => {
                let _ = write!(encoded, "%{octet:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_message_is_text() {
        let octets = b"From: \"<script>alert(1)</script>\" <ann@x>\r\nSubject: =?utf-8?q?=3Cimg_src=3Dx_onerror=3Dy=3E?=\r\n\r\n\
            <script>alert(2)</script>\xff</pre><b>";
        let page = message("x/<b>", octets, 999, &[]);
        assert!(!page.contains("<script>alert") && !page.contains("<img") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;img src=x onerror=y&gt;") && page.contains("&lt;script&gt;alert(2)"), "{page}");
    }

    #[test]
    fn a_name_in_a_query_is_one_name() {
        assert_eq!(in_query("x/b&b =%+\u{e9}:2,S"), "x/b%26b%20%3D%25%2B%C3%A9%3A2%2CS");
    }
}
