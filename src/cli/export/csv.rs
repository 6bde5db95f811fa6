//! Tables as CSV.

use std::io::{self, Write};

use ringtape::event::format_price;
use ringtape::units::Money;

use super::{Column, Table, Value};

/// A table whose rows go out as lines.
pub(super) struct Csv<W> {
    out: W,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(mut out: W, columns: &[Column]) -> io::Result<Self> {
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        writeln!(out, "{}", names.join(","))?;
        Ok(Self { out })
    }
}

impl<W: Write> Table for Csv<W> {
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

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
