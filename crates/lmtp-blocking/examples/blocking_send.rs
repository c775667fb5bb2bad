//! Sends a message to one recipient: `send lmtp://127.0.0.1:2424 bob@example.org < message.eml`.

use std::io;

use lmtp_blocking::{Body, Client, Envelope, LineEndings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(place), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("send PLACE RECIPIENT".into());
    };
    let mut client = Client::builder(place.as_str())?.line_endings(LineEndings::Convert).connect()?;
    let envelope = Envelope::new("ann@example.org".parse()?, [to.parse()?])?;
    let report = client.deliver(&envelope, Body::reader(io::stdin().lock()))?;
    for recipient in report.recipients() {
        println!("{recipient}");
    }
    Ok(client.quit()?)
}
