//! The rooms of the engine: no file imports from a room above its own, and no two files import each other, directly or around a corner.
//!
//! Reads the `use` lines and the paths of `src`, tests within the files apart. A name that a `mod.rs` re-exports counts for the file that
//! defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Rooms from the ground up: each may import from those before it.
const ROOMS: [&str; 24] = [
    "key",
    "text",
    "time",
    "semver",
    "room",
    "fault",
    "snapshot",
    "eval",
    "definition",
    "compile",
    "flag_change",
    "merge",
    "error",
    "files",
    "telemetry",
    "store",
    "session",
    "experiment",
    "plan",
    "guard",
    "transfer",
    "audit",
    "answer_history",
    "notify",
];
/// The room above all others.
const TOP: &str = "publish";

type Module = Vec<String>;

/// The files of the engine, by module.
struct Tree {
    files: BTreeMap<Module, File>,
}

#[derive(Default)]
struct File {
    /// Paths that the file uses, as written.
    uses: Vec<String>,
    /// Paths that it re-exports, as written.
    exports: Vec<String>,
    /// Names of what it defines.
    defines: BTreeSet<String>,
}

impl Tree {
    fn read(directory: &Path) -> Tree {
        let mut tree = Tree { files: BTreeMap::new() };
        tree.add(directory, &[]);
        tree
    }

    fn add(&mut self, directory: &Path, module: &[String]) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let mut inner = module.to_vec();
            if path.is_dir() {
                inner.push(name);
                self.add(&path, &inner);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                if name != "mod" && name != "lib" {
                    inner.push(name);
                }
                self.files.insert(inner, File::parse(&fs::read_to_string(&path).unwrap()));
            }
        }
    }

    /// The path from the root of the engine, if it leads into the engine.
    fn absolute(&self, module: &[String], path: &str) -> Option<Module> {
        let mut parts: Vec<String> = path.split("::").map(str::to_owned).collect();
        let mut base = module.to_vec();
        match parts[0].as_str() {
            "crate" => return Some(parts.split_off(1)),
            "self" => parts = parts.split_off(1),
            "super" => {
                while parts.first().is_some_and(|part| part == "super") {
                    parts.remove(0);
                    base.pop();
                }
            }
            name => {
                let inner: Module = module.iter().cloned().chain([name.to_owned()]).collect();
                self.files.get(&inner)?;
            }
        }
        base.append(&mut parts);
        Some(base)
    }

    /// The file that defines what the path names.
    fn definer(&self, path: &[String]) -> Option<Module> {
        let length = (0..=path.len()).rev().find(|&length| self.files.contains_key(&path[..length]))?;
        let (module, rest) = path.split_at(length);
        let (Some(name), file) = (rest.first(), &self.files[module]) else { return Some(module.to_vec()) };
        if file.defines.contains(name) {
            return Some(module.to_vec());
        }
        let exported = file.exports.iter().find(|export| export.rsplit("::").next() == Some(name))?;
        self.definer(&self.absolute(module, exported)?)
    }

    /// Every file, with the files that it imports.
    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let found = self.files.iter().filter(|(module, _)| !module.is_empty()).map(|(module, file)| {
            let used = file.uses.iter().filter_map(|path| self.definer(&self.absolute(module, path)?));
            (module.clone(), used.filter(|used| used != module && !used.is_empty()).collect())
        });
        found.collect()
    }
}

impl File {
    fn parse(source: &str) -> File {
        let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap()).collect();
        let code = code.join("\n");
        let end = code.find("tests {").and_then(|at| code[..at].rfind("#[cfg(")).unwrap_or(code.len());
        let (mut file, mut bodies) = (File::default(), String::new());
        let mut rest = &code[..end];
        while let Some((before, after)) = next_use(rest) {
            let (tree, after) = after.split_once(';').unwrap();
            let public = before.rsplit('\n').next().unwrap().contains("pub");
            let to = if public { &mut file.exports } else { &mut file.uses };
            leaves("", tree, to);
            bodies.push_str(before);
            rest = after;
        }
        bodies.push_str(rest);
        let words: Vec<&str> = bodies.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).collect();
        file.uses.extend(words.iter().filter(|word| word.contains("::")).map(|&word| word.to_owned()));
        for pair in words.windows(2) {
            if ["struct", "enum", "fn", "const", "static", "type", "trait"].contains(&pair[0]) {
                file.defines.insert(pair[1].trim_end_matches(':').to_owned());
            }
        }
        file
    }
}

/// Splits at the next `use` that begins a statement.
fn next_use(code: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        let at = from + code[from..].find("use ")?;
        let line = code[..at].rsplit('\n').next().unwrap().trim();
        if line.is_empty() || line == "pub" || line == "pub(crate)" || line == "pub(super)" {
            return Some((&code[..at], &code[at + 4..]));
        }
        from = at + 4;
    }
}

/// The paths of a `use` tree.
fn leaves(prefix: &str, tree: &str, to: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap().trim();
        to.extend(
            (!path.is_empty()).then(|| format!("{prefix}{path}").trim_end_matches("::self").to_owned()),
        );
        return;
    };
    let (mut depth, mut begin) = (0, 0);
    let inner = &rest[..rest.rfind('}').unwrap()];
    let prefix = format!("{prefix}{}", head.trim());
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                leaves(&prefix, &inner[begin..at], to);
                begin = at + 1;
            }
            _ => {}
        }
    }
}

fn imports() -> BTreeMap<Module, BTreeSet<Module>> {
    let imports = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).imports();
    let count: usize = imports.values().map(BTreeSet::len).sum();
    assert!(imports.len() > 150 && count > 500, "{} files with {count} imports were read", imports.len());
    imports
}

#[test]
fn no_room_imports_from_a_room_above_it() {
    let height = |module: &Module| match ROOMS.iter().position(|room| *room == module[0]) {
        None if module[0] == TOP => ROOMS.len(),
        found => found.unwrap_or_else(|| panic!("{} has no place in ROOMS", module[0])),
    };
    let mut upward = Vec::new();
    for (module, used) in imports() {
        let above = used.iter().filter(|used| height(used) > height(&module));
        upward.extend(above.map(|used| format!("{} imports {}", module.join("::"), used.join("::"))));
    }
    assert_eq!(upward, [""; 0]);
}

#[test]
fn no_files_import_each_other() {
    let imports = imports();
    let mut circles = Vec::new();
    for module in imports.keys() {
        let (mut seen, mut next) = (BTreeSet::new(), vec![module]);
        while let Some(at) = next.pop() {
            next.extend(imports.get(at).into_iter().flatten().filter(|&used| seen.insert(used)));
        }
        circles.extend(seen.contains(module).then(|| module.join("::")));
    }
    assert_eq!(circles, [""; 0]);
}
