//! Commands out of any octets.

use bytes::Buf;
use lmtp_proto::value::Command;
use lmtp_proto::{CommandError, Leniency, SendQueue, encode_command, parse_command, parse_command_with};

/// Commands: no octets make the parser panic; what it understands is one line when encoded, and understood
/// as the same again; what it does not is refused with a reply that fits; no secret is printed.
pub fn command(data: &[u8]) {
    line(data);
    for piece in data.split(|&octet| octet == b'\n') {
        line(piece.strip_suffix(b"\r").unwrap_or(piece));
    }
}

fn line(line: &[u8]) {
    let mut lenient = Leniency::default();
    lenient.local_names = true;
    check(parse_command(line), parse_command);
    check(parse_command_with(line, lenient), |line| parse_command_with(line, lenient));
}

fn check(parsed: Result<Command, CommandError>, parse: impl Fn(&[u8]) -> Result<Command, CommandError>) {
    match parsed {
        Ok(command) => {
            let mut queue = SendQueue::new();
            encode_command(&command, &mut queue);
            let wire = queue.copy_to_bytes(queue.remaining());
            let line = wire.strip_suffix(b"\r\n").expect("a command ends in CRLF");
            assert!(!line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)), "more than a line: {wire:?}");
            assert_eq!(parse(line).as_ref(), Ok(&command), "encode and parse differ: {wire:?}");
            if matches!(command, Command::Auth(_, Some(_))) {
                assert!(command.to_string().ends_with(" ***"), "a secret is printed: {command}");
            }
        }
        Err(error) => {
            let code = error.reply().code().get();
            assert!((500..560).contains(&code), "{error:?} is {code}");
            assert!(!error.to_string().chars().any(char::is_control), "an error prints a control character");
        }
    }
}
