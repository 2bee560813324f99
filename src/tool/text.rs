//! Text for terminals and for markup, whatever is in it.

/// The text with what could steer a terminal, or turn its reading direction, written out.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// The text as content or attribute of XML and HTML.
pub fn markup(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// The text in lines of at most `width` characters, broken at spaces where there are any.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut room = width;
    for word in text.split(' ') {
        let mut left: Vec<char> = word.chars().collect();
        let begun = lines.last().is_some_and(|line| !line.is_empty());
        if begun && left.len() < room {
            push(&mut lines, " ");
            room = room.saturating_sub(1);
        } else if begun {
            lines.push(String::new());
            room = width;
        }
        while left.len() > room {
            let rest = left.split_off(room);
            push(&mut lines, &left.iter().collect::<String>());
            lines.push(String::new());
            (left, room) = (rest, width.max(1));
        }
        room = room.saturating_sub(left.len());
        push(&mut lines, &left.iter().collect::<String>());
    }
    lines
}

/// The beginning of the text, with a sign that there is more where it is longer than `width`.
pub fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    format!("{kept}...")
}

fn push(lines: &mut [String], text: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(text);
    }
}

// U+FFFE and U+FFFF are in no XML document.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
                | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_steers_no_terminal_and_writes_no_markup() {
        assert_eq!(
            printable("a\u{1b}[2J\r\u{202e}é"),
            "a\\u{1b}[2J\\u{d}\\u{202e}é"
        );
        assert_eq!(
            markup("<a b='\"'>&\0"),
            "&lt;a b=&#39;&quot;&#39;&gt;&amp;\\u{0}"
        );
    }

    #[test]
    fn lines_are_broken_at_spaces_and_within_words_that_are_too_long() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrapped("é é", 3), ["é é"]);
        assert_eq!(wrapped("", 3), [""]);
        assert_eq!(wrapped("ab", 0).concat(), "ab");
    }

    #[test]
    fn what_is_too_long_is_cut_with_a_sign() {
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdefg", 6), "abc...");
    }
}
