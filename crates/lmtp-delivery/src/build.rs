//! Options in code: a method for each, by its name.

use std::path::PathBuf;

use crate::options::{Options, TargetOptions, Verify};

/// In code, where there is no TOML:
///
/// ```
/// use lmtp_delivery::{Delivery, Options, TargetOptions};
///
/// let options = Options::default()
///     .target("main", TargetOptions::unix("/run/dovecot/lmtp").delimiter('+'))
///     .target("spare", TargetOptions::tcp("192.0.2.7", 24).connect_timeout(5))
///     .route("example.net", ["spare"])
///     .default_route(["main", "spare"]);
/// let delivery = Delivery::new(&options)?;
/// // One target for everybody needs no name.
/// let delivery = Delivery::new(&TargetOptions::unix("/run/dovecot/lmtp").into())?;
/// # Ok::<(), lmtp_delivery::Problem>(())
/// ```
impl Options {
    /// With a target of that name, in place of one that had it.
    #[must_use]
    pub fn target(mut self, name: impl Into<String>, target: TargetOptions) -> Self {
        self.targets.insert(name.into(), target);
        self
    }

    /// With a route for an address or a domain, in place of one that was there: the names of the targets, in the order
    /// in which to ask them.
    #[must_use]
    pub fn route(mut self, whose: impl Into<String>, targets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.routes.insert(whose.into(), targets.into_iter().map(Into::into).collect());
        self
    }

    /// With a route for everybody else, in place of one that was there.
    #[must_use]
    pub fn default_route(mut self, targets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.default = targets.into_iter().map(Into::into).collect();
        self
    }
}

/// In code, where there is no TOML; what no method says has its default.
impl TargetOptions {
    /// A server at a Unix socket.
    pub fn unix(socket_path: impl Into<PathBuf>) -> Self {
        Self { socket_path: Some(socket_path.into()), ..Self::default() }
    }

    /// A server at a name or an address, and a port.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, ..Self::default() }
    }

    /// With TLS from the first octet, or without.
    #[must_use]
    pub fn ssl(self, ssl: bool) -> Self {
        Self { ssl, ..self }
    }

    /// With these authorities to trust: PEM.
    #[must_use]
    pub fn ca_file(self, file: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(file.into()), ..self }
    }

    /// Whether the server's certificate is looked at.
    #[must_use]
    pub fn verify(self, verify: Verify) -> Self {
        Self { verify, ..self }
    }

    /// With another name in the server's certificate than the host's.
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self { server_name: Some(name.into()), ..self }
    }

    /// With a certificate of ours and its key, for a server that asks: PEM.
    #[must_use]
    pub fn client_certificate(self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { client_certificate: Some(certificate.into()), client_key: Some(key.into()), ..self }
    }

    /// Who we say we are in LHLO.
    #[must_use]
    pub fn lhlo_name(self, name: impl Into<String>) -> Self {
        Self { lhlo_name: name.into(), ..self }
    }

    /// With so many seconds to connect, all addresses together.
    #[must_use]
    pub fn connect_timeout(self, seconds: u64) -> Self {
        Self { connect_timeout: seconds, ..self }
    }

    /// With so many seconds for each reply.
    #[must_use]
    pub fn timeout(self, seconds: u64) -> Self {
        Self { timeout: seconds, ..self }
    }

    /// With so many seconds for each recipient's final reply.
    #[must_use]
    pub fn final_timeout(self, seconds: u64) -> Self {
        Self { final_timeout: seconds, ..self }
    }

    /// With so many connections at once.
    #[must_use]
    pub fn connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// Seconds after which a connection that nobody uses is not used again.
    #[must_use]
    pub fn idle(self, seconds: u64) -> Self {
        Self { idle: seconds, ..self }
    }

    /// Seconds after which a connection is not used again.
    #[must_use]
    pub fn age(self, seconds: u64) -> Self {
        Self { age: seconds, ..self }
    }

    /// Messages after which a connection is not used again.
    #[must_use]
    pub fn messages(self, messages: u64) -> Self {
        Self { messages, ..self }
    }

    /// With what stands before a folder in an address.
    #[must_use]
    pub fn delimiter(self, delimiter: char) -> Self {
        Self { delimiter: Some(delimiter), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_says_what_toml_says() {
        let text = "default = [\"b\", \"a\"]\n[routes]\n\"x.org\" = [\"a\"]\nann = [\"b\"]\n[targets.a]\n\
                    socket_path = \"/run/lmtp\"\n[targets.b]\nhost = \"mail\"\nport = 1\nssl = true\n\
                    ca_file = \"/ca\"\nverify = \"none\"\nserver_name = \"name\"\nclient_certificate = \"/c\"\n\
                    client_key = \"/k\"\nlhlo_name = \"us\"\nconnect_timeout = 2\ntimeout = 3\nfinal_timeout = 4\n\
                    connections = 5\nidle = 6\nage = 7\nmessages = 8\ndelimiter = \"+\"\n";
        let b = TargetOptions::tcp("mail", 1)
            .ssl(true)
            .ca_file("/ca")
            .verify(Verify::None)
            .server_name("name")
            .client_certificate("/c", "/k")
            .lhlo_name("us")
            .connect_timeout(2)
            .timeout(3)
            .final_timeout(4)
            .connections(5)
            .idle(6)
            .age(7)
            .messages(8)
            .delimiter('+');
        let options = Options::default()
            .target("a", TargetOptions::unix("/run/lmtp"))
            .target("b", b)
            .route("x.org", ["a"])
            .route("ann".to_owned(), vec!["b".to_owned()])
            .default_route(["b", "a"]);
        assert_eq!(options, Options::parse(text).unwrap());
    }
}
