//! How faults are written.

use std::time::Duration;

use super::Step;

/// `STEP=CODE`, and what it is limited to: `rcpt=450:10%`, `final=552:bob@example.org`, `final=552:bob@` for Bob at
/// any domain, `mail=451:2x`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fail {
    pub(crate) at: Step,
    pub(crate) code: u16,
    pub(crate) when: When,
    pub(crate) times: Option<u32>,
    pub(crate) address: Option<String>,
}

/// `STEP=TIME`: `rcpt=500ms`, `final=2s`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delay {
    pub(crate) at: Step,
    pub(crate) time: Duration,
}

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct When {
    pub(crate) percent: f64,
}

impl When {
    const ALWAYS: Self = Self { percent: 100.0 };

    /// `10%`, or nothing for always.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::ALWAYS);
        }
        let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        percent.map(|percent| Self { percent }).ok_or_else(|| format!("{text:?} is no share such as 10%"))
    }
}

const STEPS: [(&str, Step); 7] = [
    ("connect", Step::Connect),
    ("lhlo", Step::Lhlo),
    ("mail", Step::Mail),
    ("rcpt", Step::Rcpt),
    ("data", Step::Data),
    ("body", Step::Body),
    ("final", Step::Final),
];

fn step(name: &str) -> Result<Step, String> {
    let known = STEPS.iter().find(|(known, _)| *known == name).map(|(_, step)| *step);
    known.ok_or_else(|| format!("{name:?} is no step; there are {}", STEPS.map(|(name, _)| name).join(", ")))
}

/// `STEP` or `STEP:10%`.
pub(crate) fn step_and_when(text: &str) -> Result<(Step, When), String> {
    let (name, when) = text.split_once(':').unwrap_or((text, ""));
    Ok((step(name)?, When::parse(when)?))
}

impl Fail {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("is not written STEP=CODE, such as rcpt=450:10%")?;
        let at = step(name)?;
        if matches!(at, Step::Body) {
            return Err("there is no answer to fail with amid the content".into());
        }
        let mut parts = rest.split(':');
        let code = parts.next().unwrap_or_default();
        let code = code.parse().ok().filter(|code| matches!(code, 400..=599));
        let code = code.ok_or_else(|| format!("{rest:?} does not begin with a code of 400 to 599"))?;
        let mut fail = Self { at, code, when: When::ALWAYS, times: None, address: None };
        for part in parts {
            match part.strip_suffix('x').and_then(|number| number.parse().ok()) {
                Some(times) => fail.times = Some(times),
                None if part.ends_with('%') => fail.when = When::parse(part)?,
                None if part.contains('@') || part == "postmaster" => fail.address = Some(part.to_owned()),
                None => {
                    return Err(format!("{part:?} is neither a share (10%) nor a number of times (2x) nor an address"));
                }
            }
        }
        if fail.address.is_some() && !matches!(at, Step::Mail | Step::Rcpt | Step::Final) {
            return Err(format!("there is no address at {name}"));
        }
        Ok(fail)
    }

    /// Whether it is about that address, or about all.
    pub(super) fn concerns(&self, address: Option<&str>) -> bool {
        let (Some(only), address) = (&self.address, address.unwrap_or_default()) else { return true };
        let part = if only.ends_with('@') { address.get(..only.len()) } else { Some(address) };
        part.is_some_and(|part| part.eq_ignore_ascii_case(only))
    }
}

impl Delay {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, time) = text.split_once('=').ok_or("is not written STEP=TIME, such as rcpt=500ms")?;
        let units = [("ms", 1), ("s", 1000), ("m", 60_000)];
        let found = units.iter().find_map(|(unit, milliseconds)| {
            let number: u64 = time.strip_suffix(unit)?.parse().ok()?;
            Some(Duration::from_millis(number.checked_mul(*milliseconds)?))
        });
        let time = found.ok_or_else(|| format!("{time:?} is no time such as 500ms, 2s or 1m"))?;
        let at = step(name)?;
        if matches!(at, Step::Body) {
            return Err("the content comes from the client; delay what is answered".into());
        }
        Ok(Self { at, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_as_they_are_written() {
        let fail = |text| Fail::parse(text).unwrap();
        let plain = Fail { at: Step::Rcpt, code: 450, when: When::ALWAYS, times: None, address: None };
        assert_eq!(fail("rcpt=450"), plain);
        assert_eq!(fail("rcpt=450:10%"), Fail { when: When { percent: 10.0 }, ..plain.clone() });
        let full = Fail { at: Step::Final, code: 552, times: Some(2), address: Some("bob@x".into()), ..plain };
        assert_eq!(fail("final=552:2x:bob@x"), full);
        assert_eq!(Delay::parse("final=2s").unwrap(), Delay { at: Step::Final, time: Duration::from_secs(2) });
        assert_eq!(Delay::parse("rcpt=5ms").unwrap().time, Duration::from_millis(5));
        assert_eq!(step_and_when("body:50%").unwrap(), (Step::Body, When { percent: 50.0 }));
    }

    #[test]
    fn whom_a_fault_concerns() {
        for (fail, concerned, not) in [
            ("rcpt=450", &["bob@x", "", "postmaster"][..], &[][..]),
            ("rcpt=450:bob@x", &["bob@x", "BOB@X"], &["bob@xy", "abob@x", "bob@", ""]),
            ("rcpt=450:bob@", &["bob@x", "Bob@y"], &["bobby@x", "bo", "abob@x"]),
            ("rcpt=450:postmaster", &["Postmaster"], &["postmaster@x"]),
        ] {
            let fail = Fail::parse(fail).unwrap();
            assert!(concerned.iter().all(|address| fail.concerns(Some(address))), "{fail:?}");
            assert!(!not.iter().any(|address| fail.concerns(Some(address))), "{fail:?}");
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_with_a_reason() {
        for (text, why) in [
            ("rcpt", "STEP=CODE"),
            ("quit=450", "no step; there are connect, lhlo"),
            ("rcpt=250", "400 to 599"),
            ("rcpt=450:often", "neither a share"),
            ("rcpt=450:101%", "no share"),
            ("data=451:bob@x", "no address at data"),
            ("body=451", "no answer"),
        ] {
            let error = Fail::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        for text in ["rcpt", "rcpt=5", "rcpt=-5s", "x=5s", "body=1s", "rcpt=99999999999999999999m"] {
            Delay::parse(text).unwrap_err();
        }
    }
}
