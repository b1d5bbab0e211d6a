//! The shipped hooks, as they are, against what they talk to: the real `zabbix_sender` and `curl` speak to servers made
//! here that know their protocols and write down what they hear.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// What PlanB puts into a hook's environment, all of it.
fn environment(result: &str) -> BTreeMap<&'static str, String> {
    let failed = result != "success";
    [
        ("PLANB_FILESET", "web1"),
        ("PLANB_GROUP", "acme"),
        ("PLANB_TAGS", "gold"),
        ("PLANB_RESULT", result),
        ("PLANB_ERROR", if failed { "ssh: \"no\" route to $host & `more`" } else { "" }),
        ("PLANB_RUN_ID", "0123456789abcdef0123456789abcdef"),
        ("PLANB_TRIGGER", "timer"),
        ("PLANB_STARTED", "1767323045"),
        ("PLANB_FINISHED", "1767323135"),
        ("PLANB_DURATION", "90"),
        ("PLANB_SNAPSHOT", if failed { "" } else { "planb-20260102T0304Z" }),
        ("PLANB_DATASET", "web1"),
        ("PLANB_PATH", if failed { "" } else { "/srv/backups/web1/data" }),
        ("PLANB_BYTES_TRANSFERRED", ""),
        ("PLANB_FILES_TRANSFERRED", ""),
        ("PLANB_SIZE", ""),
        ("PLANB_LAST_SUCCESS", if failed { "1767236645" } else { "1767323135" }),
        ("PLANB_FIRST_FAILURE", ""),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// Runs a shipped hook in a clean environment with its settings in `etc`.
#[expect(clippy::disallowed_methods, reason = "a test from outside starts programs itself")]
fn hook(name: &str, etc: &Path, environment: &BTreeMap<&str, String>, more: &[(&str, &str)]) -> Output {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks").join(name);
    let output = Command::new(path)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("PLANB_ETC", etc)
        .envs(environment)
        .envs(more.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null())
        .output();
    output.expect("it can be started")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A server on a port of its own that answers every connection and keeps what it heard.
struct Server {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    fn start(answer: fn(TcpStream) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut heard = Vec::new();
            for stream in listener.incoming() {
                if seen.load(Ordering::SeqCst) {
                    break;
                }
                heard.push(answer(stream.expect("a connection")));
            }
            heard
        });
        Self { address, over, thread }
    }

    /// All that was heard.
    fn stop(self) -> Vec<String> {
        self.over.store(true, Ordering::SeqCst);
        // It waits for a connection: this is the last.
        drop(TcpStream::connect(self.address));
        self.thread.join().expect("the server did not panic")
    }
}

/// The trapper's side of the Zabbix sender protocol: "ZBXD", flags, lengths, JSON; answered in the same way.
fn trapper(mut stream: TcpStream) -> String {
    let mut header = [0; 13];
    stream.read_exact(&mut header).expect("a header");
    assert_eq!(&header[..5], b"ZBXD\x01");
    let length = u32::from_le_bytes(header[5..9].try_into().expect("four bytes"));
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).expect("a body");
    let request: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(request["request"], "sender data");
    let items = request["data"].as_array().expect("items");
    let answer = format!(
        r#"{{"response":"success","info":"processed: {0}; failed: 0; total: {0}; seconds spent: 0.000055"}}"#,
        items.len()
    );
    let length = u32::try_from(answer.len()).expect("short").to_le_bytes();
    let reply = [b"ZBXD\x01", &length[..], &[0; 4], answer.as_bytes()].concat();
    stream.write_all(&reply).expect("it listens");
    let text = |item: &serde_json::Value, field: &str| item[field].as_str().expect("text").to_owned();
    let items: Vec<String> = items
        .iter()
        .map(|item| format!("{} {}={}", text(item, "host"), text(item, "key"), text(item, "value")))
        .collect();
    items.join("\n")
}

