use super::*;
use crate::fileset::command::CommandLine;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// A world of its own.
struct World {
    root: TempDir,
    stop: Stop,
}

impl World {
    fn new() -> Self {
        let world = Self {
            root: tempfile::tempdir().expect("a directory"),
            stop: Stop::new().expect("a socket pair"),
        };
        fs::DirBuilder::new().create(world.path("keys")).expect("a directory");
        mode(&world.path("keys"), 0o700);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn keys(&self, source: &KeySource) -> Keys {
        Keys::new(&Paths::new(Some(self.root.path().to_owned())), &name(), source)
    }

    /// Of each source that keeps keys.
    fn keepers(&self) -> [Keys; 2] {
        [self.keys(&KeySource::Credential), self.keys(&KeySource::File(self.path("keys/web1")))]
    }

    /// A command that runs this script.
    fn command(&self, script: &str) -> Keys {
        let command = CommandLine::try_from(["/bin/sh", "-c", script].map(str::to_owned).to_vec());
        self.keys(&KeySource::Command(Question {
            command: command.expect("a command"),
            fileset: name(),
            group: Some("acme".parse().expect("a name")),
            dataset: "acme-web1".parse().expect("a name"),
        }))
    }
}

fn name() -> Name {
    "web1".parse().expect("a name")
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

fn slots(keys: &Keys, stop: &Stop) -> Vec<(Slot, Fingerprint)> {
    let candidates = keys.candidates(stop).expect("readable");
    candidates.iter().map(|candidate| (candidate.slot, candidate.key.fingerprint())).collect()
}

/// All files below a directory.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_key_is_made_once_and_found_again() {
    let world = World::new();
    for keys in world.keepers() {
        assert!(keys.find(&world.stop).expect("no trouble").is_none());
        let made = keys.create(&world.stop).expect("made");
        assert_eq!(keys.find(&world.stop).expect("no trouble"), Some(made));
        let again = keys.create(&world.stop).expect_err("there is one");
        assert!(again.to_string().contains("web1 is there already"), "{again}");
        assert!(keys.adopt(&Key::random().expect("random"), &world.stop).is_err());
    }
}

#[test]
fn a_credential_is_encrypted_and_closed_to_others() {
    let world = World::new();
    let keys = world.keys(&KeySource::Credential);
    let key = keys.create(&world.stop).expect("made");
    let directory = world.path("etc/credstore.encrypted");
    let file = directory.join("planb.key.web1");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
    assert_eq!(keys.place(), format!("the credential {}", file.display()));
    // Neither the key nor anything else that a killed writer might leave.
    let all = files_below(world.root.path());
    assert_eq!(all.len(), 2, "the credential and the machine's secret: {all:?}");
    for path in all {
        let bytes = fs::read(path).expect("a file");
        for written in [key.bytes(), &key.hex()] {
            assert!(!bytes.windows(written.len()).any(|window| window == written));
        }
    }
}

#[test]
fn a_credential_that_cannot_be_decrypted_is_an_error_with_a_remedy() {
    let world = World::new();
    let keys = world.keys(&KeySource::Credential);
    keys.create(&world.stop).expect("made");
    let secret = world.path("var/lib/systemd/credential.secret");
    let kept = fs::read(&secret).expect("the machine's secret");
    fs::remove_file(&secret).expect("root's");
    let said = keys.find(&world.stop).expect_err("no secret").to_string();
    assert!(said.contains("restore its ") && said.contains("planb key import --replace web1"), "{said}");
    // Another machine's.
    fs::remove_file(world.path("etc/credstore.encrypted/planb.key.web1")).expect("ours");
    keys.create(&world.stop).expect("made");
    fs::remove_file(&secret).expect("root's");
    fs::write(&secret, kept).expect("written");
    mode(&secret, 0o400);
    assert!(matches!(keys.find(&world.stop), Err(Error::Decrypt { .. })));
    // Nor is one of another fileset taken for ours.
    let directory = world.path("etc/credstore.encrypted");
    let other = Keys { fileset: "web2".parse().expect("a name"), ..keys.clone() };
    other.create(&world.stop).expect("made");
    fs::rename(directory.join("planb.key.web2"), directory.join("planb.key.web1")).expect("renamed");
    let said = keys.find(&world.stop).expect_err("another's").to_string();
    assert!(said.contains("does not match"), "{said}");
}

#[test]
fn existing_key_files_are_read_with_care() {
    let world = World::new();
    let keys = world.keys(&KeySource::File(world.path("keys/web1")));
    let file = world.path("keys/web1");
    let key = Key::random().expect("random");
    let put = |bytes: &[u8]| {
        let _ = fs::remove_file(&file);
        fs::write(&file, bytes).expect("written");
        mode(&file, 0o600);
    };
    let refused = || keys.find(&world.stop).expect_err("refused").to_string();
    for good in [key.bytes(), &key.hex(), &[&key.hex()[..], b"\n"].concat()] {
        put(good);
        assert_eq!(keys.find(&world.stop).expect("readable").as_ref(), Some(&key));
    }
    for bad in [&[][..], &[1; 31], &[1; 33], &[b'x'; 64], &[0; 32], &vec![1; 100_000]] {
        put(bad);
        assert!(matches!(keys.find(&world.stop), Err(Error::Spoilt { .. })), "{} bytes", bad.len());
    }
    put(key.bytes());
    for others in [0o640, 0o604, 0o620, 0o602] {
        mode(&file, others);
        assert!(refused().contains(&format!("chmod go= {}", file.display())), "{others:o}");
    }
    mode(&file, 0o600);
    mode(&world.path("keys"), 0o770);
    assert!(refused().contains(&format!("chmod go-w {}", world.path("keys").display())));
    mode(&world.path("keys"), 0o700);
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(65534), None).expect("root can");
        assert!(refused().contains("belongs to user 65534"));
    }
    fs::remove_file(&file).expect("ours");
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    assert!(refused().contains("no regular file"));
    fs::remove_file(&file).expect("ours");
    std::os::unix::fs::symlink("nowhere", &file).expect("a link");
    // A key that is somewhere, and not here now, is not a key that was never made.
    assert!(matches!(keys.find(&world.stop), Err(Error::Io { .. })));
    assert!(matches!(keys.create(&world.stop), Err(Error::Exists { .. })));

    let nowhere = world.keys(&KeySource::File(world.path("unmounted/web1")));
    assert!(nowhere.find(&world.stop).expect("none").is_none());
    assert!(matches!(nowhere.create(&world.stop), Err(Error::NoDirectory { .. })));
}

