//! The page of the book: generated parts between marks, and what is written by hand around them.
//!
//! `<!-- begin results -->` begins the table, `<!-- begin NAME: ID ID … -->` those findings of a server or a client that
//! have one cause; each ends with `<!-- end results -->` or `<!-- end NAME -->`. A finding that stands in no part gets one
//! at the end of its section, which has its title for a heading: then somebody has to say what it means.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};

use super::results::{Finding, Results};

const BEGIN: &str = "<!-- begin ";
const TABLE: &str = "results";
const NOT_JUDGED: &str = "*Nobody has judged this yet.*";

/// The page, cut at its marks.
pub(super) struct Page(Vec<Piece>);

enum Piece {
    /// Written by hand.
    Text(String),
    Part(Part),
}

struct Part {
    /// What stands behind `begin `, line breaks and all.
    mark: String,
    body: String,
}

impl Part {
    /// `results`, or whose part it is.
    fn name(&self) -> &str {
        self.mark.split([':', ' ']).next().unwrap_or_default()
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.mark.split_once(':').unwrap_or_default().1.split_whitespace()
    }
}

impl Page {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once(BEGIN) {
            pieces.push(Piece::Text(before.to_owned()));
            let (mark, behind) = behind.split_once(" -->\n").context("a mark is not closed")?;
            let mut part = Part { mark: mark.to_owned(), body: String::new() };
            let end = format!("<!-- end {} -->\n", part.name());
            let (body, behind) = behind.split_once(&end).with_context(|| format!("`{mark}` does not end"))?;
            ensure!(!body.contains(BEGIN), "`{mark}` does not end before the next begins");
            body.clone_into(&mut part.body);
            pieces.push(Piece::Part(part));
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(written) => text.push_str(written),
                Piece::Part(part) => {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{BEGIN}{} -->\n{}<!-- end {} -->\n", part.mark, part.body, part.name());
                }
            }
        }
        text
    }

    /// Puts findings into their parts; what somebody has to look at.
    pub(super) fn put(&mut self, results: &Results) -> Result<Vec<String>> {
        let mut told = Vec::new();
        let mut left: Vec<&Finding> = results.findings.iter().collect();
        for part in self.parts().filter(|part| part.name() == results.name) {
            let ids: Vec<String> = part.ids().map(str::to_owned).collect();
            let (here, elsewhere) = left.into_iter().partition::<Vec<_>, _>(|finding| ids.contains(&finding.id));
            left = elsewhere;
            let gone: Vec<&String> = ids.iter().filter(|id| !here.iter().any(|finding| finding.id == **id)).collect();
            part.body = body(&here, &gone);
            told.extend(gone.iter().map(|id| format!("{} passes {id} now", results.name)));
        }
        while let Some(first) = left.first() {
            let why = first.why.clone();
            let (alike, others) = left.into_iter().partition::<Vec<_>, _>(|finding| finding.why == why);
            left = others;
            told.push(format!("{} has {} findings that nobody has judged: {why}", results.name, alike.len()));
            self.add(results, &alike)?;
        }
        Ok(told)
    }

    /// A part of its own, at the end of the section.
    fn add(&mut self, results: &Results, findings: &[&Finding]) -> Result<()> {
        let ids: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
        let mark = format!("{}: {}", results.name, ids.join(" "));
        let part = Part { mark, body: body(findings, &[]) };
        let heading = format!("\n## {}\n", results.title);
        let (mut index, mut from) = (self.0.iter().enumerate())
            .find_map(|(index, piece)| match piece {
                Piece::Text(text) => text.find(&heading).map(|at| (index, at + heading.len())),
                Piece::Part(_) => None,
            })
            .with_context(|| format!("there is no heading `## {}`", results.title))?;
        // To the next heading, or to the end.
        let at = loop {
            if let Some(Piece::Text(text)) = self.0.get(index) {
                let next = text[from..].find("\n## ").map(|at| from + at);
                if next.is_some() || index + 1 == self.0.len() {
                    break next.unwrap_or(text.len());
                }
            }
            (index, from) = (index + 1, 0);
        };
        let Piece::Text(text) = &mut self.0[index] else { bail!("a section ends within a part") };
        let behind = text.split_off(at);
        text.push('\n');
        self.0.insert(index + 1, Piece::Part(part));
        self.0.insert(index + 2, Piece::Text(format!("\n{NOT_JUDGED}\n{behind}")));
        Ok(())
    }

    /// Puts rows into the table, in this order; the rows of others stay.
    pub(super) fn put_table(&mut self, of: &str, all: &[&Results], order: &[&str]) {
        for part in self.parts().filter(|part| part.name() == TABLE) {
            let mut rows: Vec<Row> = part.body.lines().filter_map(Row::parse).collect();
            rows.retain(|row| !all.iter().any(|results| results.name == row.0[0]));
            rows.extend(all.iter().map(|results| Row::of(results)));
            rows.sort_by_key(|row| order.iter().position(|name| *name == row.0[0]));
            part.body = table(of, &rows);
        }
    }

    fn parts(&mut self) -> impl Iterator<Item = &mut Part> {
        self.0.iter_mut().filter_map(|piece| match piece {
            Piece::Part(part) => Some(part),
            Piece::Text(_) => None,
        })
    }
}

