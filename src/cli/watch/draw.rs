//! What the dashboard looks like.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Cell, Paragraph, Row, Sparkline, Table};
use ringtape::engine::{BookView, PositionView, WATCHED_BOOKS_MAX, WatchedLevel};
use ringtape::event::format_price;
use ringtape::report::format::{duration, thousands, time_of_day};
use ringtape::units::{Money, Price};

use super::board::{Board, Stage};
use super::palette::Palette;

/// Columns that a book needs.
const BOOK_COLUMNS: u16 = 38;

/// Rows that a book needs.
const BOOK_ROWS: u16 = 9;

/// Rows that a curve needs and takes, with its frame.
const CURVE_ROWS_MIN: u16 = 4;
const CURVE_ROWS_MAX: u16 = 9;

/// Columns from which a row of a position says everything.
const POSITION_COLUMNS: u16 = 72;

/// Columns from which the keys are explained in full.
const KEYS_COLUMNS: u16 = 78;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, board: &Board) {
    let palette = Palette::of_environment();
    let stages = board.stages.len() as u16 + 3;
    let [head, progress, table, middle, faults, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(stages),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, board, palette);
    draw_progress(frame, progress, board, palette);
    draw_stages(frame, table, board, palette);
    let is_wide = middle.width >= 2 * BOOK_COLUMNS;
    let sides = if is_wide { Layout::horizontal } else { Layout::vertical };
    let [books, right] = sides([Constraint::Fill(1); 2]).areas(middle);
    draw_books(frame, books, board, palette);
    draw_right(frame, right, board, palette);
    draw_faults(frame, faults, board, palette);
    draw_keys(frame, keys, board, palette);
}

/// Draws what stands beside the books: positions if there are any, and curves.
fn draw_right(frame: &mut Frame<'_>, area: Rect, board: &Board, palette: Palette) {
    let has_money = board.money.is_some_and(|money| money.count > 0);
    if !has_money {
        return draw_curves(frame, area, board, palette);
    }
    let [positions, curves] =
        Layout::vertical([Constraint::Fill(2), Constraint::Fill(3)]).areas(area);
    draw_positions(frame, positions, board, palette);
    draw_curves(frame, curves, board, palette);
}

/// A frame with a title.
fn titled<'a>(title: impl Into<Line<'a>>, palette: Palette) -> Block<'a> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(palette.dim())
        .title(title.into())
        .title_style(palette.strong())
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, board: &Board, palette: Palette) {
    let feed = &board.feed;
    let left = Line::from(vec![
        Span::styled(" ringtape ", palette.badge()),
        Span::styled(format!(" {}", feed.origin), palette.strong()),
        Span::styled(format!("  {}", feed.format), palette.dim()),
    ]);
    let time = time_of_day(board.now.ts_event, feed.zone);
    let time = format!(" {} {} ", &time[..12], feed.zone.name());
    draw_ends(frame, area, left, Line::styled(time, palette.strong()));
}

/// Draws a line with something at its right end, which keeps its room.
fn draw_ends(frame: &mut Frame<'_>, area: Rect, left: Line<'_>, right: Line<'_>) {
    let ends = [Constraint::Fill(1), Constraint::Length(right.width() as u16)];
    let [left_area, right_area] = Layout::horizontal(ends).areas(area);
    frame.render_widget(left, left_area);
    frame.render_widget(right, right_area);
}

