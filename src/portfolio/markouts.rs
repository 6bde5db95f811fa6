//! What became of the price after a fill: spread capture, markouts, adverse selection.
//!
//! ```text
//!   fill             + 100 ms          + 1 s                        + 10 s
//!    |--- capture ------|----------------|-----------------------------|
//!    mark - price     mark - price     mark - price                 mark - price    (a purchase)
//! ```
//!
//! | figure | meaning |
//! |---|---|
//! | spread capture | the mark right after the fill's exchange event against the fill's price |
//! | markout | the mark after 100 ms, 1 s and 10 s against the fill's price |
//! | adverse selection | spread capture less the markout after 1 s: what the market took back |
//!
//! Signs are the trader's: a purchase below the mark captures spread. Fees stay out. The mark at a
//! time is the last one of that time; a fill without one, or whose time the run does not reach, is
//! not measured and not counted.

use std::collections::VecDeque;

use super::marks::Mark;
use super::position::Worth;
use crate::error::Result;
use crate::state::{StateReader, StateWriter};
use crate::units::{AccountId, Money, Price, Qty, Side};

/// Times after a fill at which its markouts are taken, in ns.
pub const MARKOUT_HORIZONS: [u64; 3] = [100_000_000, 1_000_000_000, 10_000_000_000];

/// The longest of them: so long after a fill an instrument's marks matter.
pub const MARKOUT_LONGEST: u64 = MARKOUT_HORIZONS[2];

/// Number of the moments at which a fill is measured: at once, then at each horizon.
const MOMENTS: usize = 1 + MARKOUT_HORIZONS.len();

/// The moment of the markout that adverse selection is measured by.
const ADVERSE: usize = 2;

/// A sum over fills that were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Number of the fills.
    pub fills: u64,
    /// Their quantity.
    pub qty: u128,
    /// What they gained.
    pub value: Money,
}

/// How well an account traded an instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Spread capture, then the markouts by horizon.
    moments: [Measured; MOMENTS],
    /// Adverse selection.
    pub adverse: Measured,
}

impl Quality {
    /// Spread capture.
    pub fn capture(&self) -> Measured {
        self.moments[0]
    }

    /// Markouts, by [`MARKOUT_HORIZONS`].
    pub fn markouts(&self) -> [Measured; 3] {
        [self.moments[1], self.moments[2], self.moments[3]]
    }

    pub(super) fn save(&self, writer: &mut StateWriter) {
        for measured in self.moments.iter().chain([&self.adverse]) {
            writer.put_u64(measured.fills);
            writer.put_i128(measured.qty.cast_signed());
            writer.put_i128(measured.value.0);
        }
    }

    pub(super) fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let mut quality = Self::default();
        for measured in quality.moments.iter_mut().chain([&mut quality.adverse]) {
            measured.fills = reader.u64()?;
            measured.qty = reader.i128()?.cast_unsigned();
            measured.value = Money(reader.i128()?);
        }
        Ok(quality)
    }
}

impl Measured {
    fn add(&mut self, qty: Qty, value: Money) {
        self.fills += 1;
        self.qty += u128::from(qty.0);
        self.value += value;
    }
}

/// Changes what an account is measured by.
pub(super) type QualityOf<'a> = dyn FnMut(AccountId, &mut dyn FnMut(&mut Quality)) + 'a;

/// A fill that is still being measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    account: AccountId,
    side: Side,
    price: Price,
    qty: Qty,
    ts_event: u64,
    capture: Option<Money>,
}

/// The fills of an instrument that are still being measured, in the order of their time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markouts {
    pending: VecDeque<Pending>,
    /// By moment: how many of `pending`, from the front, are past it.
    done: [usize; MOMENTS],
}

impl Markouts {
    pub(super) fn note(
        &mut self,
        account: AccountId,
        side: Side,
        price: Price,
        qty: Qty,
        ts_event: u64,
    ) {
        self.pending.push_back(Pending { account, side, price, qty, ts_event, capture: None });
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Measures the markouts that were due before `now` against the mark that stands, which is the
    /// last one of its time.
    pub(super) fn settle(
        &mut self,
        now: u64,
        mark: Option<Mark>,
        worth: Worth,
        quality_of: &mut QualityOf<'_>,
    ) {
        for (moment, after) in (1..).zip(MARKOUT_HORIZONS) {
            let is_due = |fill: &Pending| fill.ts_event.saturating_add(after) < now;
            self.measure(moment, is_due, mark, worth, quality_of);
        }
        let finished = self.done.iter().copied().min().unwrap_or(0);
        self.pending.drain(..finished);
        self.done.iter_mut().for_each(|done| *done -= finished);
    }

    /// Measures what fills captured against the first mark after them, which stands since now.
    pub(super) fn capture(
        &mut self,
        mark: Option<Mark>,
        worth: Worth,
        quality_of: &mut QualityOf<'_>,
    ) {
        self.measure(0, |_| true, mark, worth, quality_of);
    }

    /// Measures at a moment the fills that are due and were not yet measured there.
    fn measure(
        &mut self,
        moment: usize,
        is_due: impl Fn(&Pending) -> bool,
        mark: Option<Mark>,
        worth: Worth,
        quality_of: &mut QualityOf<'_>,
    ) {
        while let Some(fill) = self.pending.get_mut(self.done[moment]).filter(|fill| is_due(fill)) {
            self.done[moment] += 1;
            let Some(value) = mark.and_then(|mark| fill.gain(mark, worth)) else { continue };
            if moment == 0 {
                fill.capture = Some(value);
            }
            quality_of(fill.account, &mut |quality| {
                quality.moments[moment].add(fill.qty, value);
                if let Some(capture) = fill.capture.filter(|_| moment == ADVERSE) {
                    quality.adverse.add(fill.qty, capture - value);
                }
            });
        }
    }

    pub(super) fn save(&self, writer: &mut StateWriter) {
        self.done.iter().for_each(|&done| writer.put_len(done));
        writer.put_len(self.pending.len());
        for fill in &self.pending {
            writer.put_u32(fill.account.0);
            writer.put_u8(fill.side as u8);
            writer.put_i64(fill.price.0);
            writer.put_u64(fill.qty.0);
            writer.put_u64(fill.ts_event);
            writer.put_bool(fill.capture.is_some());
            writer.put_i128(fill.capture.unwrap_or_default().0);
        }
    }

    pub(super) fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let mut markouts = Self::default();
        for done in &mut markouts.done {
            *done = reader.u64()? as usize;
        }
        for _ in 0..reader.len(46)? {
            let account = AccountId(reader.u32()?);
            let code = reader.u8()?;
            let side =
                Side::from_code(code).ok_or_else(|| reader.bad(format!("no side is {code}")))?;
            let (price, qty) = (Price(reader.i64()?), Qty(reader.u64()?));
            let ts_event = reader.u64()?;
            let (has_capture, capture) = (reader.bool()?, Money(reader.i128()?));
            let capture = has_capture.then_some(capture);
            markouts.pending.push_back(Pending { account, side, price, qty, ts_event, capture });
        }
        if markouts.done.iter().any(|done| *done > markouts.pending.len()) {
            return Err(reader.bad("more fills were measured than there are"));
        }
        Ok(markouts)
    }
}

impl Pending {
    /// What the fill gained by a mark; `None` beyond what money can hold.
    fn gain(&self, mark: Mark, worth: Worth) -> Option<Money> {
        let difference = mark.half_price - 2 * i128::from(self.price.0);
        let sign = if self.side == Side::Buy { 1 } else { -1 };
        worth.value(sign * difference, i128::from(self.qty.0))
    }
}
