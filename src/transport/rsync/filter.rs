//! `include` and `exclude` as rsync's filter rules.
//!
//! rsync reads rules from the top and obeys the first that matches, directory by directory on its way down: a
//! directory that no rule lets in is never looked into. Hence the parents of every include, and hence excludes first.

use super::words::Pattern;

/// The rules as the text of a merge file, one a line.
///
/// A file instead of `--filter` arguments, because it can be read after a run gone wrong, and because no number of
/// patterns is too many for it. A rule's kind and one space are taken off a line and the rest is the pattern, byte for
/// byte: spaces at either end, `#`, `;` and `!` are as safe in it as any other. A pattern has no control characters,
/// so no line has two.
///
/// Patterns are rsync's (rsync(1), PATTERN MATCHING RULES): `*`, `?` and `[` are wildcards, and in a pattern with a
/// wildcard (and only there) a backslash makes the next character plain: `/srv/\[x]*`.
pub fn rules(include: &[Pattern], exclude: &[Pattern]) -> String {
    let mut rules: Vec<String> = exclude.iter().map(|pattern| format!("- {}", pattern.as_str())).collect();
    let all = include.iter().any(|pattern| steps(pattern).is_empty());
    if !all {
        for pattern in include {
            let mut path = String::new();
            for step in steps(pattern) {
                if !path.is_empty() {
                    once(&mut rules, format!("+ {}/", parent(pattern, &path)));
                }
                path.push('/');
                path.push_str(step);
            }
            // Whatever it is over there: a file, or a directory with all that is in it. A wildcard can meet both.
            if !pattern.as_str().ends_with('/') {
                once(&mut rules, format!("+ {path}"));
            }
            // A plain name has no escapes until it gets a wildcard, and here it gets one.
            let path = if wild(&path) { path } else { path.replace('\\', "\\\\") };
            once(&mut rules, format!("+ {path}/***"));
        }
        rules.push("- *".to_owned());
    }
    rules.iter().flat_map(|rule| [rule.as_str(), "\n"]).collect()
}

/// The include as a path below the source, where it names one and not many.
pub fn plain_path(pattern: &Pattern) -> Option<String> {
    Some(steps(pattern).join("/")).filter(|path| !wild(path) && !path.is_empty())
}

/// The steps from the source down to the pattern's last one. None for the source itself.
fn steps(pattern: &Pattern) -> Vec<&str> {
    pattern.as_str().split('/').filter(|step| !matches!(*step, "" | ".")).collect()
}

/// A parent without a wildcard of a pattern with one: rsync would take its escapes for names.
fn parent(pattern: &Pattern, path: &str) -> String {
    if wild(path) || !wild(pattern.as_str()) {
        return path.to_owned();
    }
    let mut plain = String::with_capacity(path.len());
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    plain
}

fn wild(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Shared parents are said once: on a host with a hundred includes below /srv it is what makes the file readable.
fn once(rules: &mut Vec<String>, rule: String) {
    if !rules.contains(&rule) {
        rules.push(rule);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(include: &[&str], exclude: &[&str]) -> Vec<String> {
        let words = |texts: &[&str]| -> Vec<Pattern> {
            texts.iter().map(|text| text.parse().expect("a pattern")).collect()
        };
        rules(&words(include), &words(exclude)).lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_include_brings_its_parents_and_all_below_it_and_nothing_else() {
        assert_eq!(written(&["/etc"], &[]), ["+ /etc", "+ /etc/***", "- *"]);
        assert_eq!(
            written(&["/var/lib/dpkg/status*", "/var/www"], &["*.cache", "/etc/ssl/private"]),
            [
                "- *.cache",
                "- /etc/ssl/private",
                "+ /var/",
                "+ /var/lib/",
                "+ /var/lib/dpkg/",
                "+ /var/lib/dpkg/status*",
                "+ /var/lib/dpkg/status*/***",
                "+ /var/www",
                "+ /var/www/***",
                "- *",
            ]
        );
        assert_eq!(written(&["/home/*/mail"], &[])[..2], ["+ /home/", "+ /home/*/"]);
    }

    #[test]
    fn the_source_itself_is_everything() {
        assert_eq!(written(&["/"], &["/proc/*"]), ["- /proc/*"]);
        assert_eq!(written(&["/etc", "//."], &[]), Vec::<String>::new());
    }

    #[test]
    fn a_directory_named_as_one_takes_no_file() {
        assert_eq!(written(&["/srv/a/"], &[]), ["+ /srv/", "+ /srv/a/***", "- *"]);
    }

    #[test]
    fn odd_names_stay_what_they_are() {
        assert_eq!(
            written(&["/ lead ", "/#a", "/-rf"], &[" x "])[..3],
            ["-  x ", "+ / lead ", "+ / lead /***"]
        );
        assert_eq!(written(&["/a\\b"], &[])[..2], ["+ /a\\b", "+ /a\\\\b/***"]);
        assert_eq!(written(&["/\\[x]"], &[])[..2], ["+ /\\[x]", "+ /\\[x]/***"]);
        assert_eq!(written(&["/a\\\\b/*.c"], &[])[..2], ["+ /a\\b/", "+ /a\\\\b/*.c"]);
    }
}
