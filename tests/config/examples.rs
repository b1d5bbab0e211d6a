//! What is shown to people must work: every sample in conf.d, every example of the man pages.

use crate::tree::Tree;
use std::fs;
use std::path::{Path, PathBuf};

/// A planb.toml with all that samples and examples may refer to.
const HOST: &str = r#"
[storage.main]
type = "directory"
path = "/srv/backups"

[storage.tank]
type = "zfs"
parent = "tank/BACKUP"

[defaults]
storage = "main"

[group.acme]
"#;

fn files(directory: &str, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted))
        .collect();
    files.sort();
    files
}

fn accepts(tree: &Tree, what: &str) {
    let output = tree.planb(&["check"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{what}: {said}");
}

#[test]
fn every_sample_is_valid() {
    let tree = Tree::new();
    tree.write("etc/planb/planb.toml", HOST);
    let samples = files("conf.d", |name| !name.starts_with('.'));
    assert!(samples.len() >= 4, "samples: {samples:?}");
    for sample in samples {
        let name = sample.file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(sample.extension().and_then(|end| end.to_str()), Some("toml"), "{name} is no sample");
        tree.write(&format!("etc/planb/conf.d/{name}"), &fs::read_to_string(&sample).expect("a sample"));
    }
    accepts(&tree, "conf.d");
}

/// An example of a man page: the file it stands for, and its text.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    file: String,
    text: String,
}

/// The examples of a page: each begins with the comment `.\" example: FILE` and ends at `.Ed`.
fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        if let Some(file) = line.strip_prefix(".\\\" example: ") {
            assert!(!open, "an example before {file} does not end: .Ed is missing");
            examples.push(Example { file: file.trim().to_owned(), text: String::new() });
            open = true;
        } else if line == ".Ed" {
            open = false;
        } else if let Some(example) = examples.last_mut().filter(|_| open && !line.starts_with('.')) {
            example.text.push_str(&unescaped(line));
            example.text.push('\n');
        }
    }
    assert!(!open, "the last example does not end: .Ed is missing");
    examples
}

/// A line of roff as it is read: `\e` is a backslash, `\&` nothing, `\-` a dash, `\(dq` a quote, `\(aq` an apostrophe.
fn unescaped(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let (said, length) = match after {
            _ if after.starts_with('e') => ("\\", 1),
            _ if after.starts_with('&') => ("", 1),
            _ if after.starts_with('-') => ("-", 1),
            _ if after.starts_with("(dq") => ("\"", 3),
            _ if after.starts_with("(aq") => ("'", 3),
            _ => panic!("an escape that examples do not use: \\{after}"),
        };
        text.push_str(said);
        rest = &after[length..];
    }
    text + rest
}

#[test]
fn every_example_of_the_man_pages_is_valid() {
    for page in files("man", |name| name.ends_with(|end: char| end.is_ascii_digit())) {
        let text = fs::read_to_string(&page).expect("a man page");
        let examples = examples(&text);
        if page.ends_with("planb.toml.5") {
            assert!(!examples.is_empty(), "{} has examples", page.display());
        }
        for Example { file, text } in examples {
            let tree = Tree::new();
            tree.write("etc/planb/planb.toml", HOST);
            if file == "planb.toml" {
                // Its filesets are the administrator's; one that uses all defaults stands for them.
                tree.write(
                    "etc/planb/conf.d/any.toml",
                    "[rsync]\nhost = \"web1.example\"\ninclude = [\"/\"]\n",
                );
            } else {
                assert!(file.starts_with("conf.d/"), "{}: {file} is no file of ours", page.display());
            }
            tree.write(&format!("etc/planb/{file}"), &text);
            accepts(&tree, &format!("{}: {file}", page.display()));
        }
    }
}

#[test]
fn examples_are_found_between_their_marks() {
    let page = ".Sh EXAMPLES\n.Bd -literal\nnot = marked\n.Ed\n.\\\" example: conf.d/a.toml\n.Bd -literal -offset indent\n\
                include = [\\(dq/etc\\(dq]\n\\&[rsync]\nx = 'a\\eb'\n.Ed\nprose\n";
    let text = "include = [\"/etc\"]\n[rsync]\nx = 'a\\b'\n".to_owned();
    assert_eq!(examples(page), [Example { file: "conf.d/a.toml".into(), text }]);
}