/// Enough of HTTP to be pinged.
fn pinged(stream: TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request).expect("a request");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        if let Some((name, value)) = line.trim().split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a number");
            }
        } else {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let code = if request.contains("/gone") { "404 Not Found" } else { "200 OK" };
    let reply = format!("HTTP/1.1 {code}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.into_inner().write_all(reply.as_bytes()).expect("it listens");
    let target = request.split(' ').nth(1).expect("a target");
    format!("{target} {}", String::from_utf8_lossy(&body)).trim().to_owned()
}

const RESULTS: [&str; 6] = ["success", "deferred", "failure", "timeout", "interrupted", "killed"];

#[test]
fn zabbix_hears_of_successes_alone() {
    let etc = tempfile::tempdir().expect("a directory");
    let server = Server::start(trapper);
    let agent = etc.path().join("zabbix_agentd.conf");
    fs::write(&agent, format!("ServerActive={}\nHostname=backup1\n", server.address))
        .expect("it can be written");
    fs::write(etc.path().join("zabbix"), format!("# ours\n\nconfig {}\n", agent.display()))
        .expect("it can be written");
    for result in RESULTS {
        let output = hook("50-zabbix-sender", etc.path(), &environment(result), &[]);
        assert!(output.status.success(), "{result}: {}", said(&output));
    }
    assert_eq!(server.stop(), ["backup1 planb.get_latest[web1]=1767323135"]);

    // Nobody listens there any more: the hook fails, and a failed backup still has nothing to say.
    assert!(!hook("50-zabbix-sender", etc.path(), &environment("success"), &[]).status.success());
    assert!(hook("50-zabbix-sender", etc.path(), &environment("failure"), &[]).status.success());
}

#[test]
fn zabbix_hears_every_result_where_asked_to() {
    let etc = tempfile::tempdir().expect("a directory");
    let server = Server::start(trapper);
    let agent = etc.path().join("agent.conf");
    fs::write(&agent, format!("ServerActive={}\nHostname=backup1\n", server.address))
        .expect("it can be written");
    let settings = format!("config {}\nhost other\nresult yes\n", agent.display());
    fs::write(etc.path().join("zabbix"), settings).expect("it can be written");
    for result in ["success", "failure"] {
        let output = hook("50-zabbix-sender", etc.path(), &environment(result), &[]);
        assert!(output.status.success(), "{result}: {}", said(&output));
    }
    assert_eq!(
        server.stop(),
        [
            "other planb.get_latest[web1]=1767323135\nother planb.result[web1]=success",
            "other planb.result[web1]=failure"
        ]
    );
    fs::write(etc.path().join("zabbix"), "hots other\n").expect("it can be written");
    let output = hook("50-zabbix-sender", etc.path(), &environment("success"), &[]);
    assert!(said(&output).contains("hots is not known") && output.status.code() == Some(2));
}

/// Plays runs to 50-mail as PlanB tells of them; returns the mails sent after each.
fn mails(etc: &Path, runs: &[(&str, &str, &str)]) -> Vec<Option<String>> {
    let sendmail = etc.join("sendmail");
    let mail = etc.join("sent");
    fs::write(&sendmail, format!("#!/bin/sh\n[ \"$*\" = '-i -t' ] || exit 64\ncat >{}\n", mail.display()))
        .expect("it can be written");
    fs::set_permissions(&sendmail, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let sendmail = sendmail.to_str().expect("utf-8");
    runs.iter()
        .map(|&(result, started, first_failure)| {
            let mut environment = environment(result);
            environment.insert("PLANB_STARTED", started.to_owned());
            environment.insert("PLANB_FIRST_FAILURE", first_failure.to_owned());
            let output = hook("50-mail", etc, &environment, &[("PLANB_SENDMAIL", sendmail)]);
            assert!(output.status.success(), "{result}: {}", said(&output));
            let sent = fs::read_to_string(&mail).ok();
            let _ = fs::remove_file(&mail);
            sent
        })
        .collect()
}

#[test]
fn mail_tells_of_the_first_failure_and_of_the_recovery() {
    let etc = tempfile::tempdir().expect("a directory");
    // Result, start, PLANB_FIRST_FAILURE.
    let runs = [
        ("success", "100", ""),
        ("deferred", "200", ""),
        ("failure", "300", "300"),
        ("timeout", "400", "300"),
        ("deferred", "500", "300"),
        ("interrupted", "600", "300"),
        ("killed", "700", "300"),
        ("success", "800", "300"),
        ("success", "900", ""),
        ("killed", "1000", "1000"),
    ];
    let mails = mails(etc.path(), &runs);
    let sent: Vec<&str> =
        runs.iter().zip(&mails).filter(|(_, mail)| mail.is_some()).map(|(run, _)| run.1).collect();
    assert_eq!(sent, ["300", "800", "1000"]);

    let failure = mails[2].as_deref().expect("sent");
    let (head, body) = failure.split_once("\n\n").expect("a head and a body");
    assert!(
        head.starts_with("To: root\nSubject: [planb ") && head.contains("] backup of web1 failed\n"),
        "{head}"
    );
    assert!(body.contains("ssh: \"no\" route to $host & `more`\n"), "{body}");
    assert!(body.contains("last success   2026-01-01 03:04:05 UTC\n"), "{body}");
    assert!(body.contains("started        1970-01-01 00:05:00 UTC\n"), "{body}");

    let recovery = mails[7].as_deref().expect("sent");
    assert!(recovery.contains("] backup of web1 works again\n"), "{recovery}");
    assert!(recovery.contains("failing since  1970-01-01 00:05:00 UTC\n"), "{recovery}");
    assert!(!recovery.contains("failed"), "{recovery}");
}

#[test]
fn mail_goes_where_the_settings_say() {
    let etc = tempfile::tempdir().expect("a directory");
    fs::write(etc.path().join("mail"), "# who\nann@acme.example\n\n  bob@acme.example # at night\n")
        .expect("it can be written");
    let sent = mails(etc.path(), &[("failure", "300", "300")]);
    assert!(sent[0].as_deref().expect("sent").starts_with("To: ann@acme.example,bob@acme.example\n"));
}

#[test]
fn a_mail_that_cannot_be_sent_is_a_failed_hook() {
    let etc = tempfile::tempdir().expect("a directory");
    let mut environment = environment("failure");
    environment.insert("PLANB_FIRST_FAILURE", environment["PLANB_STARTED"].clone());
    let output = hook("50-mail", etc.path(), &environment, &[("PLANB_SENDMAIL", "/no/such/program")]);
    assert!(!output.status.success());
}

#[test]
fn healthchecks_are_pinged_by_result() {
    let etc = tempfile::tempdir().expect("a directory");
    let server = Server::start(pinged);
    let urls = format!(
        "# fileset url\n* http://{0}/key/{{fileset}}\nweb1 http://{0}/uuid\nbad http://{0}/gone\n",
        server.address
    );
    fs::write(etc.path().join("healthchecks"), urls).expect("it can be written");
    let ping = |fileset: &str, result: &str| {
        let mut environment = environment(result);
        environment.insert("PLANB_FILESET", fileset.to_owned());
        hook("50-healthchecks", etc.path(), &environment, &[])
    };
    for result in RESULTS {
        let output = ping("web1", result);
        assert!(output.status.success(), "{result}: {}", said(&output));
    }
    assert!(ping("other", "success").status.success());
    let output = ping("bad", "success");
    assert!(!output.status.success() && said(&output).contains("404"), "{}", said(&output));
    let error = "ssh: \"no\" route to $host & `more`";
    assert_eq!(
        server.stop(),
        [
            "/uuid".to_owned(),
            format!("/uuid/log {error}"),
            format!("/uuid/fail {error}"),
            format!("/uuid/fail {error}"),
            format!("/uuid/log {error}"),
            format!("/uuid/fail {error}"),
            "/key/other".to_owned(),
            "/gone".to_owned(),
        ]
    );
    fs::write(etc.path().join("healthchecks"), "web1 http://127.0.0.1:1/\n").expect("it can be written");
    assert!(ping("web2", "success").status.success(), "a fileset without a line pings nothing");
    fs::remove_file(etc.path().join("healthchecks")).expect("it is there");
    assert!(said(&ping("web1", "success")).contains("is missing"));
}

#[test]
fn where_there_is_no_curl_wget_pings() {
    let etc = tempfile::tempdir().expect("a directory");
    let server = Server::start(pinged);
    fs::write(etc.path().join("healthchecks"), format!("* http://{}/uuid\n", server.address))
        .expect("it can be written");
    std::os::unix::fs::symlink("/usr/bin/wget", etc.path().join("wget")).expect("it can be made");
    let path = etc.path().to_str().expect("utf-8");
    for result in ["success", "failure"] {
        let output = hook("50-healthchecks", etc.path(), &environment(result), &[("PATH", path)]);
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(server.stop(), ["/uuid", "/uuid/fail"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test from outside starts programs itself")]
fn shipped_hooks_are_executable_and_shellcheck_finds_nothing() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks");
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        if path.is_dir() {
            // What other programs import, which nobody may take for a hook.
            for file in fs::read_dir(&path).expect("a directory") {
                let file = file.expect("an entry").path();
                assert_eq!(mode(&file), 0o644, "{}", file.display());
            }
            continue;
        }
        assert_eq!(mode(&path), 0o755, "{}", path.display());
        let text = fs::read_to_string(&path).expect("text");
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(text.starts_with("#!/bin/sh\n# ") && text.contains("\nset -eu\n"), "{name}");
        let link = format!("ln -s /usr/share/planb/hooks/{name} /etc/planb/post-backup.d/");
        assert!(text.contains(&link), "{name} does not say how to use it");
        let checked = Command::new("shellcheck").arg(&path).output().expect("shellcheck is installed");
        assert!(checked.status.success(), "{}", said(&checked));
    }
}
