#![doc = include_str!("protocol.md")]

use std::cell::Cell;

use super::fields::{Field, Flag, OrderBits, RunId, Symbol};
use crate::event::{ExecutionKind, Liquidity, OrderType, Reason, SelfTrade, TimeInForce};
use crate::units::{AccountId, MatchId, OrderId, Side};

/// The version of the protocol.
pub const PROTOCOL_VERSION: u16 = 1;

/// Bytes before a message's fields: length, type, filling, CRC.
pub const HEADER_BYTES: usize = 8;

/// Bytes of the longest message.
pub const MESSAGE_BYTES_MAX: usize = 129;

/// Order numbers of a session are below this.
pub const ORDER_NUMBER_MAX: u64 = 1 << 40;

/// Where the CRC stands.
const CRC: std::ops::Range<usize> = 4..8;

/// Who sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The client.
    Client,
    /// The venue.
    Venue,
    /// Either.
    Both,
}

/// A row of the table of messages.
#[derive(Clone, Copy, Debug)]
pub struct MessageInfo {
    /// The letter that names it.
    pub code: u8,
    /// Its name.
    pub name: &'static str,
    /// Who sends it.
    pub sender: Sender,
    /// What it means, in a sentence.
    pub summary: &'static str,
    /// Its fields, in the order of the bytes: offset, name, type, meaning.
    pub fields: &'static [(usize, &'static str, &'static str, &'static str)],
}

/// Why a venue refuses a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RefusalReason {
    /// It speaks another version.
    Version = 1,
    /// It has had more commands than the client knows of having sent.
    UnknownCommands = 2,
    /// The client has had more reports than it knows of having made.
    UnknownReports = 3,
    /// The message stands where none of its kind may stand, or names what cannot be.
    Misplaced = 4,
}

impl RefusalReason {
    /// The reason of a code; `None` for codes without one.
    pub fn from_code(code: u8) -> Option<Self> {
        let all = [Self::Version, Self::UnknownCommands, Self::UnknownReports, Self::Misplaced];
        all.into_iter().find(|reason| *reason as u8 == code)
    }
}

/// Where the fields of a message stand, by the bytes of each.
const fn offset(before: &[usize]) -> usize {
    let (mut sum, mut index) = (HEADER_BYTES, 0);
    while index < before.len() {
        sum += before[index];
        index += 1;
    }
    sum
}

macro_rules! offsets {
    (@rows [$($row:expr,)*] [$($before:expr,)*]) => { &[$($row,)*] };
    (@rows [$($row:expr,)*] [$($before:expr,)*]
        ($doc:expr, $field:ident, $ty:ty) $($rest:tt)*) => {
        offsets!(@rows
            [$($row,)* (offset(&[$($before,)*]), stringify!($field), <$ty as Field>::TYPE, $doc),]
            [$($before,)* <$ty as Field>::BYTES,]
            $($rest)*)
    };
}

