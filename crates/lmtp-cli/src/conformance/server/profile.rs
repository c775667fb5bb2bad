//! What is known of a server: by the command line, else by a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lmtp_blocking::ForwardPath;
use lmtp_conformance::{Addresses, Login};
use serde::Deserialize;

use super::Server;
use crate::security;

/// The password, where no other place says it.
const PASSWORD: &str = "LMTP_AUTH_PASSWORD";

/// What is known of a server, for every run.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Profile {
    good: Vec<String>,
    bad: Option<String>,
    full: Option<String>,
    idle: Option<u64>,
    auth: Option<String>,
    auth_password_file: Option<PathBuf>,
    pub(super) skip: BTreeMap<String, String>,
}

impl Profile {
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        // The words of the file may be a password: where it went wrong is told, and not what is there.
        toml::from_str(&text).map_err(|error| format!("{}: {}", file.display(), error.message()))
    }
}

impl Server {
    /// The addresses of the command line, else those of the profile.
    pub(super) fn addresses(&self, profile: &Profile) -> Result<Addresses, String> {
        let known = |text: &String| -> Result<String, String> {
            text.parse::<ForwardPath>().map(|path| path.to_string()).map_err(|error| format!("{text}: {error}"))
        };
        let one = |said: &Option<ForwardPath>, known_as: &Option<String>| match said {
            Some(path) => Ok(Some(path.to_string())),
            None => known_as.as_ref().map(known).transpose(),
        };
        let said = self.good.iter().map(ToString::to_string).collect::<Vec<_>>();
        let good = if said.is_empty() { profile.good.iter().map(known).collect::<Result<_, _>>()? } else { said };
        let mut good = good.into_iter();
        Ok(Addresses {
            good: good.next().ok_or("an address that the server accepts is needed: --good")?,
            other: good.next(),
            bad: one(&self.bad, &profile.bad)?,
            full: one(&self.full, &profile.full)?,
            idle: self.idle.or(profile.idle).map(Duration::from_secs),
            login: self.login(profile)?,
        })
    }

    /// Who may log in: the password is behind the name, in a file, or in the environment.
    fn login(&self, profile: &Profile) -> Result<Option<Login>, String> {
        let Some(who) = self.auth.as_ref().or(profile.auth.as_ref()) else { return Ok(None) };
        if let Some((user, password)) = who.split_once(':') {
            return Login::new(user, password).map(Some);
        }
        let file = self.auth_password_file.as_ref().or(profile.auth_password_file.as_ref());
        let password = match file {
            Some(file) => security::read_secret(file).map_err(|fault| fault.to_string())?.expose().to_owned(),
            None => {
                std::env::var(PASSWORD).map_err(|_| format!("--auth {who}: no password, and none in {PASSWORD}"))?
            }
        };
        Login::new(who, password).map(Some)
    }
}
