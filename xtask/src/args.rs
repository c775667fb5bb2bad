//! The command line: flags, values, words, and nothing left over.

use std::fmt::Display;
use std::str::FromStr;

use anyhow::{Context as _, Result, anyhow, bail};

/// What of the command line has not been understood yet.
pub(crate) struct Args(Vec<String>);

impl Args {
    pub(crate) fn from_env() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Takes `name` out; true if it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let position = self.0.iter().position(|arg| arg == name);
        if let Some(position) = position {
            self.0.remove(position);
        }
        position.is_some()
    }

    /// Takes `name VALUE` or `name=VALUE` out.
    pub(crate) fn value<T>(&mut self, name: &str) -> Result<Option<T>>
    where
        T: FromStr<Err: Display>,
    {
        let prefix = format!("{name}=");
        let Some(position) = (self.0.iter()).position(|arg| arg == name || arg.starts_with(&prefix)) else {
            return Ok(None);
        };
        let arg = self.0.remove(position);
        let value = match arg.strip_prefix(&prefix) {
            Some(value) => value.to_owned(),
            None if position < self.0.len() => self.0.remove(position),
            None => bail!("{name} needs a value"),
        };
        let parsed = value.parse().map_err(|error: T::Err| anyhow!("{error}"));
        parsed.with_context(|| format!("{name} {value}")).map(Some)
    }

    /// Takes the first word that is no flag out. Ask for the flags that have values first.
    pub(crate) fn positional(&mut self) -> Option<String> {
        let position = self.0.iter().position(|arg| !arg.starts_with('-'))?;
        Some(self.0.remove(position))
    }

    pub(crate) fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(arg) => bail!("unexpected argument `{arg}`; see cargo xtask help"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn flags_values_and_words_in_any_order() {
        for line in ["fuzz --seconds 3 reply --strict", "--strict --seconds=3 fuzz reply"] {
            let mut args = args(line);
            assert!(args.flag("--strict"));
            assert_eq!(args.value::<u64>("--seconds").unwrap(), Some(3));
            assert_eq!(args.positional().as_deref(), Some("fuzz"));
            assert_eq!(args.positional().as_deref(), Some("reply"));
            args.finish().unwrap();
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(args("--sttrict").finish().is_err());
        assert!(args("--seconds").value::<u64>("--seconds").is_err());
        assert!(args("--seconds x").value::<u64>("--seconds").is_err());
    }
}
