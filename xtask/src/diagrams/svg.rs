//! States and edges as SVG: places by hand, lines by rule.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};

use super::edges::Edge;

/// Where a state stands.
pub(super) struct Place {
    /// Its name, as [`name`](super::edges::name) gives it.
    pub(super) name: &'static str,
    /// Its middle.
    pub(super) at: (i32, i32),
    /// Where the way back to itself is drawn, and the way out.
    pub(super) side: Side,
}

#[derive(Clone, Copy)]
pub(super) enum Side {
    Left,
    Right,
}

/// A way that is not straight, and where its words stand.
pub(super) struct Route {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) via: &'static [(i32, i32)],
    /// Where the words begin; without it in the middle of the first stretch.
    pub(super) words: Option<(i32, i32)>,
}

/// What is chosen by hand for one picture.
pub(super) struct Layout {
    pub(super) title: &'static str,
    /// What the picture does not show.
    pub(super) note: &'static str,
    pub(super) size: (i32, i32),
    pub(super) places: &'static [Place],
    pub(super) routes: &'static [Route],
    /// The state that many lead to, drawn as a dot beside each of those.
    pub(super) end: &'static str,
}

const BOX: (i32, i32) = (170, 38);
const LINE: i32 = 15;
/// How far beside a box a way back to it reaches.
const LOOP: i32 = 26;

