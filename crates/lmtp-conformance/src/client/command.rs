//! A client that is a program: a template of a command, and what its end tells.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::errand::{Client, Errand, Trouble};
use super::fate::{Fate, Told};

/// How a program tells what has become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// One JSON object on standard output: `{"recipients": [{"recipient": ADDRESS, "outcome": WORD}, …]}`, the
    /// recipients in their order, the words those of [`Fate`]. What else it holds does not matter.
    ///
    /// Without `recipients` nobody was served, and the exit code tells the rest.
    Json,
    /// The exit code: 0 is success, 75 is *try again*, any other is failure (`sysexits.h`).
    Exit,
}

/// A program that sends a message, by a template of its command.
#[derive(Debug, Clone)]
pub struct Program {
    words: Vec<String>,
    adapter: Adapter,
}

/// What stands for something in a template.
const PLACES: [&str; 8] = ["{url}", "{host}", "{port}", "{socket}", "{from}", "{to*}", "{file}", "{timeout}"];
/// Behind `{to*}`: the word before is repeated too.
const WITH_FLAG: &str = "{to*}...";

impl Program {
    /// Reads a template: words as a POSIX shell has them, without expansions and without a shell.
    ///
    /// A word with `{to*}` is there once for each recipient; `--to {to*}...` repeats the flag, too. Without `{file}` the
    /// message is on standard input.
    ///
    /// # Errors
    ///
    /// It is no command, or has a place that nobody knows; what is wrong with it.
    pub fn new(template: &str, adapter: Adapter) -> Result<Self, String> {
        let words = split(template)?;
        if words.is_empty() {
            return Err("there is no command".to_owned());
        }
        let text = words.join(" ");
        for (at, _) in text.match_indices('{') {
            let end = text[at..].find('}').map_or(text.len(), |end| at + end + 1);
            if !PLACES.contains(&&text[at..end]) {
                return Err(format!("{}: not one of {}", &text[at..end], PLACES.join(" ")));
            }
        }
        if !text.contains("{to*}") {
            return Err("there is no {to*} for the recipients".to_owned());
        }
        Ok(Self { words, adapter })
    }

    /// Whether it is to be given a Unix socket: `{socket}` is in its template.
    pub fn wants_socket(&self) -> bool {
        self.holds("{socket}")
    }

    fn holds(&self, place: &str) -> bool {
        self.words.iter().any(|word| word.contains(place))
    }

    fn words(&self, errand: &Errand, file: &str) -> Vec<OsString> {
        let port = errand.port.map(|port| port.to_string()).unwrap_or_default();
        let socket = errand.socket.as_ref().map(|socket| socket.display().to_string()).unwrap_or_default();
        // Seconds with a fraction only where there is one: not every program takes it.
        let timeout = errand.timeout.as_secs_f64().to_string();
        let fixed = [
            ("{url}", errand.url.as_str()),
            ("{host}", "127.0.0.1"),
            ("{port}", &port),
            ("{socket}", &socket),
            ("{from}", &errand.from),
            ("{file}", file),
            ("{timeout}", &timeout),
        ];
        let fill = |word: &str, to: &str| {
            // From left to right and once: what was filled in is no place.
            let (mut filled, mut rest) = (String::new(), word);
            while let Some(at) = rest.find('{') {
                filled.push_str(&rest[..at]);
                rest = &rest[at..];
                let places = fixed.iter().copied().chain([("{to*}", to)]);
                let (place, value) =
                    places.into_iter().find(|(place, _)| rest.starts_with(place)).unwrap_or(("{", "{"));
                filled.push_str(value);
                rest = &rest[place.len()..];
            }
            filled + rest
        };
        let mut words: Vec<OsString> = Vec::new();
        for (place, word) in self.words.iter().enumerate() {
            if word == WITH_FLAG && place > 0 {
                words.pop();
                words.extend(
                    errand.to.iter().flat_map(|to| [fill(&self.words[place - 1], to), to.clone()]).map(Into::into),
                );
            } else if word.contains("{to*}") {
                words.extend(errand.to.iter().map(|to| fill(word, to).into()));
            } else {
                words.push(fill(word, "").into());
            }
        }
        words
    }

    fn told(&self, status: ExitStatus, out: &[u8], err: &[u8]) -> Result<Told, Trouble> {
        let said = || String::from_utf8_lossy(&err[..err.len().min(500)]).trim().to_owned();
        let Some(code) = status.code() else {
            return Err(Trouble::Failed(format!("it was ended by a signal: {}", said())));
        };
        let by_code = match code {
            0 => Told::Success,
            75 => Told::TryAgain,
            _ => Told::Failure,
        };
        if self.adapter == Adapter::Exit {
            return Ok(by_code);
        }
        let json: Value = serde_json::from_slice(out)
            .map_err(|error| Trouble::Failed(format!("exit code {code}, and no JSON: {error}: {}", said())))?;
        let Some(recipients) = json["recipients"].as_array() else {
            return match by_code {
                Told::Success => Err(Trouble::Failed("exit code 0, and no recipients in the JSON".to_owned())),
                told => Ok(told),
            };
        };
        let fates = recipients.iter().map(|recipient| {
            let outcome = recipient["outcome"].as_str().unwrap_or_default();
            let fate = Fate::from_name(outcome)
                .ok_or_else(|| Trouble::Failed(format!("{outcome:?} in the JSON is no outcome")))?;
            Ok((recipient["recipient"].as_str().map(str::to_owned), fate))
        });
        fates.collect::<Result<Vec<_>, _>>().map(Told::Each)
    }

