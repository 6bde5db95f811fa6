//! Tables as Parquet: counts as unsigned 64-bit integers, prices and amounts as `DECIMAL(38, 9)`.

use std::fs::File;
use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::{Column, Kind, Table, Value};

/// Rows of a group: what is kept in memory before it is written.
const GROUP_ROWS: usize = 1 << 16;

/// Digits of a decimal, and those behind the point: amounts are in 1e-9 of the currency.
const PRECISION: i32 = 38;
const SCALE: i32 = 9;

/// Bytes of a decimal.
const DECIMAL_BYTES: i32 = 16;

/// A table whose rows go out in groups, column by column.
pub(super) struct Parquet {
    writer: SerializedFileWriter<File>,
    columns: Vec<Cells>,
    rows: usize,
}

/// The cells of a column that are not written yet.
struct Cells {
    /// For each row 1 where there is a value, 0 where there is nothing.
    present: Vec<i16>,
    values: Values,
}

enum Values {
    Counts(Vec<i64>),
    Texts(Vec<ByteArray>),
    Decimals(Vec<FixedLenByteArray>),
}

impl Parquet {
    pub(super) fn new(out: File, columns: &[Column]) -> io::Result<Self> {
        let fields = columns.iter().map(|column| field(*column).map(Arc::new));
        let fields = fields.collect::<ParquetResult<Vec<_>>>()?;
        let schema = Type::group_type_builder("ringtape").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("ringtape ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        let columns = columns.iter().map(|column| Cells::new(column.kind)).collect();
        Ok(Self { writer, columns, rows: 0 })
    }

    /// Writes the rows that are kept as one group.
    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group()?;
        for cells in &mut self.columns {
            let mut column = group.next_column()?.expect("as many columns as the schema has");
            cells.write(column.untyped())?;
            column.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Table for Parquet {
    fn row(&mut self, row: &[Value<'_>]) -> io::Result<()> {
        for (cells, value) in self.columns.iter_mut().zip(row) {
            cells.push(value)?;
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.finish()?;
        Ok(())
    }
}

impl Cells {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Count => Values::Counts(Vec::new()),
            Kind::Text => Values::Texts(Vec::new()),
            Kind::Decimal => Values::Decimals(Vec::new()),
        };
        Self { present: Vec::new(), values }
    }

    fn push(&mut self, value: &Value<'_>) -> io::Result<()> {
        self.present.push(i16::from(!matches!(value, Value::Nothing)));
        match (&mut self.values, *value) {
            (_, Value::Nothing) => {}
            // The same bits: the column says that they are unsigned.
            (Values::Counts(counts), Value::Count(count)) => counts.push(count.cast_signed()),
            (Values::Texts(texts), Value::Text(text)) => texts.push(text.into()),
            (Values::Decimals(decimals), Value::Price(price, increment)) => {
                decimals.push(decimal(i128::from(price.0) * i128::from(increment))?);
            }
            (Values::Decimals(decimals), Value::Amount(amount)) => decimals.push(decimal(amount)?),
            (_, value) => unreachable!("{value:?} in a column of another kind"),
        }
        Ok(())
    }

    /// Writes what is kept, and keeps it no longer.
    fn write(&mut self, column: &mut ColumnWriter<'_>) -> ParquetResult<()> {
        match (&mut self.values, column) {
            (Values::Counts(values), ColumnWriter::Int64ColumnWriter(out)) => {
                drain(values, &self.present, out)?;
            }
            (Values::Texts(values), ColumnWriter::ByteArrayColumnWriter(out)) => {
                drain(values, &self.present, out)?;
            }
            (Values::Decimals(values), ColumnWriter::FixedLenByteArrayColumnWriter(out)) => {
                drain(values, &self.present, out)?;
            }
            _ => unreachable!("a column is written as the schema says"),
        }
        self.present.clear();
        Ok(())
    }
}

/// Writes the values of a column, and where there are some.
fn drain<T: DataType>(
    values: &mut Vec<T::T>,
    present: &[i16],
    out: &mut ColumnWriterImpl<'_, T>,
) -> ParquetResult<()> {
    out.write_batch(values, Some(present), None)?;
    values.clear();
    Ok(())
}

/// A column as the schema has it.
fn field(column: Column) -> ParquetResult<Type> {
    let physical = match column.kind {
        Kind::Count => Physical::INT64,
        Kind::Text => Physical::BYTE_ARRAY,
        Kind::Decimal => Physical::FIXED_LEN_BYTE_ARRAY,
    };
    let field = Type::primitive_type_builder(column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(match column.kind {
            Kind::Count => LogicalType::integer(64, false),
            Kind::Text => LogicalType::String,
            Kind::Decimal => LogicalType::decimal(SCALE, PRECISION),
        }));
    let field = match column.kind {
        Kind::Decimal => {
            field.with_length(DECIMAL_BYTES).with_precision(PRECISION).with_scale(SCALE)
        }
        Kind::Count | Kind::Text => field,
    };
    field.build()
}

/// An amount in 1e-9 of the currency as a decimal: big-endian, as the format wants it.
fn decimal(nanos: i128) -> ParquetResult<FixedLenByteArray> {
    if nanos.unsigned_abs() >= 10_u128.pow(PRECISION.unsigned_abs()) {
        let text = format!("{nanos}e-9 has more than the {PRECISION} digits of a Parquet decimal");
        return Err(ParquetError::General(text));
    }
    Ok(ByteArray::from(nanos.to_be_bytes().to_vec()).into())
}