/// A card of its own colours, so that whatever it is put on, it can be read.
const HEAD: &str = "\
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.state { font-weight: 600; font-size: 13px; text-anchor: middle; }
.title { font-weight: 600; font-size: 16px; }
.halo { fill: #ffffff; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }
.card { fill: #ffffff; stroke: #d1d9e0; }
.box { fill: #eef3fa; stroke: #57606a; }
.way { fill: none; stroke: #57606a; }
.dot { fill: #57606a; stroke: none; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.halo { fill: #0d1117; stroke: #0d1117; }
.card { fill: #0d1117; stroke: #3d444d; }
.box { fill: #1c2733; stroke: #9198a1; }
.way { stroke: #9198a1; }
.dot { fill: #9198a1; }
}
</style>
<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
<path class=\"dot\" d=\"M0 0L8 4L0 8z\"/></marker></defs>
";

/// Draws the edges. Fails when a state has no place, or a place or a route leads nowhere.
pub(super) fn draw(layout: &Layout, edges: &[Edge]) -> Result<String> {
    let (width, height) = layout.size;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{}</title>\n{HEAD}",
        layout.title
    );
    let _ = writeln!(
        svg,
        "<rect class=\"card\" x=\"1\" y=\"1\" width=\"{}\" height=\"{}\" rx=\"8\"/>",
        width - 2,
        height - 2
    );
    let _ = writeln!(svg, "<text class=\"title\" x=\"20\" y=\"32\">{}</text>", layout.title);
    for (number, line) in (0..).zip(layout.note.lines()) {
        let _ = writeln!(svg, "<text x=\"20\" y=\"{}\">{line}</text>", 54 + number * LINE);
    }
    let (mut ways, mut words) = (String::new(), String::new());
    for edge in edges {
        let from = place(layout, &edge.from)?;
        let drawn = if edge.to == layout.end {
            out(from, &edge.label)
        } else if edge.to == edge.from {
            back(from, &edge.label)
        } else {
            between(layout, from, place(layout, &edge.to)?, &edge.label)
        };
        ways += &drawn.0;
        words += &drawn.1;
    }
    svg += &ways;
    for place in layout.places {
        let used = edges.iter().any(|edge| edge.from == place.name || edge.to == place.name);
        ensure!(used, "{} has a place, and no edge leads there or away", place.name);
        let (x, y) = place.at;
        let (left, top) = (x - BOX.0 / 2, y - BOX.1 / 2);
        let _ = writeln!(
            svg,
            "<rect class=\"box\" x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" rx=\"6\"/>\
             <text class=\"state\" x=\"{x}\" y=\"{}\">{}</text>",
            BOX.0,
            BOX.1,
            y + 5,
            place.name
        );
    }
    for route in layout.routes {
        let used = edges.iter().any(|edge| edge.from == route.from && edge.to == route.to);
        ensure!(used, "there is a route from {} to {}, and no edge", route.from, route.to);
    }
    svg += &words;
    svg += "</svg>\n";
    Ok(svg)
}

fn place<'a>(layout: &'a Layout, name: &str) -> Result<&'a Place> {
    let found = layout.places.iter().find(|place| place.name == name);
    found.with_context(|| format!("{name} has no place on the picture"))
}

/// A way to another state, and its words.
fn between(layout: &Layout, from: &Place, to: &Place, label: &[String]) -> (String, String) {
    let route = layout.routes.iter().find(|route| (route.from, route.to) == (from.name, to.name));
    let via = route.map_or(&[][..], |route| route.via);
    let first = via.first().copied().unwrap_or(to.at);
    let last = via.last().copied().unwrap_or(from.at);
    let (start, end) = (border(from.at, first), border(to.at, last));
    let points: Vec<(i32, i32)> = [start].into_iter().chain(via.iter().copied()).chain([end]).collect();
    let middle = (points[0].0.midpoint(points[1].0) + 6, points[0].1.midpoint(points[1].1));
    let at = route.and_then(|route| route.words).unwrap_or(middle);
    (way(&points), said(at, Side::Right, label))
}

/// A way back to the same state.
fn back(place: &Place, label: &[String]) -> (String, String) {
    let (x, y) = place.at;
    let sign = sign(place.side);
    let (edge, far) = (x + sign * BOX.0 / 2, x + sign * (BOX.0 / 2 + LOOP));
    let (top, bottom) = (y - BOX.1 / 4, y + BOX.1 / 4);
    let path = format!("M{edge} {top}C{far} {},{far} {},{edge} {bottom}", top - 8, bottom + 8);
    (path_of(&path), said((far + sign * 2, y + 4), place.side, label))
}

/// A way out, to a dot below the box.
fn out(place: &Place, label: &[String]) -> (String, String) {
    let (x, y) = place.at;
    let corner = x + sign(place.side) * BOX.0 / 4;
    let (start, end) = (y + BOX.1 / 2, y + BOX.1 / 2 + LOOP);
    let dot = format!("<circle class=\"dot\" cx=\"{corner}\" cy=\"{}\" r=\"5\"/>\n", end + 5);
    (way(&[(corner, start), (corner, end)]) + &dot, said((corner + sign(place.side) * 12, end + 8), place.side, label))
}

const fn sign(side: Side) -> i32 {
    match side {
        Side::Left => -1,
        Side::Right => 1,
    }
}

/// Where the line from the middle of a box to a point leaves the box.
fn border((x, y): (i32, i32), (to_x, to_y): (i32, i32)) -> (i32, i32) {
    let (dx, dy) = (to_x - x, to_y - y);
    let (half_width, half_height) = (BOX.0 / 2, BOX.1 / 2);
    if dx == 0 && dy == 0 {
        return (x, y);
    }
    // Through the side that is met first.
    if dx.abs() * half_height > dy.abs() * half_width {
        (x + dx.signum() * half_width, y + dy * half_width / dx.abs())
    } else {
        (x + dx * half_height / dy.abs(), y + dy.signum() * half_height)
    }
}

fn way(points: &[(i32, i32)]) -> String {
    let mut path = String::new();
    for (number, (x, y)) in points.iter().enumerate() {
        let _ = write!(path, "{}{x} {y}", if number == 0 { "M" } else { "L" });
    }
    path_of(&path)
}

fn path_of(path: &str) -> String {
    format!("<path class=\"way\" d=\"{path}\" marker-end=\"url(#tip)\"/>\n")
}

/// Lines of words, beginning or ending there.
fn said((x, y): (i32, i32), side: Side, label: &[String]) -> String {
    let anchor = match side {
        Side::Left => " text-anchor=\"end\"",
        Side::Right => "",
    };
    let top = y - LINE * (i32::try_from(label.len()).unwrap_or(1) - 1) / 2;
    let mut words = String::new();
    for (line, y) in label.iter().zip((top..).step_by(15)) {
        let line = line.replace('&', "&amp;").replace('<', "&lt;");
        // Twice: first what keeps it apart from the ways beneath.
        for class in [" class=\"halo\"", ""] {
            let _ = writeln!(words, "<text{class} x=\"{x}\" y=\"{y}\"{anchor}>{line}</text>");
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [Place; 2] = [
        Place { name: "One", at: (100, 100), side: Side::Right },
        Place { name: "Two", at: (100, 300), side: Side::Left },
    ];

    const ROUTES: [Route; 1] = [Route { from: "Two", to: "One", via: &[], words: None }];

    fn layout(places: &'static [Place], routes: &'static [Route]) -> Layout {
        Layout { title: "T", note: "", size: (400, 400), places, routes, end: "Over" }
    }

    fn edge(from: &str, to: &str) -> Edge {
        Edge { from: from.into(), to: to.into(), label: vec!["a < b".into()] }
    }

    #[test]
    fn every_edge_is_drawn() {
        let svg = draw(&layout(&PLACES, &[]), &[edge("One", "Two"), edge("Two", "Two"), edge("Two", "Over")]).unwrap();
        assert!(svg.contains("d=\"M100 119L100 281\""), "{svg}");
        assert_eq!(svg.matches("marker-end").count(), 3);
        assert_eq!(svg.matches(">a &lt; b<").count(), 6);
    }

    #[test]
    fn what_has_no_place_or_no_edge_fails() {
        let fails = |layout: &Layout, edges: &[Edge]| draw(layout, edges).unwrap_err().to_string();
        assert!(fails(&layout(&PLACES, &[]), &[edge("One", "Three")]).contains("Three has no place"));
        assert!(fails(&layout(&PLACES, &[]), &[edge("One", "Over")]).contains("Two has a place"));
        assert!(fails(&layout(&PLACES, &ROUTES), &[edge("One", "Two")]).contains("there is a route"));
    }

    #[test]
    fn lines_leave_a_box_at_its_border() {
        assert_eq!(border((0, 0), (500, 0)), (85, 0));
        assert_eq!(border((0, 0), (0, -500)), (0, -19));
        assert_eq!(border((0, 0), (-100, 100)), (-19, 19));
    }
}
