//! One row of a message file, parsed byte by byte.

use crate::units::Side;

/// A row whose fields are what the format allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// After midnight.
    pub(super) time_ns: u64,
    /// The type's digit.
    pub(super) letter: u8,
    /// 0 where the row names no order.
    pub(super) order_id: u64,
    pub(super) size: u64,
    pub(super) price: i64,
    /// Of the resting order.
    pub(super) side: Side,
}

/// What is wrong with a row, and at which of its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RowFault {
    pub(super) at: usize,
    pub(super) what: String,
}

const COLUMNS: [&str; 6] = ["time", "type", "order id", "size", "price", "direction"];

impl Row {
    pub(super) fn parse(line: &[u8]) -> Result<Self, RowFault> {
        let mut fields = [(0, &line[..0]); COLUMNS.len()];
        let mut count = 0;
        let mut at = 0;
        for field in line.split(|&byte| byte == b',') {
            if let Some(place) = fields.get_mut(count) {
                *place = (at, field);
            }
            count += 1;
            at += field.len() + 1;
        }
        if count != COLUMNS.len() {
            let what = format!("it has {count} columns, not {}", COLUMNS.len());
            return Err(RowFault { at: 0, what });
        }
        let bad = |column: usize, allowed: &str| {
            let (at, field) = fields[column];
            let shown = String::from_utf8_lossy(field);
            RowFault { at, what: format!("the {} is `{shown}`, not {allowed}", COLUMNS[column]) }
        };
        let whole =
            |column: usize| integer(fields[column].1).ok_or_else(|| bad(column, "a whole number"));
        let time_ns = time(fields[0].1).ok_or_else(|| bad(0, "seconds after midnight"))?;
        let &[letter @ b'1'..=b'7'] = fields[1].1 else { return Err(bad(1, "1 to 7")) };
        let names_order = matches!(letter, b'1'..=b'4');
        let order_id = match whole(2)? {
            id if id >= 0 => id.cast_unsigned(),
            _ if names_order => return Err(bad(2, "the number of an order")),
            _ => 0,
        };
        let size = u64::try_from(whole(3)?).map_err(|_| bad(3, "a number of shares"))?;
        let price = whole(4)?;
        let side = match whole(5)? {
            1 => Side::Buy,
            -1 => Side::Sell,
            _ => return Err(bad(5, "1 or -1")),
        };
        if letter == b'7' && !(-1..=1).contains(&price) {
            return Err(bad(4, "-1, 0 or 1, as a halt has it"));
        }
        Ok(Self { time_ns, letter, order_id, size, price, side })
    }

    pub(super) fn is_execution(&self) -> bool {
        matches!(self.letter, b'4' | b'5')
    }

    /// Whether an execution belongs to the exchange event of the execution `before` it.
    pub(super) fn continues(&self, before: &Self) -> bool {
        self.is_execution() && self.time_ns == before.time_ns && self.side == before.side
    }
}

/// Whether text starts with six numbers in a line, as message files do and order-book files, which
/// have a multiple of four, do not.
pub(crate) fn looks_like_rows(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or(head).trim_ascii_end();
    let columns = line.split(|&byte| byte == b',');
    let is_number = |column: &[u8]| {
        !column.is_empty()
            && column.iter().all(|byte| byte.is_ascii_digit() || b".-".contains(byte))
    };
    columns.clone().count() == COLUMNS.len() && columns.clone().all(is_number)
}

/// Decimal seconds in ns.
fn time(text: &[u8]) -> Option<u64> {
    const PLACES: usize = 9;
    let point = text.iter().position(|&byte| byte == b'.');
    let (seconds, fraction) = match point {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &text[..0]),
    };
    if fraction.len() > PLACES || (point.is_some() && fraction.is_empty()) {
        return None;
    }
    let zeros = (fraction.len()..PLACES).fold(1, |scale, _| scale * 10);
    let fraction = if fraction.is_empty() { 0 } else { digits(fraction)? };
    digits(seconds)?.checked_mul(1_000_000_000)?.checked_add(fraction * zeros)
}

/// A whole number with an optional sign.
fn integer(text: &[u8]) -> Option<i64> {
    match text.split_first()? {
        (b'-', rest) => Some(-i64::try_from(digits(rest)?).ok()?),
        _ => i64::try_from(digits(text)?).ok(),
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_to_the_nanosecond_whatever_their_places() {
        for (text, ns) in [
            ("34200.004241176", Some(34_200_004_241_176)),
            ("34200.00426064", Some(34_200_004_260_640)),
            ("34200", Some(34_200_000_000_000)),
            ("0.000000001", Some(1)),
            ("1.0000000001", None),
            ("1.", None),
            (".5", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(time(text.as_bytes()), ns, "{text}");
        }
    }

    #[test]
    fn a_faulty_row_is_told_by_column_and_byte() {
        for (line, at, told) in [
            ("34200.1,1,5,18,5853300", 0, "it has 5 columns, not 6"),
            ("x,1,5,18,5853300,1", 0, "the time is `x`"),
            ("34200.1,8,5,18,5853300,1", 8, "the type is `8`, not 1 to 7"),
            ("34200.1,1,-1,18,5853300,1", 10, "the order id is `-1`"),
            ("34200.1,1,5,1O0,5853300,1", 12, "the size is `1O0`, not a whole number"),
            ("34200.1,1,5,-18,5853300,1", 12, "the size is `-18`"),
            ("34200.1,1,5,18,,1", 15, "the price is ``"),
            ("34200.1,1,5,18,5853300,0", 23, "the direction is `0`, not 1 or -1"),
            ("34200.1,7,0,0,5,-1", 14, "the price is `5`"),
        ] {
            let fault = Row::parse(line.as_bytes()).expect_err(line);
            assert_eq!(fault.at, at, "{line}");
            assert!(fault.what.starts_with(told), "{}", fault.what);
        }
    }
}
