//! The ITCH decoder against the `itchy` crate: a real recording and random valid messages.
//!
//! Would catch a field that this crate and its tests by hand misread in the same way.

use itchy::{Body, MessageStream, Side as ItchySide};
use proptest::prelude::*;
use ringtape::event::{Event, EventView, Flags};
use ringtape::feed::itch::MESSAGES;
use ringtape::units::{OrderId, Price, Qty, Side};

use crate::feed_common::{events_of, messages, own, start, valid_message};

fn qty(value: u32) -> Qty {
    Qty(u64::from(value))
}

fn text(padded: &str) -> &str {
    padded.trim_end_matches(' ')
}

fn side_of(side: ItchySide) -> Option<Side> {
    Some(if side == ItchySide::Buy { Side::Buy } else { Side::Sell })
}

fn notice_is(event: &Event, fields: &[&[u8]]) -> bool {
    let EventView::Notice(notice) = event.view() else { return false };
    let body = fields.concat();
    usize::from(notice.body_bytes) >= body.len() && notice.body.0.starts_with(&body)
}

/// Whether a message as `itchy` reads it and the records made of it say the same.
fn agree(theirs: &itchy::Message, chain: &[Event]) -> bool {
    let event = own(chain).first().expect("a record");
    let same_header = chain.iter().all(|record| {
        record.ts_event == theirs.timestamp && record.instrument == u32::from(theirs.stock_locate)
    });
    let printable = event.has(Flags::PRINTABLE);
    same_header
        && agree_order(&theirs.body, event, printable)
            .unwrap_or_else(|| agree_state(&theirs.body, event, own(chain)))
}

/// Compares messages about orders and trades; `None` for others.
fn agree_order(theirs: &Body, event: &Event, printable: bool) -> Option<bool> {
    let price = |price: itchy::Price4| Price(i64::from(price.raw()));
    Some(match (theirs, event.view()) {
        (Body::AddOrder(t), EventView::Add(o)) => {
            (OrderId(t.reference), price(t.price), qty(t.shares)) == (o.order_id, o.price, o.qty)
                && event.side() == side_of(t.side)
                && o.attribution.as_str() == t.mpid.as_ref().map_or("", |mpid| text(mpid))
        }
        (Body::OrderExecuted { reference, executed, match_number }, EventView::Execute(o)) => {
            (*reference, *executed, *match_number) == (o.order_id.0, o.qty.0 as u32, o.match_id.0)
                && printable
        }
        (
            Body::OrderExecutedWithPrice {
                reference,
                executed,
                match_number,
                printable: t_printable,
                price: at,
            },
            EventView::ExecuteAt(o),
        ) => {
            (*reference, u64::from(*executed), *match_number, price(*at), *t_printable)
                == (o.order_id.0, o.qty.0, o.match_id.0, o.price, printable)
        }
        (Body::OrderCancelled { reference, cancelled }, EventView::Reduce(o)) => {
            (*reference, u64::from(*cancelled)) == (o.order_id.0, o.qty.0)
        }
        (Body::DeleteOrder { reference }, EventView::Delete(o)) => *reference == o.order_id.0,
        (Body::ReplaceOrder(t), EventView::Replace(o)) => {
            (t.old_reference, t.new_reference) == (o.order_id.0, o.new_order_id.0)
                && (qty(t.shares), price(t.price)) == (o.qty, o.price)
        }
        (Body::NonCrossTrade(t), EventView::Trade(o)) => {
            (t.reference, t.match_number) == (o.order_id.0, o.match_id.0)
                && (qty(t.shares), price(t.price)) == (o.qty, o.price)
                && event.side() == side_of(t.side)
                && printable
        }
        _ => return None,
    })
}

