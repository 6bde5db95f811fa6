//! Every public item of the ring and the bus is shown at work in its documentation.
//!
//! A type or trait has an example of its own; a function or constant is used in an example of its
//! type or of one of the type's functions. An example counts if it runs, and only what the reader
//! of the documentation sees of it. This would catch a new function that nobody shows, and an
//! example whose one use of something was edited away.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::rust_files;

/// Modules whose whole public interface has examples.
const MODULES: [&str; 2] = ["ring", "bus"];

/// A public type or trait, or by itself a public function.
#[derive(Debug, Default)]
struct Item {
    /// What its own examples show.
    own: String,
    /// What the examples of its functions show.
    functions: String,
    /// Its functions and constants, and whether these are asked of a value.
    members: Vec<(String, bool)>,
    /// Its fields and variants.
    parts: Vec<String>,
}

type Items = BTreeMap<String, Item>;

#[test]
fn every_public_item_of_the_ring_and_the_bus_is_shown_at_work() {
    let mut missing = Vec::new();
    for module in MODULES {
        let mut items = Items::new();
        let mut exported = BTreeSet::new();
        for (file, text) in rust_files(&format!("src/{module}")) {
            if file.ends_with(format!("{module}/mod.rs")) {
                exported = exports(&text);
            }
            read_items(&text, &mut items);
        }
        for name in &exported {
            let item = items.get(name).unwrap_or_else(|| panic!("{module}::{name} was not found"));
            missing.extend(faults(name, item).map(|fault| format!("{module}::{fault}")));
        }
    }
    assert!(missing.is_empty(), "{} items are not shown:\n{}", missing.len(), missing.join("\n"));
}

