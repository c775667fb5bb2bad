//! What a client reports, and what it ought to.

/// What a client says has become of a message for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The server has taken it.
    Delivered,
    /// It was refused for now.
    Temporary,
    /// It was refused for good.
    Permanent,
    /// It was handed over, and no answer came.
    Uncertain,
    /// It surely was not accepted.
    Unsent,
}

impl Fate {
    /// Every one of them.
    pub const ALL: [Self; 5] = [Self::Delivered, Self::Temporary, Self::Permanent, Self::Uncertain, Self::Unsent];

    /// Its word, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
            Self::Uncertain => "uncertain",
            Self::Unsent => "unsent",
        }
    }

    /// What has this word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.name() == name)
    }
}

/// What all that a client says is: one word for each recipient, or one for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A fate for each recipient, in the order of the errand, and whom the client names there, if it does.
    Each(Vec<(Option<String>, Fate)>),
    /// Everybody is served.
    Success,
    /// Somebody is to be tried again.
    TryAgain,
    /// Somebody was refused for good, and nobody is to be tried again.
    Failure,
}

/// What a client has to report for a recipient: any of these fates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due(Vec<Fate>);

impl Due {
    /// Reads a word, or several with `|` between.
    ///
    /// - `delivered` and `permanent` are just that.
    /// - `temporary`, `unsent` and `open` are *not delivered, and not for good*: a client need not tell these apart.
    /// - `uncertain` is the same without *unsent*, which would be a lie.
    /// - `failed` is all but delivered, `any` is all.
    pub(super) fn parse(words: &str) -> Option<Self> {
        let mut fates = Vec::new();
        for word in words.split('|') {
            fates.extend_from_slice(match word {
                "delivered" => &[Fate::Delivered],
                "permanent" => &[Fate::Permanent],
                "temporary" | "unsent" | "open" => &[Fate::Temporary, Fate::Uncertain, Fate::Unsent],
                "uncertain" => &[Fate::Temporary, Fate::Uncertain],
                "failed" => &Fate::ALL[1..],
                "any" => &Fate::ALL,
                _ => return None,
            });
        }
        Some(Self(fates))
    }

    pub(super) fn allows(&self, fate: Fate) -> bool {
        self.0.contains(&fate)
    }

    /// Whether one word for all of them can stand.
    pub(super) fn all_allow(dues: &[Self], told: &Told) -> bool {
        let delivered = |due: &Self| due.allows(Fate::Delivered);
        let permanent = |due: &Self| due.allows(Fate::Permanent);
        match told {
            Told::Each(_) => false,
            Told::Success => dues.iter().all(delivered),
            Told::TryAgain => dues.iter().any(|due| due.allows(Fate::Temporary)),
            // It would bounce for those who may yet be served.
            Told::Failure => dues.iter().any(permanent) && dues.iter().all(|due| permanent(due) || delivered(due)),
        }
    }

    /// In words, for a failure.
    pub(super) fn shown(&self) -> String {
        let fates: Vec<&str> = Fate::ALL.into_iter().filter(|&fate| self.allows(fate)).map(Fate::name).collect();
        fates.join(" or ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(words: &str) -> Vec<Due> {
        words.split(' ').map(|word| Due::parse(word).expect("a word")).collect()
    }

    #[test]
    fn one_word_for_all_stands_where_it_hurts_nobody() {
        for (words, success, try_again, failure) in [
            ("delivered delivered", true, false, false),
            ("delivered temporary", false, true, false),
            ("delivered permanent", false, false, true),
            ("permanent temporary", false, true, false),
            ("uncertain", false, true, false),
            ("failed", false, true, true),
            ("any", true, true, true),
        ] {
            let allows = |told| Due::all_allow(&due(words), &told);
            let allowed = (allows(Told::Success), allows(Told::TryAgain), allows(Told::Failure));
            assert_eq!(allowed, (success, try_again, failure), "{words}");
        }
    }

    #[test]
    fn unsent_is_no_word_for_what_may_have_been_delivered() {
        assert!(!due("uncertain")[0].allows(Fate::Unsent) && due("uncertain")[0].allows(Fate::Temporary));
        assert!(due("temporary")[0].allows(Fate::Uncertain) && due("open")[0].allows(Fate::Unsent));
    }
}
