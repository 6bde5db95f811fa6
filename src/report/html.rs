//! A page that needs nothing but itself: style, drawings and a few lines of script in one file.

use std::fmt::Write;

use super::chart::{Chart, STYLE, escape};

/// Letters of a tile's figure beyond which it is set in small ones, so that it stays in a line.
const TILE_LETTERS: usize = 12;

/// What a page looks like beside its charts.
const PAGE_STYLE: &str = "\
:root{--bg:#f4f6f8;--good:#2c8c62;--bad:#b3261e}\
@media(prefers-color-scheme:dark){:root{--bg:#12161d;--good:#5cc394;--bad:#f2a09a}}\
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);\
font:15px/1.5 system-ui,sans-serif}main{max-width:1360px;margin:0 auto;padding:24px 20px 60px}\
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:34px 0 12px}\
p{margin:4px 0}.sub{color:var(--dim);overflow-wrap:anywhere}\
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;\
margin-top:18px}\
.tile,figure,.box{background:var(--card);border:1px solid var(--grid);\
border-radius:10px}\
.tile{padding:12px 14px}\
.tile b{display:block;font-size:20px;line-height:1.3;overflow-wrap:anywhere}\
.tile b.long{font:600 13px/2 ui-monospace,monospace}\
.tile span{color:var(--dim);font-size:13px}\
.charts{display:grid;gap:16px;\
grid-template-columns:repeat(auto-fit,minmax(min(100%,560px),1fr))}\
figure{margin:0;padding:14px 14px 10px;min-width:0}figcaption{font-weight:600;margin-bottom:2px}\
figure p{color:var(--dim);font-size:13px}\
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px;color:var(--dim);margin:4px 0 6px}\
.legend i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:5px;\
background:var(--c)}\
.legend .dash{background:linear-gradient(90deg,var(--c) 40%,#0000 40% 60%,var(--c) 60%)}\
.legend .dot{background:repeating-linear-gradient(90deg,var(--c) 0 2px,#0000 2px 4.5px)}\
.box{padding:6px 14px;overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px}\
th,td{padding:5px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}\
th{color:var(--dim);font-weight:500}tr:last-child td{border-bottom:0}\
th:first-child,td:first-child{text-align:left}table.facts td{text-align:left;white-space:normal;\
overflow-wrap:anywhere}table.facts td:first-child{color:var(--dim);white-space:nowrap;width:1%}\
td{font-variant-numeric:tabular-nums}pre{margin:8px 0;font-size:13px;white-space:pre-wrap;\
overflow-wrap:anywhere}ul{margin:6px 0;padding-left:20px}\
code{font-size:13px;overflow-wrap:anywhere}\
#tip{position:fixed;z-index:9;pointer-events:none;display:none;white-space:pre;font-size:13px;\
background:var(--ink);color:var(--card);padding:6px 9px;border-radius:6px;max-width:90vw}\
@media(max-width:640px){main{padding:16px 10px 40px}figure{padding:10px 8px 8px}h1{font-size:20px}\
.tiles{grid-template-columns:repeat(2,1fr)}.tile b{font-size:17px}}";

/// Shows at once, also to a finger, what the titles would show after a while.
const SCRIPT: &str = "\
const tip=document.getElementById('tip');\
for(const title of document.querySelectorAll('svg title')){\
title.parentNode.dataset.tip=title.textContent;title.remove()}\
const show=event=>{const text=event.target.dataset&&event.target.dataset.tip;\
if(!text){tip.style.display='none';return}\
tip.textContent=text;tip.style.display='block';\
const box=tip.getBoundingClientRect();let x=event.clientX+14,y=event.clientY+14;\
if(x+box.width>innerWidth-8)x=Math.max(8,event.clientX-14-box.width);\
if(y+box.height>innerHeight-8)y=Math.max(8,event.clientY-14-box.height);\
tip.style.left=x+'px';tip.style.top=y+'px'};\
addEventListener('pointermove',show);addEventListener('pointerdown',show);\
addEventListener('scroll',()=>{tip.style.display='none'});";

/// A page in the making.
#[derive(Debug)]
pub(super) struct Html(String);

