//! What is wrong with the configuration, and where: `path:line:col: message`, the cited line, a caret under it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use unicode_width::UnicodeWidthChar;

/// One finding. Ordered by file, line and column; those about a whole file come before those about its lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    pub path: PathBuf,
    pub place: Option<Place>,
    pub severity: Severity,
    /// A lowercase fragment: what is wrong, and what would be right. May have further lines.
    pub message: String,
}

/// Whether a finding makes something invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// A place in a file, with all that is needed to show it once the file's text is gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    cited: String,
    carets: String,
}

impl Diagnostic {
    /// About a whole file or directory.
    pub fn file(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { path: path.into(), place: None, severity: Severity::Error, message: message.into() }
    }

    /// Something that is probably not meant, but harms nothing.
    pub fn warning(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::file(path, message) }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    /// As many lines as it takes, without the last line's end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown_text(&self.path.to_string_lossy()))?;
        if let Some(place) = &self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        f.write_str(if self.is_error() { ": " } else { ": warning: " })?;
        for (number, line) in self.message.split('\n').enumerate() {
            f.write_str(if number == 0 { "" } else { "\n    " })?;
            f.write_str(&shown_text(line))?;
        }
        match &self.place {
            Some(place) => write!(f, "\n    {}\n    {}", place.cited, place.carets),
            None => Ok(()),
        }
    }
}

/// A line longer than this many columns is shown in part.
const WIDEST: usize = 120;
/// How much of a clipped line is shown before the span.
const BEFORE: usize = 40;

/// One character of the cited line as it is shown.
struct Piece {
    shown: String,
    width: usize,
    marked: bool,
}

impl Place {
    /// The place of the bytes `span` of `text`. What lies behind the end of the first line is not marked.
    pub fn new(text: &str, span: Range<usize>) -> Self {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let pieces: Vec<Piece> = line
            .char_indices()
            .map(|(at, c)| {
                let at = line_start + at;
                let (shown, width) = shown_char(c);
                Piece { shown, width, marked: at >= start && at < span.end.max(start + 1) }
            })
            .collect();
        let (cited, carets) = clip(&pieces, text[line_start..start].chars().count());
        Self {
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            cited,
            carets,
        }
    }
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The two lines to print, around the piece numbered `mark`.
fn clip(pieces: &[Piece], mark: usize) -> (String, String) {
    let mark = mark.min(pieces.len());
    let whole = pieces.iter().map(|p| p.width).sum::<usize>() <= WIDEST;
    let (mut first, mut last) = (0, pieces.len());
    if !whole {
        let mut room = BEFORE;
        first = mark;
        while let Some(piece) = first.checked_sub(1).map(|at| &pieces[at]).filter(|p| p.width <= room) {
            room -= piece.width;
            first -= 1;
        }
        room = WIDEST;
        last = first;
        while let Some(piece) = pieces.get(last).filter(|p| p.width <= room) {
            room -= piece.width;
            last += 1;
        }
    }
    let (mut cited, mut carets) = (String::new(), String::new());
    if first > 0 {
        cited.push('…');
        carets.push(' ');
    }
    for piece in &pieces[first..last] {
        cited.push_str(&piece.shown);
        match (piece.shown.as_str(), piece.marked) {
            ("\t", _) => carets.push('\t'),
            (_, true) => carets.extend(std::iter::repeat_n('^', piece.width)),
            (_, false) => carets.extend(std::iter::repeat_n(' ', piece.width)),
        }
    }
    if last < pieces.len() {
        cited.push('…');
    }
    if !carets.contains('^') {
        carets.push('^');
    }
    carets.truncate(carets.trim_end().len());
    (cited, carets)
}

/// A character as it may be printed, and its columns. A configuration file can say anything; what it says must not
/// move the cursor, change colours or reorder the line of whoever reads the complaint about it.
fn shown_char(c: char) -> (String, usize) {
    match c {
        '\t' => (c.into(), 8),
        _ if is_hostile(c) => {
            let escaped = c.escape_unicode().to_string();
            let width = escaped.len();
            (escaped, width)
        }
        _ => (c.into(), c.width().unwrap_or(0)),
    }
}

fn shown_text(text: &str) -> String {
    text.chars().map(|c| shown_char(c).0).collect()
}

/// Control characters, and the invisible ones that reorder or join text.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, span: Range<usize>) -> (usize, usize, String, String) {
        let Place { line, column, cited, carets } = Place::new(text, span);
        (line, column, cited, carets)
    }

    #[test]
    fn carets_stand_under_the_span() {
        assert_eq!(lines("a = 1\nbc = 2\n", 6..8), (2, 1, "bc = 2".into(), "^^".into()));
        assert_eq!(lines("\ta = \"x\"", 5..8), (1, 6, "\ta = \"x\"".into(), "\t    ^^^".into()));
        assert_eq!(lines("語 = 1", 6..7), (1, 5, "語 = 1".into(), "     ^".into()));
        assert_eq!(lines("語", 0..3), (1, 1, "語".into(), "^^".into()));
    }

    #[test]
    fn ends_of_lines_and_files_are_places_too() {
        assert_eq!(lines("ab = 1", 1..1), (1, 2, "ab = 1".into(), " ^".into()));
        assert_eq!(lines("a = \r\n", 4..4), (1, 5, "a = ".into(), "    ^".into()));
        assert_eq!(lines("a", 1..1), (1, 2, "a".into(), " ^".into()));
        assert_eq!(lines("", 0..0), (1, 1, String::new(), "^".into()));
        assert_eq!(lines("a = [\n1,\n]", 4..10), (1, 5, "a = [".into(), "    ^".into()));
        assert_eq!(lines("é", 1..9), (1, 1, "é".into(), "^".into()));
    }

    #[test]
    fn nothing_cited_reaches_the_terminal_as_a_command() {
        let (.., cited, carets) = lines("a\u{1b}[2J = \u{202e}x", 1..2);
        assert_eq!((cited.as_str(), carets.as_str()), ("a\\u{1b}[2J = \\u{202e}x", " ^^^^^^"));
        let shown = Diagnostic::file("/a\u{1b}\nb", "bad \u{7}").to_string();
        assert_eq!(shown, "/a\\u{1b}\\u{a}b: bad \\u{7}");
    }

    #[test]
    fn a_long_line_is_clipped_around_the_span() {
        let text = format!("{}BAD{}", "x".repeat(5000), "y".repeat(5000));
        let (line, column, cited, carets) = lines(&text, 5000..5003);
        assert_eq!((line, column), (1, 5001));
        assert_eq!(cited, format!("…{}BAD{}…", "x".repeat(40), "y".repeat(77)));
        assert_eq!(carets, format!("{}^^^", " ".repeat(41)));
    }

    #[test]
    fn order_is_by_file_line_and_column() {
        let at = |path: &str, span| Diagnostic {
            place: Some(Place::new("aaa\nbbb\n", span)),
            ..Diagnostic::file(path, "x")
        };
        let sorted =
            [Diagnostic::file("/a", "y"), at("/a", 0..1), at("/a", 2..3), at("/a", 4..5), at("/b", 0..1)];
        let mut shuffled = sorted.to_vec();
        shuffled.reverse();
        shuffled.sort();
        assert_eq!(shuffled, sorted);
    }
}
