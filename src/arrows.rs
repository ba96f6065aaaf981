//! Who uses whom: the table in `docs/architecture.md` is held by this test, and it has no cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The table below this heading: a module, and those that it may use.
fn table(page: &str) -> Graph {
    let (_, rest) = page.split_once("\n## Who uses whom\n").unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let names = |cell: &str| -> BTreeSet<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(ToOwned::to_owned)
            .collect()
    };
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let module = cells.next()?.trim().trim_matches('`').to_owned();
        Some((module, names(cells.next()?)))
    };
    section.lines().filter_map(row).collect()
}

/// Adds what a file uses of the crate's modules; comments use nothing.
fn used(text: &str, modules: &BTreeSet<String>, arrows: &mut BTreeSet<String>) {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    for line in code {
        for (place, _) in line.match_indices("crate::") {
            let rest = &line[place + "crate::".len()..];
            let names = match rest.strip_prefix('{') {
                // `use crate::{stages, trail};`: longer ones are several imports here.
                Some(list) => list.split_once('}').unwrap().0.split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let end = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
                let name = name.trim().split(end).next().unwrap();
                arrows.extend(modules.get(name).cloned());
            }
        }
    }
}

fn walk(path: &Path, visit: &mut dyn FnMut(&str)) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), visit);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        visit(&fs::read_to_string(path).unwrap());
    }
}

/// The modules of `lib.rs` with their arrows; scenarios are compiled into `scenario`.
fn graph(root: &Path) -> Graph {
    let lib = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let declared = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    let modules: BTreeSet<_> = lib.lines().filter_map(declared).collect();
    let mut graph = Graph::new();
    for module in &modules {
        let arrows = graph.entry(module.clone()).or_default();
        let mut visit = |text: &str| used(text, &modules, arrows);
        let file = root.join(format!("src/{module}.rs"));
        if file.exists() {
            walk(&file, &mut visit);
        } else {
            walk(&root.join("src").join(module), &mut visit);
        }
        if module == "scenario" {
            walk(&root.join("scenarios"), &mut visit);
        }
        arrows.remove(module);
    }
    graph
}

/// A way from a module back to itself.
fn cycle(graph: &Graph) -> Option<Vec<String>> {
    fn visit<'a>(graph: &'a Graph, at: &'a str, way: &mut Vec<&'a str>) -> Option<Vec<String>> {
        if let Some(place) = way.iter().position(|passed| *passed == at) {
            return Some(way[place..].iter().map(ToString::to_string).collect());
        }
        way.push(at);
        let found = graph.get(at).into_iter().flatten();
        let found = found.filter_map(|next| visit(graph, next, way)).next();
        way.pop();
        found
    }
    graph
        .keys()
        .find_map(|module| visit(graph, module, &mut Vec::new()))
}

#[test]
fn modules_use_those_that_the_architecture_page_names_and_no_others() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    assert_eq!(graph(root), table(&page));
}

#[test]
fn no_module_uses_itself_by_way_of_others() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(cycle(&graph(root)), None);
}

#[test]
fn a_cycle_is_named() {
    let arrow = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let graph = Graph::from([arrow("a", "b"), arrow("b", "c"), arrow("c", "b")]);
    assert_eq!(cycle(&graph), Some(vec!["b".to_owned(), "c".to_owned()]));
}