#[test]
fn a_command_is_asked_and_makes_no_keys() {
    let world = World::new();
    let hex = "11".repeat(32);
    let key = Key::parse(hex.as_bytes()).expect("a key");
    let keys = world.command(&format!("echo {hex}"));
    assert_eq!(keys.find(&world.stop).expect("said").as_ref(), Some(&key));
    assert_eq!(keys.create(&world.stop).expect("said"), key);
    let raw = world.command("printf 11111111111111111111111111111111");
    assert_eq!(raw.find(&world.stop).expect("said").expect("a key").bytes(), [b'1'; 32]);

    let heard = world.command("echo $PLANB_FILESET $PLANB_GROUP $PLANB_DATASET >&2; env >&2; exit 3");
    let said = heard.find(&world.stop).expect_err("it failed").to_string();
    assert!(said.contains("/bin/sh gave no key: it exited with 3: "), "{said}");
    let variables =
        world.command("test \"$PLANB_FILESET $PLANB_GROUP $PLANB_DATASET\" = 'web1 acme acme-web1'");
    assert!(variables.find(&world.stop).expect("it succeeds").is_none());
    let said = variables.create(&world.stop).expect_err("there is none").to_string();
    assert!(said.contains("/bin/sh knows no key for web1: put one there first"), "{said}");
    assert!(matches!(world.command("echo").create(&world.stop), Err(Error::Unknown { .. })));

    for script in ["echo secret", "head -c 100000 /dev/urandom", &format!("echo {hex}; echo {hex}")] {
        let said = world.command(script).find(&world.stop).expect_err(script);
        assert!(matches!(said, Error::NotAKey { .. }), "{said}");
        assert!(!said.to_string().contains("secret"), "{said}");
    }
    assert!(matches!(keys.pending(&world.stop), Err(Error::NotOurs { .. })));
    assert!(matches!(keys.adopt(&key, &world.stop), Err(Error::NotOurs { .. })));
    assert!(matches!(keys.replace(&key, &world.stop), Err(Error::NotOurs { .. })));
    world.stop.wish();
    assert!(matches!(world.command("sleep 1000").find(&world.stop), Err(Error::Stopped)));
}

