//! What happens at set times: phases of the day, directory, auctions, halts, notices.

use super::market::{Market, PARTICIPANTS, State};
use super::profile::{POSITIONS_PPM, Profile};
use super::random::Random;

const SECOND: u64 = 1_000_000_000;

/// A time of day in ns since midnight.
pub(super) const fn at(hour: u64, minute: u64, second: u64) -> u64 {
    (hour * 3600 + minute * 60 + second) * SECOND
}

/// Trading begins on the exchange.
pub(super) const SYSTEM_START: u64 = at(4, 0, 0);
/// The opening crosses and regular trading begin.
pub(super) const MARKET_OPEN: u64 = at(9, 30, 0);
/// Regular trading ends, and the closing crosses begin.
pub(super) const MARKET_CLOSE: u64 = at(16, 0, 0);
/// Trading ends on the exchange.
pub(super) const SYSTEM_END: u64 = at(20, 0, 0);
/// The last message.
pub(super) const MESSAGES_END: u64 = at(20, 5, 0);

/// The opening crosses follow one another this closely.
const CROSS_GAP_NS: u64 = 60_000;

/// A halt lasts this long; its second half is a quoting period.
const HALT_NS: u64 = at(0, 10, 0);

/// Orders that are sure to arrive in a quoting period, so that the book crosses.
const QUOTING_ORDERS: u64 = 12;

/// Public offerings and direct listings trade from here on.
const OFFERINGS_TRADE: u64 = at(10, 45, 0);

/// Symbols from which on a session holds an offering and a direct listing.
const SYMBOLS_FOR_OFFERINGS: u32 = 8;

/// Something that happens at a set time.
#[derive(Clone, Copy, Debug)]
enum Task {
    Phase(u8),
    Directory(usize),
    Position { stock: usize, number: usize },
    DeclineLevels,
    DeclineStatus,
    Stubs(usize),
    Cross { stock: usize, cross_type: u8 },
    Halt(usize),
    Collar(usize),
    Quote(usize),
    QuotedOrder(usize),
    HaltImbalance(usize),
    Resume(usize),
    OperationalHalt(usize),
    OperationalResume(usize),
    Offering(usize),
    DirectListing(usize),
    RetailInterest(usize),
    Broken,
}

impl Task {
    /// The stock that it is about.
    fn stock_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::Phase(_) | Self::DeclineLevels | Self::DeclineStatus | Self::Broken => None,
            Self::Position { stock, .. }
            | Self::Cross { stock, .. }
            | Self::Directory(stock)
            | Self::Stubs(stock)
            | Self::Halt(stock)
            | Self::Collar(stock)
            | Self::Quote(stock)
            | Self::QuotedOrder(stock)
            | Self::HaltImbalance(stock)
            | Self::Resume(stock)
            | Self::OperationalHalt(stock)
            | Self::OperationalResume(stock)
            | Self::Offering(stock)
            | Self::DirectListing(stock)
            | Self::RetailInterest(stock) => Some(stock),
        }
    }
}

/// The tasks of a session, soonest last.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    tasks: Vec<(u64, Task)>,
    /// Stocks that begin to trade during the day only.
    offerings: Vec<usize>,
}

impl Schedule {
    pub(super) fn new(profile: &Profile, random: &mut Random) -> Self {
        let mut schedule = Self { tasks: Vec::new(), offerings: Vec::new() };
        let stocks = profile.symbols as usize;
        schedule.plan_day();
        schedule.plan_directory(profile);
        for stock in 0..stocks {
            schedule.plan_stock(stock, random);
        }
        schedule.plan_halts(stocks, random);
        if profile.symbols >= SYMBOLS_FOR_OFFERINGS {
            schedule.plan_offerings(stocks);
        }
        // Equal times keep the order of planning.
        schedule.tasks.reverse();
        schedule.tasks.sort_by_key(|&(ts, _)| std::cmp::Reverse(ts));
        schedule
    }

    /// The tasks of each of `count` partitions, those of no stock with the first.
    pub(super) fn split(self, count: usize) -> Vec<Self> {
        let mut parts = vec![Self { tasks: Vec::new(), offerings: Vec::new() }; count];
        for (ts, mut task) in self.tasks {
            let part = task.stock_mut().map_or(0, |stock| {
                let part = *stock % count;
                *stock /= count;
                part
            });
            parts[part].tasks.push((ts, task));
        }
        for stock in self.offerings {
            parts[stock % count].offerings.push(stock / count);
        }
        parts
    }

    /// Tasks after the last phase of the day.
    pub(super) fn closing(&self) -> u64 {
        self.tasks.iter().filter(|(ts, _)| *ts >= SYSTEM_END).count() as u64
    }

    fn plan(&mut self, ts: u64, task: Task) {
        self.tasks.push((ts, task));
    }