macro_rules! messages {
    ($(
        $(#[doc = $doc:literal])+
        $sender:ident $name:ident = $code:literal {
            $( $(#[doc = $field_doc:literal])+ $field:ident: $ty:ty, )*
        }
    )+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name {
                $( $(#[doc = $field_doc])+ pub $field: $ty, )*
            }

            impl $name {
                /// Bytes of the message with its header.
                pub const BYTES: usize = HEADER_BYTES $(+ <$ty as Field>::BYTES)*;
            }

            impl From<$name> for Message {
                fn from(message: $name) -> Self {
                    Self::$name(message)
                }
            }

            const _: () = assert!($name::BYTES <= MESSAGE_BYTES_MAX);
        )+

        /// A message of either side.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Message {
            $( $(#[doc = $doc])+ $name($name), )+
        }

        /// Every message.
        pub const MESSAGES: &[MessageInfo] = &[
            $( MessageInfo {
                code: $code,
                name: stringify!($name),
                sender: Sender::$sender,
                summary: concat!($($doc),+),
                fields: offsets!(@rows [] []
                    $( (concat!($($field_doc),+), $field, $ty) )*),
            }, )+
        ];

        impl Message {
            /// What it is called.
            pub fn name(&self) -> &'static str {
                match self {
                    $( Self::$name(_) => stringify!($name), )+
                }
            }

            fn code(&self) -> u8 {
                match self {
                    $( Self::$name(_) => $code, )+
                }
            }

            fn put_fields(&self, out: &mut Vec<u8>) {
                match self {
                    $( Self::$name(message) => {
                        let $name { $($field,)* } = message;
                        $( $field.put(out); )*
                    } )+
                }
            }

            fn get_fields(code: u8, bytes: &[u8]) -> Result<Self, String> {
                match code {
                    $( $code => {
                        let fields = Fields { left: Cell::new(bytes), code };
                        let message = $name { $( $field: fields.next(stringify!($field))?, )* };
                        fields.finish().map(|()| Self::$name(message))
                    } )+
                    _ => Err(format!("no message has the type {code:#04x}")),
                }
            }
        }
    };
}

messages! {
    /// Opens a session: who calls, and where both directions stand.
    Client Login = b'L' {
        /// Version of the protocol.
        version: u16,
        /// Whether the venue is to cancel the run's orders when the connection ends.
        cancel_on_disconnect: Flag,
        /// Silence in ms after which each side sends a heartbeat; after three it gives up.
        heartbeat_ms: u32,
        /// The run.
        run: RunId,
        /// Number of the next command that the client would send, from 1.
        next_command: u64,
        /// Number of the next report that it has not had, from 1.
        next_report: u64,
    }
    /// The session is open; missed reports follow at once.
    Venue Accepted = b'A' {
        /// Number of the command that the venue takes next: those from here on never arrived.
        next_command: u64,
        /// Number of the report that it makes next.
        next_report: u64,
    }
    /// There is no session, and the venue closes the connection.
    Venue Refused = b'F' {
        /// Why.
        reason: RefusalReason,
        /// Number of the command that the venue takes next.
        next_command: u64,
        /// Number of the report that it makes next.
        next_report: u64,
    }
    /// A new order.
    Client NewOrder = b'N' {
        /// Number of the command.
        command: u64,
        /// The order's number, which no other of the run has.
        order_id: OrderId,
        /// Account that sends it.
        account: AccountId,
        /// Side: 1 buy, 2 sell.
        side: Side,
        /// Order type, as `new_order` of the journal has it.
        order_type: OrderType,
        /// Time in force, as there.
        time_in_force: TimeInForce,
        /// Self-trade prevention, as there.
        self_trade: SelfTrade,
        /// Instructions, bits as there.
        instructions: OrderBits,
        /// Symbol of the instrument.
        symbol: Symbol,
        /// The step in which the client counts prices, in 1e-9 of the currency.
        price_increment: u64,
        /// The step in which it counts quantities, in 1e-9 of a unit.
        qty_increment: u64,
        /// Limit in 1e-9 of the currency; 0 when none.
        price: i64,
        /// Quantity in 1e-9 of a unit.
        qty: u64,
        /// Price at which a stop triggers, in 1e-9; 0 when none.
        stop_price: i64,
        /// Offset of a trailing stop, in 1e-9; 0 when none.
        trail: i64,
        /// Displayed quantity in 1e-9; 0 when all of it.
        display_qty: u64,
        /// Quantity that must trade at once, in 1e-9; 0 when none.
        min_qty: u64,
        /// Time of expiry in ns since the Unix epoch; 0 when none.
        expire_ts: u64,
    }
    /// An order is to be cancelled.
    Client Cancel = b'C' {
        /// Number of the command.
        command: u64,
        /// The order.
        order_id: OrderId,
        /// Account that asks.
        account: AccountId,
    }
    /// Quantity is to be taken off an order, which keeps its place.
    Client Reduce = b'R' {
        /// Number of the command.
        command: u64,
        /// The order.
        order_id: OrderId,
        /// Quantity to take off, in 1e-9 of a unit.
        qty: u64,
        /// Account that asks.
        account: AccountId,
    }
    /// An order is to be replaced by a new one, which loses its place.
    Client Replace = b'P' {
        /// Number of the command.
        command: u64,
        /// The order.
        order_id: OrderId,
        /// The number of the new one.
        new_order_id: OrderId,
        /// New limit in 1e-9 of the currency.
        price: i64,
        /// New total with what is filled, in 1e-9 of a unit; 0 when unchanged.
        qty: u64,
        /// Account that asks.
        account: AccountId,
    }
    /// Asks for all open orders of the run.
    Client ListOrders = b'Q' {}
    /// Ends the session: the venue cancels what is open, tells of it, and says goodbye.
    Client Logout = b'O' {}
    /// Nothing happened, and the sender lives.
    Both Heartbeat = b'H' {
        /// Number of the next command or report that it will send.
        next: u64,
    }
    /// Something became of an order.
    Venue Report = b'E' {
        /// Number of the report.
        report: u64,
        /// The order.
        order_id: OrderId,
        /// The order that replaces it; 0 when none.
        new_order_id: OrderId,
        /// Price of a fill, else the order's limit, in 1e-9 of the currency.
        price: i64,
        /// Quantity of the fill or change, in 1e-9 of a unit.
        qty: u64,
        /// Quantity still open, in 1e-9 of a unit.
        leaves: u64,
        /// Number of the match; 0 when nothing traded.
        match_id: MatchId,
        /// The venue's time in ns since the Unix epoch.
        ts_event: u64,
        /// Account of the order.
        account: AccountId,
        /// What happened, as executions of the journal have it: 1 accepted, 2 rejected, 3 filled...
        kind: ExecutionKind,
        /// Side of the order; 0 when there is no such order.
        side: Option<Side>,
        /// Which side of a match it was: 1 maker, 2 taker, 3 auction; 0 when nothing traded.
        liquidity: Option<Liquidity>,
        /// Why, as executions of the journal have it.
        reason: Reason,
    }
    /// An order that is open, in answer to a request for all of them.
    Venue OpenOrder = b'W' {
        /// The order.
        order_id: OrderId,
        /// Its limit in 1e-9 of the currency.
        price: i64,
        /// Quantity still open, in 1e-9 of a unit.
        leaves: u64,
        /// Account of the order.
        account: AccountId,
    }
    /// All open orders have been told.
    Venue OrdersListed = b'D' {
        /// How many they were.
        count: u64,
        /// Number of the next report: the list is as of all before it.
        next_report: u64,
    }
    /// The session is over; nothing is open, and all reports have been sent.
    Venue Goodbye = b'G' {
        /// Number of the command that the venue takes next.
        next_command: u64,
        /// Number of the report that it makes next.
        next_report: u64,
    }
}

/// The fields of a message.
struct Fields<'a> {
    /// Bytes that are still to be read.
    left: Cell<&'a [u8]>,
    code: u8,
}

impl Fields<'_> {
    fn next<T: Field>(&self, name: &str) -> Result<T, String> {
        let kind = char::from(self.code);
        let Some((field, left)) = self.left.get().split_at_checked(T::BYTES) else {
            return Err(format!("a message {kind} is cut before its field {name}"));
        };
        self.left.set(left);
        T::get(field).ok_or_else(|| format!("{name} of a message {kind} holds {field:02x?}"))
    }

    fn finish(&self) -> Result<(), String> {
        match self.left.get().len() {
            0 => Ok(()),
            extra => {
                let kind = char::from(self.code);
                Err(format!("a message {kind} has {extra} bytes too many"))
            }
        }
    }
}

impl Message {
    /// Appends the message with its header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0, 0, self.code(), 0, 0, 0, 0, 0]);
        self.put_fields(out);
        let length = (out.len() - start) as u16;
        out[start..start + 2].copy_from_slice(&length.to_le_bytes());
        let crc = crc_of(&out[start..]);
        out[start..][CRC].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads the message at the front of `bytes` and says how many bytes it has; `None` while it is
    /// not all there.
    ///
    /// # Errors
    ///
    /// What is wrong with it: a length that no message has, a wrong CRC, a type or a field that
    /// means nothing.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, String> {
        let Some(&[low, high]) = bytes.first_chunk::<2>() else { return Ok(None) };
        let length = usize::from(u16::from_le_bytes([low, high]));
        if !(HEADER_BYTES..=MESSAGE_BYTES_MAX).contains(&length) {
            return Err(format!("no message is of {length} bytes"));
        }
        let Some(bytes) = bytes.get(..length) else { return Ok(None) };
        if bytes[3] != 0 {
            return Err(format!("the byte behind the type holds {:#04x}, not 0", bytes[3]));
        }
        if crc_of(bytes).to_le_bytes() != bytes[CRC] {
            return Err("a message is damaged: its CRC is another".to_owned());
        }
        let message = Self::get_fields(bytes[2], &bytes[HEADER_BYTES..])?;
        Ok(Some((message, length)))
    }
}

/// The CRC32C of a message, whose own bytes are left out.
fn crc_of(message: &[u8]) -> u32 {
    let (head, fields) = (&message[..CRC.start], &message[CRC.end..]);
    crc32c::crc32c_append(crc32c::crc32c(head), fields)
}
