//! Lines of any input, each within a bound: what is longer is passed over, never held.

use std::io::{self, BufRead};

/// The longest line that is read, in bytes. An event is far shorter.
pub const LONGEST: usize = 1 << 20;

/// A line without its line break.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    Bytes(&'a [u8]),
    TooLong,
}

/// Shows every line with its number, from 1.
///
/// # Errors
///
/// Those of the input.
pub fn each(mut input: impl BufRead, mut see: impl FnMut(u64, Line<'_>)) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        match next(&mut input, &mut line)? {
            None => break,
            Some(true) => see(number, Line::Bytes(line.trim_ascii())),
            Some(false) => see(number, Line::TooLong),
        }
    }
    Ok(())
}

/// None at the end; else whether the line was within the bound.
fn next(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    let (mut any, mut fits) = (false, true);
    loop {
        let bytes = match input.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            return Ok(any.then_some(fits));
        }
        any = true;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
        fits = fits && line.len().saturating_add(part.len()) <= LONGEST;
        if fits {
            line.extend_from_slice(part);
        }
        let used = part.len().saturating_add(usize::from(end.is_some()));
        input.consume(used);
        if end.is_some() {
            return Ok(Some(fits));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart_however_the_input_comes() {
        let long = "x".repeat(LONGEST + 1);
        let text = format!("a\r\n\n{long}\n{}\nlast", "y".repeat(LONGEST));
        for capacity in [1 << 10, 8 << 20] {
            let mut seen = Vec::new();
            let input = io::BufReader::with_capacity(capacity, text.as_bytes());
            each(input, |number, line| {
                let length = match line {
                    Line::Bytes(bytes) => Some(bytes.len()),
                    Line::TooLong => None,
                };
                seen.push((number, length));
            })
            .unwrap();
            let expected = [Some(1), Some(0), None, Some(LONGEST), Some(4)];
            assert_eq!(seen, (1..).zip(expected).collect::<Vec<_>>());
        }
    }
}