fn draw_progress(frame: &mut Frame<'_>, area: Rect, board: &Board, palette: Palette) {
    let permille = board.permille();
    let percent = permille.map_or(String::new(), |done| format!(" {:>3} % ", done / 10));
    let left = board.left_ns().filter(|&left| left > 0);
    let parts = [
        board.is_stopping.then(|| "stopping".to_owned()),
        left.map(|left| format!("{} left", duration(left))),
        Some(format!("{} messages", thousands(board.now.messages))),
        Some(board.pace.clone()),
        Some(format!("{} running", duration(board.now.at.0))),
    ];
    let mut text = String::new();
    for part in parts.into_iter().flatten() {
        let comma = if text.is_empty() { " " } else { ", " };
        let columns = text.chars().count() + comma.len() + part.chars().count();
        if columns + percent.len() < usize::from(area.width) {
            text = text + comma + &part;
        }
    }
    let room = usize::from(area.width).saturating_sub(text.chars().count() + percent.len() + 2);
    let mut spans = vec![Span::raw(" ")];
    if let Some(done) = permille {
        let filled = room * done as usize / 1000;
        spans.push(Span::styled("━".repeat(filled), palette.accent()));
        spans.push(Span::styled("─".repeat(room - filled), palette.dim()));
        spans.push(Span::styled(percent, palette.strong()));
    }
    spans.push(Span::raw(text));
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

fn draw_stages(frame: &mut Frame<'_>, area: Rect, board: &Board, palette: Palette) {
    let right = |text: &'static str| Cell::from(Line::from(text).alignment(Alignment::Right));
    let head = ["rate/s", "lag", "p50", "p99", "longest"].map(right);
    let head = Row::new([Cell::from("")].into_iter().chain(head)).style(palette.dim());
    let rows = board.stages.iter().map(|stage| stage_row(stage, palette));
    let figures = [Constraint::Fill(1); 5];
    let widths = [Constraint::Fill(2)].into_iter().chain(figures);
    let mut depths = vec![Span::raw(" ")];
    for (name, depth, slots) in board.rings() {
        let eighths = (depth * 8 * 8).div_ceil(slots as u64).min(64);
        depths.push(Span::raw(format!("{name} ring ")));
        let (bar, rail) = bar(eighths as usize, 8);
        depths.push(Span::styled(bar, palette.gauge(eighths >= 48)));
        depths.push(Span::styled(rail, palette.dim()));
        depths.push(Span::raw(format!(" {} of {}  ", thousands(depth), thousands(slots as u64))));
    }
    let runners = format!(" {} threads ", board.runners);
    let block = titled(" stages ", palette)
        .title_top(Line::styled(runners, palette.dim()).right_aligned())
        .title_bottom(Line::from(depths).style(palette.plain()));
    frame.render_widget(Table::new(rows, widths).header(head).block(block), area);
}

fn stage_row(stage: &Stage, palette: Palette) -> Row<'_> {
    let right = |text: String| Cell::from(Line::from(text).alignment(Alignment::Right));
    let count = |count: Option<u64>| right(count.map_or_else(|| "·".to_owned(), thousands));
    let latency = |ns: Option<u64>| right(ns.map_or_else(|| "·".to_owned(), duration));
    let recent = stage.latency.unwrap_or_default();
    Row::new([
        Cell::from(Span::styled(format!(" {}", stage.name), palette.strong())),
        count(stage.rate),
        count(stage.lag),
        latency(recent.p50),
        latency(recent.p99),
        latency(recent.max),
    ])
}

fn draw_books(frame: &mut Frame<'_>, area: Rect, board: &Board, palette: Palette) {
    let books: Vec<&BookView> = board
        .market
        .iter()
        .flat_map(|market| &market.books)
        .filter(|book| !book.symbol.as_str().is_empty())
        .collect();
    let columns = (area.width / BOOK_COLUMNS).clamp(1, 2);
    let rows = (area.height / BOOK_ROWS).clamp(1, WATCHED_BOOKS_MAX as u16 / columns);
    let count = books.len().min(usize::from(columns * rows));
    if count == 0 {
        let text = Paragraph::new(Line::styled(" no orders yet", palette.dim()));
        return frame.render_widget(text.block(titled(" book ", palette)), area);
    }
    let used_rows = count.div_ceil(usize::from(columns));
    let lines = Layout::vertical(vec![Constraint::Fill(1); used_rows]).split(area);
    for (line, books) in lines.iter().zip(books[..count].chunks(usize::from(columns))) {
        let places = Layout::horizontal(vec![Constraint::Fill(1); books.len()]).split(*line);
        for (place, book) in places.iter().zip(books) {
            draw_book(frame, *place, book, palette);
        }
    }
}

