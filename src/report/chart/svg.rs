//! Drawing a chart.

use std::fmt::Write;

use super::axis::Ruler;
use super::{Axis, Cell, Chart, STYLE, Series, Shape, escape};

/// Width of the paper.
const WIDTH: f64 = 720.0;

/// Height of the paper in a page.
const HEIGHT: f64 = 330.0;

/// Room for title and legend of a chart on its own: without the legend, and for each line of it.
const HEAD: f64 = 34.0;
const LEGEND_LINE: f64 = 18.0;

/// Width of a letter, as far as one may be foretold.
const LETTER: f64 = 7.0;

/// Columns that show their values when pointed at.
const COLUMNS: usize = 96;

/// Length of the line that a point is without others beside it.
const ALONE: f64 = 3.0;

/// Half the width of a triangle.
const MARK: f64 = 4.0;

/// Where the name of each series stands above a chart on its own: its x and its line.
fn legend(chart: &Chart) -> Vec<(f64, usize)> {
    let (mut x, mut line) = (16.0, 0);
    let place = |series: &Series| {
        let width = 40.0 + LETTER * series.name.chars().count() as f64;
        if x > 16.0 && x + width > WIDTH {
            (x, line) = (16.0, line + 1);
        }
        let place = (x, line);
        x += width;
        place
    };
    chart.series.iter().map(place).collect()
}

/// Paper with a plot on it.
struct Paper<'a> {
    chart: &'a Chart,
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Ruler<'a>,
    y: Ruler<'a>,
    other: Option<Ruler<'a>>,
}

pub(super) fn draw(chart: &Chart, alone: bool) -> String {
    let lines = legend(chart).last().map_or(0, |&(_, line)| line + 1);
    let head = if alone { HEAD + LEGEND_LINE * lines as f64 } else { 0.0 };
    let (left, top, bottom) = (88.0, head + 12.0, head + HEIGHT - 52.0);
    let right = WIDTH - if chart.right.is_some() { 88.0 } else { 22.0 };
    let of_axis = |is_right: bool| {
        let own = chart.series.iter().filter(move |series| series.is_right == is_right);
        let cells = chart.cells.iter().filter(move |_| !is_right);
        own.flat_map(|series| series.points.iter().map(|&(_, y)| y))
            .chain(cells.flat_map(|cell| [cell.y.0, cell.y.1]))
    };
    let all_x = chart.series.iter().flat_map(|series| series.points.iter().map(|&(x, _)| x));
    let all_x = all_x.chain(chart.cells.iter().flat_map(|cell| [cell.x.0, cell.x.1]));
    let paper = Paper {
        x: Ruler::over(&chart.x, all_x, (left, right)),
        y: Ruler::over(&chart.y, of_axis(false), (bottom, top)),
        other: chart.right.as_ref().map(|axis| Ruler::over(axis, of_axis(true), (bottom, top))),
        chart,
        text: String::new(),
        left,
        right,
        top,
        bottom,
    };
    paper.draw(alone, head + HEIGHT)
}

