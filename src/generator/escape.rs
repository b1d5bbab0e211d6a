//! Text in unit files (systemd.syntax(7), systemd.unit(5) "Specifiers").
//!
//! Control characters have no way into a unit file, and none into a path of the configuration.

/// A value that is taken whole: only `%` means something in it.
pub fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// One word of a value that is a list, or one part of a word whose parts are separated by colons: quoted, since
/// spaces and colons separate, and so are quotes and backslashes.
pub fn quoted(text: &str) -> String {
    let text = specifiers(text).replace('\\', r"\\").replace('"', r#"\""#);
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_loses_it() {
        assert_eq!(specifiers("/srv/100%"), "/srv/100%%");
        assert_eq!(quoted("/srv/web1"), r#""/srv/web1""#);
        assert_eq!(quoted(r#"/a b/%n/c:d/"e'/\f"#), r#""/a b/%%n/c:d/\"e'/\\f""#);
    }
}