/// Compares all other messages.
fn agree_state(theirs: &Body, event: &Event, own: &[Event]) -> bool {
    let raw = |price: itchy::Price4| price.raw();
    match (theirs, event.view()) {
        (Body::CrossTrade(t), EventView::Cross(o)) => {
            (t.shares, t.match_number) == (o.qty.0, o.match_id.0)
                && Price(i64::from(t.cross_price.raw())) == o.price
                && event.has(Flags::PRINTABLE) == (t.shares > 0)
        }
        (Body::BrokenTrade { match_number }, EventView::Broken(o)) => *match_number == o.match_id.0,
        (Body::Imbalance(t), EventView::Imbalance(o)) => {
            (t.paired_shares, t.imbalance_shares) == (o.paired_qty.0, o.imbalance_qty.0)
                && (raw(t.far_price), raw(t.near_price), raw(t.current_ref_price))
                    == (o.far_price.0, o.near_price.0, o.reference_price.0)
                && t.price_variation_indicator == char::from(o.price_variation.0)
        }
        (
            Body::LULDAuctionCollar { ref_price, upper_price, lower_price, extension, .. },
            EventView::Collar(o),
        ) => {
            [*ref_price, *upper_price, *lower_price].map(|p| Price(i64::from(p.raw())))
                == [o.reference_price, o.upper_price, o.lower_price]
                && u64::from(*extension) == o.extension
        }
        (Body::TradingAction { reason, .. }, EventView::Status(o)) => {
            o.reason.as_str() == text(reason)
        }
        (Body::SystemEvent { .. }, EventView::Phase(_)) => true,
        (Body::StockDirectory(t), EventView::Instrument(o)) => {
            let (EventView::InstrumentTerms(terms), EventView::InstrumentListing(listing)) =
                (own[1].view(), own[2].view())
            else {
                return false;
            };
            o.symbol.as_str() == text(&t.stock)
                && terms.round_lot == t.round_lot_size
                && listing.etp_leverage == t.etp_leverage_factor
                && (listing.round_lots_only.0 == b'Y') == t.round_lots_only
                && (listing.authenticity.0 == b'P') == t.authenticity
                && (listing.inverse.0 == b'Y') == t.inverse_indicator
        }
        (Body::RegShoRestriction { stock, .. }, _) => notice_is(event, &[stock.as_bytes()]),
        (Body::RetailPriceImprovementIndicator(t), _) => notice_is(event, &[t.stock.as_bytes()]),
        (Body::ParticipantPosition(t), _) => {
            notice_is(event, &[t.mpid.as_bytes(), t.stock.as_bytes()])
        }
        (Body::IpoQuotingPeriod(t), _) => {
            notice_is(event, &[t.stock.as_bytes(), &t.release_time.to_be_bytes()])
        }
        (Body::MwcbDeclineLevel { level1, level2, level3 }, _) => {
            let levels = [level1, level2, level3].map(|level| level.raw().to_be_bytes());
            notice_is(event, &[&levels[0], &levels[1], &levels[2]])
        }
        (Body::Breach(_), _) => notice_is(event, &[]),
        _ => false,
    }
}

/// Compares all messages of some bytes; how many there were.
fn compare(bytes: &[u8]) -> usize {
    let events = events_of(bytes.to_vec());
    let mut theirs = MessageStream::from_reader(bytes);
    let mut count = 0;
    for chain in messages(&events) {
        let message = theirs.next().expect("as many messages").expect("a message");
        assert!(agree(&message, chain), "message {count}: {message:?}\n{chain:?}");
        count += 1;
    }
    assert!(theirs.next().is_none(), "itchy found more messages");
    count
}

#[test]
fn the_aapl_recording_reads_the_same_as_with_itchy() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let path = folder.join("itch/AAPL_20200130_premarket_10k.NASDAQ_ITCH50");
    assert_eq!(compare(&std::fs::read(path).expect("a readable recording")), 10_000);
}

proptest! {
    #[test]
    fn random_messages_read_the_same_as_with_itchy(
        given in prop::collection::vec((0..MESSAGES.len(), any::<[[u8; 32]; 2]>()), 1..60),
    ) {
        let mut bytes = start();
        let mut sent = 1;
        for (choice, noise) in given {
            // Types that itchy does not know, and panics on.
            if matches!(MESSAGES[choice].letter, b'h' | b'O') {
                continue;
            }
            bytes.extend(valid_message(choice, bytemuck::cast_ref(&noise)).frame());
            sent += 1;
        }
        prop_assert_eq!(compare(&bytes), sent);
    }
}
