//! The template for Zabbix: of the form that Zabbix imports, and about what there is.
//!
//! Servers of 6.0 and 7.0 import it. What they check is checked here, as their manual has it (`manual/xml_export_import`), so
//! that a change which they would refuse is noticed without one.

use crate::metrics::{PYTHON, strings};
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// A YAML file as JSON; nothing where python cannot read it.
fn yaml(path: &str) -> Option<Value> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let output = Command::new(PYTHON).args(["-c", script]).arg(path).output().expect("python");
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("No module named 'yaml'"), "{said}");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "Debian: python3-yaml");
        return None;
    }
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn the_template_for_zabbix_asks_for_what_there_is() {
    let Some(template) = yaml("hooks/zabbix/template.yaml") else { return };
    let world = World::new();
    world.local("web1", "", "");
    let json = |args: &[&str]| serde_json::from_str::<Value>(&world.planb(args).stdout).expect("JSON");
    let (summary, discovered) = (json(&["monitor", "--zabbix"]), json(&["list", "--zabbix"]));
    let mut texts = Vec::new();
    strings(&template, &mut texts);

    let paths: Vec<&str> = texts.iter().filter_map(|text| text.strip_prefix("$.")).collect();
    for path in &paths {
        assert!(summary.get(path).is_some(), "{path} is not in {summary:#}");
    }
    for field in summary.as_object().expect("an object").keys() {
        assert!(paths.contains(&field.as_str()), "the template has no item for {field}");
    }
    let mut macros: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.split("{#").skip(1))
        .filter_map(|rest| rest.split('}').next())
        .collect();
    macros.sort_unstable();
    macros.dedup();
    let known: Vec<String> = discovered["data"][0]
        .as_object()
        .expect("an object")
        .keys()
        .map(|key| key[2..key.len() - 1].to_owned())
        .collect();
    assert!(macros.iter().all(|name| known.iter().any(|key| key == name)), "{macros:?} {known:?}");

    let agent =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/hooks/zabbix/planb.conf")).expect("read");
    for line in agent.lines().filter_map(|line| line.strip_prefix("UserParameter=")) {
        let (key, command) = line.split_once(',').expect("a key and a command");
        assert!(texts.contains(&key), "{key}");
        let args: Vec<&str> = command.split("/usr/bin/planb ").nth(1).expect("planb").split(' ').collect();
        assert_eq!(world.planb(&args).code, 0, "{command}");
    }
    let mut ids: Vec<&str> = texts
        .iter()
        .copied()
        .filter(|text| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), all > 20), (all, true));
}

/// An element of a template, by where it may be: what it must have, and what it may have beside that.
struct Form {
    must: &'static [&'static str],
    may: &'static [&'static str],
}

const TOP: Form = Form { must: &["version", "groups", "templates"], may: &["date"] };
const GROUP: Form = Form { must: &["uuid", "name"], may: &[] };
const TEMPLATE: Form =
    Form { must: &["uuid", "template", "name", "groups"], may: &["description", "items", "discovery_rules"] };
const ITEM: Form = Form {
    must: &["uuid", "name", "key"],
    may: &[
        "type",
        "delay",
        "history",
        "trends",
        "value_type",
        "units",
        "description",
        "preprocessing",
        "master_item",
        "tags",
        "triggers",
        "trigger_prototypes",
    ],
};
const RULE: Form =
    Form { must: &["uuid", "name", "key", "delay"], may: &["lifetime", "description", "item_prototypes"] };
const TRIGGER: Form =
    Form { must: &["uuid", "expression", "name"], may: &["event_name", "priority", "description", "tags"] };
const STEP: Form = Form { must: &["type", "parameters"], may: &["error_handler"] };
const TAG: Form = Form { must: &["tag"], may: &["value"] };

/// The element, which has to be of this form. Every value in it is a text, a list or an element: YAML's own numbers are none.
#[track_caller]
fn is<'v>(element: &'v Value, form: &Form) -> &'v Value {
    let fields = element.as_object().unwrap_or_else(|| panic!("no element: {element}"));
    for name in form.must {
        assert!(fields.contains_key(*name), "{name} is missing: {element:#}");
    }
    for (name, value) in fields {
        assert!(
            form.must.contains(&name.as_str()) || form.may.contains(&name.as_str()),
            "{name}: {element:#}"
        );
        assert!(value.is_string() || value.is_array() || value.is_object(), "{name} is no text: {element:#}");
    }
    if let Some(id) = fields.get("uuid") {
        // RFC 9562: of version 4, and 32 digits without a dash.
        let id = id.as_str().expect("a text").as_bytes();
        assert!(id.len() == 32 && id[12] == b'4' && b"89ab".contains(&id[16]), "{element:#}");
    }
    element
}

