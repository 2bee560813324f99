//! Names as the most lenient of their readers compares them.
//!
//! RFC 3875 section 4.1.18 has gateways to CGI write `-` as `_`; what came after it does so with more:
//! PHP makes `_` of every byte that a variable's name cannot have, so that `x.postern.identity` reaches
//! a program under the name of Postern's own field. Two names are of one kind where case, and which
//! byte it is that is no letter and no digit, is all that they differ in.

/// Whether two names are of one kind.
#[must_use]
pub fn same_kind(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && begins_alike(one, other)
}

/// Whether a name begins with one of the same kind as `start`.
#[must_use]
pub fn begins_alike(name: &[u8], start: &[u8]) -> bool {
    name.get(..start.len()).is_some_and(|begin| {
        let mut pairs = begin.iter().zip(start);
        pairs.all(|(one, other)| folded(*one) == folded(*other))
    })
}

/// The one name that stands for all of its kind.
#[must_use]
pub fn kind(name: &[u8]) -> Vec<u8> {
    name.iter().copied().map(folded).collect()
}

fn folded(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'_'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_one_kind_where_some_reader_makes_them_so() {
        let own = b"x-postern-identity";
        for name in [
            "x-postern-identity",
            "X-Postern-Identity",
            "x_postern_identity",
            "x.postern.identity",
            "x~postern!identity",
            "x|postern^identity",
            "x`postern'identity",
            "x+postern identity",
        ] {
            assert!(same_kind(name.as_bytes(), own), "{name}");
            assert!(begins_alike(name.as_bytes(), b"x-postern-"), "{name}");
        }
        for name in [
            "x-postern-identit",
            "x-postern-identity2",
            "xxpostern-identity",
            "x-postern-id3ntity",
            "",
        ] {
            assert!(!same_kind(name.as_bytes(), own), "{name}");
        }
    }
}