    fn plan_day(&mut self) {
        self.plan(at(3, 0, 0), Task::Phase(b'O'));
        self.plan(at(3, 5, 0), Task::DeclineLevels);
        self.plan(SYSTEM_START, Task::Phase(b'S'));
        self.plan(MARKET_OPEN, Task::Phase(b'Q'));
        self.plan(at(13, 45, 0), Task::DeclineStatus);
        self.plan(MARKET_CLOSE, Task::Phase(b'M'));
        self.plan(SYSTEM_END, Task::Phase(b'E'));
        self.plan(MESSAGES_END, Task::Phase(b'C'));
    }

    fn plan_directory(&mut self, profile: &Profile) {
        let stocks = profile.symbols as usize;
        let positions = (profile.messages * POSITIONS_PPM / 1_000_000).max(1) as usize;
        let (from, span) = (at(3, 7, 0), at(0, 20, 0));
        for stock in 0..stocks {
            self.plan(from + span * stock as u64 / stocks as u64, Task::Directory(stock));
        }
        for number in 0..positions {
            let ts = from + span + span * number as u64 / positions as u64;
            let (stock, number) = (number % stocks, number / stocks);
            self.plan(ts, Task::Position { stock, number });
        }
    }

    fn plan_stock(&mut self, stock: usize, random: &mut Random) {
        let open = MARKET_OPEN + 1_000_000 + stock as u64 * CROSS_GAP_NS;
        let close = MARKET_CLOSE + 1_000_000 + stock as u64 * CROSS_GAP_NS;
        self.plan(open, Task::Cross { stock, cross_type: b'O' });
        self.plan(close, Task::Cross { stock, cross_type: b'C' });
        if stock.is_multiple_of(4) {
            let ts = SYSTEM_START + random.below_wide(at(2, 0, 0));
            self.plan(ts, Task::Stubs(stock));
        }
        if stock.is_multiple_of(16) {
            self.plan(at(10, 0, 0) + random.below_wide(at(5, 0, 0)), Task::RetailInterest(stock));
            self.plan(at(10, 0, 0) + random.below_wide(at(5, 0, 0)), Task::Broken);
        }
    }

    /// Volatility halts of some stocks, one each, and one operational halt.
    fn plan_halts(&mut self, stocks: usize, random: &mut Random) {
        let halts = (stocks / 300).max(3).min(stocks);
        for halt in 0..halts {
            let stock = (1 + halt * 5) % stocks;
            let span = at(5, 0, 0) / halts as u64;
            let ts = at(9, 50, 0) + span * halt as u64 + random.below_wide(span - HALT_NS);
            self.plan(ts, Task::Halt(stock));
            self.plan(ts + 30_000, Task::Collar(stock));
            self.plan_quoting(stock, ts + HALT_NS / 2, ts + HALT_NS);
        }
        let stock = stocks / 2;
        self.plan(at(15, 10, 0), Task::OperationalHalt(stock));
        self.plan(at(15, 20, 0), Task::OperationalResume(stock));
    }

    /// A quoting period that ends in a cross.
    fn plan_quoting(&mut self, stock: usize, from: u64, until: u64) {
        self.plan(from, Task::Quote(stock));
        let step = (until - from) / (QUOTING_ORDERS + 1);
        for order in 1..=QUOTING_ORDERS {
            self.plan(from + step * order, Task::QuotedOrder(stock));
            self.plan(from + step * order + step / 2, Task::HaltImbalance(stock));
        }
        self.plan(until, Task::Cross { stock, cross_type: b'H' });
        self.plan(until + 20_000, Task::Resume(stock));
    }

    /// Two stocks that are new: a public offering and a direct listing.
    fn plan_offerings(&mut self, stocks: usize) {
        let (offered, listed) = (stocks - 2, stocks - 3);
        self.plan(at(9, 0, 0), Task::Offering(offered));
        self.plan_quoting(offered, at(10, 15, 0), at(10, 30, 0));
        self.plan(at(10, 40, 0), Task::DirectListing(listed));
        self.plan_quoting(listed, at(10, 35, 0), OFFERINGS_TRADE);
        for stock in [offered, listed] {
            self.offerings.push(stock);
            self.tasks.retain(|(_, task)| {
                !matches!(task, Task::Cross { stock: other, cross_type: b'O' } if *other == stock)
                    && !matches!(task, Task::Stubs(other) if *other == stock)
            });
        }
    }

    /// Time of the next task.
    #[inline]
    pub(super) fn next_ts(&self) -> Option<u64> {
        self.tasks.last().map(|&(ts, _)| ts)
    }

