//! The names by which users meet agents and stages: in plans, gauges and reports.

/// The agent that writes the market ring.
pub(super) const FEED: &str = "feed";

/// The agent that writes the market journal.
pub(super) const MARKET_JOURNAL: &str = "market journal";

/// The agent on whose thread books, venue and strategies are, and its stage.
pub(super) const MATCHING: &str = "matching";

/// The agent that writes the execution journal.
pub(super) const EXECUTION_JOURNAL: &str = "execution journal";

/// The agent that follows the execution ring, and its stage.
pub(super) const PORTFOLIO: &str = "portfolio";

/// The agent that takes orders to a real venue.
pub(super) const GATEWAY: &str = "gateway";

/// Stage of the feed handler's publication.
pub(super) const RING_STAGE: &str = "ring";

/// Stage of the market journal.
pub(super) const JOURNAL_STAGE: &str = "journal";

/// Time from the record that completes an exchange event to the orders in answer.
pub(super) const TICK_TO_ORDER: &str = "tick_to_order";

/// Time from that record to the first fill of such an order at a real venue.
pub(super) const TICK_TO_FILL: &str = "tick_to_fill";
