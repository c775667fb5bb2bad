//! What goes wrong on purpose, for those who test their clients. A server with faults says so when it begins.

mod relay;
mod spec;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lmtp_tokio::Reply;
use lmtp_tokio::proto::value::EnhancedCode;

pub(crate) use relay::Sockets;
pub(crate) use spec::{Delay, Fail, When};

use crate::settings;

/// A step of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The greeting.
    Connect,
    Lhlo,
    Mail,
    Rcpt,
    /// The command.
    Data,
    /// The content.
    Body,
    /// A recipient's answer behind the content.
    Final,
}

/// What goes wrong, and how often.
#[derive(Debug)]
pub(crate) struct Faults {
    fail: Vec<(Fail, AtomicU32)>,
    delay: Vec<Delay>,
    drop_at: Vec<(Step, When)>,
    fewer: Option<When>,
    more: Option<When>,
    garble: Option<When>,
    dice: Mutex<fastrand::Rng>,
}

impl Faults {
    /// As it was set.
    ///
    /// # Errors
    ///
    /// The setting, and what is wrong with it.
    pub(crate) fn new(set: &settings::Faults) -> Result<Self, (&'static str, String)> {
        fn each<T>(
            key: &'static str,
            texts: &[String],
            parse: impl Fn(&str) -> Result<T, String>,
        ) -> Result<Vec<T>, (&'static str, String)> {
            texts.iter().map(|text| parse(text).map_err(|why| (key, format!("{text:?}: {why}")))).collect()
        }
        let (mut fewer, mut more) = (None, None);
        for text in &set.wrong_count {
            let (which, when) = text.split_once(':').unwrap_or((text, ""));
            let wrong = |why: String| ("faults.wrong_count", format!("{text:?}: {why}"));
            let place = match which {
                "fewer" => &mut fewer,
                "more" => &mut more,
                _ => return Err(wrong("is neither fewer nor more".into())),
            };
            *place = Some(When::parse(when).map_err(wrong)?);
        }
        let garble = match set.garble.as_str() {
            "" => None,
            when => Some(When::parse(when).map_err(|why| ("faults.garble", why))?),
        };
        Ok(Self {
            fail: each("faults.fail", &set.fail, Fail::parse)?.into_iter().map(|fail| (fail, 0.into())).collect(),
            delay: each("faults.delay", &set.delay, Delay::parse)?,
            drop_at: each("faults.drop_at", &set.drop_at, spec::step_and_when)?,
            fewer,
            more,
            garble,
            dice: Mutex::new(fastrand::Rng::with_seed(set.seed)),
        })
    }

    /// Whether there are any.
    pub(crate) fn are_any(&self) -> bool {
        !self.fail.is_empty() || !self.delay.is_empty() || self.are_on_the_wire()
    }

    /// Whether octets are meddled with, beneath the protocol.
    pub(crate) fn are_on_the_wire(&self) -> bool {
        !self.drop_at.is_empty() || self.fewer.is_some() || self.more.is_some() || self.garble.is_some()
    }

    /// The refusal at this step, of this address if there is one.
    pub(crate) fn refusal(&self, at: Step, address: Option<&str>) -> Option<Reply> {
        self.fail.iter().find(|(fail, done)| fail.at == at && self.happens(fail, done, address)).map(|(fail, _)| {
            let (subject, detail) = match fail.code {
                450 => (2, 1),
                451 => (3, 0),
                452 | 552 => (2, 2),
                550 => (1, 1),
                _ => (0, 0),
            };
            let class = u8::try_from(fail.code / 100).unwrap_or(4);
            let enhanced = EnhancedCode::new(class, subject, detail).ok();
            Reply::new(fail.code, enhanced, "Injected fault").unwrap_or_else(|_| Reply::try_again_later())
        })
    }

    fn happens(&self, fail: &Fail, done: &AtomicU32, address: Option<&str>) -> bool {
        if !fail.concerns(address) || !self.falls(fail.when) {
            return false;
        }
        // So often, and no more.
        fail.times.is_none_or(|times| done.fetch_add(1, Ordering::Relaxed) < times)
    }

    /// Waits as long as that step is to take.
    pub(crate) async fn wait(&self, at: Step) {
        let time: Duration = self.delay.iter().filter(|delay| delay.at == at).map(|delay| delay.time).sum();
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    /// Whether the connection ends here, without a word.
    fn drops(&self, at: Step) -> bool {
        self.drop_at.iter().any(|(step, when)| *step == at && self.falls(*when))
    }

    fn has(&self, fault: Option<When>) -> bool {
        fault.is_some_and(|when| self.falls(when))
    }

    fn falls(&self, when: When) -> bool {
        // The dice are thrown only where it matters: the same seed is the same run.
        when.percent >= 100.0 || self.dice().f64() * 100.0 < when.percent
    }

    fn dice(&self) -> std::sync::MutexGuard<'_, fastrand::Rng> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
