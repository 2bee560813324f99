//! Which name was perhaps meant.

/// The nearest of the names, where at most a third of its letters differ.
pub(super) fn nearest<'n>(given: &str, names: &[&'n str]) -> Option<&'n str> {
    if given.len() > 64 {
        return None;
    }
    let near = names.iter().filter_map(|name| {
        let distance = distance(given, name);
        (distance <= name.len() / 3).then_some((distance, *name))
    });
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be added, removed, replaced or swapped with the next (the restricted
/// Damerau-Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (row, byte_a) in a.bytes().enumerate() {
        let mut current = vec![row.saturating_add(1)];
        let mut last_b = None;
        for (column, byte_b) in b.bytes().enumerate() {
            let cell = |line: &[usize], at: usize| line.get(at).copied().unwrap_or(usize::MAX);
            let next = column.saturating_add(1);
            let replaced = cell(&above, column).saturating_add((byte_a != byte_b).into());
            let gap = cell(&above, next)
                .min(cell(&current, column))
                .saturating_add(1);
            let is_swap = last_a == Some(byte_b) && last_b == Some(byte_a);
            let swapped = match column.checked_sub(1) {
                Some(at) if is_swap => cell(&before, at).saturating_add(1),
                _ => usize::MAX,
            };
            current.push(replaced.min(gap).min(swapped));
            last_b = Some(byte_b);
        }
        before = std::mem::replace(&mut above, current);
        last_a = Some(byte_a);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_nearest_where_it_is_near() {
        let names = ["issuers", "scopes", "claims", "hosts", "path"];
        for (given, expected) in [
            ("isuers", Some("issuers")),
            ("issuer", Some("issuers")),
            ("Scopes", Some("scopes")),
            ("scoeps", Some("scopes")),
            ("paht", Some("path")),
            ("methods", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, &names), expected, "{given}");
        }
        assert_eq!(nearest(&"x".repeat(1000), &names), None);
    }

    #[test]
    fn counts_single_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "ba", 1),
            ("abc", "adc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }
}
