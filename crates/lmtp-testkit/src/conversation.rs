//! Conversations with the server machine as files, that play themselves.
//!
//! ```text
//! # What the file shows.
//! set: chunking
//!
//! S: 220 localhost LMTP ready
//! C: LHLO client.example
//! S: 250-localhost
//! …
//! C~ BDAT 2 LAST\r\nhi
//! S: 250 2.0.0 stored
//! = stored ann@x -> bob@x: hi
//! ```
//!
//! Head: `set` with one of the words that `Conversation::set` knows, `proves` (ids of
//! rules with commas, see [`proof`](crate::proof)), and comments.
//! Turns as in [`transcript`](crate::transcript), `C` being what is fed; `-- close`,
//! `-- timeout`, `-- shutdown`, `-- give-up` for what happens. At the end `=`
//! lines: `= stored FROM -> TO TO: CONTENT`, `= refused`, `= abandoned`,
//! `= error TEXT`, `= over`, exactly those.

use std::fs;
use std::path::{Path, PathBuf};

use lmtp_proto::server::{BareNewlines, Config, Ending, Require};

use crate::markdown::fenced;
use crate::proof::Proof;
use crate::served::Served;
use crate::transcript::{Cut, line_of, unescaped};

/// A conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its file's name.
    pub name: String,
    /// How the server is set up.
    pub config: Config,
    /// Ids of the requirements that it proves.
    pub proves: Vec<String>,
    silent: bool,
    reversed: bool,
    turns: Vec<Turn>,
    results: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Turn {
    Client(Vec<u8>),
    Server(Vec<u8>),
    Close,
    Timeout,
    ShutDown,
    GiveUp,
}

/// Every conversation of this crate.
pub fn all() -> Vec<Conversation> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conversations");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files.iter().map(|file| Conversation::read(file)).collect()
}

/// The conversations in a Markdown text: its blocks that are fenced as
/// `lmtp-server`, named after the text and the line where they begin.
pub fn in_markdown(name: &str, text: &str) -> Vec<Conversation> {
    fenced(name, text, "lmtp-server").iter().map(|(name, block)| Conversation::parse(name, block)).collect()
}

