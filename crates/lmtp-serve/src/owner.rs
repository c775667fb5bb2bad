//! Users and groups, by name or number.

use nix::unistd::{Group, User};

/// The number of that user; nobody if there is no name.
///
/// # Errors
///
/// Nobody is called that.
pub(crate) fn user(name: &str) -> Result<Option<u32>, String> {
    number(name, "user", |name| Ok(User::from_name(name)?.map(|user| user.uid.as_raw())))
}

/// The number of that group; none if there is no name.
///
/// # Errors
///
/// None is called that.
pub(crate) fn group(name: &str) -> Result<Option<u32>, String> {
    number(name, "group", |name| Ok(Group::from_name(name)?.map(|group| group.gid.as_raw())))
}

fn number(name: &str, kind: &str, find: impl Fn(&str) -> nix::Result<Option<u32>>) -> Result<Option<u32>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    // As chown does it: a name of digits is a name first.
    match find(name) {
        Ok(Some(number)) => Ok(Some(number)),
        Ok(None) => name.parse().map(Some).map_err(|_| format!("there is no {kind} {name:?}")),
        Err(error) => Err(format!("{kind} {name:?}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_or_number() {
        assert_eq!((user(""), group("")), (Ok(None), Ok(None)));
        assert_eq!((user("root"), group("root")), (Ok(Some(0)), Ok(Some(0))));
        assert_eq!(user("4294967294"), Ok(Some(4_294_967_294)));
        for name in ["nobody of that name", "-1", "4294967296"] {
            let (user, group) = (user(name).unwrap_err(), group(name).unwrap_err());
            assert!(user.contains(name) && group.contains("group"), "{user}, {group}");
        }
    }
}
