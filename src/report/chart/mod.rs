//! Charts as SVG, written by hand: no script, no font, no link.
//!
//! ```text
//!   +--------------------------------+
//!   | legend (only on its own)       |
//!   | y |                      | y2  |   lines, steps, areas, triangles, cells
//!   |   |______________________|     |   columns that show their values when pointed at
//!   |          x                     |
//!   +--------------------------------+
//! ```
//!
//! Colours are CSS variables with a light and a dark value, so one drawing serves both. In a page
//! the [`STYLE`] stands once; a file of its own brings it along.

mod axis;
mod svg;

pub use axis::{Axis, Scale, Unit};

/// Colours and text of charts, for a page that holds some.
pub const STYLE: &str = "\
:root{color-scheme:light dark;--card:#ffffff;--ink:#1c2230;--dim:#5c6675;--grid:#e3e7ec;\
--hover:#1c223012;--c0:#2867b2;--c1:#d0632b;--c2:#2c8c62;--c3:#8b55b5;--c4:#bf3a58;--c5:#0d8b9c;\
--c6:#93711c;--c7:#8a93a0}\
@media(prefers-color-scheme:dark){:root{--card:#1b2029;--ink:#e6e9ee;--dim:#9aa5b4;--grid:#2d3542;\
--hover:#ffffff14;--c0:#6ea8ee;--c1:#f0935a;--c2:#5cc394;--c3:#bf90e6;--c4:#ee7c97;--c5:#4cc0d0;\
--c6:#d3b04f;--c7:#8d97a6}}\
svg.chart{display:block;width:100%;height:auto;font:13px system-ui,sans-serif;color:var(--ink)}\
svg.chart text{fill:var(--dim)}svg.chart .grid{stroke:var(--grid);fill:none}\
svg.chart .axis{stroke:var(--dim);fill:none}\
svg.chart .line{fill:none;stroke-width:1.6;stroke-linejoin:round}\
svg.chart .dash{stroke-dasharray:5 4}svg.chart .dot{stroke-dasharray:1.5 2.5}\
svg.chart .area{stroke:none;opacity:.22}\
svg.chart .mark{stroke:var(--card);stroke-width:.6}svg.chart .hit{fill:transparent}\
svg.chart .hit:hover{fill:var(--hover)}\
@media(max-width:640px){svg.chart text{font-size:21px}svg.chart .odd{display:none}}";

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A line through the points.
    Line,
    /// A dashed line through the points.
    Dashed,
    /// A dotted line through the points.
    Dotted,
    /// A line that keeps each value until the next point.
    Step,
    /// The area between the points and the bottom.
    Area,
    /// Triangles that point upwards.
    Up,
    /// Triangles that point downwards.
    Down,
}

impl Shape {
    fn is_mark(self) -> bool {
        matches!(self, Self::Up | Self::Down)
    }

    /// The class of a line's legend; empty for what is whole.
    pub(super) fn legend_class(self) -> &'static str {
        match self {
            Self::Dashed => "dash",
            Self::Dotted => "dot",
            _ => "",
        }
    }
}

/// Points of one kind.
#[derive(Clone, Debug)]
pub struct Series {
    /// What they are, for legend and hover.
    pub name: String,
    /// Number of the colour, 0 to 7.
    pub color: usize,
    /// How they are drawn.
    pub shape: Shape,
    /// Whether the right axis measures them.
    pub is_right: bool,
    /// The points by ascending x; a y that is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A series on the left axis.
    pub fn new(name: impl Into<String>, color: usize, shape: Shape) -> Self {
        Self { name: name.into(), color, shape, is_right: false, points: Vec::new() }
    }

    /// The same with these points.
    #[must_use]
    pub fn with(mut self, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.points.extend(points);
        self
    }
}

/// A coloured rectangle of a heat map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Left and right end on the x axis.
    pub x: (f64, f64),
    /// Lower and upper end on the y axis.
    pub y: (f64, f64),
    /// Number of the colour, 0 to 7.
    pub color: usize,
    /// Strength from 1 to [`Cell::LEVELS`].
    pub level: usize,
}

impl Cell {
    /// Strengths that a heat map tells apart.
    pub const LEVELS: usize = 6;
}

/// A chart: what it shows and how it is measured.
///
/// ```
/// use ringtape::report::chart::{Axis, Chart, Series, Shape, Unit};
///
/// let (x, y) = (Axis::new(Unit::Elapsed), Axis::new(Unit::Count));
/// let mut chart = Chart::new("depth", "Ring depth", x, y);
/// chart.series.push(Series::new("market", 0, Shape::Line).with([(0.0, 3.0), (1e9, 40.0)]));
/// let svg = chart.to_svg(true);
/// assert!(svg.starts_with("<svg") && svg.contains("market: 40"));
/// ```
#[derive(Clone, Debug)]
pub struct Chart {
    /// Name of its file and its place in a page.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// How to read it, in a sentence; may be empty.
    pub note: String,
    /// The axis at the bottom.
    pub x: Axis,
    /// The axis on the left.
    pub y: Axis,
    /// The axis on the right, for the series that are measured by it.
    pub right: Option<Axis>,
    /// What is drawn, the first at the back.
    pub series: Vec<Series>,
    /// A heat map behind all series.
    pub cells: Vec<Cell>,
}

impl Chart {
    /// An empty chart.
    pub fn new(name: impl Into<String>, title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            note: String::new(),
            x,
            y,
            right: None,
            series: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.series.iter().all(|series| series.points.is_empty())
    }

    /// The chart as an SVG element; `alone` as a file of its own, with title, legend and colours.
    pub fn to_svg(&self, alone: bool) -> String {
        svg::draw(self, alone)
    }
}

/// Text with the characters replaced that mean something in HTML and SVG.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