impl Conversation {
    /// Reads a file.
    pub fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self::parse(&file.file_stem().unwrap_or_default().to_string_lossy(), &text)
    }

    /// Reads text.
    pub fn parse(name: &str, text: &str) -> Self {
        let (head, rest) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name}: no empty line after the head"));
        let mut conversation = Self {
            name: name.into(),
            config: Config::default(),
            proves: Vec::new(),
            silent: false,
            reversed: false,
            turns: Vec::new(),
            results: Vec::new(),
        };
        for line in head.lines().filter(|line| !line.starts_with('#')) {
            match line.split_once(": ") {
                Some(("set", option)) => conversation.set(option),
                Some(("proves", ids)) => conversation.proves.extend(ids.split(", ").map(String::from)),
                _ => panic!("{name}: no head {line:?}"),
            }
        }
        for line in rest.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.split_at_checked(2) {
                Some(("C:", text)) => conversation.say(Turn::Client(line_of(text))),
                Some(("C~", text)) => conversation.say(Turn::Client(unescaped(text.trim_start()))),
                Some(("S:", text)) => conversation.say(Turn::Server(line_of(text))),
                Some(("--", " close")) => conversation.turns.push(Turn::Close),
                Some(("--", " timeout")) => conversation.turns.push(Turn::Timeout),
                Some(("--", " shutdown")) => conversation.turns.push(Turn::ShutDown),
                Some(("--", " give-up")) => conversation.turns.push(Turn::GiveUp),
                Some(("= ", result)) => conversation.results.push(result.into()),
                _ => panic!("{name}: what is {line:?}?"),
            }
        }
        conversation
    }

    fn set(&mut self, option: &str) {
        let number = |text: &str| text.parse::<u64>().expect("a number");
        let size = |text: &str| text.parse::<usize>().expect("a number");
        let Config { offer, limits, .. } = &mut self.config;
        match option.split_once(' ').unwrap_or((option, "")) {
            ("binary", "") => offer.binary_mime = true,
            ("no-chunking", "") => offer.chunking = false,
            ("no-smtputf8", "") => offer.smtputf8 = false,
            ("dsn", "") => offer.dsn = true,
            ("starttls", "") => offer.starttls = true,
            ("require-tls", "") => self.config.require = Require::Tls,
            ("require-auth", "") => self.config.require = Require::Auth,
            ("auth", names) => offer.auth = names.split(' ').map(|name| name.parse().expect("a mechanism")).collect(),
            ("auth-in-clear", "") => offer.auth_in_clear = true,
            ("secured", "") => self.config.secured = true,
            ("deliver-by", least) => offer.deliver_by = Some(least.parse().unwrap_or_default()),
            ("priority", policy) => offer.priority = Some(policy.into()),
            ("requiretls", "") => offer.require_tls = true,
            ("xclient", names) => {
                offer.xclient = names.split(' ').map(|name| name.parse().expect("an attribute")).collect();
            }
            ("xforward", names) => {
                offer.xforward = names.split(' ').map(|name| name.parse().expect("an attribute")).collect();
            }
            ("xrcptforward", "") => offer.xrcptforward = true,
            ("ignore-quota", "") => offer.ignore_quota = true,
            ("trace", "") => offer.trace = true,
            ("unknown-parameters", "") => offer.unknown_parameters = true,
            ("convert", "") => self.config.bare_newlines = BareNewlines::Convert,
            ("size", most) => limits.message_size = number(most),
            ("drained", most) => limits.drained = number(most),
            ("recipients", most) => limits.recipients = size(most),
            ("transactions", most) => limits.transactions = Some(size(most)),
            ("errors", most) => limits.errors = size(most),
            ("line", most) => limits.command_line = size(most),
            ("silent", "") => self.silent = true,
            ("reversed", "") => self.reversed = true,
            _ => panic!("{}: no option {option:?}", self.name),
        }
    }

    fn say(&mut self, turn: Turn) {
        match (self.turns.last_mut(), turn) {
            (Some(Turn::Client(before)), Turn::Client(octets)) | (Some(Turn::Server(before)), Turn::Server(octets)) => {
                before.extend(octets);
            }
            (_, turn) => self.turns.push(turn),
        }
    }

    /// How many octets the client says.
    pub fn client_octets(&self) -> usize {
        self.turns.iter().map(|turn| if let Turn::Client(octets) = turn { octets.len() } else { 0 }).sum()
    }

    /// Plays it, and checks every octet of the server, turn by turn, and every
    /// result.
    pub fn play(&self, cut: Cut) -> Served {
        let mut served = Served::new(self.config.clone());
        (served.answers, served.reversed) = (!self.silent, self.reversed);
        served.run();
        let (mut expected, mut fed) = (Vec::new(), 0);
        for turn in &self.turns {
            match turn {
                Turn::Client(octets) => {
                    self.compare(&served, &expected, cut);
                    for piece in cut.pieces(octets, fed) {
                        served.hear(piece);
                    }
                    fed += octets.len();
                }
                Turn::Server(octets) => expected.extend_from_slice(octets),
                Turn::Close => served.eof(),
                Turn::Timeout => assert!(served.time_out(), "{}: nothing is waited for", self.name),
                Turn::ShutDown => {
                    served.server.shut_down();
                    served.run();
                }
                Turn::GiveUp => {
                    served.server.give_up();
                    served.run();
                }
            }
        }
        self.compare(&served, &expected, cut);
        assert_eq!(results(&served), self.results, "{}: results, {cut:?}", self.name);
        served
    }

    fn compare(&self, served: &Served, expected: &[u8], cut: Cut) {
        let show = |octets: &[u8]| octets.escape_ascii().to_string().replace("\\r\\n", "\n");
        assert!(
            served.sent == expected,
            "{}, {cut:?}: the server wrote\n{}\ninstead of\n{}\nerror: {:?}",
            self.name,
            show(&served.sent),
            show(expected),
            served.error,
        );
    }

    /// Checks that it goes the same way however the client's octets are cut:
    /// then it proves what it says that it proves.
    pub fn play_with_every_cut(&self) {
        let _proof = Proof::named(&self.proves, env!("CARGO_PKG_NAME"), &format!("conversation {}", self.name));
        let whole = self.play(Cut::Whole);
        for cut in (0..=self.client_octets()).map(Cut::At).chain([Cut::Octets]) {
            let other = self.play(cut);
            assert_eq!(whole.lines, other.lines, "{}: lines, {cut:?}", self.name);
            assert_eq!(whole.endings, other.endings, "{}: endings, {cut:?}", self.name);
        }
    }
}

fn results(served: &Served) -> Vec<String> {
    let mut lines = Vec::new();
    for stored in &served.stored {
        let content = stored.content.escape_ascii();
        lines.push(format!("stored {} -> {}: {content}", stored.from, stored.to.join(" ")));
    }
    for (_, ending) in &served.endings {
        match ending {
            Ending::Refused(_) => lines.push("refused".into()),
            Ending::Abandoned => lines.push("abandoned".into()),
            Ending::Unheard => lines.push("unheard".into()),
            _ => {}
        }
    }
    match (&served.error, served.is_over) {
        (Some(error), _) => lines.push(format!("error {error}")),
        (None, true) => lines.push("over".into()),
        (None, false) => {}
    }
    lines
}
