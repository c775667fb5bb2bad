//! A server, and how to speak with it.

use std::time::Duration;

use lmtp_tokio::{Builder, Client, Endpoint, Handle, LhloName, LineEndings, Timeouts};

use crate::options::{Problem, TargetOptions};

/// The longest that can be set: a day. Who asks for more has mistaken the unit.
const DAY: u64 = 24 * 3600;

/// A server, and how to speak with it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
    lhlo_name: LhloName,
    timeouts: Timeouts,
    pub(crate) delimiter: Option<char>,
    #[cfg(feature = "rustls")]
    tls: Option<lmtp_tokio::ClientTls>,
}

impl Target {
    /// As it is set.
    ///
    /// # Errors
    ///
    /// What cannot be.
    pub(crate) fn new(name: &str, options: &TargetOptions) -> Result<Self, Problem> {
        let problem = |option: &str, why: String| Problem { place: format!("{name}.{option}"), why };
        let seconds = Duration::from_secs;
        let mut timeouts = Timeouts::all(seconds(options.timeout));
        timeouts.connect = seconds(options.connect_timeout);
        timeouts.body = timeouts.body.max(seconds(180));
        timeouts.final_reply = seconds(options.final_timeout);
        let (option, endpoint) = match &options.socket_path {
            Some(path) if options.ssl => {
                let why = format!("there is no TLS over the Unix socket {}", path.display());
                return Err(problem("ssl", why));
            }
            Some(path) => ("socket_path", format!("unix:{}", path.display())),
            None => {
                let scheme = if options.ssl { "lmtps" } else { "lmtp" };
                let host = if options.host.contains(':') && !options.host.starts_with('[') {
                    format!("[{}]", options.host)
                } else {
                    options.host.clone()
                };
                ("host", format!("{scheme}://{host}:{}", options.port))
            }
        };
        let endpoint: Endpoint = endpoint.parse().map_err(|error| problem(option, format!("{endpoint}: {error}")))?;
        let lhlo_name = &options.lhlo_name;
        let lhlo_name = lhlo_name.parse().map_err(|error| problem("lhlo_name", format!("{lhlo_name:?}: {error}")))?;
        if options.connections == 0 {
            return Err(problem("connections", "0 would deliver nothing".into()));
        }
        if options.messages == 0 {
            return Err(problem("messages", "0 would deliver nothing; with 1 no connection is used again".into()));
        }
        for (option, seconds, least) in [
            ("connect_timeout", options.connect_timeout, 1),
            ("timeout", options.timeout, 1),
            ("final_timeout", options.final_timeout, 1),
            // Without a second for it, no connection is used again.
            ("idle", options.idle, 0),
            ("age", options.age, 0),
        ] {
            if !(least..=DAY).contains(&seconds) {
                return Err(problem(option, format!("{seconds} seconds; it takes from {least} to {DAY}")));
            }
        }
        if options.client_certificate.is_some() != options.client_key.is_some() {
            return Err(problem("client_key", "a certificate and its key belong together".into()));
        }
        Ok(Self {
            name: name.to_owned(),
            endpoint,
            lhlo_name,
            timeouts,
            delimiter: options.delimiter,
            #[cfg(feature = "rustls")]
            tls: tls(options).map_err(|why| problem("ssl", why))?,
        })
        .and_then(|target| {
            if cfg!(not(feature = "rustls")) && options.ssl {
                return Err(problem("ssl", "this build has no TLS; switch on the feature \"rustls\"".into()));
            }
            Ok(target)
        })
    }

    /// A connection that the handle can cancel.
    pub(crate) fn builder(&self, handle: &Handle) -> Result<Builder, lmtp_tokio::Error> {
        let builder = Client::builder(self.endpoint.clone())?;
        let builder = builder.timeouts(self.timeouts).lhlo_name(self.lhlo_name.clone()).handle(handle);
        let builder = builder.line_endings(LineEndings::Convert);
        #[cfg(feature = "rustls")]
        if let Some(tls) = &self.tls {
            return Ok(builder.tls(tls.clone()));
        }
        Ok(builder)
    }
}

/// Whom to trust, and who we are.
#[cfg(feature = "rustls")]
fn tls(options: &TargetOptions) -> Result<Option<lmtp_tokio::ClientTls>, String> {
    if !options.ssl {
        return Ok(None);
    }
    let mut tls = lmtp_tokio::ClientTls::builder();
    if let Some(file) = &options.ca_file {
        tls = tls.ca_file(file);
    }
    if let Some(name) = &options.server_name {
        tls = tls.server_name(name);
    }
    if let (Some(certificate), Some(key)) = (&options.client_certificate, &options.client_key) {
        tls = tls.client_certificate(certificate, key);
    }
    if options.verify == crate::Verify::None {
        tls = tls.dangerous_without_verification();
    }
    tls.build().map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    fn target(text: &str) -> Result<Target, String> {
        let options = Options::parse(text).unwrap();
        Target::new("target", &options.targets["target"]).map_err(|problem| problem.to_string())
    }

    #[test]
    fn where_it_is() {
        for (text, endpoint) in [
            ("", "lmtp://127.0.0.1:2424"),
            ("host = \"::1\"\nport = 24\n", "lmtp://[::1]:24"),
            ("socket_path = \"/run/lmtp\"\nhost = \"ignored\"\n", "unix:/run/lmtp"),
        ] {
            assert_eq!(target(text).unwrap().endpoint.to_string(), endpoint);
        }
        assert!(target("ssl = true\nhost = \"mail.internal\"\n").is_ok() == cfg!(feature = "rustls"));
    }

    #[test]
    fn what_is_just_within_bounds_is_taken() {
        for text in [
            "connect_timeout = 1\ntimeout = 1\nfinal_timeout = 1\nidle = 0\nage = 0\nmessages = 1\n",
            "connect_timeout = 86400\ntimeout = 86400\nfinal_timeout = 86400\nidle = 86400\nage = 86400\n",
        ] {
            target(text).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (text, why) in [
            ("port = 25\n", "target.host: lmtp://127.0.0.1:25: "),
            ("host = \"a b\"\n", "target.host: "),
            ("socket_path = \"/x\"\nssl = true\n", "target.ssl: there is no TLS over the Unix socket /x"),
            ("lhlo_name = \"a b\"\n", "target.lhlo_name: "),
            ("connections = 0\n", "target.connections: "),
            ("messages = 0\n", "target.messages: 0 would"),
            ("connect_timeout = 0\n", "target.connect_timeout: 0 seconds; it takes from 1 to 86400"),
            ("timeout = 0\n", "target.timeout: 0 "),
            ("final_timeout = 0\n", "target.final_timeout: 0 "),
            ("connect_timeout = 86401\n", "target.connect_timeout: 86401 "),
            ("timeout = 86401\n", "target.timeout: 86401 "),
            ("final_timeout = 86401\n", "target.final_timeout: 86401 "),
            ("idle = 86401\n", "target.idle: 86401 seconds; it takes from 0 to 86400"),
            // The most that TOML can say.
            ("age = 9223372036854775807\n", "target.age: 9223372036854775807 "),
            ("client_key = \"/x\"\n", "target.client_key: "),
            #[cfg(feature = "rustls")]
            ("ssl = true\nca_file = \"/no/such\"\n", "target.ssl: /no/such"),
        ] {
            let problem = target(text).unwrap_err();
            assert!(problem.starts_with(why), "{problem}");
        }
    }
}