    /// Does the next task, at its time or, when that has passed, now.
    pub(super) fn run_next(&mut self, market: &mut Market) {
        let Some((ts, task)) = self.tasks.pop() else { return };
        market.tape.now = market.tape.now.max(ts);
        match task {
            Task::Phase(code) => market.tape.phase(code),
            Task::Directory(stock) => {
                market.introduce(stock, self.offerings.contains(&stock));
            }
            Task::Stubs(stock) => market.add_stubs(stock),
            Task::Cross { stock, cross_type } => market.cross(stock, cross_type),
            Task::Halt(stock) => market.set_state(stock, State::Halted, "LUDP"),
            Task::Quote(stock) => {
                let is_offering =
                    self.offerings.contains(&stock) && market.tape.now < OFFERINGS_TRADE;
                let reason = if is_offering { "IPOQ" } else { "LUDP" };
                market.set_state(stock, State::Quoting, reason);
            }
            Task::Resume(stock) => market.set_state(stock, State::Trading, ""),
            Task::Collar(stock) => {
                market.tape.collar(market.locate(stock), market.stocks[stock].fair);
            }
            Task::QuotedOrder(stock) => market.add_through(stock),
            Task::HaltImbalance(stock) => market.imbalance(stock, b'H'),
            Task::OperationalHalt(stock) => {
                market.stocks[stock].state = State::Halted;
                market.tape.status(market.locate(stock), b'H', b'Q', "");
            }
            Task::OperationalResume(stock) => {
                market.stocks[stock].state = State::Trading;
                market.tape.status(market.locate(stock), b'T', b'Q', "");
            }
            Task::Broken => market.tape.broken(),
            Task::Position { .. }
            | Task::DeclineLevels
            | Task::DeclineStatus
            | Task::Offering(_)
            | Task::DirectListing(_)
            | Task::RetailInterest(_) => market.notice(task),
        }
    }
}

impl Market {
    /// Directory, state and short-sale restriction of a stock.
    fn introduce(&mut self, stock: usize, is_offering: bool) {
        let instrument = self.locate(stock);
        self.tape.directory(instrument, &self.stocks[stock].terms.ticker, is_offering);
        self.tape.now += 40_000;
        if is_offering {
            self.set_state(stock, State::Halted, "IPO1");
        } else {
            self.set_state(stock, State::Trading, "");
        }
        self.tape.now += 1_000;
        let symbol = self.symbol(stock);
        self.tape.notice(b'Y', instrument, &[&symbol, b"0"]);
    }

    fn set_state(&mut self, stock: usize, state: State, reason: &str) {
        self.stocks[stock].state = state;
        let letter = match state {
            State::Trading => b'T',
            State::Quoting => b'Q',
            State::Halted => b'H',
        };
        self.tape.status(self.locate(stock), letter, 0, reason);
    }

    fn symbol(&self, stock: usize) -> [u8; 8] {
        let mut symbol = [b' '; 8];
        let ticker = self.stocks[stock].terms.ticker.as_bytes();
        symbol[..ticker.len()].copy_from_slice(ticker);
        symbol
    }

    /// Imbalance and indicative price before a cross.
    pub(super) fn imbalance(&mut self, stock: usize, cross_type: u8) {
        let paired = self.random.below(4_000) * 25;
        let shares = self.random.below(400) * 25;
        let direction = match shares {
            0 => b'N',
            _ => self.random.pick(b"BS"),
        };
        let price = self.stocks[stock].fair;
        self.tape.imbalance(self.locate(stock), (paired, shares, direction), price, cross_type);
    }

    /// The messages that touch no order.
    fn notice(&mut self, task: Task) {
        match task {
            Task::Position { stock, number } => {
                let participant = PARTICIPANTS[number % PARTICIPANTS.len()].as_bytes();
                let symbol = self.symbol(stock);
                self.tape.notice(b'L', self.locate(stock), &[participant, &symbol, b"YNA"]);
            }
            Task::DeclineLevels => {
                // 7, 13 and 20 per cent under an index of 3,000, in 1e-8.
                let levels =
                    [2_790_u64, 2_610, 2_400].map(|level| (level * 100_000_000).to_be_bytes());
                self.tape.notice(b'V', 0, &[&levels[0], &levels[1], &levels[2]]);
            }
            Task::DeclineStatus => self.tape.notice(b'W', 0, &[b"1"]),
            Task::Offering(stock) => {
                let release = (at(10, 30, 0) / SECOND) as u32;
                let price = self.stocks[stock].fair.to_be_bytes();
                let symbol = self.symbol(stock);
                let fields: [&[u8]; 4] = [&symbol, &release.to_be_bytes(), b"A", &price];
                self.tape.notice(b'K', self.locate(stock), &fields);
            }
            Task::DirectListing(stock) => {
                let fair = self.stocks[stock].fair;
                let symbol = self.symbol(stock);
                let [low, high] = [fair - fair / 5, fair + fair / 5].map(u32::to_be_bytes);
                let near = fair.to_be_bytes();
                let time = OFFERINGS_TRADE.to_be_bytes();
                let fields: [&[u8]; 8] = [&symbol, b"Y", &low, &high, &near, &time, &low, &high];
                self.tape.notice(b'O', self.locate(stock), &fields);
            }
            Task::RetailInterest(stock) => {
                let interest = self.random.pick(b"BSAN");
                let symbol = self.symbol(stock);
                self.tape.notice(b'N', self.locate(stock), &[&symbol, &[interest]]);
            }
            _ => {}
        }
    }
}
