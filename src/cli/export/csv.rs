//! Tables as CSV.

use std::io::{self, Write};

use ringtape::event::format_price;
use ringtape::units::Money;

use super::{Table, Value};

/// A table whose rows go out as lines.
pub(super) struct Csv<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Csv<'a> {
    pub(super) fn new(out: &'a mut dyn Write, columns: &[&str]) -> io::Result<Self> {
        writeln!(out, "{}", columns.join(","))?;
        Ok(Self { out })
    }
}

impl Table for Csv<'_> {
    fn row(&mut self, row: &[Value<'_>]) -> io::Result<()> {
        for (at, value) in row.iter().enumerate() {
            if at > 0 {
                self.out.write_all(b",")?;
            }
            match *value {
                Value::Nothing => Ok(()),
                Value::Count(count) => write!(self.out, "{count}"),
                Value::Text(text) if text.contains([',', '"', '\n']) => {
                    write!(self.out, "\"{}\"", text.replace('"', "\"\""))
                }
                Value::Text(text) => self.out.write_all(text.as_bytes()),
                Value::Price(price, increment) => {
                    self.out.write_all(format_price(price, increment).as_bytes())
                }
                Value::Amount(amount) => write!(self.out, "{}", Money(amount)),
            }?;
        }
        self.out.write_all(b"\n")
    }
}