fn draw_book(frame: &mut Frame<'_>, area: Rect, book: &BookView, palette: Palette) {
    let price = |price: i64| format_price(Price(price), book.price_increment);
    let mut title = vec![Span::raw(format!(" {} ", book.symbol.as_str()))];
    if book.last_price > 0 {
        title.push(Span::styled(format!("last {} ", price(book.last_price)), palette.plain()));
    }
    if book.is_trading == 0 {
        title.push(Span::styled("halted ", palette.alarm()));
    }
    let block = titled(Line::from(title), palette);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let levels = usize::from(inner.height.saturating_sub(1));
    let largest = book.bids.iter().chain(&book.asks).take(2 * levels).map(|level| level.qty).max();
    let column = usize::from(inner.width) / 4;
    let qty = |level: &WatchedLevel, style: Style| {
        let filled = column as u64 * level.qty / largest.unwrap_or(0).max(1);
        shaded(&thousands(level.qty), column, filled as usize, style)
    };
    let mut lines = vec![Line::styled(
        format!(
            "{:>column$}{:>column$}{:>column$}{:>column$}",
            "bid size", "bid", "ask", "ask size"
        ),
        palette.dim(),
    )];
    for (bid, ask) in book.bids.iter().zip(&book.asks).take(levels) {
        let mut line = Vec::new();
        if bid.qty > 0 {
            line.extend(qty(bid, palette.bid_bar()));
            line.push(Span::styled(format!("{:>column$}", price(bid.price)), palette.bid()));
        } else {
            line.push(Span::raw(" ".repeat(2 * column)));
        }
        if ask.qty > 0 {
            line.push(Span::styled(format!("{:>column$}", price(ask.price)), palette.ask()));
            line.extend(qty(ask, palette.ask_bar()));
        }
        lines.push(Line::from(line));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// A text at the right of a column whose last `filled` places are shaded.
fn shaded(text: &str, column: usize, filled: usize, style: Style) -> [Span<'static>; 2] {
    let text: Vec<char> = format!("{text:>column$}").chars().collect();
    let (plain, bar) = text.split_at(text.len() - filled.min(text.len()));
    [
        Span::raw(plain.iter().collect::<String>()),
        Span::styled(bar.iter().collect::<String>(), style),
    ]
}

fn draw_positions(frame: &mut Frame<'_>, area: Rect, board: &Board, palette: Palette) {
    let Some(money) = &board.money else { return };
    let equity = format!(" equity {} {} ", Money(money.equity), money.currency.as_str());
    let mut block = titled(" positions ", palette)
        .title_top(Line::styled(equity, palette.gain(money.equity)).right_aligned());
    let is_wide = area.width >= POSITION_COLUMNS;
    let right = |text: &'static str| Cell::from(Line::from(text).alignment(Alignment::Right));
    let names: &[&'static str] = match is_wide {
        true => &["held", "realised", "unrealised", "fees", "net", "fills"],
        false => &["held", "net", "fills"],
    };
    let head = names.iter().map(|name| right(name));
    let head = Row::new([Cell::from(" symbol")].into_iter().chain(head)).style(palette.dim());
    let room = usize::from(area.height.saturating_sub(3));
    let shown = (money.count as usize).min(money.positions.len()).min(room);
    if shown < money.count as usize {
        let more = format!(" and {} more ", money.count as usize - shown);
        block = block.title_bottom(Line::styled(more, palette.dim()).right_aligned());
    }
    let positions = &money.positions[..shown];
    let has_several = positions.iter().any(|row| row.account != positions[0].account);
    let rows = positions.iter().map(|row| {
        let account = if has_several { format!(" #{}", row.account) } else { String::new() };
        position_row(format!(" {}{account}", row.symbol.as_str()), row, is_wide, palette)
    });
    let widths = vec![Constraint::Fill(1); names.len() + 1];
    frame.render_widget(Table::new(rows, widths).header(head).block(block), area);
}

fn position_row(name: String, row: &PositionView, is_wide: bool, palette: Palette) -> Row<'static> {
    let right =
        |text: String, style| Cell::from(Line::styled(text, style).alignment(Alignment::Right));
    let amount = |amount: i128| right(Money(amount).to_string(), palette.plain());
    let mut cells = vec![
        Cell::from(Span::styled(name, palette.strong())),
        right(row.qty.to_string(), palette.plain()),
    ];
    if is_wide {
        cells.extend([row.realised, row.unrealised, row.fees].map(amount));
    }
    cells.push(right(row.net().to_string(), palette.gain(row.net().0)));
    cells.push(right(thousands(row.fills), palette.plain()));
    Row::new(cells)
}

fn draw_curves(frame: &mut Frame<'_>, area: Rect, board: &Board, palette: Palette) {
    let now = |history: &VecDeque<u64>| thousands(history.back().copied().unwrap_or(0));
    let mut curves = vec![(format!(" {} messages/s ", now(&board.rates)), board.rates.clone())];
    if let Some(lowest) = board.equities.iter().min() {
        let height = |equity: &i128| ((equity - lowest) / 1_000_000) as u64;
        let title = format!(" equity, from {} ", Money(*lowest));
        curves.push((title, board.equities.iter().map(height).collect()));
    }
    curves.push((
        format!(" {} waiting on the market ring ", now(&board.depths)),
        board.depths.clone(),
    ));
    curves.truncate(usize::from(area.height / CURVE_ROWS_MIN).max(1));
    let rows = Constraint::Max(CURVE_ROWS_MAX);
    let places = Layout::vertical(vec![rows; curves.len()]).split(area);
    for (place, (title, values)) in places.iter().zip(&curves) {
        let block = titled(title.as_str(), palette);
        let room = usize::from(block.inner(*place).width);
        let recent = values.iter().skip(values.len().saturating_sub(room)).copied();
        let line = Sparkline::default().data(recent).style(palette.accent()).block(block);
        frame.render_widget(line, *place);
    }
}

fn draw_faults(frame: &mut Frame<'_>, area: Rect, board: &Board, palette: Palette) {
    let mut spans = vec![Span::raw(" ")];
    let mut tell = |name: &str, count: u64, is_fault: bool| {
        let style = if is_fault && count > 0 { palette.alarm() } else { palette.plain() };
        spans.push(Span::styled(thousands(count), style));
        spans.push(Span::styled(format!(" {name}  "), palette.dim()));
    };
    tell("missing", board.now.missing, true);
    if let Some(market) = &board.market {
        tell("unknown", market.unknown_orders, true);
        tell("crossed", market.crossed, true);
        tell("live", market.live_orders, false);
        if market.submitted > 0 {
            tell("sent", market.submitted, false);
            tell("rejected", market.rejected, true);
            tell("fills", market.fills, false);
        }
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

fn draw_keys(frame: &mut Frame<'_>, area: Rect, board: &Board, palette: Palette) {
    let keys = match area.width >= KEYS_COLUMNS {
        true => [("q", "closes this view"), ("← →", "other books"), ("Ctrl-C", "stops the run")],
        false => [("q", "closes"), ("← →", "books"), ("Ctrl-C", "stops")],
    };
    let mut spans = vec![Span::raw(" ")];
    for (key, what) in keys {
        spans.push(Span::styled(key, palette.strong()));
        spans.push(Span::styled(format!(" {what}   "), palette.dim()));
    }
    let (first, count) = board.books.place();
    let place = Line::styled(format!(" book {first} of {count} "), palette.dim());
    draw_ends(frame, area, Line::from(spans), place);
}

/// A bar of which `eighths` eighths of a cell are filled, and the rail that makes it `cells` long.
fn bar(eighths: usize, cells: usize) -> (String, String) {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let bar = "█".repeat(eighths / 8) + PARTS[eighths % 8];
    let rail = "░".repeat(cells - eighths.div_ceil(8).min(cells));
    (bar, rail)
}
