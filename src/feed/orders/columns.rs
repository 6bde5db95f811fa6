//! The columns of an order file, and the header that says where each is.

use super::split::{self, Field, Lines};
use super::value::suggestion;
use crate::error::{Error, Result};

macro_rules! columns {
    ($($column:ident $name:literal,)+) => {
        /// A column of an order file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Column {
            $($column,)+
        }

        impl Column {
            const ALL: &[Self] = &[$(Self::$column,)+];

            /// Its name in the header.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$column => $name,)+
                }
            }

            /// What one value of it is called.
            pub(super) fn singular(self) -> &'static str {
                if self == Self::Flags { "flag" } else { self.name() }
            }
        }
    };
}

columns! {
    Action "action",
    OrderId "order_id",
    Account "account",
    Symbol "symbol",
    Side "side",
    Type "type",
    TimeInForce "tif",
    Price "price",
    Qty "qty",
    StopPrice "stop_price",
    Trail "trail",
    DisplayQty "display_qty",
    MinQty "min_qty",
    Flags "flags",
    ExpireTs "expire_ts",
    SelfTrade "stp",
    SelfTradeGroup "stp_group",
    NewOrderId "new_order_id",
    ReferencePrice "ref_price",
    PriceFrom "price_from",
    PriceTo "price_to",
    Ts "ts",
}

/// Which columns a file has, in its order.
#[derive(Debug)]
pub(super) struct Header {
    columns: Vec<Column>,
}

impl Header {
    /// Reads the header of a file; gives also where the next line starts, and that line's number.
    pub(super) fn read(origin: &str, text: &str) -> Result<(Self, usize, u64)> {
        let mut lines = Lines::new(text);
        let Some((number, line)) = lines.next() else {
            return Err(Error::BadOrders {
                origin: origin.to_owned(),
                line: 1,
                column: "1".to_owned(),
                what: "there is no header".to_owned(),
                cure: "name the columns in the first line; `action` must be among them".to_owned(),
            });
        };
        let fields = split::fields(origin, number, line)?;
        let header = Self::of(origin, number, &fields)?;
        let (offset, next) = lines.position();
        Ok((header, offset, next))
    }

    fn of(origin: &str, line: u64, fields: &[Field<'_>]) -> Result<Self> {
        let mut columns = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            let name = field.trim();
            let bad = |what: String, cure: String| Error::BadOrders {
                origin: origin.to_owned(),
                line,
                column: (index + 1).to_string(),
                what,
                cure,
            };
            let Some(&column) = Column::ALL.iter().find(|column| column.name() == name) else {
                let near = suggestion(name, Column::ALL.iter().map(|column| column.name()));
                return Err(bad(format!("unknown column `{name}`"), near));
            };
            if columns.contains(&column) {
                let cure = "name each column once".to_owned();
                return Err(bad(format!("the column `{name}` is there twice"), cure));
            }
            columns.push(column);
        }
        if !columns.contains(&Column::Action) {
            return Err(Error::BadOrders {
                origin: origin.to_owned(),
                line,
                column: (fields.len() + 1).to_string(),
                what: "there is no column `action`".to_owned(),
                cure: "add one that says what each row does: new, cancel, ...".to_owned(),
            });
        }
        Ok(Self { columns })
    }

    /// Number of columns.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// Where a column is, if the file has it.
    pub(super) fn position(&self, column: Column) -> Option<usize> {
        self.columns.iter().position(|&other| other == column)
    }
}