fn each<'v>(element: &'v Value, list: &str) -> impl Iterator<Item = &'v Value> {
    element.get(list).and_then(Value::as_array).into_iter().flatten()
}

/// The value, which has to be one of these where there is one.
#[track_caller]
fn one_of<'v>(element: &'v Value, name: &str, words: &[&str]) -> &'v str {
    let word = element.get(name).map_or("", |word| word.as_str().expect("a text"));
    assert!(word.is_empty() || words.contains(&word), "{name} = {word:?}: {element:#}");
    word
}

fn item<'v>(item: &'v Value, keys: &mut BTreeSet<&'v str>) {
    let kind = one_of(is(item, &ITEM), "type", &["DEPENDENT", "TRAP"]);
    assert!(keys.insert(item["key"].as_str().expect("a text")), "twice: {item:#}");
    if kind.is_empty() {
        assert_ne!(item["delay"], "0", "it is asked for: {item:#}");
    } else {
        assert_eq!(item["delay"], "0", "nobody asks for it: {item:#}");
    }
    assert_eq!(kind == "DEPENDENT", item.get("master_item").is_some(), "{item:#}");
    if !one_of(item, "value_type", &["CHAR", "TEXT", "FLOAT"]).is_empty() {
        assert_eq!(item["trends"], "0", "words have none: {item:#}");
    }
    for step in each(item, "preprocessing") {
        one_of(is(step, &STEP), "type", &["JSONPATH", "MATCHES_REGEX"]);
        one_of(step, "error_handler", &["DISCARD_VALUE"]);
        assert_eq!(step["parameters"].as_array().map(Vec::len), Some(1), "{step:#}");
    }
    let triggers = || each(item, "triggers").chain(each(item, "trigger_prototypes"));
    for tag in each(item, "tags").chain(triggers().flat_map(|trigger| each(trigger, "tags"))) {
        is(tag, &TAG);
    }
    for trigger in triggers() {
        one_of(is(trigger, &TRIGGER), "priority", &["INFO", "WARNING", "AVERAGE", "HIGH", "DISASTER"]);
        // In an event's name the template's is not replaced by the host's, as it is in an expression.
        assert!(!trigger["event_name"].as_str().is_some_and(|name| name.contains("/PlanB/")), "{trigger:#}");
        assert!(trigger["expression"].as_str().is_some_and(|text| text.contains("(/PlanB/")), "{trigger:#}");
    }
}

#[test]
fn the_template_for_zabbix_is_of_the_form_that_it_imports() {
    let Some(template) = yaml("hooks/zabbix/template.yaml") else { return };
    let top = is(&template["zabbix_export"], &TOP);
    assert_eq!(top["version"], "6.0");
    let groups: Vec<&Value> = each(top, "groups").map(|group| &is(group, &GROUP)["name"]).collect();
    let mut keys = BTreeSet::new();
    for template in each(top, "templates") {
        is(template, &TEMPLATE);
        assert!(each(template, "groups").all(|group| groups.contains(&&group["name"])), "{template:#}");
        each(template, "items").for_each(|one| item(one, &mut keys));
        for rule in each(template, "discovery_rules") {
            assert!(keys.insert(is(rule, &RULE)["key"].as_str().expect("a text")), "twice: {rule:#}");
            each(rule, "item_prototypes").for_each(|one| item(one, &mut keys));
        }
        // What is spoken of is there.
        for one in each(template, "items").filter_map(|item| item.get("master_item")) {
            assert!(one["key"].as_str().is_some_and(|key| keys.contains(key)), "{one}");
        }
    }
    let mut texts = Vec::new();
    strings(top, &mut texts);
    let spoken = texts.iter().flat_map(|text| text.split("(/").skip(1)).filter_map(|rest| {
        let (_host, rest) = rest.split_once('/')?;
        rest.split([',', ')']).next()
    });
    let spoken: Vec<&str> = spoken.collect();
    assert!(spoken.len() > 6 && spoken.iter().all(|key| keys.contains(key)), "{spoken:?} {keys:?}");
}