/// The findings of a part, with the conversation of the first.
fn body(findings: &[&Finding], gone: &[&String]) -> String {
    let mut body = String::new();
    if let Some(first) = findings.first() {
        body.push_str("\n| check | asked by | what it says | what came |\n|---|---|---|---|\n");
        for finding in findings {
            let why = shortened(&finding.why);
            let came = std::iter::once(why.as_str()).chain(finding.end()).map(code).collect::<Vec<_>>().join("<br>");
            let Finding { id, sentence, .. } = finding;
            let _ = writeln!(body, "| `{id}` | {} | {sentence} | {came} |", finding.asked_by());
        }
        let _ = writeln!(body, "\n`{}`:\n\n```text\n{}\n```\n", first.id, first.transcript.join("\n"));
    }
    for id in gone {
        let _ = writeln!(body, "\n`{id}` passes now.\n");
    }
    body
}

/// What is wrong with a client may be told of each of three hundred recipients.
fn shortened(why: &str) -> String {
    const MOST: usize = 300;
    match why.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &why[..at]),
        None => why.to_owned(),
    }
}

/// Code in a cell of a table: a bar would end it, a backtick the code.
fn code(text: &str) -> String {
    format!("<code>{}</code>", text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "&#124;"))
}

/// A row of the table.
pub(super) struct Row([String; 6]);

impl Row {
    pub(super) fn of(results: &Results) -> Self {
        let Results { name, version, must, should, may, made_up, .. } = results;
        let made_up = made_up.clone().unwrap_or_default();
        let [must, should, may] = [must, should, may].map(ToString::to_string);
        Self([(*name).to_owned(), version.clone(), must, should, may, made_up])
    }

    fn parse(line: &str) -> Option<Self> {
        let cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(|cell| cell.trim().to_owned());
        let cells: [String; 6] = cells.collect::<Vec<_>>().try_into().ok()?;
        let is_head = cells[1] == "version" || cells[0].starts_with("--");
        (!is_head).then_some(Self(cells))
    }
}

/// A table of servers, or of clients.
pub(super) fn table(of: &str, rows: &[Row]) -> String {
    let mut table = format!("\n| {of} | version | MUST | SHOULD | MAY | made up |\n|---|---|---|---|---|---|\n");
    for Row(cells) in rows {
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    }
    table.push('\n');
    table
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::*;

    const EMPTY: &str = "# Page\n\n<!-- begin results -->\n<!-- end results -->\n\n## Peer\n\nIt is one.\n\n## Other\n";

    #[test]
    fn what_is_written_by_hand_stays() {
        assert_eq!(Page::parse(EMPTY).unwrap().text(), EMPTY);
        for broken in ["<!-- begin results -->\n", "<!-- begin a: x -->\n<!-- end b -->\n", "<!-- begin a"] {
            assert!(Page::parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_new_finding_gets_a_part_at_the_end_of_its_section() {
        let results = sample();
        let mut page = Page::parse(EMPTY).unwrap();
        let told = page.put(&results).unwrap();
        assert_eq!(told, ["peer has 1 findings that nobody has judged: 250 where 501 was due"]);
        let text = page.text();
        let (before, behind) = text.split_once("<!-- begin peer: a/one -->\n").unwrap();
        assert!(before.ends_with("It is one.\n\n"), "{before}");
        assert!(behind.ends_with(&format!("<!-- end peer -->\n\n{NOT_JUDGED}\n\n## Other\n")), "{behind}");
        assert!(behind.contains("| `a/one` | MUST RFC 1 2.3 | One is one. | <code>250 where 501 was due</code><br>"));
        assert!(behind.contains("<code>C: A &#124; `B`</code><br><code>S: 250 yes</code> |\n"), "{behind}");
        assert!(behind.contains("```text\nS: 220 hi\nC: A | `B`\nS: 250 yes\n```\n"), "{behind}");
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(shortened("é"), "é");
        assert_eq!(shortened(&"é".repeat(301)), format!("{}…", "é".repeat(300)));
    }

    #[test]
    fn a_known_finding_stays_where_it_is_and_one_that_is_gone_is_told() {
        let text = EMPTY.replace(
            "It is one.\n",
            "<!-- begin peer: a/one\n a/three -->\nold\n<!-- end peer -->\n\nIt is their fault.\n",
        );
        let mut page = Page::parse(&text).unwrap();
        assert_eq!(page.put(&sample()).unwrap(), ["peer passes a/three now"]);
        let once = page.text();
        assert!(!once.contains("old") && !once.contains(NOT_JUDGED), "{once}");
        assert!(once.contains("It is their fault.") && once.contains("`a/three` passes now."), "{once}");
        let mut again = Page::parse(&once).unwrap();
        again.put(&sample()).unwrap();
        assert_eq!(again.text(), once);
    }

    #[test]
    fn a_section_must_be_there() {
        let mut page = Page::parse("# Page\n").unwrap();
        assert!(page.put(&sample()).unwrap_err().to_string().contains("## Peer"));
        let mut last = Page::parse("# Page\n\n## Peer\n").unwrap();
        last.put(&sample()).unwrap();
        assert!(last.text().ends_with(&format!("{NOT_JUDGED}\n")));
    }

    #[test]
    fn rows_are_replaced_and_others_stay() {
        let order = ["first", "peer", "last"];
        let rows = "| last | 2 | 1 passed |  |  | passed |\n| peer | 0 | 9 passed |  |  | passed |\n";
        let text = EMPTY.replace("<!-- end results", &format!("{rows}<!-- end results"));
        let mut page = Page::parse(&text).unwrap();
        page.put_table("server", &[&sample()], &order);
        let once = page.text();
        let wanted = "|---|---|---|---|---|---|\n| peer | 1.0 | 1 failed | 1 not run |  | passed |\n\
            | last | 2 | 1 passed |  |  | passed |\n\n<!-- end results -->\n";
        assert!(once.contains(wanted), "{once}");
        let mut again = Page::parse(&once).unwrap();
        again.put_table("server", &[&sample()], &order);
        assert_eq!(again.text(), once);
    }
}
