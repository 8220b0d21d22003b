//! Users and groups of the local files.

/// The fields of the first entry of a text in the format of `/etc/passwd` that matches.
pub(crate) fn entry_of(text: &str, matches: impl Fn(&[&str]) -> bool) -> Option<Vec<String>> {
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| matches(fields));
    fields.map(|fields| fields.into_iter().map(str::to_owned).collect())
}

/// The text of a database; empty if it cannot be read.
pub(crate) fn local(database: &str) -> String {
    let text = std::fs::read(format!("/etc/{database}")).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// The number of a user, given as such or by a name of `/etc/passwd`.
pub fn local_user(name: &str) -> Option<u32> {
    let number = match name.bytes().all(|byte| byte.is_ascii_digit()) {
        true => name.to_owned(),
        false => entry_of(&local("passwd"), |fields| fields.first() == Some(&name))?.get(2)?.clone(),
    };
    // `chown` takes this number as "no change".
    number.parse().ok().filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_number_or_a_local_name() {
        for (name, expected) in
            [("0", Some(0)), ("64001", Some(64_001)), ("root", Some(0)), ("4294967295", None)]
        {
            assert_eq!(local_user(name), expected, "{name}");
        }
        for name in ["", "-1", "+1", "1.5", "nobody-has-this-name", "root:x", "4294967296"] {
            assert_eq!(local_user(name), None, "{name}");
        }
    }
}
