//! What stands in for the dashboard in a build without the feature `watch`.

use ringtape::engine::Engine;
use ringtape::error::{Error, Result};
use ringtape::feed::Description;

/// What a key asks for: there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Stop,
}

/// A dashboard that cannot be.
pub(super) enum Screen {}

pub(super) fn check() -> Result<()> {
    Err(Error::usage(
        "this build has no dashboard",
        "leave --watch out, or build with the feature `watch`, which the default features hold",
    ))
}

pub(super) fn is_shown() -> bool {
    false
}

pub(super) fn restore() {}

impl Screen {
    pub(super) fn open(_: &mut Engine, _: Description, _: &[String], _: String) -> Result<Self> {
        Err(Error::usage("this build has no dashboard", "leave --watch out"))
    }

    pub(super) fn turn(&mut self, _is_stopping: bool) -> Wish {
        match *self {}
    }
}
