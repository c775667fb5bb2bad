//! Decisions that an input makes.

/// The octets of an input's first line, each a decision. Written as digits they are numbers; when they are
/// used up, each further decision is the first of its kind.
#[derive(Debug, Clone)]
pub struct Choices<'a> {
    left: std::slice::Iter<'a, u8>,
}

impl<'a> Choices<'a> {
    /// The choices of an input, and what follows them.
    pub fn of(input: &'a [u8]) -> (Self, &'a [u8]) {
        let end = input.iter().position(|&octet| octet == b'\n').unwrap_or(input.len());
        let (line, rest) = input.split_at(end);
        (Self { left: line.iter() }, rest.get(1..).unwrap_or_default())
    }

    /// A number less than `many`.
    pub fn below(&mut self, many: usize) -> usize {
        self.left.next().map_or(0, |octet| usize::from(octet.wrapping_sub(b'0')) % many)
    }

    /// Yes or no; no when nothing is left.
    pub fn yes(&mut self) -> bool {
        self.below(2) == 1
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_numbers_and_the_rest_is_left() {
        let (mut choices, rest) = Choices::of(b"071\n220 mx\r\n");
        assert_eq!(rest, b"220 mx\r\n");
        assert_eq!((choices.below(5), choices.below(5), choices.yes(), choices.yes()), (0, 2, true, false));
        assert_eq!(choices.one_of(&["first", "other"]), "first");
        assert!(Choices::of(b"no line").1.is_empty());
    }
}
