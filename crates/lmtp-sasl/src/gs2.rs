//! The header that SCRAM and OAUTHBEARER begin with.
//!
//! ```abnf
//! gs2-header     = gs2-cbind-flag "," [ "a=" saslname ] ","
//! gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
//! saslname       = 1*(value-safe-char / "=2C" / "=3D")
//! ```

use lmtp_proto::auth::AuthError;

use crate::prepare;

/// The header of a client that does not bind to a channel.
pub(crate) fn header(authzid: Option<&str>) -> String {
    match authzid {
        Some(authzid) => format!("n,a={},", escaped(authzid)),
        None => "n,,".to_owned(),
    }
}

/// A client's first message in its parts.
#[derive(Debug)]
pub(crate) struct Gs2<'a> {
    /// The header as it was written, with its last comma.
    pub(crate) header: &'a str,
    /// The authorization identity, prepared.
    pub(crate) authzid: Option<String>,
    /// What follows the header.
    pub(crate) rest: &'a str,
}

impl<'a> Gs2<'a> {
    /// Takes "y" for "n": there is no channel binding here that an attacker
    /// could have hidden (RFC 5802 section 6).
    pub(crate) fn parse(message: &'a str) -> Result<Self, AuthError> {
        let (flag, rest) = message.split_once(',').ok_or(AuthError::Malformed)?;
        match flag {
            "n" | "y" => {}
            _ if flag.starts_with("p=") => return Err(AuthError::Unacceptable),
            _ => return Err(AuthError::Malformed),
        }
        let (authzid, rest) = rest.split_once(',').ok_or(AuthError::Malformed)?;
        let authzid = match authzid {
            "" => None,
            authzid => Some(authzid.strip_prefix("a=").ok_or(AuthError::Malformed)?),
        };
        let authzid = authzid.map(|name| prepare::heard(&unescaped(name)?)).transpose()?;
        let header = &message[..message.len() - rest.len()];
        Ok(Self { header, authzid, rest })
    }
}

/// A name as `saslname`.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The name that a `saslname` without commas stands for (R5802-5.1-c).
pub(crate) fn unescaped(saslname: &str) -> Result<String, AuthError> {
    let mut parts = saslname.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            (None, None) => return Err(AuthError::Malformed),
        };
        name.push(character);
        name.push_str(rest);
    }
    if name.is_empty() { Err(AuthError::Malformed) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_what_is_none() {
        let gs2 = Gs2::parse("n,a=ann=2Cbob,n=x").unwrap();
        assert_eq!((gs2.header, gs2.authzid.as_deref(), gs2.rest), ("n,a=ann=2Cbob,", Some("ann,bob"), "n=x"));
        let gs2 = Gs2::parse("y,,").unwrap();
        assert_eq!((gs2.header, gs2.authzid, gs2.rest), ("y,,", None, ""));
        assert_eq!(Gs2::parse("p=tls-unique,,n=x").unwrap_err(), AuthError::Unacceptable);
        for message in ["", "n", "n,", "n,a=", "n,a=,", "n,x=y,", "x,,", "N,,", "n,ann,", ",,", "n,a=a=b,"] {
            assert_eq!(Gs2::parse(message).unwrap_err(), AuthError::Malformed, "{message}");
        }
        assert_eq!(Gs2::parse("n,a=\u{7},").unwrap_err(), AuthError::Refused);
    }

    #[test]
    fn names_survive_their_escapes() {
        for (name, saslname) in [("ann", "ann"), ("a,b=c", "a=2Cb=3Dc"), ("=2C", "=3D2C"), (",,", "=2C=2C")] {
            assert_eq!(escaped(name), saslname);
            assert_eq!(unescaped(saslname).unwrap(), name);
            assert_eq!(Gs2::parse(&header(Some(name))).unwrap().authzid.as_deref(), Some(name));
        }
        for saslname in ["a=b", "a=", "=2", "=2c", "=3d", "==2C", ""] {
            assert_eq!(unescaped(saslname), Err(AuthError::Malformed), "{saslname}");
        }
    }
}
