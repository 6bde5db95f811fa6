//! Tick schedules: the smallest step of a price, band by band.

/// Bands that a schedule has at most.
pub const TICK_BANDS_MAX: usize = 8;

/// The steps that prices of new orders have, by bands of price; all in one unit.
///
/// ```
/// use ringtape::event::TickBands;
///
/// let bands = TickBands::new(&[(0, 1), (10_000, 100)]).expect("ascending bands");
/// assert_eq!((bands.step(9_999), bands.step(10_000)), (1, 100));
/// assert!(bands.is_on(10_100) && !bands.is_on(10_150) && bands.is_on(9_999));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickBands {
    /// Where each band begins, and its step; the first `count` are in use.
    bands: [(u64, u64); TICK_BANDS_MAX],
    count: u8,
}

impl TickBands {
    /// A schedule of bands, each with the price that it begins at and its step.
    ///
    /// # Errors
    ///
    /// What is wrong with them: none or too many, the first not from 0, not ascending, a step of 0,
    /// a beginning that is no multiple of the band's own step.
    pub fn new(bands: &[(u64, u64)]) -> Result<Self, String> {
        if bands.is_empty() || bands.len() > TICK_BANDS_MAX {
            return Err(format!("{} bands are not 1 to {TICK_BANDS_MAX}", bands.len()));
        }
        if bands[0].0 != 0 {
            return Err("the first band does not begin at 0".to_owned());
        }
        if !bands.is_sorted_by(|before, after| before.0 < after.0) {
            return Err("a band begins where another does".to_owned());
        }
        if bands.iter().any(|&(from, step)| step == 0 || from % step != 0) {
            return Err("a band begins at no multiple of its own tick".to_owned());
        }
        let mut all = [(0, 0); TICK_BANDS_MAX];
        all[..bands.len()].copy_from_slice(bands);
        Ok(Self { bands: all, count: bands.len() as u8 })
    }

    /// The bands, each with the price that it begins at and its step.
    pub fn bands(&self) -> &[(u64, u64)] {
        &self.bands[..usize::from(self.count)]
    }

    /// The step at a price.
    pub fn step(&self, price: u64) -> u64 {
        let band = self.bands().iter().rev().find(|(from, _)| *from <= price);
        band.map_or(self.bands[0].1, |(_, step)| *step)
    }

    /// Whether a price is a multiple of the step at it.
    pub fn is_on(&self, price: u64) -> bool {
        price.is_multiple_of(self.step(price))
    }

    /// The highest price on the schedule that is not above `price`.
    pub fn down_from(&self, price: u64) -> u64 {
        price - price % self.step(price)
    }

    /// The lowest price on the schedule that is not below `price`.
    pub fn up_from(&self, price: u64) -> u64 {
        let up = price.next_multiple_of(self.step(price));
        // A band begins on its own step, and perhaps before the step of the band below ends.
        let begins = self.bands().iter().map(|&(from, _)| from);
        begins.filter(|&from| price <= from && from < up).min().unwrap_or(up)
    }

    /// The same schedule in steps of `increment`; `None` where its steps are no multiples of that.
    pub fn in_steps_of(&self, increment: u64) -> Option<Self> {
        let mut bands = *self;
        for (from, step) in &mut bands.bands[..usize::from(self.count)] {
            if increment == 0 || !step.is_multiple_of(increment) {
                return None;
            }
            (*from, *step) = (*from / increment, *step / increment);
        }
        Some(bands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_schedule_is_refused_with_its_reason() {
        for (bands, told) in [
            (&[][..], "0 bands"),
            (&[(1, 1)][..], "begin at 0"),
            (&[(0, 1), (0, 2)][..], "another"),
            (&[(0, 0)][..], "own tick"),
            (&[(0, 1), (15, 10)][..], "own tick"),
            (&[(0, 1); 9][..], "9 bands"),
        ] {
            let refused = TickBands::new(bands).expect_err("no schedule");
            assert!(refused.contains(told), "{bands:?}: {refused}");
        }
    }

    #[test]
    fn the_nearest_price_on_the_schedule_is_the_one_that_a_search_finds() {
        let all = [&[(0, 1), (100, 25)][..], &[(0, 4), (10, 10), (33, 3)], &[(0, 7)]];
        for bands in all.map(|bands| TickBands::new(bands).expect("ascending bands")) {
            for price in 0..200 {
                let down = (0..=price).rev().find(|&price| bands.is_on(price));
                assert_eq!(Some(bands.down_from(price)), down, "{bands:?} {price}");
                assert_eq!(Some(bands.up_from(price)), (price..).find(|&p| bands.is_on(p)));
            }
        }
    }

    #[test]
    fn a_schedule_converts_where_its_steps_are_whole() {
        let cents = TickBands::new(&[(0, 100_000), (1_000_000_000, 10_000_000)]).expect("bands");
        let itch = cents.in_steps_of(100_000).expect("whole steps");
        assert_eq!(itch.bands(), [(0, 1), (10_000, 100)]);
        assert_eq!(cents.in_steps_of(1_000_000), None);
    }
}
