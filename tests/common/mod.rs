//! What several test files share.
#![allow(dead_code, unreachable_pub)]

pub mod program;
pub mod runs;
pub mod venue;

use std::path::{Path, PathBuf};

/// The folder of real recordings, where it exists beside the checkout.
///
/// A test that needs it and gets `None` prints that it was skipped and why.
pub fn shared_feeds() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/feeds");
    let found = folder.is_dir();
    if !found {
        eprintln!("skipped: no recordings at ../shared/feeds");
    }
    found.then_some(folder)
}
