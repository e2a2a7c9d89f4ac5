//! Lines and columns of offsets in a text.

use apollo_compiler::parser::SourceSpan;

use crate::graphql::error::Location;

/// The beginnings of the lines of a text. Lines end as GraphQL has them end: with LF, CR LF or CR.
/// <https://spec.graphql.org/September2025/#sec-Line-Terminators>
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The offsets at which lines begin, but for the first.
    starts: Vec<usize>,
    /// The offsets of bytes that begin no character.
    continuations: Vec<usize>,
}

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        let bytes = text.as_bytes();
        for (offset, byte) in bytes.iter().enumerate() {
            match byte {
                b'\r' if bytes.get(offset + 1) == Some(&b'\n') => {}
                b'\n' | b'\r' => lines.starts.push(offset + 1),
                0x80..0xc0 => lines.continuations.push(offset),
                _ => {}
            }
        }
        lines
    }

    /// The place of a byte.
    pub(crate) fn at(&self, offset: usize) -> Location {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).map_or(0, |line| self.starts[line]);
        let inside = |end| self.continuations.partition_point(|continuation| *continuation < end);
        Location { line: line + 1, column: offset - start - (inside(offset) - inside(start)) + 1 }
    }

    /// The place of the beginning of a part of the document.
    pub(crate) fn location(&self, span: Option<SourceSpan>) -> Location {
        self.at(span.map_or(0, |span| span.offset()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_end_as_graphql_has_them_end() {
        let lines = Lines::of("a\nb\r\nc\rd\u{2028}\u{85}e");
        let at = |offset| (lines.at(offset).line, lines.at(offset).column);
        assert_eq!([at(0), at(2), at(5), at(7)], [(1, 1), (2, 1), (3, 1), (4, 1)]);
        // Neither of the two ends a line, and each is one column wide.
        assert_eq!(at("a\nb\r\nc\rd\u{2028}\u{85}".len()), (4, 4));
    }

    proptest! {
        #[test]
        fn a_column_counts_characters(text in "[aé€😀\\n\\r]{0,40}") {
            let lines = Lines::of(&text);
            for (offset, _) in text.char_indices() {
                let before = text[..offset].replace("\r\n", "\n").replace('\r', "\n");
                // Between CR and LF the line has not ended yet.
                let is_between = text[..offset].ends_with('\r') && text[offset..].starts_with('\n');
                let last = before.rsplit('\n').next().unwrap_or_default();
                if !is_between {
                    let expected = Location { line: before.matches('\n').count() + 1, column: last.chars().count() + 1 };
                    prop_assert_eq!(lines.at(offset), expected);
                }
            }
        }
    }
}
