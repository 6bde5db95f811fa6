//! The table of kinds, held against itself.

use super::*;

#[test]
fn codes_ascend_and_lead_back_to_their_kind() {
    assert!(KINDS.is_sorted_by(|a, b| (a.kind as u8) < (b.kind as u8)));
    for info in KINDS {
        assert_eq!(Kind::from_code(info.kind as u8), Some(info.kind));
        assert_eq!(info.kind.name(), info.name);
    }
    assert_eq!(Kind::from_code(0), None);
}

#[test]
fn fields_fill_the_payload_without_a_hole() {
    for info in KINDS {
        let mut next = PAYLOAD_OFFSET;
        for field in info.fields {
            assert_eq!(field.offset, next, "{}.{}", info.name, field.name);
            next += field.bytes;
        }
        assert_eq!(next, size_of::<Event>(), "{}", info.name);
    }
}

#[test]
fn prices_quantities_and_match_numbers_lie_at_the_same_place_in_every_kind() {
    for info in KINDS.iter().filter(|info| info.group == Group::Market) {
        for (name, offset) in [("order_id", 24), ("price", 32), ("qty", 40), ("match_id", 48)] {
            let field = info.fields.iter().find(|field| field.name == name);
            assert!(field.is_none_or(|f| f.offset == offset), "{}.{name}", info.name);
        }
    }
}
