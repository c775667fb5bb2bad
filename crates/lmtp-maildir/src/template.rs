//! Paths with room for an address: `{domain}/{user}`.

use std::fmt;
use std::str::FromStr;

use crate::component::{Component, InvalidPath, RelativePath, is_safe};

/// A path with places for the parts of an address, such as `{domain}/{user}` or
/// `{user}/Maildir`.
///
/// A part that cannot stand in a path, such as one with a `/` in it, has no mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Vec<Token>>);

/// What a step of the path is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    /// `{user}`: the local part, without a detail.
    User,
    /// `{domain}`.
    Domain,
}

impl Template {
    /// The path for an address, if there can be one.
    pub(crate) fn path(&self, user: &str, domain: Option<&str>) -> Option<RelativePath> {
        let step = |tokens: &Vec<Token>| {
            let mut name = String::new();
            for token in tokens {
                name.push_str(match token {
                    Token::Text(text) => text,
                    Token::User => Some(user).filter(|part| is_safe(part))?,
                    Token::Domain => domain.filter(|part| is_safe(part))?,
                });
            }
            Component::new(&name).ok()
        };
        RelativePath::new(self.0.iter().map(step).collect::<Option<_>>()?).ok()
    }
}

/// `{domain}/{user}`.
impl Default for Template {
    fn default() -> Self {
        Self(vec![vec![Token::Domain], vec![Token::User]])
    }
}

/// Text with `{user}` at least once, and `{domain}`.
impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let steps: Vec<Vec<Token>> = text.split('/').map(tokens).collect::<Result<_, _>>()?;
        if !steps.iter().flatten().any(|token| *token == Token::User) {
            return Err(InvalidTemplate::NoUser);
        }
        // As good as any address can make it.
        let template = Self(steps);
        template.path("u", Some("d")).ok_or(InvalidTemplate::Path(InvalidPath))?;
        Ok(template)
    }
}

fn tokens(mut step: &str) -> Result<Vec<Token>, InvalidTemplate> {
    let mut tokens = Vec::new();
    while let Some(at) = step.find(['{', '}']) {
        let (text, rest) = step.split_at(at);
        tokens.push(Token::Text(text.to_owned()));
        let places = [("{user}", Token::User), ("{domain}", Token::Domain)];
        let found = places.into_iter().find_map(|(place, token)| Some((rest.strip_prefix(place)?, token)));
        let (rest, token) = found.ok_or_else(|| InvalidTemplate::Place(rest.to_owned()))?;
        tokens.push(token);
        step = rest;
    }
    tokens.push(Token::Text(step.to_owned()));
    tokens.retain(|token| !matches!(token, Token::Text(text) if text.is_empty()));
    Ok(tokens)
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "/" })?;
            for token in step {
                f.write_str(match token {
                    Token::Text(text) => text,
                    Token::User => "{user}",
                    Token::Domain => "{domain}",
                })?;
            }
        }
        Ok(())
    }
}

/// Text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// All recipients would share a mailbox.
    #[error("a template names the mailbox with {{user}}")]
    NoUser,
    /// A brace that opens none of the places.
    #[error("a template knows {{user}} and {{domain}}, not \"{0}\"")]
    Place(String),
    /// It does not lead down from the root.
    #[error(transparent)]
    Path(InvalidPath),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(template: &str, user: &str, domain: Option<&str>) -> Option<String> {
        Some(template.parse::<Template>().unwrap().path(user, domain)?.to_string())
    }

    #[test]
    fn parts_are_put_in_their_places() {
        for (template, expected) in [
            ("{domain}/{user}", "example.org/bob"),
            ("{user}", "bob"),
            ("mail/{user}@{domain}/Maildir", "mail/bob@example.org/Maildir"),
            ("{user}{user}/.x", "bobbob/.x"),
        ] {
            assert_eq!(path(template, "bob", Some("example.org")).as_deref(), Some(expected));
            assert_eq!(template.parse::<Template>().unwrap().to_string(), template);
        }
        assert_eq!(Template::default(), "{domain}/{user}".parse().unwrap());
    }

    #[test]
    fn parts_that_are_no_names_have_no_path() {
        for user in ["", ".", "..", "../x", "a/b", "/etc", ".a", "a\0b", "a\n", &"a".repeat(300)] {
            assert_eq!(path("{domain}/{user}", user, Some("d")), None, "{user:?}");
            assert_eq!(path("{domain}/x{user}x", user, Some("d")), None, "{user:?}");
            assert_eq!(path("{domain}/{user}", "u", Some(user)), None, "{user:?}");
        }
        assert_eq!(path("{domain}/{user}", "u", None), None);
        assert_eq!(path("{user}{user}", &"a".repeat(200), None), None);
    }

    #[test]
    fn what_is_no_template() {
        for text in ["", "{domain}", "/{user}", "{user}/", "../{user}", "{user}/./x", "{usr}", "{user", "}{user}"] {
            assert!(text.parse::<Template>().is_err(), "{text:?}");
        }
    }
}
