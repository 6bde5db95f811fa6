//! Executions: aggressors that sweep displayed orders, hidden prints, crosses.

use crate::event::Flags;
use crate::event::kinds::Text;
use crate::units::Side;

use super::book::key_of;
use super::market::{Market, State};

/// Displayed orders that an aggressor takes.
const TAKEN: &[(u32, u32, u32)] =
    &[(650, 1, 1), (820, 2, 2), (900, 3, 3), (985, 4, 6), (1024, 7, 24)];

/// Hidden orders that an aggressor takes where there is nothing displayed.
const TAKEN_HIDDEN: &[(u32, u32, u32)] = &[(760, 1, 1), (930, 2, 2), (1024, 3, 5)];

/// Orders of the touch that a regular opening or closing cross takes.
const TAKEN_IN_CROSS: &[(u32, u32, u32)] = &[(300, 0, 0), (800, 1, 2), (1024, 3, 6)];

/// How far one aggressor came.
struct Sweep {
    /// Price of its last execution.
    price: u32,
    levels: u32,
    /// Whether nothing displayed is left at that price.
    is_exhausted: bool,
    /// Whether the last order was executed completely.
    is_complete: bool,
}

impl Market {
    /// The side that an aggressor takes from: the stale one if there is one.
    fn draw_resting_side(&mut self, stock: usize) -> Side {
        let stock = &self.stocks[stock];
        for side in [Side::Buy, Side::Sell] {
            let is_stale =
                stock.best(side).is_some_and(|best| best.key >= key_of(side, stock.fair));
            if is_stale && self.random.chance(768) {
                return side;
            }
        }
        if self.random.chance(512) { Side::Buy } else { Side::Sell }
    }

    /// An aggressor takes displayed orders, best price and longest wait first; `false` when the
    /// touch is empty or far from the market.
    ///
    /// Hidden prints follow at a price whose displayed orders are gone. A remainder rests at the
    /// last price; or a reserve order shows its next part.
    pub(super) fn aggress(&mut self, stock: usize) -> bool {
        if self.stocks[stock].state != State::Trading {
            return false;
        }
        let side = self.draw_resting_side(stock);
        let orders = self.random.in_table(TAKEN);
        let Some(sweep) = self.sweep(stock, side, orders) else { return false };
        let tape = &mut self.tape;
        tape.summary.aggressors += 1;
        tape.summary.sweeps += u64::from(sweep.levels > 1);

        let prints_hidden = sweep.is_exhausted && self.random.chance(200);
        if prints_hidden {
            for _ in 0..self.random.in_table(TAKEN_HIDDEN) {
                let qty = self.draw_size();
                self.tape.trade(self.locate(stock), (sweep.price, qty));
            }
        }
        let qty = self.draw_size();
        if sweep.is_exhausted && self.random.chance(240) {
            self.enter(stock, side.opposite(), (sweep.price, qty), Text::new(""));
            self.tape.summary.remainders += 1;
        } else if sweep.is_complete && !prints_hidden && self.random.chance(60) {
            self.enter(stock, side, (sweep.price, qty), Text::new(""));
            self.tape.summary.refills += 1;
        }
        self.tape.end_event();
        true
    }

    /// Executes up to `count` orders from the front; `None` when there is none to take.
    fn sweep(&mut self, stock: usize, side: Side, count: u32) -> Option<Sweep> {
        let band = self.stocks[stock].band();
        let first = self.stocks[stock].best(side)?;
        let fair = key_of(side, self.stocks[stock].fair);
        if first.key.abs_diff(fair) > band {
            return None;
        }
        self.tape.start_event(self.locate(stock));
        let price = key_of(side, first.key);
        let mut sweep = Sweep { price, levels: 1, is_exhausted: false, is_complete: true };
        let mut level = first;
        for taken in 0..count {
            if taken > 0 {
                let Some(next) = self.stocks[stock].best(side) else { break };
                if next.key != level.key {
                    let is_near = first.key - next.key <= band / 2;
                    if !is_near || !self.random.chance(600) {
                        break;
                    }
                    sweep.levels += 1;
                    sweep.price = key_of(side, next.key);
                }
                level = next;
            }
            let order = self.orders[level.head];
            let is_last = taken + 1 == count;
            let is_partial = is_last && order.qty > 1 && self.random.chance(440);
            let qty = if is_partial { self.random.between(1, order.qty - 1) } else { order.qty };
            self.tape.summary.with_company += u64::from(!level.is_single());
            self.tape.execute(self.locate(stock), order.id, qty);
            self.fill(stock, level.head, qty);
            sweep.is_complete = !is_partial;
            sweep.is_exhausted = !is_partial && level.is_single();
        }
        Some(sweep)
    }

