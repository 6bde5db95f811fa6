//! Flows of commands as order files.

use std::io::{self, Write};

use super::flow::CommandFlow;
use crate::event::{
    Event, EventView, Instrument, InstrumentTable, OrderType, SelfTrade, TimeInForce, payload,
};
use crate::units::{InstrumentId, Price, Side};

/// The columns that a flow needs.
const HEADER: &str = "action,order_id,account,symbol,side,type,tif,price,qty,stop_price,trail,\
                      display_qty,min_qty,flags,stp,stp_group,new_order_id,ts";

/// Names of an order's instructions, by bit.
const FLAGS: [(u8, &str); 4] =
    [(1, "post_only"), (2, "reprice"), (4, "hidden"), (8, "trigger_bidask")];

impl CommandFlow {
    /// Writes setup and commands as an order file.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    ///
    /// ```
    /// use ringtape::engine::generate::{Flow, FlowProfile};
    ///
    /// let small = FlowProfile { commands: 100, symbols: 2, live: 20, ..Flow::Rich.profile() };
    /// let mut file = Vec::new();
    /// small.generate()?.write_orders(&mut file).expect("memory takes all");
    /// // A header, 20 orders that fill the books, 100 commands.
    /// assert_eq!(file.iter().filter(|&&byte| byte == b'\n').count(), 121);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn write_orders(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows = Rows::default();
        writeln!(out, "{HEADER}")?;
        for event in self.setup.iter().chain(&self.events) {
            rows.write(event, out)?;
        }
        Ok(())
    }
}

/// What is known when a row is written.
#[derive(Default)]
struct Rows {
    instruments: InstrumentTable,
    terms: Option<payload::Terms>,
    more: Option<payload::TermsMore>,
}

impl Rows {
    fn write(&mut self, event: &Event, out: &mut impl Write) -> io::Result<()> {
        self.instruments.apply(event);
        match event.view() {
            EventView::Terms(terms) => self.terms = Some(*terms),
            EventView::TermsMore(more) => self.more = Some(*more),
            EventView::NewOrder(order) => self.new_order(event, order, out)?,
            EventView::CancelOrder(cancel) => {
                let (id, account) = (cancel.order_id, cancel.account);
                writeln!(out, "cancel,{id},{account},,,,,,,,,,,,,,,{}", event.ts_event)?;
            }
            EventView::ReplaceOrder(replace) => {
                let price = self.price(event, replace.price);
                let qty = number(replace.qty.0);
                let (id, new) = (replace.order_id, number(replace.new_order_id.0));
                writeln!(out, "replace,{id},,,,,,{price},{qty},,,,,,,,{new},{}", event.ts_event)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn new_order(
        &mut self,
        event: &Event,
        order: &payload::NewOrder,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let (terms, more) = (self.terms.take(), self.more.take());
        let symbol = self.instruments.symbol(InstrumentId(event.instrument));
        let side = event.side().map_or("", Side::name);
        let kind = OrderType::from_code(order.order_type).map_or("", OrderType::name);
        let tif = TimeInForce::from_code(order.time_in_force).map_or("", TimeInForce::name);
        let stp = SelfTrade::from_code(order.self_trade).map_or("", SelfTrade::name);
        let price = self.price(event, order.price);
        let stop = terms.map_or_else(String::new, |terms| self.price(event, terms.stop_price));
        let trail = terms.map_or_else(String::new, |terms| self.price(event, terms.trail));
        let display = number(terms.map_or(0, |terms| terms.display_qty.0));
        let min = number(more.map_or(0, |more| more.min_qty.0));
        let group = number(more.map_or(0, |more| more.self_trade_group));
        let flags: Vec<&str> = FLAGS
            .into_iter()
            .filter(|(bit, _)| order.instructions & bit != 0)
            .map(|(_, name)| name)
            .collect();
        let (id, account, qty, flags) = (order.order_id, order.account, order.qty, flags.join("|"));
        writeln!(
            out,
            "new,{id},{account},{symbol},{side},{kind},{tif},{price},{qty},{stop},{trail},\
             {display},{min},{flags},{stp},{group},,{}",
            event.ts_event
        )
    }

    /// A price in cents where it is one, as order files take it; empty for 0.
    fn price(&self, event: &Event, price: Price) -> String {
        if price.0 == 0 {
            return String::new();
        }
        let instrument = self.instruments.get(InstrumentId(event.instrument));
        let text = instrument.unwrap_or(&Instrument::us_equity("")).format_price(price);
        text.strip_suffix("00").unwrap_or(&text).to_owned()
    }
}

/// A number; empty for 0.
fn number(value: u64) -> String {
    if value == 0 { String::new() } else { value.to_string() }
}
