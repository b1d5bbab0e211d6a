//! What Prometheus reads, and what its dashboard shows of it.

use crate::world::World;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// Debian's, which has Debian's modules.
pub const PYTHON: &str = "/usr/bin/python3";

/// Reads standard input as the reference parsers of OpenMetrics and of Prometheus' text format do.
const PARSE: &str = r"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
text = sys.stdin.read()
def samples(parse):
    return sorted((s.name, sorted(s.labels.items()), s.value) for family in parse(text) for s in family.samples)
assert samples(openmetrics) == samples(prometheus)
for name, labels, value in samples(openmetrics):
    print(name, ','.join('%s=%s' % pair for pair in labels), '%d' % value)
";

/// The samples as the parsers read them; nothing where they are not installed.
fn parsed(text: &str) -> Option<Vec<String>> {
    let known = Command::new(PYTHON).args(["-c", "import prometheus_client.openmetrics.parser"]).output();
    if !known.is_ok_and(|known| known.status.success()) {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "Debian: python3-prometheus-client");
        return None;
    }
    let mut python = Command::new(PYTHON)
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python");
    python.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{text}");
    Some(String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect())
}

#[test]
fn metrics_are_what_prometheus_reads_and_never_half_a_file() {
    let world = World::with("slots = 4");
    world.write("f", "f");
    world.local("web1", "group = \"acme\"\nschedule = \"daily\"", "");
    fs::write(world.at("root/etc/planb/conf.d/web 2 \"x\".toml"), "").expect("written");
    let settings = fs::read_to_string(world.at("root/etc/planb/planb.toml")).expect("read");
    fs::write(world.at("root/etc/planb/planb.toml"), settings + "[group.acme]\n").expect("written");
    world.good_run("web1");
    let printed = world.planb(&["metrics"]);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    if let Some(samples) = parsed(&printed.stdout) {
        for sample in [
            "planb_slots  4",
            "planb_filesets state=idle 1",
            "planb_filesets state=invalid 1",
            "planb_fileset_info fileset=web1,group=acme,storage=disk,transport=rsync 1",
            "planb_fileset_problem_level fileset=web1 0",
            "planb_fileset_problem_level fileset=web 2 \"x\" 2",
            "planb_fileset_last_result fileset=web1,result=success 1",
            "planb_fileset_last_result fileset=web1,result=failure 0",
            "planb_fileset_snapshots fileset=web1 1",
            "planb_fileset_size_bytes fileset=web1 1",
            "planb_fileset_newest_snapshot_timestamp_seconds fileset=web1 1772420460",
        ] {
            assert!(samples.iter().any(|found| found == sample), "{sample} is not in {samples:#?}");
        }
    }
    let file = world.at("planb.prom");
    fs::write(&file, "old").expect("written");
    assert_eq!(world.planb(&["metrics", "--output", file.to_str().expect("utf-8")]).code, 0);
    assert!(fs::read_to_string(&file).expect("read").ends_with("# EOF\n"));
    let beside = fs::read_dir(world.at("")).expect("listed").filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("planb.prom"))
    });
    assert_eq!(beside.count(), 1);
    let full = world.planb(&["metrics", "--output", "/dev/full/planb.prom"]);
    assert_eq!(full.code, 1, "{}", full.stderr);
}

/// Every string in a document.
pub fn strings<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(all) => all.iter().for_each(|value| strings(value, found)),
        Value::Object(all) => all.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_what_is_measured() {
    let world = World::new();
    world.write("f", "f");
    world.local("web1", "", "");
    world.good_run("web1");
    let text = world.planb(&["metrics"]).stdout;
    let dashboard =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/hooks/prometheus/dashboard.json"))
            .expect("read");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let mut texts = Vec::new();
    strings(&dashboard, &mut texts);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names =
        texts.iter().flat_map(|text| text.split(|c| !is_name(c))).filter(|word| word.starts_with("planb_"));
    let mut seen = 0;
    for name in names {
        assert!(text.contains(&format!("# TYPE {name} gauge")), "{name} is not measured");
        seen += 1;
    }
    assert!(seen > 10);
}
