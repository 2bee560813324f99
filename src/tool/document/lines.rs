//! Lines and columns of a text.

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines(Vec<usize>);

/// A line and a column, both from one; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Lines {
    pub fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate();
        let after = breaks.filter(|(_, byte)| *byte == b'\n');
        let after = after.map(|(at, _)| at.saturating_add(1));
        Self([0].into_iter().chain(after).collect())
    }

    /// The position of a byte of that text.
    pub fn position(&self, text: &str, at: usize) -> Position {
        let line = self.0.partition_point(|begin| *begin <= at);
        let begin = self.0.get(line.saturating_sub(1)).copied();
        let before = begin.and_then(|begin| text.get(begin..at.min(text.len())));
        Position {
            line: line.max(1),
            column: before.map_or(1, |text| text.chars().count().saturating_add(1)),
        }
    }

    /// The byte at a line and a column in bytes, both from one.
    pub fn byte(&self, line: usize, column: usize) -> usize {
        let begin = self.0.get(line.saturating_sub(1)).copied();
        begin
            .unwrap_or_default()
            .saturating_add(column.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters_and_no_byte_is_too_far() {
        let text = "a\né: b\n";
        let lines = Lines::of(text);
        let at = |byte| {
            let Position { line, column } = lines.position(text, byte);
            (line, column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (2, 1));
        assert_eq!(at(6), (2, 4));
        assert_eq!(at(8), (3, 1));
        assert_eq!(at(800), (3, 1));
        assert_eq!(lines.byte(2, 3), 4);
    }
}