#[test]
fn a_rotation_keeps_both_keys_until_the_new_one_has_opened_the_dataset() {
    let world = World::new();
    for keys in world.keepers() {
        let old = keys.create(&world.stop).expect("made").fingerprint();
        let new = keys.pending(&world.stop).expect("made").fingerprint();
        // Killed here, the next rotation goes on with the same key.
        assert_eq!(keys.pending(&world.stop).expect("kept").fingerprint(), new);
        let both = [(Slot::Current, old.clone()), (Slot::Pending, new.clone())];
        assert_eq!(slots(&keys, &world.stop), both);
        // The dataset still has the old one: a program that changes it may be at work.
        keys.settle(Slot::Current).expect("settled");
        assert_eq!(slots(&keys, &world.stop), both);
        keys.settle(Slot::Pending).expect("settled");
        assert_eq!(slots(&keys, &world.stop), [(Slot::Current, new.clone()), (Slot::Previous, old)]);
        keys.settle(Slot::Previous).expect("settled");
        assert_eq!(slots(&keys, &world.stop).len(), 2);
        keys.settle(Slot::Current).expect("settled");
        assert_eq!(slots(&keys, &world.stop), [(Slot::Current, new)]);
    }
}

#[test]
fn a_promotion_that_was_killed_is_gone_on_with() {
    let world = World::new();
    for keys in world.keepers() {
        let old = keys.create(&world.stop).expect("made").fingerprint();
        let new = keys.pending(&world.stop).expect("made").fingerprint();
        let files = keys.files().expect("files");
        // The old one has both names, the new one not yet its own.
        fs::hard_link(&files.current, &files.previous).expect("a link");
        assert_eq!(slots(&keys, &world.stop).len(), 3);
        assert!(matches!(keys.create(&world.stop), Err(Error::Exists { .. })));
        keys.settle(Slot::Pending).expect("settled");
        assert_eq!(slots(&keys, &world.stop), [(Slot::Current, new.clone()), (Slot::Previous, old)]);
        // Neither is one lost that stands alone, nor made anew what is there under another name.
        fs::remove_file(&files.current).expect("ours");
        assert!(matches!(keys.create(&world.stop), Err(Error::Exists { .. })));
        let newer = keys.pending(&world.stop).expect("made").fingerprint();
        keys.settle(Slot::Pending).expect("settled");
        assert_eq!(
            slots(&keys, &world.stop).iter().map(|(slot, _)| *slot).collect::<Vec<_>>(),
            [Slot::Current, Slot::Previous]
        );
        assert_eq!(slots(&keys, &world.stop)[0].1, newer);
        fs::remove_file(&files.current).expect("ours");
        fs::remove_file(&files.previous).expect("ours");
    }
}

#[test]
fn what_an_import_replaces_is_kept_as_the_previous_key() {
    let world = World::new();
    for keys in world.keepers() {
        let wrong = keys.create(&world.stop).expect("made").fingerprint();
        let right = Key::random().expect("random");
        keys.replace(&right, &world.stop).expect("replaced");
        let both = [(Slot::Current, right.fingerprint()), (Slot::Previous, wrong)];
        assert_eq!(slots(&keys, &world.stop), both);
    }
    // One that cannot even be read is in nobody's way, and one that can is offered beside it.
    let keys = world.keys(&KeySource::Credential);
    fs::write(keys.files().expect("files").current, "garbage").expect("written");
    assert_eq!(slots(&keys, &world.stop).len(), 1);
    fs::remove_file(keys.files().expect("files").previous).expect("ours");
    assert!(matches!(keys.candidates(&world.stop), Err(Error::Decrypt { .. })));
    keys.replace(&Key::random().expect("random"), &world.stop).expect("replaced");
}

#[test]
fn whether_a_key_is_there_is_seen_from_outside() {
    let world = World::new();
    for keys in world.keepers() {
        assert_eq!(keys.is_there().expect("looked"), Some(false), "{}", keys.place());
        keys.create(&world.stop).expect("a key");
        assert_eq!(keys.is_there().expect("looked"), Some(true), "{}", keys.place());
        let path = keys.paths().into_iter().next().expect("a file");
        // What a rotation left is a key as well; what has nothing in it is none.
        let pending = keys.paths().into_iter().nth(1).expect("another");
        fs::rename(&path, &pending).expect("renamed");
        assert_eq!(keys.is_there().expect("looked"), Some(true), "{}", keys.place());
        fs::write(&pending, "").expect("emptied");
        assert_eq!(keys.is_there().expect("looked"), Some(false), "{}", keys.place());
        // As a link to a disk that is not mounted.
        std::os::unix::fs::symlink(world.path("elsewhere/key"), &path).expect("a link");
        assert_eq!(keys.is_there().expect("looked"), Some(false), "{}", keys.place());
    }
    // It is not asked: this one would say so.
    let command = world.command("touch asked; exit 1");
    assert_eq!(command.is_there().expect("looked"), None);
}
