//! What stands in Markdown texts and can be played.

use crate::transcript::Transcript;

/// The transcripts in a Markdown text: its blocks that are fenced as `lmtp`, named
/// after the text and the line where they begin.
pub fn transcripts(name: &str, text: &str) -> Vec<Transcript> {
    fenced(name, text, "lmtp").iter().map(|(name, block)| Transcript::parse(name, block)).collect()
}

/// The blocks of a Markdown text that are fenced as that language, each with its
/// place: the text's name and the line.
pub fn fenced(name: &str, text: &str, language: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let Some(found) = line.trim_start().strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        if found.trim() == language {
            blocks.push((format!("{name}:{number}"), block.join("\n")));
        }
    }
    blocks
}