/// What a module makes public under its own name, but for builds under loom.
fn exports(text: &str) -> BTreeSet<String> {
    let uses = text.split("\npub use ").skip(1);
    let before = text.split("\npub use ");
    uses.zip(before)
        .filter(|(_, before)| !before.ends_with("#[cfg(loom)]"))
        .filter_map(|(rest, _)| rest.split(';').next()?.rsplit("::").next())
        .flat_map(|names| names.trim_matches(['{', '}']).split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// What of `item` no example shows.
fn faults<'a>(name: &'a str, item: &'a Item) -> impl Iterator<Item = String> + 'a {
    let is_shown = is_named(&item.own, name, &[""])
        || item.parts.iter().any(|part| is_named(&item.own, part, &[".", "::"]))
        || item.members.iter().any(|member| is_used(&item.own, name, member));
    let own = (!is_shown).then(|| format!("{name}: no example of its own shows it at work"));
    let all = format!("{}{}", item.own, item.functions);
    let members = item.members.iter().filter(move |member| !is_used(&all, name, member));
    own.into_iter().chain(members.map(move |(member, _)| format!("{name}::{member}: never used")))
}

/// Whether `code` uses a function or constant of `owner`, or implements it.
fn is_used(code: &str, owner: &str, (member, has_self): &(String, bool)) -> bool {
    if *has_self {
        let calls = [format!("{member}("), format!("{member}::<")];
        return calls.iter().any(|call| is_named(code, call, &[".", "fn "]))
            || is_named(code, member, &[&format!("{owner}::"), "const "]);
    }
    let path = format!("::{member}");
    code.match_indices(&path).any(|(at, _)| {
        let before = &code[..at];
        let before = match before.ends_with('>') {
            true => before.rsplit_once("::<").map_or(before, |(head, _)| head),
            false => before,
        };
        before.ends_with(owner) && !code[at + path.len()..].starts_with(is_word)
    })
}

/// Whether `name` stands in `code` as a whole word behind one of `behind`.
fn is_named(code: &str, name: &str, behind: &[&str]) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let is_whole = !before.ends_with(is_word)
            && (name.ends_with(['(', '<']) || !after.starts_with(is_word));
        is_whole && behind.iter().any(|text| before.ends_with(text))
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Enters the public items of a formatted source file, and the functions of `impl` blocks.
fn read_items(text: &str, items: &mut Items) {
    let production = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let lines: Vec<&str> = production.lines().collect();
    let mut docs: Vec<&str> = Vec::new();
    let mut owner: Option<(String, Kind)> = None;
    for (number, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_inner = line.starts_with("    ") && !line.starts_with("     ");
        if let Some(doc) = code.strip_prefix("///") {
            docs.push(doc.strip_prefix(' ').unwrap_or(doc));
            continue;
        }
        if code.starts_with("#[") {
            continue;
        }
        let is_lost = is_inner && owner.is_none() && code.starts_with("pub fn ");
        assert!(!is_lost, "whose function is `{code}`?");
        let shown = shown(&std::mem::take(&mut docs));
        if line.starts_with('}') {
            owner = None;
        } else if let Some((name, kind)) = declared(line) {
            let item = items.entry(name.clone()).or_default();
            item.own.push_str(&shown);
            let has_body = line.ends_with('{') || !line.ends_with([';', '}']);
            owner = (has_body && kind != Kind::Function).then_some((name, kind));
        } else if let (Some((name, kind)), true) = (&owner, is_inner) {
            let item = items.entry(name.clone()).or_default();
            if let Some(member) = member(code, *kind) {
                let signature = lines[number..].iter().take(3).copied().collect::<String>();
                let signature = signature.split([')', ';', '=']).next().unwrap_or_default();
                let has_self = signature.contains("self") || *kind == Kind::Trait;
                item.members.push((member, has_self));
                item.functions.push_str(&shown);
            } else if let Some(part) = part(code, *kind) {
                item.parts.push(part);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Struct,
    Enum,
    Trait,
    Impl,
    Function,
}

/// The type, trait or function that a line at the margin begins, or the type of its `impl`.
fn declared(line: &str) -> Option<(String, Kind)> {
    let kinds = [
        ("pub struct ", Kind::Struct),
        ("pub type ", Kind::Struct),
        ("pub enum ", Kind::Enum),
        ("pub trait ", Kind::Trait),
        ("pub fn ", Kind::Function),
    ];
    for (begin, kind) in kinds {
        if let Some(rest) = line.strip_prefix(begin) {
            return Some((word(rest), kind));
        }
    }
    let rest = line.strip_prefix("impl").filter(|_| !line.contains(" for "))?;
    let mut depth = 0;
    let behind_generics = rest.find(|c| {
        depth += i32::from(c == '<') - i32::from(c == '>');
        c == ' ' && depth == 0
    })?;
    Some((word(rest[behind_generics..].trim_start()), Kind::Impl))
}

/// The public function or constant that a line of an `impl` or trait declares.
fn member(code: &str, kind: Kind) -> Option<String> {
    let code = match kind {
        Kind::Trait => code,
        Kind::Impl => code.strip_prefix("pub ")?,
        _ => return None,
    };
    let begins = ["const fn ", "fn ", "const "];
    begins.iter().find_map(|begin| code.strip_prefix(begin)).map(word)
}

/// The public field or the variant that a line of a type declares.
fn part(code: &str, kind: Kind) -> Option<String> {
    let code = match kind {
        Kind::Struct => code.strip_prefix("pub ")?,
        Kind::Enum => code,
        _ => return None,
    };
    Some(word(code)).filter(|part| !part.is_empty())
}

/// The word at the beginning of `text`.
fn word(text: &str) -> String {
    text.chars().take_while(|&c| is_word(c)).collect()
}

/// What the examples that run show to the reader of `docs`: neither imports nor hidden lines.
fn shown(docs: &[&str]) -> String {
    let mut shown = String::new();
    let mut fence = None;
    for line in docs {
        if let Some(info) = line.strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(info) };
        } else if fence == Some("") && !line.starts_with("# ") && !line.starts_with("use ") {
            let code = line.split_once("//").map_or(*line, |(code, _)| code);
            shown.push_str(code);
            shown.push('\n');
        }
    }
    shown
}

#[test]
fn what_only_hides_or_fails_to_compile_or_belongs_to_another_type_is_not_shown() {
    let text = "\
/// ```
/// use ringtape::Lamp;
/// let mut lamp = Lamp::new(); // lamp.burn();
/// # lamp.hide();
/// assert_eq!(lamp.watts, 4);
/// lamp.light(1);
/// ```
pub struct Lamp<T> {
    pub watts: u32,
    volts: u32,
}

impl<T: From<u8>> Lamp<T> {
    pub fn new() -> Self {
        Self
    }

    pub(super) fn inner(&self) {}

    pub fn light(
        &self,
        level: u32,
    ) {
    }

    pub fn hide(&self) {}

    /// ```compile_fail,E0599
    /// lamp.burn();
    /// ```
    pub fn burn(&self) {}

    /// ```
    /// lamp.twice::<u8>();
    /// ```
    pub fn twice<N>(&self) {}
}

/// ```
/// let lamp = Lamp::new();
/// ```
pub struct Shade;

impl Shade {
    pub fn new() -> Self {
        Self
    }
}

impl Clone for Shade {
    fn clone(&self) -> Self {
        Self
    }
}
";
    let mut items = Items::new();
    read_items(text, &mut items);
    let of = |name: &str| faults(name, &items[name]).collect::<Vec<_>>();
    assert_eq!(of("Lamp"), ["Lamp::hide: never used", "Lamp::burn: never used"]);
    assert_eq!(
        of("Shade"),
        ["Shade: no example of its own shows it at work", "Shade::new: never used"]
    );
    let names = exports("\n#[cfg(loom)]\npub use a::hidden;\npub use b::{\n    C, D,\n};\n");
    assert!(names.iter().eq(["C", "D"]), "{names:?}");
}
