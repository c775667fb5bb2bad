//! Sends a message: `cargo run --example blocking_send -- unix:/run/lmtp ann@example.org bob@example.org < message`.

use std::env::args;
use std::error::Error;
use std::process::ExitCode;

use lmtp_blocking::{Body, send};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = args().skip(1);
    let (Some(endpoint), Some(from)) = (args.next(), args.next()) else {
        return Err("usage: send ENDPOINT FROM TO… < MESSAGE".into());
    };
    let report = send(endpoint.as_str(), &from, args, Body::reader(std::io::stdin()))?;
    for recipient in report.recipients() {
        println!("{recipient}");
    }
    if let Some(fault) = report.error() {
        eprintln!("{fault}");
    }
    Ok(if report.all_delivered() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
