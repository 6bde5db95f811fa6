//! Two documents of `replay --json`: the first recorded hashes that differ.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ringtape::error::{Error, Result};
use ringtape::report::format::thousands;
use serde_json::{Value, json};

use crate::cli::{Ending, term};

/// What is hashed.
const PARTS: [&str; 3] = ["books", "orders", "portfolio"];

/// The report of a run that a file holds; `None` where it holds no JSON document of this program.
///
/// # Errors
///
/// Those of reading; [`Error::Usage`] for another document of this program.
pub(super) fn read(path: &Path) -> Result<Option<Value>> {
    if !path.is_file() {
        return Ok(None);
    }
    let failed = |error| Error::io("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut first = [0];
    // A feed may be larger than memory: only what may be a document is read whole.
    if file.read(&mut first).map_err(failed)? == 0 || first[0] != b'{' {
        return Ok(None);
    }
    let mut text = String::from("{");
    let Ok(_) = file.read_to_string(&mut text) else { return Ok(None) };
    let document: Option<Value> = serde_json::from_str(&text).ok();
    let Some(document) = document.filter(|document| document["schema"].is_u64()) else {
        return Ok(None);
    };
    if !document["hashes"].is_object() || !document["state_hash"].is_string() {
        return Err(Error::usage(
            format!("{} is a JSON document, but no report of `replay --json`", path.display()),
            "name reports of runs; `ringtape bench compare` holds those of benches together",
        ));
    }
    Ok(Some(document))
}

/// Compares the hashes along the way, then those at the end.
pub(super) fn run([a, b]: [&Value; 2], as_json: bool) -> Result<Ending> {
    let of_b: HashMap<u64, &Value> = points(b).collect();
    let common: Vec<_> = points(a)
        .filter_map(|(messages, one)| Some((messages, differing(one, of_b.get(&messages)?))))
        .collect();
    let first = common.iter().position(|(_, parts)| !parts.is_empty());
    let same = common[..first.unwrap_or(common.len())].last().map_or(0, |(messages, _)| *messages);
    let at_end = differing(&a["hashes"], &b["hashes"]);
    if as_json {
        let difference = first.map(|at| json!({ "messages": common[at].0, "of": common[at].1 }));
        let points = common.len();
        term::print(format_args!(
            "{:#}",
            json!({
                "schema": 1,
                "hashes": {
                    "points": points,
                    "same_messages": same,
                    "difference": difference,
                    "at_end": at_end,
                },
            })
        ))?;
    } else {
        tell(&common, first, same, &at_end);
    }
    let differs = first.is_some() || !at_end.is_empty();
    Ok(if differs { Ending::CheckFailed } else { Ending::Done })
}

/// The hashes along the way, each with the messages before it.
fn points(document: &Value) -> impl Iterator<Item = (u64, &Value)> {
    let points = document["hash_every"].as_array().into_iter().flatten();
    points.filter_map(|point| Some((point["messages"].as_u64()?, point)))
}

/// The parts whose hashes differ.
fn differing(one: &Value, other: &Value) -> Vec<&'static str> {
    PARTS.into_iter().filter(|part| one[part] != other[part]).collect()
}

fn tell(common: &[(u64, Vec<&str>)], first: Option<usize>, same: u64, at_end: &[&str]) {
    match first {
        Some(at) => term::tell(format_args!(
            "hashes      the first difference is between messages {} and {}, of {}",
            thousands(same),
            thousands(common[at].0),
            common[at].1.join(" and ")
        )),
        None if at_end.is_empty() => term::tell(format_args!(
            "hashes      {} along the way and those at the end, all the same",
            common.len()
        )),
        None => term::tell(format_args!(
            "hashes      {} along the way are the same; those at the end differ, of {}{}",
            common.len(),
            at_end.join(" and "),
            if common.is_empty() { ": `replay --hash-every N` records where" } else { "" }
        )),
    }
}
