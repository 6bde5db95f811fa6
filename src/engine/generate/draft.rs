//! The session before it is dealt out to its partitions.

use super::lulls::Lulls;
use super::market::{Market, Part, Stock};
use super::partition::{Partition, Share};
use super::phases::Plan;
use super::profile::{Profile, in_proportion};
use super::random::Random;
use super::schedule::Schedule;
use super::style::{Style, live_weights};
use super::symbols;

/// The partitions of a session, at the start of their day.
///
/// The stocks are dealt out by activity in turn; messages and live orders follow them.
pub(super) fn partitions(profile: &Profile) -> Vec<Partition> {
    let Profile { messages, symbols, live, seed } = *profile;
    let style = Style::of(symbols);
    let count = style.partitions;
    let mut random = Random::new(seed);
    let schedule = Schedule::new(profile, &mut random);
    let stocks = Stock::all(symbols, &mut random);
    let lulls = if style.has_lulls {
        let plan = Plan::new(profile, style.phases, schedule.closing(), 1);
        Lulls::new(profile, &plan, &mut random)
    } else {
        Lulls::none()
    };

    let activity = symbols::weights(symbols);
    let live_weights = deal(live_weights(&activity), count);
    let activity = deal(activity, count);
    let (messages, live) = (divide(messages, &activity), divide(live, &live_weights));
    let stocks = deal(stocks, count);
    let (randoms, stock_randoms) = (random.split(count), Random::new(!seed).split(count));
    let shares = stocks.into_iter().zip(schedule.split(count)).enumerate();
    let partition = |(number, (stocks, schedule)): (usize, (Vec<Stock>, Schedule))| {
        let part = Part { number: number as u32, of: count as u32 };
        let symbols = stocks.len() as u32;
        let (weights, random) = (&live_weights[number], randoms[number].clone());
        Partition::new(Share {
            profile: Profile { messages: messages[number], symbols, live: live[number], seed },
            activity: &activity[number],
            market: Market::new(part, stocks, weights, style.clone(), random),
            schedule,
            lulls: lulls.clone(),
            stock_random: stock_randoms[number].clone(),
        })
    };
    shares.map(partition).collect()
}

/// Items dealt out in turn to `count` hands.
fn deal<T>(items: Vec<T>, count: usize) -> Vec<Vec<T>> {
    let mut hands: Vec<Vec<T>> = (0..count).map(|_| Vec::new()).collect();
    for (index, item) in items.into_iter().enumerate() {
        hands[index % count].push(item);
    }
    hands
}

/// A number in parts as large as the sums of `weights`; the first has what is left over.
fn divide(whole: u64, weights: &[Vec<u64>]) -> Vec<u64> {
    let sums: Vec<u64> = weights.iter().map(|weights| weights.iter().sum()).collect();
    let mut parts = in_proportion(whole, &sums);
    parts[0] += whole - parts.iter().sum::<u64>();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_divided_is_whole_again() {
        assert_eq!(divide(100, &[vec![1, 1], vec![1], vec![4]]), [29, 14, 57]);
        assert_eq!(divide(7, &[vec![3]]), [7]);
    }
}
