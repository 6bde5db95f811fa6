//! Decimals as venues and users write them, read as integers and never through a float.

/// A decimal without sign times 10^`places`; `None` when it is none, or too large, or has other
/// digits than 0 beyond these places.
pub(crate) fn scaled(text: &[u8], places: u32) -> Option<u64> {
    let point = text.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &[][..]),
    };
    if whole.is_empty() || point.is_some_and(|_| fraction.is_empty()) {
        return None;
    }
    let append = |value: u64, &digit: &u8| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| value.checked_mul(10)?.checked_add(digit.into())).flatten()
    };
    let (near, far) = fraction.split_at(fraction.len().min(places as usize));
    let value = whole.iter().chain(near).try_fold(0, append)?;
    let missing = places - near.len() as u32;
    far.iter().all(|&digit| digit == b'0').then(|| value.checked_mul(10_u64.pow(missing))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, places, value) in [
            ("61837.63000000", 8, Some(6_183_763_000_000)),
            ("61837.63000000", 2, Some(6_183_763)),
            ("0.00001000", 8, Some(1_000)),
            ("7", 3, Some(7_000)),
            ("18446744073709551615", 0, Some(u64::MAX)),
            ("18446744073709551616", 0, None),
            ("18446744073709551615", 1, None),
            ("0.001", 2, None),
            ("", 2, None),
            (".5", 2, None),
            ("5.", 2, None),
            ("-1", 2, None),
            ("1e3", 2, None),
        ] {
            assert_eq!(scaled(text.as_bytes(), places), value, "{text}");
        }
    }
}
