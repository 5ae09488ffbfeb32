//! Reading the sources as text: what is code, which module a file is, what it needs. No parser of Rust: paths that begin
//! with `crate`, `super`, `self` or a child module are enough, because rustfmt and the compiler have seen the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    /// Without comments, the insides of strings, and code under `#[cfg(test)]`; same lines.
    pub(crate) code: String,
    /// `a::b` for `src/a/b.rs`; empty for the roots.
    pub(crate) module: String,
}

fn walk(at: &Path, found: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(at).into_iter().flatten().map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if ["target", "node_modules", "data", ".git"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            found.push(path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/"));
        }
    }
}

pub(crate) fn paths() -> Vec<String> {
    let mut found = Vec::new();
    walk(Path::new(env!("CARGO_MANIFEST_DIR")), &mut found);
    found
}

pub(crate) fn read(path: &str) -> String {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .map_or_else(|_| String::new(), |octets| String::from_utf8_lossy(&octets).into_owned())
}

/// Blanks comments and the insides of strings and characters.
fn bare(text: &str) -> String {
    let (from, mut out, mut at) = (text.as_bytes(), text.as_bytes().to_vec(), 0);
    while at < from.len() {
        let rest = &from[at..];
        let word_before = at > 0 && (from[at - 1].is_ascii_alphanumeric() || from[at - 1] == b'_');
        let hashes = rest.iter().skip(1).take_while(|c| **c == b'#').count();
        let length = if rest.starts_with(b"//") {
            rest.iter().position(|c| *c == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            text[at..].find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest[0] == b'r' && rest.get(1 + hashes) == Some(&b'"') && (!word_before || from[at - 1] == b'b') {
            let end = format!("\"{}", "#".repeat(hashes));
            text[at + hashes + 2..].find(&end).map_or(rest.len(), |found| found + hashes + 2 + end.len())
        } else if rest[0] == b'"' {
            let mut end = 1;
            while end < rest.len() && rest[end] != b'"' {
                end += 1 + usize::from(rest[end] == b'\\');
            }
            (end + 1).min(rest.len())
        } else if rest.starts_with(b"'\\") {
            3 + rest[3..].iter().position(|c| *c == b'\'').unwrap_or(0)
        } else if rest[0] == b'\'' && text[at + 1..].chars().nth(1) == Some('\'') {
            2 + text[at + 1..].chars().next().map_or(0, char::len_utf8)
        } else {
            at += 1;
            continue;
        };
        out[at..at + length].iter_mut().filter(|c| **c != b'\n').for_each(|c| *c = b' ');
        at += length;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// From the first `{` on, up to and with its `}`; or up to a `;` that comes before.
pub(crate) fn item_end(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(code: &mut String, from: usize, to: usize) {
    let blanked: String = code[from..to].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
    code.replace_range(from..to, &blanked);
}

/// Every source of the library and the programs, test files left out.
pub(crate) fn sources() -> Vec<File> {
    let (mut files, mut only_tests) = (Vec::new(), BTreeSet::new());
    for path in paths().into_iter().filter(|path| path.starts_with("src/") && path.ends_with(".rs")) {
        let text = read(&path);
        let mut code = bare(&text);
        let module = path["src/".len()..].trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        let module = if ["lib", "main"].contains(&module.as_str()) || module.starts_with("bin") { String::new() } else { module };
        while let Some(at) = code.find("#[cfg(test)]") {
            let end = at + item_end(&code[at..]);
            // `#[path = "beside.rs"] mod tests;`, or the file of the module's own name.
            let beside = text.get(at..end).and_then(|item| item.split("path = \"").nth(1)).and_then(|path| path.split(".rs\"").next());
            if let Some(beside) = beside {
                only_tests
                    .insert(format!("{}::{beside}", path["src/".len()..].rsplit_once('/').map_or("", |(at, _)| at).replace('/', "::")));
            } else if let Some(name) = code[at..end].trim_end_matches(';').split("mod ").nth(1) {
                only_tests.insert(format!("{module}::{}", name.trim()));
            }
            blank(&mut code, at, end);
        }
        files.push(File { path, text, code, module });
    }
    files.retain(|file| !only_tests.iter().any(|test| file.module == *test || file.module.starts_with(&format!("{test}::"))));
    assert!(files.len() > 50, "the sources are there");
    files
}

pub(crate) const fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.split(|c| !in_word(c)).filter(|word| !word.is_empty()).map(|word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

/// The paths that begin here, braces expanded: `a::{b, c::D}` is a::b and a::c::D.
fn expand(code: &str, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let (mut path, mut at) = (before.to_vec(), 0);
    loop {
        at += code[at..].len() - code[at..].trim_start().len();
        if code[at..].starts_with('{') {
            at += 1;
            while at < code.len() && !code[at..].starts_with('}') {
                at += expand(&code[at..], &path, found).max(1);
                at += code[at..].find([',', '}']).unwrap_or(0);
                at += usize::from(code[at..].starts_with(','));
                at += code[at..].len() - code[at..].trim_start().len();
            }
            return at + 1;
        }
        let word: String = code[at..].chars().take_while(|c| in_word(*c)).collect();
        at += word.len();
        path.extend(Some(word).filter(|word| !word.is_empty()));
        let gap = code[at..].len() - code[at..].trim_start().len();
        if !code[at + gap..].starts_with("::") {
            found.push(path);
            return at;
        }
        at += gap + 2;
    }
}

pub(crate) struct House {
    pub(crate) files: Vec<File>,
    modules: BTreeSet<String>,
    /// (module, name) of what a `pub use` passes on, and where it comes from.
    passed_on: BTreeMap<(String, String), Vec<String>>,
}

impl House {
    pub(crate) fn new() -> House {
        let files = sources();
        let modules = files.iter().map(|file| file.module.clone()).collect();
        let mut house = House { files: Vec::new(), modules, passed_on: BTreeMap::new() };
        for mut file in files {
            while let Some(at) = ["pub use ", "pub(crate) use ", "pub(super) use "].iter().find_map(|one| file.code.find(one)) {
                let end = at + file.code[at..].find(';').expect("a use ends");
                let mut found = Vec::new();
                expand(&file.code[at + file.code[at..].find("use ").expect("found") + 4..end], &[], &mut found);
                for path in found {
                    let name = path.last().expect("not empty").clone();
                    house.passed_on.insert((file.module.clone(), name), house.absolute(&file.module, &path));
                }
                blank(&mut file.code, at, end);
            }
            house.files.push(file);
        }
        house
    }

    fn child(&self, module: &str, name: &str) -> Option<String> {
        let child = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
        self.modules.contains(&child).then_some(child)
    }

    fn absolute(&self, module: &str, path: &[String]) -> Vec<String> {
        let mut from: Vec<String> = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        for (at, part) in path.iter().enumerate() {
            match part.as_str() {
                "crate" | "relais" if at == 0 => from.clear(),
                "super" => drop(from.pop()),
                "self" => {}
                _ => from.push(part.clone()),
            }
        }
        from
    }

    /// The module whose file holds what the path names.
    fn home(&self, path: &[String]) -> String {
        let mut module = String::new();
        for part in path {
            if let Some(child) = self.child(&module, part) {
                module = child;
            } else if let Some(origin) = self.passed_on.get(&(module.clone(), part.clone())).filter(|origin| *origin != path) {
                return self.home(origin);
            } else {
                break;
            }
        }
        module
    }

    /// The modules a file needs.
    pub(crate) fn needs(&self, file: &File) -> BTreeSet<String> {
        let (mut found, mut covered) = (Vec::new(), 0);
        for (at, word) in words(&file.code) {
            let after = file.code[at + word.len()..].trim_start();
            let is_root = ["crate", "super", "self", "relais"].contains(&word) || self.child(&file.module, word).is_some();
            if at >= covered && is_root && after.starts_with("::") && !file.code[..at].trim_end().ends_with("::") {
                covered = at + expand(&file.code[at..], &[], &mut found);
            }
            if let Some(origin) = self.passed_on.get(&(file.module.clone(), word.to_owned())) {
                found.push([vec!["crate".to_owned()], origin.clone()].concat());
            }
        }
        found.iter().map(|path| self.home(&self.absolute(&file.module, path))).filter(|module| *module != file.module).collect()
    }
}