    /// Takes executed shares off the order, and the order out of the book when none is left.
    fn fill(&mut self, stock: usize, handle: u32, qty: u32) {
        let order = &mut self.orders[handle];
        order.qty -= qty;
        if order.qty == 0 {
            self.take_out(stock, handle);
            self.tape.summary.note_live(-1);
            self.tape.summary.executed_whole += 1;
        }
    }

    /// The price halfway between the best bid and offer; `None` when it would be one of them or
    /// the touch is not near the market.
    fn midpoint(&self, stock: usize) -> Option<u32> {
        let stock = &self.stocks[stock];
        let bid = stock.best_price(Side::Buy)?;
        let ask = stock.best_price(Side::Sell)?;
        let mid = bid.midpoint(ask);
        let is_near = bid + stock.band() >= stock.fair && ask <= stock.fair + stock.band();
        (is_near && bid < mid && mid < ask && stock.state == State::Trading).then_some(mid)
    }

    /// An aggressor meets hidden orders at the midpoint; `false` when there is none.
    pub(super) fn trade_hidden(&mut self, stock: usize) -> bool {
        let Some(price) = self.midpoint(stock) else { return false };
        self.tape.start_event(self.locate(stock));
        for _ in 0..self.random.in_table(TAKEN_HIDDEN) {
            let qty = self.draw_size();
            self.tape.trade(self.locate(stock), (price, qty));
        }
        self.tape.end_event();
        self.tape.summary.hidden_only += 1;
        true
    }

    /// The front order of the touch is executed at the midpoint; `false` when there is none.
    pub(super) fn execute_priced(&mut self, stock: usize) -> bool {
        let Some(price) = self.midpoint(stock) else { return false };
        let side = self.draw_resting_side(stock);
        let Some(level) = self.stocks[stock].best(side) else { return false };
        self.tape.start_event(self.locate(stock));
        let order = self.orders[level.head];
        let flags = Flags::PRINTABLE | Flags::LAST;
        self.tape.execute_at(self.locate(stock), order.id, (price, order.qty), flags);
        self.fill(stock, level.head, order.qty);
        true
    }

    /// An auction: a crossed book is uncrossed at one price; else orders of one touch take part.
    pub(super) fn cross(&mut self, stock: usize, cross_type: u8) {
        self.tape.start_event(self.locate(stock));
        let (price, shares) = match self.uncross(stock) {
            Some(crossed) => crossed,
            None => self.cross_at_touch(stock),
        };
        self.tape.cross(self.locate(stock), price, shares, cross_type);
    }

    /// Executes displayed orders against each other while the book is locked or crossed; `None`
    /// when it is neither.
    fn uncross(&mut self, stock: usize) -> Option<(u32, u64)> {
        let mut fills: Vec<(u64, u32)> = Vec::new();
        let (mut price, mut shares) = (0, 0);
        while let (Some(bid), Some(ask)) =
            (self.stocks[stock].best(Side::Buy), self.stocks[stock].best(Side::Sell))
        {
            if bid.key < key_of(Side::Sell, ask.key) {
                break;
            }
            let (buy, sell) = (self.orders[bid.head], self.orders[ask.head]);
            let qty = buy.qty.min(sell.qty);
            // Earlier pairs had prices at least as good, so the last pair's price suits all.
            price = sell.price();
            shares += u64::from(qty);
            for (order, handle) in [(buy, bid.head), (sell, ask.head)] {
                fills.push((order.id, qty));
                self.fill(stock, handle, qty);
            }
        }
        for &(id, qty) in &fills {
            self.tape.execute_at(self.locate(stock), id, (price, qty), 0);
        }
        (!fills.is_empty()).then_some((price, shares))
    }

    /// Executes some displayed orders at the touch against auction orders.
    fn cross_at_touch(&mut self, stock: usize) -> (u32, u64) {
        let side = self.draw_resting_side(stock);
        let band = self.stocks[stock].band();
        let fair = self.stocks[stock].fair;
        let Some(first) = self.stocks[stock].best(side) else { return (0, 0) };
        let price = key_of(side, first.key);
        let is_quiet = self.stocks[stock].live < 8 && self.random.chance(512);
        if price.abs_diff(fair) > band || is_quiet {
            return (0, 0);
        }
        let mut shares = 0;
        for _ in 0..self.random.in_table(TAKEN_IN_CROSS) {
            let Some(level) = self.stocks[stock].best(side) else { break };
            if level.key != first.key {
                break;
            }
            let order = self.orders[level.head];
            self.tape.execute_at(self.locate(stock), order.id, (price, order.qty), 0);
            shares += u64::from(order.qty);
            self.fill(stock, level.head, order.qty);
        }
        (price, shares + u64::from(self.random.below(200)) * 100)
    }
}