    fn try_send(&self, errand: &Errand) -> io::Result<Result<Told, Trouble>> {
        let folder = tempfile::tempdir()?;
        let place = |name: &str| folder.path().join(name);
        fs::write(place("message.eml"), &errand.message)?;
        let words = self.words(errand, &place("message.eml").display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        // Files, not pipes: a pipe that nobody empties would stop the program.
        command.stdout(File::create(place("out"))?).stderr(File::create(place("err"))?);
        match self.holds("{file}") {
            true => command.stdin(Stdio::null()),
            false => command.stdin(File::open(place("message.eml"))?),
        };
        let mut child = command.spawn()?;
        let begin = Instant::now();
        let status = loop {
            match child.try_wait()? {
                Some(status) => break status,
                None if begin.elapsed() > errand.deadline => {
                    child.kill()?;
                    child.wait()?;
                    let how = format!("it did not end within {:?}, and was killed", errand.deadline);
                    return Ok(Err(Trouble::Failed(how)));
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        Ok(self.told(status, &fs::read(place("out"))?, &fs::read(place("err"))?))
    }
}

impl Client for Program {
    fn send(&self, errand: &Errand) -> Result<Told, Trouble> {
        let result = self.try_send(errand);
        result.unwrap_or_else(|error| Err(Trouble::NotRun(format!("{}: {error}", self.words[0]))))
    }

    fn obeys_timeout(&self) -> bool {
        self.holds("{timeout}")
    }

    fn takes_nul(&self) -> bool {
        false
    }
}

/// Words as a POSIX shell has them: quotes and backslashes, and nothing is expanded.
fn split(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match char {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => loop {
                let word = word.get_or_insert_default();
                match rest.next().ok_or("a quote is not closed")? {
                    '\'' => break,
                    other => word.push(other),
                }
            },
            '"' => loop {
                let word = word.get_or_insert_default();
                match rest.next().ok_or("a quote is not closed")? {
                    '"' => break,
                    '\\' => match rest.next().ok_or("a quote is not closed")? {
                        escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                        other => word.extend(['\\', other]),
                    },
                    other => word.push(other),
                }
            },
            '\\' => word.get_or_insert_default().push(rest.next().ok_or("nothing is behind the last backslash")?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand() -> Errand {
        Errand {
            url: "lmtp://127.0.0.1:9".to_owned(),
            port: Some(9),
            socket: None,
            from: "<>".to_owned(),
            to: vec!["{from}@x".to_owned(), "b c".to_owned()],
            message: Vec::new(),
            timeout: Duration::from_secs(1),
            deadline: Duration::from_secs(1),
        }
    }

    fn words(template: &str) -> Vec<OsString> {
        Program::new(template, Adapter::Exit).expect("a template").words(&errand(), "f")
    }

    #[test]
    fn words_are_those_of_a_shell() {
        assert_eq!(split(r#"a 'b  "c' "d\"e\f" g\ h '' i'j'k"#).unwrap(), ["a", "b  \"c", "d\"e\\f", "g h", "", "ijk"]);
        for text in ["'a", "\"a", "\"a\\", "a\\"] {
            assert!(split(text).is_err(), "{text}");
        }
    }

    #[test]
    fn recipients_are_words_of_their_own_and_no_template() {
        assert_eq!(words("p {from} {to*} {file}"), ["p", "<>", "{from}@x", "b c", "f"]);
        assert_eq!(words("p --to={to*} -t{timeout}"), ["p", "--to={from}@x", "--to=b c", "-t1"]);
        assert_eq!(words("p --to {to*}... {host}:{port}"), ["p", "--to", "{from}@x", "--to", "b c", "127.0.0.1:9"]);
    }

    #[test]
    fn a_template_has_known_places_and_recipients() {
        for template in ["", "p {url}", "p {to*} {who}", "p {to*} {"] {
            assert!(Program::new(template, Adapter::Exit).is_err(), "{template}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_json_and_codes_tell() {
        use std::os::unix::process::ExitStatusExt;

        let told = |adapter, code: i32, out: &str| {
            let program = Program::new("p {to*}", adapter).expect("a template");
            program.told(ExitStatus::from_raw(code << 8), out.as_bytes(), b"")
        };
        let json = r#"{"recipients":[{"recipient":"a@b","outcome":"uncertain","x":1}]}"#;
        assert_eq!(told(Adapter::Json, 75, json), Ok(Told::Each(vec![(Some("a@b".to_owned()), Fate::Uncertain)])));
        assert_eq!(told(Adapter::Json, 64, r#"{"error":"x"}"#), Ok(Told::Failure));
        assert_eq!(told(Adapter::Exit, 0, ""), Ok(Told::Success));
        assert_eq!(told(Adapter::Exit, 75, ""), Ok(Told::TryAgain));
        for (code, out) in [(0, "{}"), (0, ""), (0, r#"{"recipients":[{"outcome":"fine"}]}"#)] {
            assert!(told(Adapter::Json, code, out).is_err(), "{out}");
        }
    }
}