impl Html {
    /// A page with its heading and a line beneath.
    pub(super) fn new(title: &str, beneath: &str) -> Self {
        let (title, beneath) = (escape(title), escape(beneath));
        Self(format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{title}</title><style>{STYLE}{PAGE_STYLE}</style></head>\n<body><main>\
             <h1>{title}</h1><p class=\"sub\">{beneath}</p>\n"
        ))
    }

    fn put(&mut self, piece: std::fmt::Arguments<'_>) {
        self.0.write_fmt(piece).expect("a string takes everything");
    }

    /// Figures in large letters, each with what it is beneath.
    pub(super) fn tiles(&mut self, tiles: &[(String, String)]) {
        self.0.push_str("<div class=\"tiles\">");
        for (figure, what) in tiles {
            let class = if figure.len() > TILE_LETTERS { " class=\"long\"" } else { "" };
            let (figure, what) = (escape(figure), escape(what));
            self.put(format_args!(
                "<div class=\"tile\"><b{class}>{figure}</b><span>{what}</span></div>"
            ));
        }
        self.0.push_str("</div>\n");
    }

    pub(super) fn heading(&mut self, text: &str) {
        let text = escape(text);
        self.put(format_args!("<h2>{text}</h2>\n"));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        let text = escape(text);
        self.put(format_args!("<p class=\"sub\">{text}</p>\n"));
    }

    /// Sentences; what stands in them between backticks is what to type.
    pub(super) fn list(&mut self, items: &[String]) {
        self.0.push_str("<div class=\"box\"><ul>");
        for item in items {
            self.0.push_str("<li>");
            for (at, part) in item.split('`').map(escape).enumerate() {
                match at % 2 {
                    0 => self.0.push_str(&part),
                    _ => self.put(format_args!("<code>{part}</code>")),
                }
            }
            self.0.push_str("</li>");
        }
        self.0.push_str("</ul></div>\n");
    }

    /// What costs latency on a machine, if anything does.
    pub(super) fn costs(&mut self, costs: &[String]) {
        if !costs.is_empty() {
            self.heading("What costs latency here");
            self.list(costs);
        }
    }

    /// Charts side by side where there is room.
    pub(super) fn charts<'a>(&mut self, charts: impl IntoIterator<Item = &'a Chart>) {
        self.0.push_str("<div class=\"charts\">");
        for chart in charts {
            self.figure(chart);
        }
        self.0.push_str("</div>\n");
    }

    fn figure(&mut self, chart: &Chart) {
        let (name, title, note) = (&chart.name, escape(&chart.title), escape(&chart.note));
        self.put(format_args!("<figure id=\"{name}\"><figcaption>{title}</figcaption>"));
        if !note.is_empty() {
            self.put(format_args!("<p>{note}</p>"));
        }
        self.0.push_str("<div class=\"legend\">");
        let mut named = Vec::new();
        for series in &chart.series {
            if named.contains(&&series.name) {
                continue;
            }
            named.push(&series.name);
            let (name, color) = (escape(&series.name), series.color);
            let class = series.shape.legend_class();
            self.put(format_args!(
                "<span><i class=\"{class}\" style=\"--c:var(--c{color})\"></i>{name}</span>"
            ));
        }
        let svg = chart.to_svg(false);
        self.put(format_args!("</div>{svg}</figure>\n"));
    }

    /// A table with a head.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        self.0.push_str("<div class=\"box\"><table><thead><tr>");
        for cell in head {
            let cell = escape(cell);
            self.put(format_args!("<th>{cell}</th>"));
        }
        self.0.push_str("</tr></thead><tbody>");
        for row in rows {
            self.row(row);
        }
        self.0.push_str("</tbody></table></div>\n");
    }

    /// A table of names and what they stand for.
    pub(super) fn facts(&mut self, facts: &[(String, String)]) {
        self.0.push_str("<div class=\"box\"><table class=\"facts\"><tbody>");
        for (name, fact) in facts {
            self.row(&[name.clone(), fact.clone()]);
        }
        self.0.push_str("</tbody></table></div>\n");
    }

    fn row(&mut self, cells: &[String]) {
        self.0.push_str("<tr>");
        for cell in cells {
            let cell = escape(cell);
            self.put(format_args!("<td>{cell}</td>"));
        }
        self.0.push_str("</tr>");
    }

    /// Text as it is, such as a command.
    pub(super) fn verbatim(&mut self, text: &str) {
        let text = escape(text);
        self.put(format_args!("<div class=\"box\"><pre>{text}</pre></div>\n"));
    }

    /// The whole page.
    pub(super) fn finish(mut self) -> String {
        self.put(format_args!(
            "</main><div id=\"tip\"></div><script>{SCRIPT}</script></body></html>\n"
        ));
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_type_stands_out_and_nothing_of_a_sentence_is_markup() {
        let mut html = Html(String::new());
        html.list(&["a < b: run `x --y <Z>`.".to_owned()]);
        assert!(
            html.0.contains("<li>a &lt; b: run <code>x --y &lt;Z&gt;</code>.</li>"),
            "{}",
            html.0
        );
    }
}