impl Paper<'_> {
    fn draw(mut self, alone: bool, height: f64) -> String {
        let title = escape(&self.chart.title);
        let namespace = if alone { " xmlns=\"http://www.w3.org/2000/svg\"" } else { "" };
        self.put(format_args!(
            "<svg class=\"chart\"{namespace} viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{title}\">"
        ));
        if alone {
            self.head(height);
        }
        self.axes();
        self.cells();
        let chart = self.chart;
        for series in &chart.series {
            if series.shape.is_mark() {
                continue;
            }
            let path = self.path(series);
            let class = match series.shape {
                Shape::Area => "area",
                Shape::Dashed => "line dash",
                Shape::Dotted => "line dot",
                _ => "line",
            };
            let paint = if series.shape == Shape::Area { "fill" } else { "stroke" };
            let color = series.color;
            self.put(format_args!(
                "<path class=\"{class}\" style=\"{paint}:var(--c{color})\" d=\"{path}\"/>"
            ));
        }
        self.columns();
        chart
            .series
            .iter()
            .filter(|series| series.shape.is_mark())
            .for_each(|series| self.marks(series));
        self.text.push_str("</svg>");
        self.text
    }

    fn put(&mut self, piece: std::fmt::Arguments<'_>) {
        self.text.write_fmt(piece).expect("a string takes everything");
    }

    /// Colours, title and legend of a chart on its own.
    fn head(&mut self, height: f64) {
        let chart = self.chart;
        let title = escape(&chart.title);
        self.put(format_args!(
            "<style>{STYLE}</style><rect width=\"{WIDTH}\" height=\"{height}\" \
             style=\"fill:var(--card)\"/><text x=\"16\" y=\"22\" \
             style=\"fill:var(--ink);font-size:16px\">{title}</text>"
        ));
        for (series, (x, line)) in chart.series.iter().zip(legend(chart)) {
            let (name, color, class) = (escape(&series.name), series.color, series.shape);
            let (class, y) = (class.legend_class(), HEAD + LEGEND_LINE * line as f64);
            self.put(format_args!(
                "<path class=\"{class}\" d=\"M{x} {}h12\" \
                 style=\"stroke:var(--c{color});stroke-width:9\"/><text x=\"{}\" \
                 y=\"{}\">{name}</text>",
                y + 5.0,
                x + 17.0,
                y + 10.0
            ));
        }
    }

    fn axes(&mut self) {
        let (left, right, top, bottom) = (self.left, self.right, self.top, self.bottom);
        for (value, text) in self.y.ticks() {
            let Some(y) = self.y.place(value) else { continue };
            self.put(format_args!(
                "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/><text x=\"{}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{text}</text>",
                left - 8.0,
                y + 4.5
            ));
        }
        let other = self.other.as_ref().map(Ruler::ticks).unwrap_or_default();
        for (value, text) in other {
            let Some(y) = self.other.as_ref().and_then(|ruler| ruler.place(value)) else {
                continue;
            };
            let x = right + 8.0;
            self.put(format_args!("<text x=\"{x}\" y=\"{:.1}\">{text}</text>", y + 4.5));
        }
        let (mut labels, mut taken) = (0, 0.0);
        for (value, text) in self.x.ticks() {
            let Some(x) = self.x.place(value) else { continue };
            self.put(format_args!("<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/>"));
            let half = text.chars().count() as f64 * LETTER / 2.0;
            if x - half < taken || x + half > WIDTH {
                continue;
            }
            // On a phone every second one makes room for the others.
            let class = if labels % 2 == 1 { " class=\"odd\"" } else { "" };
            (labels, taken) = (labels + 1, x + half);
            self.put(format_args!(
                "<text{class} x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>",
                bottom + 21.0
            ));
        }
        self.put(format_args!("<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}\"/>"));
        let (label, middle) = (escape(&self.chart.x.label), (left + right) / 2.0);
        self.put(format_args!(
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
            bottom + 44.0
        ));
    }

    /// The heat map: one path a colour and strength.
    fn cells(&mut self) {
        let chart = self.chart;
        for color in 0..8 {
            for level in 1..=Cell::LEVELS {
                let mut path = String::new();
                let own = |cell: &&Cell| cell.color == color && cell.level == level;
                for cell in chart.cells.iter().filter(own) {
                    let places = [self.x.place(cell.x.0), self.x.place(cell.x.1)];
                    let heights = [self.y.place(cell.y.0), self.y.place(cell.y.1)];
                    let ([Some(x0), Some(x1)], [Some(y0), Some(y1)]) = (places, heights) else {
                        continue;
                    };
                    let (width, height) = (x1 - x0, y0 - y1);
                    let _ = write!(path, "M{x0:.1} {y1:.1}h{width:.1}v{height:.1}H{x0:.1}z");
                }
                if !path.is_empty() {
                    let opacity = level as f64 / Cell::LEVELS as f64;
                    self.put(format_args!(
                        "<path style=\"fill:var(--c{color});opacity:{opacity:.2}\" d=\"{path}\"/>"
                    ));
                }
            }
        }
    }

    fn ruler(&self, series: &Series) -> &Ruler<'_> {
        self.other.as_ref().filter(|_| series.is_right).unwrap_or(&self.y)
    }

    fn path(&self, series: &Series) -> String {
        let ruler = self.ruler(series);
        let mut path = String::new();
        // Points since the last gap.
        let mut joined = 0;
        for &(x, y) in &series.points {
            let place = self.x.place(x).zip(ruler.place(y).filter(|_| y.is_finite()));
            let Some((x, y)) = place else {
                self.end_at_gap(series, joined, &mut path);
                joined = 0;
                continue;
            };
            let _ = match (joined, series.shape) {
                (0, Shape::Area) => write!(path, "M{x:.1} {}V{y:.1}", self.bottom),
                (0, _) => write!(path, "M{x:.1} {y:.1}"),
                (_, Shape::Step) => write!(path, "H{x:.1}V{y:.1}"),
                (_, _) => write!(path, "L{x:.1} {y:.1}"),
            };
            joined += 1;
        }
        self.end_at_gap(series, joined, &mut path);
        path
    }

    /// Ends a line or an area; a point with no other beside it would else not be seen.
    fn end_at_gap(&self, series: &Series, joined: usize, path: &mut String) {
        if joined == 1 {
            let _ = write!(path, "h{ALONE}");
        }
        if joined > 0 && series.shape == Shape::Area {
            let _ = write!(path, "V{}Z", self.bottom);
        }
    }

    fn marks(&mut self, series: &Series) {
        let color = series.color;
        let tip = if series.shape == Shape::Up { -MARK } else { MARK };
        for &(x, y) in &series.points {
            let Some((place_x, place_y)) = self.x.place(x).zip(self.ruler(series).place(y)) else {
                continue;
            };
            let hint = format!(
                "{}\n{}: {}",
                self.chart.x.format(x),
                escape(&series.name),
                self.chart.y.format(y)
            );
            self.put(format_args!(
                "<path class=\"mark\" style=\"fill:var(--c{color})\" \
                 d=\"M{place_x:.1} {:.1}l{MARK} {:.1}h{}z\"><title>{hint}</title></path>",
                place_y + tip,
                -2.0 * tip,
                -2.0 * MARK
            ));
        }
    }

    /// Columns over the plot that show what is drawn at their x.
    fn columns(&mut self) {
        let lines: Vec<&Series> =
            self.chart.series.iter().filter(|series| !series.shape.is_mark()).collect();
        let width = (self.right - self.left) / COLUMNS as f64;
        for column in 0..COLUMNS {
            let from = self.left + column as f64 * width;
            let x = self.x.value(from + width / 2.0);
            let reach = (self.x.value(from + width * 1.5) - x).abs();
            let mut hint = self.chart.x.format(x);
            let mut shown = 0;
            for series in &lines {
                let Some(y) = value_at(series, x, reach) else { continue };
                let axis = self.chart.right.as_ref().filter(|_| series.is_right);
                let axis: &Axis = axis.unwrap_or(&self.chart.y);
                let _ = write!(hint, "\n{}: {}", escape(&series.name), axis.format(y));
                shown += 1;
            }
            if shown == 0 {
                continue;
            }
            let (top, height) = (self.top, self.bottom - self.top);
            self.put(format_args!(
                "<rect class=\"hit\" x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" \
                 height=\"{height}\"><title>{hint}</title></rect>"
            ));
        }
    }
}

