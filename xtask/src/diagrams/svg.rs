//! States and edges as SVG: places by hand, lines by rule.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};

use super::edges::{self, Edge};
use super::layout::{Layout, Place, Side, Words};

const LINE: i32 = 15;
/// How far from a box a way back to it or out of it reaches.
const REACH: i32 = 26;
/// The radius of a corner.
const CORNER: i32 = 8;

/// A card of its own colours, so that whatever it is put on, it can be read.
const HEAD: &str = "\
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.state { font-weight: 600; font-size: 13px; text-anchor: middle; }
.title { font-weight: 600; font-size: 16px; }
.heading { font-size: 13px; font-style: italic; fill: #59636e; }
.halo { fill: #ffffff; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }
.card { fill: #ffffff; stroke: #d1d9e0; }
.band { fill: none; stroke: #d1d9e0; stroke-dasharray: 2 4; }
.box { fill: #eef3fa; stroke: #57606a; }
.busy { fill: #ffffff; stroke: #57606a; stroke-dasharray: 5 3; }
.way { fill: none; stroke: #57606a; }
.dot { fill: #57606a; stroke: none; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.heading { fill: #9198a1; }
.halo { fill: #0d1117; stroke: #0d1117; }
.card { fill: #0d1117; stroke: #3d444d; }
.band { stroke: #3d444d; }
.box { fill: #1c2733; stroke: #9198a1; }
.busy { fill: #0d1117; stroke: #9198a1; }
.way { stroke: #9198a1; }
.dot { fill: #9198a1; }
}
</style>
<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
<path class=\"dot\" d=\"M0 0L8 4L0 8z\"/></marker></defs>
";

/// What a picture shows, as its table has it.
pub(super) struct Content<'a> {
    pub(super) edges: &'a [Edge],
    pub(super) words: &'a edges::Words,
    pub(super) note: &'a str,
    /// The states that only wait for something to be over; their boxes are dashed.
    pub(super) busy: &'a [String],
}

/// Draws the edges. Fails when a state or a way has no place, or a place or a route no state or way.
pub(super) fn draw(layout: &Layout, content: &Content<'_>) -> Result<String> {
    let edges = content.edges;
    for place in layout.places {
        let is_used = edges.iter().any(|edge| edge.from == place.name || edge.to == place.name);
        ensure!(is_used, "{} has a place, and no edge leads there or away", place.name);
    }
    for route in layout.routes {
        let is_used = edges.iter().any(|edge| edge.from == route.from && edge.to == route.to);
        ensure!(is_used, "there is a route from {} to {}, and no edge", route.from, route.to);
    }
    let mut svg = head(layout, content.note);
    let mut words = String::new();
    for edge in edges {
        let from = place(layout, &edge.from)?;
        let label = edge.label(content.words);
        let (drawn, said) = if edge.to == layout.end {
            out(from, &label)
        } else if edge.to == edge.from {
            back(from, &label)
        } else {
            between(layout, from, place(layout, &edge.to)?, &label)?
        };
        svg += &drawn;
        words += &said;
    }
    for place in layout.places {
        let ((x, y), (width, height)) = (place.at, place.size);
        let class = if content.busy.iter().any(|name| name == place.name) { "busy" } else { "box" };
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\
             <text class=\"state\" x=\"{x}\" y=\"{}\">{}</text>",
            x - width / 2,
            y - height / 2,
            y + 5,
            place.name
        );
    }
    svg += &words;
    svg += "</svg>\n";
    Ok(svg)
}

/// The card with all that is not a state or a way.
fn head(layout: &Layout, note: &str) -> String {
    let (width, height) = layout.size;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{}</title>\n{HEAD}",
        layout.title
    );
    let rect = |class: &str, (x, y): (i32, i32), (width, height): (i32, i32)| {
        format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n")
    };
    svg += &rect("card", (1, 1), (width - 2, height - 2));
    let (x, y) = layout.note;
    let _ = writeln!(svg, "<text class=\"title\" x=\"{x}\" y=\"{y}\">{}</text>", layout.title);
    for (number, line) in (0..).zip(note.lines()) {
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\">{}</text>", y + 22 + number * LINE, escaped(line));
    }
    for band in layout.bands {
        svg += &rect("band", band.at, band.size);
        let (x, y) = (band.at.0 + 12, band.at.1 + 20);
        let _ = writeln!(svg, "<text class=\"heading\" x=\"{x}\" y=\"{y}\">{}</text>", band.title);
    }
    svg
}

fn place<'a>(layout: &'a Layout, name: &str) -> Result<&'a Place> {
    let found = layout.places.iter().find(|place| place.name == name);
    found.with_context(|| format!("{name} has no place on the picture"))
}

/// A way to another state, and its words.
fn between(layout: &Layout, from: &Place, to: &Place, label: &[String]) -> Result<(String, String)> {
    let found = layout.routes.iter().find(|route| (route.from, route.to) == (from.name, to.name));
    let route = found.with_context(|| format!("there is no route from {} to {}", from.name, to.name))?;
    let first = route.via.first().copied().unwrap_or(to.at);
    let last = route.via.last().copied().unwrap_or(from.at);
    let points: Vec<_> =
        [from.border(first)].into_iter().chain(route.via.iter().copied()).chain([to.border(last)]).collect();
    Ok((way(&points), said(route.words, label)))
}

/// A way back to the same state.
fn back(place: &Place, label: &[String]) -> (String, String) {
    let ((x, y), (width, height)) = (place.at, place.size);
    let sideways = |sign: i32| {
        let (edge, far) = (x + sign * width / 2, x + sign * (width / 2 + REACH));
        (format!("M{edge} {}C{far} {},{far} {},{edge} {}", y - 9, y - 17, y + 17, y + 9), far)
    };
    let (path, words) = match place.back {
        Side::Left => {
            let (path, far) = sideways(-1);
            (path, Words::To(far, y + 4))
        }
        Side::Right => {
            let (path, far) = sideways(1);
            (path, Words::From(far, y + 4))
        }
        Side::Below => {
            let (x, edge) = (x - width / 4, y + height / 2);
            let far = edge + REACH;
            let lines = i32::try_from(label.len()).unwrap_or(1);
            let path = format!("M{} {edge}C{} {far},{} {far},{} {edge}", x - 9, x - 17, x + 17, x + 9);
            (path, Words::From(x - width / 4, far + 10 + LINE * (lines - 1) / 2))
        }
    };
    (path_of(&path), said(words, label))
}

/// A way out, to a dot.
fn out(place: &Place, label: &[String]) -> (String, String) {
    let ((x, y), (width, height)) = (place.at, place.size);
    let (start, end, words) = match place.out {
        Side::Left => {
            let edge = x - width / 2;
            ((edge, y), (edge - REACH, y), Words::To(edge - REACH - 16, y + 4))
        }
        Side::Right => {
            let edge = x + width / 2;
            ((edge, y), (edge + REACH, y), Words::From(edge + REACH + 16, y + 4))
        }
        Side::Below => {
            let (x, edge) = (x + width / 4, y + height / 2);
            ((x, edge), (x, edge + REACH - 8), Words::From(x + 12, edge + REACH))
        }
    };
    let (x, y) = (end.0 + 5 * (end.0 - start.0).signum(), end.1 + 5 * (end.1 - start.1).signum());
    (format!("{}<circle class=\"dot\" cx=\"{x}\" cy=\"{y}\" r=\"5\"/>\n", way(&[start, end])), said(words, label))
}

/// A line through these points, round at the corners.
fn way(points: &[(i32, i32)]) -> String {
    let towards = |(x, y): (i32, i32), (to_x, to_y): (i32, i32)| {
        let (dx, dy) = (to_x - x, to_y - y);
        let radius = CORNER.min(dx.abs().max(dy.abs()) / 2);
        // Nearly so where a line is neither level nor upright.
        (x + dx.signum() * radius.min(dx.abs()), y + dy.signum() * radius.min(dy.abs()))
    };
    let mut path = String::new();
    for (number, &(x, y)) in points.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|before| points.get(before));
        let _ = match (before, points.get(number + 1)) {
            (None, _) => write!(path, "M{x} {y}"),
            (Some(_), None) => write!(path, "L{x} {y}"),
            (Some(&before), Some(&after)) => {
                let (start, end) = (towards((x, y), before), towards((x, y), after));
                write!(path, "L{} {}Q{x} {y} {} {}", start.0, start.1, end.0, end.1)
            }
        };
    }
    path_of(&path)
}

fn path_of(path: &str) -> String {
    format!("<path class=\"way\" d=\"{path}\" marker-end=\"url(#tip)\"/>\n")
}

/// Lines of words, about that height.
fn said(words: Words, label: &[String]) -> String {
    let (x, y, anchor) = match words {
        Words::From(x, y) => (x, y, ""),
        Words::To(x, y) => (x, y, " text-anchor=\"end\""),
    };
    let top = y - LINE * (i32::try_from(label.len()).unwrap_or(1) - 1) / 2;
    let mut text = String::new();
    for (line, number) in label.iter().zip(0..) {
        // Twice: first what keeps it apart from the ways beneath.
        for class in [" class=\"halo\"", ""] {
            let _ =
                writeln!(text, "<text{class} x=\"{x}\" y=\"{}\"{anchor}>{}</text>", top + number * LINE, escaped(line));
        }
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagrams::layout::{Route, route, state};

    const PLACES: [Place; 2] = [state("One", 100, 100), state("Two", 100, 300).back(Side::Left)];
    const ROUTES: [Route; 1] = [route("One", "Two", &[], Words::From(106, 200))];
    const WORDS: edges::Words = edges::Words { tones: &[], unit: "", any_tone: "", silent: "" };

    fn layout(places: &'static [Place], routes: &'static [Route]) -> Layout {
        Layout { title: "T", size: (400, 400), note: (20, 30), bands: &[], places, routes, end: "Over" }
    }

    fn edge(from: &str, to: &str) -> Edge {
        Edge { from: from.into(), to: to.into(), cells: vec![("A<b".into(), "Wait".into())] }
    }

    fn draw(layout: &Layout, edges: &[Edge]) -> Result<String> {
        let content = Content { edges, words: &WORDS, note: "1 < 2", busy: &["Two".to_owned()] };
        super::draw(layout, &content)
    }

    #[test]
    fn every_edge_is_drawn() {
        let edges = [edge("One", "Two"), edge("Two", "Two"), edge("Two", "Over")];
        let svg = draw(&layout(&PLACES, &ROUTES), &edges).unwrap();
        assert!(svg.contains("d=\"M100 117L100 283\""), "{svg}");
        assert_eq!(svg.matches("marker-end").count(), 3);
        assert_eq!(svg.matches(">a&lt;b \u{2192} wait<").count(), 6);
        assert_eq!(svg.matches(">1 &lt; 2<").count(), 1);
        assert_eq!((svg.matches("class=\"box\"").count(), svg.matches("class=\"busy\"").count()), (1, 1));
    }

    #[test]
    fn corners_are_round() {
        assert!(way(&[(0, 0), (50, 0), (50, 90)]).contains("M0 0L42 0Q50 0 50 8L50 90"));
    }

    #[test]
    fn what_has_no_place_or_no_edge_fails() {
        let fails = |layout: &Layout, edges: &[Edge]| draw(layout, edges).unwrap_err().to_string();
        let (there, back) = (edge("One", "Two"), edge("Two", "One"));
        assert!(fails(&layout(&PLACES, &ROUTES), &[there, edge("One", "Three")]).contains("Three has no place"));
        assert!(fails(&layout(&PLACES, &[]), &[edge("One", "Over")]).contains("Two has a place"));
        assert!(fails(&layout(&PLACES, &[]), std::slice::from_ref(&back)).contains("no route from Two to One"));
        assert!(fails(&layout(&PLACES, &ROUTES), &[back]).contains("there is a route"));
    }
}
