//! The house rules the compiler does not know: the order of folders, no knots of files, a core without I/O, files and
//! functions of a readable size, documents that name only what exists. Plain std; reads the sources as text.
//! Code under `#[cfg(test)]` is free of the rules of imports, purity and length.

#[path = "tidy/source.rs"]
mod source;

use source::{House, in_word, item_end, paths, read, sources, words};
use std::collections::{BTreeMap, BTreeSet};

/// Each imports only from those before it.
const ORDER: [&str; 14] = [
    "base",
    "world",
    "telemetry",
    "config",
    "wire",
    "storage",
    "message",
    "channel",
    "directory",
    "pipeline",
    "engine",
    "api",
    "app",
    "lab",
];
/// What `main.rs` sees.
const MAIN_SEES: [&str; 4] = ["app", "config", "world", "lab"];
/// Folders that decide and do no I/O: inputs and `now` go in, effects come out.
const CORE: [&str; 5] = ["base", "wire", "message", "channel", "pipeline"];
/// What the core never says.
const NOT_IN_CORE: [&str; 10] =
    ["async", "await", "tokio", "spawn", "std::fs", "std::thread", "std::env", "std::process", "std::io::Write", "World"];
/// Who may start tasks, and who may open files.
const SPAWN: [&str; 5] = ["world", "engine", "api", "app", "lab"];
const FILES: [&str; 4] = ["storage", "app", "lab", "bin"];
/// Channels and their protocols: stages never name one.
const CHANNELS: [&str; 6] = ["sms", "mms", "voice", "smpp", "mm7", "sip"];
/// Files over 500 lines, and why they stay whole.
const LONG_FILES: [(&str, &str); 6] = [
    ("src/message/log.rs", "one form of events, written and read: each half is checked against the other"),
    ("src/storage/conformance.rs", "what every backend must do, one list for all"),
    ("src/storage/sqlite/tests.rs", "the embedded store's own tests, one bench for all"),
    ("src/lab/net.rs", "one network: its streams, its ports and the processes on it"),
    ("src/lab/smsc_session.rs", "one session's sequence on the far side"),
    ("src/pipeline/webhook/endpoint.rs", "one state machine and its tests"),
];
/// Functions over 70 lines: they may stay, not grow. Each is one sequence, a parser or a table.
const LONG_FUNCTIONS: [(&str, usize); 2] = [("src/message/log.rs to_entry", 92), ("src/engine/start.rs start_under", 107)];

