//! What the gateway is built from: only what `deny.toml` allows. The graph is cargo's own; the lists are those that
//! `cargo deny` reads, so that a machine without it checks the same; where PyPI is reached, `cargo deny` itself reads them, too.

use crate::common::foreign;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use toml_edit::{DocumentMut, Item};

fn lists() -> DocumentMut {
    include_str!("../../deny.toml").parse().expect("TOML")
}

fn strings(item: &Item) -> BTreeSet<String> {
    item.as_array().expect("a list").iter().map(|value| value.as_str().expect("a string").to_owned()).collect()
}

/// Names of a list of tables with `crate`, with their `wrappers`.
fn crates(item: &Item) -> BTreeMap<String, BTreeSet<String>> {
    let table = |value: &toml_edit::Value| {
        let table = value.as_inline_table().expect("a table");
        let wrappers = table.get("wrappers").and_then(|list| list.as_array());
        let wrappers = wrappers.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        (table.get("crate").and_then(|name| name.as_str()).expect("a name").to_owned(), wrappers)
    };
    item.as_array().expect("a list").iter().map(table).collect()
}

/// Every package of the graph on the platforms we build for.
fn metadata() -> Value {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--locked", "--offline", "--format-version", "1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    for target in strings(&lists()["graph"]["targets"]) {
        command.args(["--filter-platform", &target]);
    }
    let output = command.output().expect("cargo is there: it runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Whether an SPDX expression can be satisfied with what is allowed. `OR` binds weaker than `AND`; `WITH` belongs to its
/// licence; a slash is the old way to write `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    fn any(words: &mut std::iter::Peekable<std::vec::IntoIter<String>>, allowed: &BTreeSet<String>) -> bool {
        let mut is = all(words, allowed);
        while words.next_if(|word| word == "OR" || word == "/").is_some() {
            is |= all(words, allowed);
        }
        is
    }
    fn all(words: &mut std::iter::Peekable<std::vec::IntoIter<String>>, allowed: &BTreeSet<String>) -> bool {
        let mut is = one(words, allowed);
        while words.next_if_eq("AND").is_some() {
            is &= one(words, allowed);
        }
        is
    }
    fn one(words: &mut std::iter::Peekable<std::vec::IntoIter<String>>, allowed: &BTreeSet<String>) -> bool {
        let mut name = words.next().expect("an expression goes on");
        if name == "(" {
            let is = any(words, allowed);
            assert_eq!(words.next().as_deref(), Some(")"));
            return is;
        }
        if words.next_if_eq("WITH").is_some() {
            name = format!("{name} WITH {}", words.next().expect("an exception"));
        }
        allowed.contains(&name)
    }
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " / ");
    let words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
    let mut words = words.into_iter().peekable();
    let is = any(&mut words, allowed);
    assert!(words.next().is_none(), "{expression}");
    is
}

#[test]
fn expressions_of_licences_are_read_as_spdx_means_them() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, is) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0 AND MIT OR ISC", true),
        ("GPL-3.0 AND (MIT OR ISC)", false),
        ("(MIT OR Apache-2.0) AND ISC", true),
        ("Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
        ("MIT/Apache-2.0", true),
    ] {
        assert_eq!(is_allowed(expression, &allowed), is, "{expression}");
    }
}

#[test]
fn every_package_has_an_allowed_licence_an_allowed_source_and_one_version() {
    let (lists, metadata) = (lists(), metadata());
    let (allowed, banned, skipped) = (strings(&lists["licenses"]["allow"]), crates(&lists["bans"]["deny"]), crates(&lists["bans"]["skip"]));
    let registries: BTreeSet<String> =
        strings(&lists["sources"]["allow-registry"]).into_iter().map(|url| format!("registry+{url}")).collect();
    let name_of: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| (package["id"].as_str().expect("an id"), package["name"].as_str().expect("a name")))
        .collect();
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a graph");
    let used: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let mut wrong = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let packages =
        metadata["packages"].as_array().expect("packages").iter().filter(|package| used.contains(package["id"].as_str().expect("an id")));
    let mut count = 0;
    for package in packages {
        count += 1;
        let (name, version) = (package["name"].as_str().expect("a name"), package["version"].as_str().expect("a version"));
        versions.entry(name).or_default().push(version);
        if name == "relais" {
            continue;
        }
        if !package["license"].as_str().is_some_and(|licence| is_allowed(licence, &allowed)) {
            wrong.push(format!("{name} {version}: its licence is {}", package["license"]));
        }
        if !package["source"].as_str().is_some_and(|source| registries.contains(source)) {
            wrong.push(format!("{name} {version}: it comes from {}", package["source"]));
        }
        if let Some(wrappers) = banned.get(name) {
            let id = package["id"].as_str().expect("an id");
            let needs = |node: &&Value| node["dependencies"].as_array().is_some_and(|list| list.iter().any(|other| other == id));
            for node in nodes.iter().filter(needs) {
                let by = name_of[node["id"].as_str().expect("an id")];
                if !wrappers.contains(by) {
                    wrong.push(format!("{name} {version} is banned, and {by} needs it"));
                }
            }
        }
    }
    assert!(count > 100, "{count}");
    for (name, versions) in versions {
        // `name@version` in the list says which one may be there beside the newest.
        let kept = versions.iter().filter(|version| !skipped.contains_key(&format!("{name}@{version}"))).count();
        if kept > 1 {
            wrong.push(format!("{name} is there as {versions:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn cargo_deny_says_the_same_and_finds_nothing_in_the_lists_that_is_not_needed() {
    if foreign::is_skipped() {
        return;
    }
    let output = Command::new(foreign::cargo_deny())
        // What the other test needs, which sees dependencies of features that are off, is not needed here.
        .args(["--offline", "check", "--allow", "unused-wrapper", "--allow", "unmatched-skip", "--deny", "warnings"])
        .args(["bans", "licenses", "sources"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("it was installed");
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("bans ok, licenses ok, sources ok"), "{said}");
}

#[test]
fn the_lock_file_has_a_checksum_for_all_that_is_not_ours() {
    let lock: DocumentMut = include_str!("../../Cargo.lock").parse().expect("TOML");
    let packages = lock["package"].as_array_of_tables().expect("packages");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let is_sound = package.get("checksum").and_then(Item::as_str).is_some_and(|sum| sum.len() == 64);
        assert_eq!(is_sound, name != "relais", "{name}");
    }
    let profile = include_str!("../../src/lib.rs");
    assert!(profile.contains("#![forbid(unsafe_code)]"));
}
