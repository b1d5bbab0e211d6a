//! Tables and the words in them, for people.

use crate::fileset::quantity::Span;
use comfy_table::{Cell, CellAlignment, Table, presets};
use time::OffsetDateTime;
use time::macros::format_description;

/// A plain table: a head, rows, no lines. Columns whose head begins with `>` are aligned to the right.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.map(|cell| Cell::new(cell.trim_start_matches('>'))));
    for row in rows {
        table.add_row(row.map(|cell| plain(&cell)));
    }
    for (column, head) in table.column_iter_mut().zip(head) {
        column.set_padding((0, 2));
        if head.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// How long ago, in the two largest units; what is not known is a dash. A clock can have been wrong: what is yet to come
/// is so far ahead.
pub fn age(of: Option<OffsetDateTime>, now: OffsetDateTime) -> String {
    let Some(of) = of else { return dash() };
    let ago = (now - of).whole_seconds();
    let span = Span::from_secs(ago.unsigned_abs());
    if ago < 0 { format!("{span} ahead") } else { span.to_string() }
}

/// A moment, to the minute, as its own offset shows it.
pub fn minute(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute]")).unwrap_or_else(|_| at.to_string())
}

/// What stands where nothing is known.
pub fn dash() -> String {
    "-".into()
}

/// Text from elsewhere (a file's name, a program's message) as it may be shown on a terminal: control characters are
/// escaped, so that no source can move the cursor, set the title or hide what it did.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn columns_line_up_and_nothing_moves_the_cursor() {
        let rows = [["a".into(), "12".into()], ["long\u{1b}[2J".into(), "3".into()]];
        assert_eq!(table(["NAME", ">N"], rows), "NAME            N\na              12\nlong\\u{1b}[2J   3\n");
    }

    #[test]
    fn ages_are_spans_and_the_future_is_ahead() {
        let now = datetime!(2026-01-02 03:04 UTC);
        assert_eq!(age(Some(datetime!(2026-01-01 02:04 UTC)), now), "1d 1h");
        assert_eq!(age(Some(datetime!(2026-01-03 02:04 UTC)), now), "23h ahead");
        assert_eq!(age(None, now), "-");
    }
}