fn folder(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

fn none(wrongs: &[String]) {
    assert!(wrongs.is_empty(), "\n{}", wrongs.join("\n"));
}

#[test]
fn a_folder_imports_only_from_folders_before_it() {
    let (house, mut wrongs) = (House::new(), Vec::new());
    let place = |module: &str| ORDER.iter().position(|one| *one == folder(module));
    for file in &house.files {
        for need in house.needs(file) {
            let allowed = match (place(&file.module), place(&need)) {
                (Some(here), Some(there)) => there <= here,
                (None, Some(_)) => file.path != "src/main.rs" || MAIN_SEES.contains(&folder(&need)),
                (_, None) => need.is_empty(),
            };
            wrongs.extend((!allowed).then(|| format!("{} imports from {need}", file.path)));
        }
    }
    none(&wrongs);
}

#[test]
fn no_files_need_each_other() {
    let house = House::new();
    let needs: BTreeMap<&str, BTreeSet<String>> =
        house.files.iter().filter(|file| !file.module.is_empty()).map(|file| (&*file.module, house.needs(file))).collect();
    // What needs nothing that is left is taken away until nothing changes; what stays is a knot or hangs on one.
    let mut left: BTreeSet<&str> = needs.keys().copied().collect();
    while let Some(free) = left.iter().copied().find(|one| !needs[one].iter().any(|need| left.contains(&**need))) {
        left.remove(free);
    }
    let wrongs: Vec<String> = left
        .iter()
        .map(|one| format!("{one} needs {:?}", needs[one].iter().filter(|need| left.contains(&***need)).collect::<Vec<_>>()))
        .collect();
    none(&wrongs);
}

#[test]
fn the_core_does_no_io_and_only_the_edge_starts_tasks_and_opens_files() {
    let mut wrongs = Vec::new();
    for file in sources() {
        let says = |what: &str| {
            file.code
                .match_indices(what)
                .any(|(at, _)| !file.code[..at].ends_with(in_word) && !file.code[at + what.len()..].starts_with(in_word))
        };
        let here = if file.path.starts_with("src/bin/") || file.path == "src/main.rs" { "bin" } else { folder(&file.module) };
        let core = NOT_IN_CORE.iter().filter(|what| CORE.contains(&here) && says(what));
        let spawn = ["tokio::spawn", "spawn_local", "spawn_blocking"].iter().filter(|what| !SPAWN.contains(&here) && says(what));
        let files = ["std::fs", "tokio::fs"].iter().filter(|what| !FILES.contains(&here) && says(what));
        let channels = CHANNELS.iter().filter(|what| here == "pipeline" && says(what));
        wrongs.extend(core.chain(spawn).chain(files).chain(channels).map(|what| format!("{} says {what}", file.path)));
    }
    none(&wrongs);
}

#[test]
fn every_file_says_what_it_is_and_files_and_functions_can_be_read() {
    let mut wrongs = Vec::new();
    for path in paths().into_iter().filter(|path| path.ends_with(".rs")) {
        let (text, limit) = (read(&path), if LONG_FILES.iter().any(|(one, _)| *one == path) { 700 } else { 500 });
        // A file of one line is not there yet.
        wrongs.extend((text.lines().count() > 1 && !text.starts_with("//!")).then(|| format!("{path} has no //!")));
        wrongs.extend(
            (path.starts_with("src/") && text.lines().count() > limit).then(|| format!("{path} has {} lines", text.lines().count())),
        );
    }
    for file in sources() {
        for (at, _) in words(&file.code).filter(|(_, word)| *word == "fn") {
            let name = words(&file.code[at + 2..]).next().map_or("", |(_, name)| name);
            let lines = file.code[at..at + item_end(&file.code[at..])].lines().count();
            let key = format!("{} {name}", file.path);
            let limit = LONG_FUNCTIONS.iter().find(|(one, _)| *one == key).map_or(70, |(_, limit)| *limit);
            wrongs.extend((lines > limit).then(|| format!("{key} has {lines} lines")));
        }
    }
    none(&wrongs);
}

#[test]
fn documents_and_goldens_name_what_exists() {
    let (all, mut wrongs) = (paths(), Vec::new());
    let tops = ["src/", "docs/", "proto/", "tests/", "config/", "docker/", "benches/", "loadtests/", ".ci/"];
    for path in all.iter().filter(|path| path.ends_with(".md") || path.ends_with(".rs")) {
        let is_book = path.ends_with(".md");
        for named in read(path).split(|c: char| !(in_word(c) || "./-".contains(c))).map(|word| word.trim_end_matches('.')) {
            // In a comment the bare name of a document stands for one of ours too.
            let is_path = if is_book { tops.iter().any(|top| named.starts_with(top)) } else { named.len() > 3 && named.ends_with(".md") };
            let exists = || {
                all.iter()
                    .any(|one| one.strip_prefix(named.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
            };
            wrongs.extend((is_path && !exists()).then(|| format!("{path} names {named}")));
        }
    }
    let (metrics, keys) = (read("proto/metrics.txt"), read("config/relais.toml"));
    let known: BTreeSet<&str> = metrics.lines().filter_map(|line| line.split(' ').next()).collect();
    for file in sources() {
        for (_, word) in words(&file.text).filter(|(at, word)| word.starts_with("relais_") && file.text[..*at].ends_with('"')) {
            let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
            wrongs
                .extend((!known.contains(name)).then(|| format!("{} has the metric {name}, which is not in proto/metrics.txt", file.path)));
        }
        for read in file.text.split("r.").skip(1).filter(|_| folder(&file.module) == "config") {
            let Some((method, key)) = read.split_once("(\"") else { continue };
            let key = key.split('"').next().unwrap_or_default();
            let is_known = !method.chars().all(in_word) || words(&keys).any(|(_, word)| word == key);
            wrongs.extend((!is_known).then(|| format!("{} reads the key {key}, which is not in config/relais.toml", file.path)));
        }
    }
    none(&wrongs);
}

#[test]
fn the_fault_matrix_is_whole_and_names_parts_of_the_black_box_that_exist() {
    let (book, black_box) = (read("docs/proof.md"), read("loadtests/chaos/main.rs"));
    let parts: BTreeSet<&str> = black_box.split("name: \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let rows = book.lines().filter(|line| line.starts_with("| F") && line.as_bytes()[3].is_ascii_digit());
    let cells: Vec<Vec<&str>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
    let numbers: Vec<String> = cells.iter().map(|row| row[1].to_owned()).collect();
    assert_eq!(numbers, (1..=37).map(|number| format!("F{number}")).collect::<Vec<_>>(), "a row for each fault, in order");
    let (mut named, mut wrongs) = (BTreeSet::new(), Vec::new());
    for row in &cells {
        for part in row[3].split('`').skip(1).step_by(2) {
            named.insert(part);
            wrongs.extend((!parts.contains(part)).then(|| format!("{}: the black box has no part {part}", row[1])));
        }
    }
    wrongs.extend(parts.difference(&named).map(|part| format!("the part {part} is in no row of the matrix")));
    none(&wrongs);
}

#[test]
fn each_promise_has_a_row_that_says_what_holds_it() {
    let numbers = |cell: &str| -> Vec<u32> {
        let named: Vec<u32> = cell.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect();
        if cell.contains(" to ") { (named[0]..=named[1]).collect() } else { named }
    };
    let rows = |path: &str| -> Vec<u32> {
        let text = read(path);
        let cells = text.lines().filter(|line| line.starts_with("| INV-")).filter_map(|line| line.split('|').nth(1));
        cells.flat_map(numbers).collect()
    };
    assert_eq!(rows("docs/proof.md"), rows("docs/invariants.md"));
}

#[test]
fn nothing_is_left_for_later_and_no_machine_is_named() {
    let later = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let places = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
    let mut wrongs = Vec::new();
    for path in paths().into_iter().filter(|path| !path.starts_with("tests/vectors/") && path != "Cargo.lock") {
        let text = read(&path);
        wrongs.extend(later.iter().filter(|word| words(&text).any(|(_, one)| one == **word)).map(|word| format!("{path} says {word}")));
        wrongs.extend(places.iter().filter(|place| text.contains(**place)).map(|place| format!("{path} names {place}")));
    }
    none(&wrongs);
}

#[test]
fn every_planted_bug_is_in_the_list_with_a_sentence_and_has_a_site() {
    let (list, mut wrongs) = (relais::base::planted::ALL, Vec::new());
    let mut sites: BTreeMap<String, u32> = BTreeMap::new();
    for file in sources() {
        for site in file.text.split("planted::is(\"").skip(1) {
            *sites.entry(site.split('"').next().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    for (name, what) in list {
        wrongs.extend(what.is_empty().then(|| format!("{name} says nothing")));
        wrongs.extend((!sites.contains_key(*name)).then(|| format!("{name} is planted nowhere")));
        wrongs.extend((list.iter().filter(|(one, _)| one == name).count() > 1).then(|| format!("{name} is there twice")));
    }
    let unlisted = sites.keys().filter(|site| list.iter().all(|(name, _)| name != site));
    wrongs.extend(unlisted.map(|site| format!("{site} is planted and not in src/base/planted.rs")));
    none(&wrongs);
}

#[cfg(not(feature = "planted-bugs"))]
#[test]
fn no_bug_is_planted_in_what_is_shipped() {
    const IS_PLANTED: bool = relais::base::planted::is("sync-skipped");
    assert!(!IS_PLANTED);
    let features = read("Cargo.toml");
    assert!(!features.contains("default = ["), "nothing is switched on by itself");
}
