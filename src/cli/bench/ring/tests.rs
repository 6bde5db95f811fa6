//! Would catch a bench that takes a broken stream for a good one.

use std::time::Duration;

use super::stream::{Record, record};
use super::watch::{Part, Tally, outcome};

fn faults(records: &[Record]) -> bool {
    let mut tally = Tally::default();
    records.iter().for_each(|record| tally.record(record));
    tally.faults != 0
}

#[test]
fn a_lost_repeated_swapped_or_torn_record_is_a_fault() {
    let stream: Vec<Record> = (0..4).map(record).collect();
    assert!(!faults(&stream));
    let [a, b, c, d] = stream[..] else { panic!("four") };
    let torn = [b[0], b[1], b[2], c[3], b[4], b[5], b[6]];
    for wrong in [[a, c, d, d], [a, a, b, c], [a, c, b, d], [a, torn, c, d]] {
        assert!(faults(&wrong), "{wrong:x?}");
    }
}

#[test]
fn a_stage_that_read_another_stream_than_the_others_fails_the_round() {
    let part = |records, checksum, faults| Part {
        elapsed: Duration::from_secs(1),
        records,
        looks: 1,
        checksum,
        faults,
        histogram: None,
    };
    assert!(outcome(&[part(8, 1, 0), part(8, 1, 0)], None).is_ok());
    for other in [part(7, 1, 0), part(8, 2, 0), part(8, 1, 4)] {
        assert!(outcome(&[part(8, 1, 0), other], None).is_err());
    }
}