/// What a series shows at `x`: its nearest point not further off than `reach`, or for one that
/// keeps its values the last one before.
fn value_at(series: &Series, x: f64, reach: f64) -> Option<f64> {
    let after = series.points.partition_point(|&(at, _)| at <= x);
    let before = after.checked_sub(1).map(|index| series.points[index]);
    if series.shape == Shape::Step {
        return before.map(|(_, y)| y).filter(|y| y.is_finite());
    }
    let next = series.points.get(after).copied();
    let near = |point: &(f64, f64)| (point.0 - x).abs();
    let nearest = match (before, next) {
        (Some(one), Some(other)) => Some(if near(&one) <= near(&other) { one } else { other }),
        (one, other) => one.or(other),
    };
    nearest.filter(|point| near(point) <= reach && point.1.is_finite()).map(|(_, y)| y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::Unit;

    #[test]
    fn a_gap_interrupts_a_line_and_a_step_keeps_its_value() {
        let axis = |unit| Axis::new(unit);
        let mut chart = Chart::new("a", "a <b>", axis(Unit::Elapsed), axis(Unit::Count));
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (10.0, 4.0)];
        chart.series.push(Series::new("area", 2, Shape::Area).with([points[2], points[1]]));
        chart.series.push(Series::new("line", 0, Shape::Line).with(points));
        chart.series.push(Series::new("step", 1, Shape::Step).with([(0.0, 7.0), (10.0, 7.0)]));
        let svg = chart.to_svg(false);
        assert!(svg.contains("aria-label=\"a &lt;b&gt;\""));
        let line = svg.split("<path class=\"line\"").nth(1).expect("a line");
        let path = line.split('"').nth(3).expect("a path");
        assert_eq!(path.matches('M').count(), 2, "{path}");
        // The first point stands alone, and is a short line.
        assert_eq!(path.matches("h3").count(), 1, "{path}");
        assert!(path.find("h3") < path.rfind('M'), "{path}");
        let area = svg.split("<path class=\"area\"").nth(1).and_then(|rest| rest.split('"').nth(3));
        assert!(area.is_some_and(|path| path.contains("h3V")), "{area:?}");
        assert!(svg.matches("step: 7").count() > 90 && !svg.contains("http"));
    }
    /// The x and the text of every `<text>` of a drawing.
    fn texts(svg: &str) -> Vec<(f64, String)> {
        let text = |piece: &str| {
            let x = piece.split("x=\"").nth(1)?.split('"').next()?.parse().ok()?;
            let text = piece.split('>').nth(1)?.split('<').next()?;
            Some((x, text.to_owned()))
        };
        svg.split("<text").skip(1).filter_map(text).collect()
    }

    #[test]
    fn labels_of_an_axis_leave_each_other_room() {
        let mut chart = Chart::new("p", "p", Axis::log(Unit::Percentile), Axis::new(Unit::Count));
        chart.series.push(Series::new("s", 0, Shape::Line).with([(1.0, 1.0), (2e8, 2.0)]));
        let texts = texts(&chart.to_svg(false));
        let labels: Vec<_> = texts.iter().filter(|(_, text)| text.ends_with(" %")).collect();
        assert!(labels.len() > 5, "{texts:?}");
        let half = |text: &str| text.chars().count() as f64 * LETTER / 2.0;
        for pair in labels.windows(2) {
            let (left, right) = (pair[0].0 + half(&pair[0].1), pair[1].0 - half(&pair[1].1));
            assert!(left <= right, "{pair:?}");
        }
        assert!(labels.iter().all(|(x, text)| x + half(text) <= WIDTH), "{labels:?}");
    }

    #[test]
    fn the_names_above_a_chart_on_its_own_stay_on_the_paper() {
        let mut chart = Chart::new("n", "n", Axis::new(Unit::Count), Axis::new(Unit::Count));
        let names: Vec<String> = (0..12).map(|number| format!("service_stage_{number}")).collect();
        let series = names.iter().map(|name| Series::new(name, 0, Shape::Dotted).with([]));
        chart.series.extend(series);
        let texts = texts(&chart.to_svg(true));
        for name in &names {
            let (x, _) = texts.iter().find(|(_, text)| text == name).expect("a name");
            assert!(x + LETTER * name.len() as f64 <= WIDTH, "{name} at {x}");
        }
    }
}
