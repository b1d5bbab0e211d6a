//! Includes and excludes, as the real rsync obeys them.

use super::sshd::{Rsyncd, Sshd};
use super::*;

fn came(world: &World, include: &[&str], exclude: &[&str]) -> Vec<String> {
    let tree = world.at("kept/tree");
    let _ = fs::create_dir(&tree);
    let workspace = Workspace::new(tree.clone(), Writes::InPlace);
    world.pull(&world.local().include(include).exclude(exclude), &workspace).ok();
    names(&tree)
}

#[test]
fn what_is_included_comes_with_all_below_it_and_nothing_beside_it() {
    let world = World::new();
    for path in [
        "etc/passwd",
        "etc/ssl/private/key",
        "etc2/x",
        "home/a/mail/1",
        "home/a/junk/1",
        "home/b/mail/2",
        "var/lib/dpkg/status",
        "var/lib/dpkg/status-old",
        "var/lib/dpkg/status.d/one",
        "var/lib/other",
        "srv/etc/inner",
        "vmlinuz",
    ] {
        world.write(path, path);
    }
    assert_eq!(
        came(&world, &["/etc", "/vmlinuz"], &["/etc/ssl/private/*"]),
        ["etc", "etc/passwd", "etc/ssl", "etc/ssl/private", "vmlinuz"]
    );
    assert_eq!(
        came(&world, &["/home/*/mail"], &[]),
        ["home", "home/a", "home/a/mail", "home/a/mail/1", "home/b", "home/b/mail", "home/b/mail/2"]
    );
    assert_eq!(
        came(&world, &["/var/lib/dpkg/status*"], &[])[3..],
        [
            "var/lib/dpkg/status",
            "var/lib/dpkg/status-old",
            "var/lib/dpkg/status.d",
            "var/lib/dpkg/status.d/one"
        ]
    );
    assert_eq!(
        came(&world, &["/"], &["/etc", "/home", "/var", "/srv/etc/inner"]),
        ["etc2", "etc2/x", "srv", "srv/etc", "vmlinuz"]
    );
}

#[test]
fn odd_names_are_taken_literally() {
    let world = World::new();
    let odd = [
        " lead", "trail ", "#hash", ";semi", "!bang", "-rf", "+ plus", "- minus", "a\\b", "it's", "\"q\"",
        "$(id)",
    ];
    for name in odd {
        world.write(&format!("{name}/f"), name);
        world.write(&format!("other{name}/f"), name);
    }
    world.write("[x]/f", "");
    world.write("x/f", "");
    for name in odd {
        assert_eq!(came(&world, &[&format!("/{name}")], &[]), [name.to_owned(), format!("{name}/f")]);
        let left = came(&world, &["/"], &[&format!("/{name}")]);
        assert!(!left.contains(&name.to_owned()) && left.contains(&format!("other{name}")), "{name:?}");
    }
    assert_eq!(came(&world, &["/\\[x]"], &[]), ["[x]", "[x]/f"]);
    assert_eq!(came(&world, &["/[x]"], &[]), ["x", "x/f"]);
    assert_eq!(came(&world, &["/a\\\\b/*"], &[]), ["a\\b", "a\\b/f"]);
}

#[test]
fn what_is_included_and_not_there_is_said_and_nothing_at_all_is_a_failure() {
    let world = World::new();
    world.write("etc/passwd", "x");
    std::os::unix::fs::symlink("etc", world.source().join("link")).expect("linked");
    let pulled = world.pull(&world.local().include(&["/etc", "/no/such", "/link"]), &world.tree(1));
    let degraded = pulled.degraded();
    assert!(degraded.iter().any(|text| text.ends_with(": /no/such")), "{degraded:?}");
    assert!(degraded.iter().any(|text| text.contains("/link is a symbolic link")), "{degraded:?}");
    pulled.ok();
    let failure = world.pull(&world.local().include(&["/ect", "/home"]), &world.tree(2)).failed();
    assert!(failure.reason.contains("(/ect, /home)"), "{failure}");
}

#[test]
fn a_source_path_is_a_path_and_no_pattern() {
    let (world, sshd) = (World::new(), Sshd::start());
    let rsyncd = Rsyncd::start(&world.source());
    for name in ["[x]", "x", "a b", "a\\b", "$(id)", "~", "it's", "st*r", "star", "-rf"] {
        world.write(&format!("{name}/is {name}"), "");
    }
    for name in ["[x]", "a b", "a\\b", "$(id)", "~", "it's", "st*r", "-rf"] {
        let path = format!("{}/{name}", world.source().display());
        let mut over_ssh = world.over(&sshd);
        over_ssh.ssh().path = path.parse().expect("a path");
        let local = settings(Source::Local(path.parse().expect("a path")));
        let daemon = settings(Source::Daemon(Daemon {
            host: "127.0.0.1".parse().expect("a host"),
            source: format!("files/{name}").parse().expect("a source"),
            user: None,
            port: rsyncd.port(),
            password_file: None,
        }));
        for settings in [over_ssh, local, daemon] {
            let live = world.in_place();
            world.pull(&settings, &live).ok();
            assert_eq!(names(live.path()), [format!("is {name}")], "{}", settings.source);
        }
    }
}
