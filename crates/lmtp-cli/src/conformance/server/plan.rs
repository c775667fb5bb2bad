//! What will be run, and how much it delivers at most: known before anybody is dialled.

use lmtp_conformance::property::Settings;
use lmtp_conformance::{Addresses, Check};

use super::profile::Profile;
use super::{MADE_UP, Server, shutdown};

/// A check, and why it will not be run.
pub(super) struct Planned {
    pub(super) check: Check,
    pub(super) not_run: Option<String>,
}

pub(super) struct Plan {
    pub(super) checks: Vec<Planned>,
    pub(super) addresses: Addresses,
    /// How many conversations are made up, if any.
    pub(super) cases: Option<u32>,
    /// How many messages all of it delivers at most.
    pub(super) messages: usize,
    /// How many of them the conversations that are made up may deliver.
    pub(super) left: usize,
}

impl Plan {
    pub(super) fn new(args: &Server, checks: Vec<Check>, profile: &Profile, addresses: Addresses) -> Self {
        let mut left = args.messages.unwrap_or(usize::MAX);
        let mut messages = 0;
        let checks = checks.into_iter().map(|check| {
            let not_run = args.lacks(&check, profile, &addresses).or_else(|| {
                let most = check.messages();
                let Some(rest) = left.checked_sub(most) else {
                    return Some(format!("it may deliver {most} messages, and --messages leaves {left}"));
                };
                (left, messages) = (rest, messages + most);
                None
            });
            Planned { check, not_run }
        });
        let checks = checks.collect();
        let is_wanted = args.cases > 0 && args.choice.only.as_deref().is_none_or(|only| MADE_UP.starts_with(only));
        let cases = is_wanted.then_some(args.cases);
        let mut plan = Self { checks, addresses, cases, messages, left };
        if let Some(cases) = cases {
            let of = |chunking| plan.settings(args.seed, cases, chunking).messages();
            // Whether the server has CHUNKING is not known yet.
            plan.messages += of(true).max(of(false)).min(plan.left);
        }
        plan
    }

    /// How conversations are made up.
    pub(super) fn settings(&self, seed: u64, cases: u32, chunking: bool) -> Settings {
        Settings { seed, cases, good: self.addresses.good.clone(), chunking }
    }

    /// What is said before it begins.
    pub(super) fn told(&self, args: &Server) -> String {
        let run = self.checks.iter().filter(|planned| planned.not_run.is_none());
        let largest = run.map(|planned| planned.check.largest_message(&self.addresses)).max().unwrap_or_default();
        format!(
            "{} checks and {} made-up conversations (seed {}), a connection each, at most {} a second; at most {} messages of \
             at most {} KiB are delivered, most of them to {}",
            self.checks.len(),
            self.cases.unwrap_or_default(),
            args.seed,
            args.rate,
            self.messages,
            largest.div_ceil(1024).max(1),
            self.addresses.good
        )
    }
}

impl Server {
    /// Why a check is not run, whatever it would deliver.
    fn lacks(&self, check: &Check, profile: &Profile, addresses: &Addresses) -> Option<String> {
        if let Some(why) = profile.skip.get(&check.id) {
            return Some(format!("skipped by the profile: {why}"));
        }
        if shutdown::is_one(check) && self.shutdown.is_none() {
            return Some("how to stop the server was not given: --shutdown".to_owned());
        }
        check.missing(addresses).map(str::to_owned)
    }
}
