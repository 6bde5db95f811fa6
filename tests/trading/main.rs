//! Strategies, simulated venue, gateway, risk and portfolio.

#[path = "../common/mod.rs"]
mod common;
mod venue_model;
mod venue_tape;

mod command;
mod gateway_messages;
mod gateway_venue;
mod portfolio_money;
mod portfolio_session;
mod risk_gate;
mod risk_latency;
mod strategy_kinds;
mod strategy_maker;
mod strategy_trader;
mod venue_audit;
mod venue_commands;
mod venue_kinds;
mod venue_levels;
mod venue_naive;
mod venue_rows;
