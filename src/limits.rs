//! Every limit of the engine in one place, related to one another at compile time.

/// Bytes of an [`Event`](crate::event::Event) on the market ring.
pub const EVENT_BYTES: usize = 56;

/// Bytes of an [`Execution`](crate::event::Execution) on the execution ring.
pub const EXECUTION_BYTES: usize = 120;

/// Bytes of a processor's cache line.
pub const CACHE_LINE_BYTES: usize = 64;

/// Bytes of the stamp that precedes a record in a ring's slot or in a journal.
pub const STAMP_BYTES: usize = 8;

/// Slots of a ring when nothing else is asked for.
pub const RING_CAPACITY_DEFAULT: usize = 1 << 14;

/// Records that one `poll` hands out at most, so that gates move.
// WHY: single records through a ring of 1 MiB went at 248 M/s in batches of at most 64, at 250 of
// 256 and at 254 of 1,024 (medians of 5).
pub const BATCH_RECORDS_MAX: usize = 1024;

/// Records that a detachable stage or an observer of a ring copies at a time.
pub const COPIED_RECORDS_MAX: usize = 256;

/// Records that the feed handler decodes before it reads the clock again.
pub const FEED_BATCH_RECORDS: usize = 256;

/// Records that one message of a feed may become, continuations included.
pub const MESSAGE_RECORDS_MAX: usize = 8;

/// Findings of a feed's reader that have room right before the messages of one batch that they are
/// about; what is more comes behind the batch.
pub const FINDINGS_STAGED_MAX: usize = 16;

/// Records between two feed marks at most, so that each journal block holds one.
pub const FEED_MARK_RECORDS: usize = 512;

/// Feeds that can be merged: their number fits in seven bits of a reference and of the flags.
pub const FEEDS_MERGED_MAX: usize = 127;

/// Gaps of a feed that are listed one by one; all are counted.
pub const GAPS_LISTED_MAX: usize = 1000;

/// Bytes of the metadata of a DBN file at most: room for a million symbols.
pub const DBN_METADATA_BYTES_MAX: u64 = 256 << 20;

/// Instruments of one run; ids are dense and below this.
pub const INSTRUMENTS_MAX: usize = 1 << 20;

/// Commands that wait in the inbox of a ring's writer.
pub const INBOX_CAPACITY: usize = 1024;

/// Bytes of an event on a bus, beside its header of 8 bytes.
pub const BUS_PAYLOAD_BYTES: usize = 48;

/// Types of events on one bus.
pub const BUS_TYPES_MAX: usize = 256;

/// Subscribers that a bus has at the same time when nothing else is asked for.
pub const BUS_SUBSCRIBERS_DEFAULT: usize = 16;

/// Events that a bus publishes in one go, so that subscribers see the first ones early.
pub const BUS_BURST_EVENTS: usize = 64;

/// Bytes of a journal segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 4096;

/// Bytes of a journal segment when nothing else is asked for.
pub const SEGMENT_BYTES_DEFAULT: u64 = 256 << 20;

/// Bytes of a journal segment at least.
pub const SEGMENT_BYTES_MIN: u64 = 16 << 20;

/// Bytes of a journal block; its first slot is the block header.
pub const BLOCK_BYTES: usize = 64 << 10;

/// Bytes ahead of the writer that a journal's helper keeps populated.
pub const POPULATE_AHEAD_BYTES: usize = 16 << 20;

/// Snapshots of a run that are kept: the last one, and the one before it should that be damaged.
pub const SNAPSHOTS_KEPT: usize = 2;

/// Orders that matching saves for a snapshot between two batches of events.
pub const SNAPSHOT_SLICE_ORDERS: usize = 1024;

/// Bytes that one event makes matching save at most before it is applied: the two orders and the
/// three instruments that it may name, and some prints. An event that clears a book or sets a level
/// may be dearer.
pub const SNAPSHOT_EVENT_BYTES_MAX: usize = 2 << 10;

/// Bytes from which on matching hands a piece of a snapshot on.
pub const SNAPSHOT_PIECE_BYTES: usize = 64 << 10;

/// Bytes for which a piece of a snapshot has room.
pub const SNAPSHOT_BUFFER_BYTES: usize = 2 * SNAPSHOT_PIECE_BYTES;

/// Buffers for pieces of snapshots.
pub const SNAPSHOT_BUFFERS: usize = 32;

/// Notes from a run's parts that wait for the thread that writes snapshots.
pub const SNAPSHOT_NOTES: usize = 8 * SNAPSHOT_BUFFERS;

/// Prints of one replica that a broken trade can still take back: the newest ones.
pub const BREAKABLE_PRINTS_MAX: usize = 1 << 20;

/// Commands of a strategy that may arrive between two events; the rest waits for the next event.
pub const COMMANDS_PER_EVENT_MAX: usize = 1024;

const _: () = {
    assert!((EVENT_BYTES + STAMP_BYTES).is_multiple_of(CACHE_LINE_BYTES));
    assert!((EXECUTION_BYTES + STAMP_BYTES).is_multiple_of(CACHE_LINE_BYTES));
    assert!(BUS_PAYLOAD_BYTES.is_multiple_of(8));
    assert!((BUS_PAYLOAD_BYTES + 8 + STAMP_BYTES).is_multiple_of(CACHE_LINE_BYTES));
    assert!(BUS_TYPES_MAX.is_power_of_two());
    assert!(RING_CAPACITY_DEFAULT.is_power_of_two() && RING_CAPACITY_DEFAULT >= BATCH_RECORDS_MAX);
    assert!(COPIED_RECORDS_MAX <= BATCH_RECORDS_MAX);
    assert!(FEED_BATCH_RECORDS >= MESSAGE_RECORDS_MAX);
    // The records between two places that are marked, and their marks, are less than a block.
    let marks = 1 + FEEDS_MERGED_MAX;
    assert!(FEED_MARK_RECORDS + FEED_BATCH_RECORDS + marks < BLOCK_BYTES / 64 - 1);
    assert!(marks + MESSAGE_RECORDS_MAX < FEED_BATCH_RECORDS);
    assert!(SEGMENT_BYTES_MIN > (SEGMENT_HEADER_BYTES + BLOCK_BYTES) as u64);
    assert!(SEGMENT_BYTES_DEFAULT >= SEGMENT_BYTES_MIN);
};
