//! One reply for each command, one for each recipient behind the content, in
//! order: counted over what a server says that it heard and said.

use lmtp_proto::client::Line;

/// Counts a server's replies (RFC 2033 section 4.2).
#[derive(Debug, Default)]
pub struct Order {
    /// The command that was heard last.
    command: Option<String>,
    /// Replies that are due; the greeting is due to nothing.
    due: usize,
    /// Accepted recipients of the transaction.
    accepted: usize,
    /// A transaction is open.
    open: bool,
    greeted: bool,
    closed: bool,
    /// Replies to the end of the content that are still due.
    finals: usize,
}

impl Order {
    /// Takes the next line.
    ///
    /// # Panics
    ///
    /// The server has said too little before, or says too much.
    pub fn note(&mut self, line: &Line) {
        match line {
            Line::Command(command) => {
                assert!(!self.closed, "{command} is heard behind the last word");
                assert!(self.greeted, "{command} is heard before the greeting");
                let silent = self.command.as_deref() == Some("BDAT LAST") && self.open && self.accepted == 0;
                if silent {
                    // The last chunk of a message for nobody may be answered by
                    // nothing (RFC 2033 section 4.3), and ends it.
                    (self.due, self.open) = (0, false);
                }
                assert_eq!((self.due, self.finals), (0, 0), "{command} is heard before the last was answered");
                self.due = 1;
                let upper = command.to_ascii_uppercase();
                let verb = upper.split(' ').next().unwrap_or_default();
                let last = verb == "BDAT" && upper.ends_with(" LAST");
                self.command = Some(if last { "BDAT LAST".into() } else { verb.into() });
            }
            Line::Reply(reply) => self.reply(reply.code().get()),
            _ => {}
        }
    }

    fn reply(&mut self, code: u16) {
        assert!(!self.closed, "{code} behind the last word");
        if code == 421 {
            self.closed = true;
            return;
        }
        if !self.greeted {
            self.greeted = true;
            return;
        }
        if self.finals > 0 {
            self.finals -= 1;
            return self.forget(self.finals == 0);
        }
        assert_eq!(self.due, 1, "{code} answers nothing");
        self.due = 0;
        let yes = (200..300).contains(&code);
        match self.command.as_deref() {
            Some("MAIL") if yes => (self.open, self.accepted) = (true, 0),
            Some("RCPT") if yes => self.accepted += 1,
            Some("DATA") if code == 354 => {
                assert!(self.accepted > 0, "354 for nobody");
                self.finals = self.accepted;
            }
            // 501 is for a DATA that is none, 503 for want of a transaction or of
            // recipients, 530 for want of TLS or AUTH: nothing has changed.
            Some("DATA") => self.forget(!matches!(code, 501 | 503 | 530)),
            // What is not offered, or not yet, is one reply and changes nothing.
            Some("BDAT LAST") if !matches!(code, 502 | 530) && self.accepted > 0 => {
                self.finals = self.accepted - 1;
                self.forget(self.finals == 0);
            }
            Some("LHLO" | "RSET" | "XCLIENT" | "STARTTLS") => self.forget(yes),
            Some("QUIT") => self.closed = yes,
            _ => {}
        }
    }

    fn forget(&mut self, over: bool) {
        if over {
            (self.open, self.accepted) = (false, 0);
        }
    }
}
