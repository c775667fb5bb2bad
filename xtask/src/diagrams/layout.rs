//! What is chosen by hand for one picture.

/// One picture.
pub(super) struct Layout {
    pub(super) title: &'static str,
    pub(super) size: (i32, i32),
    /// Where the note stands: what the picture does not show.
    pub(super) note: (i32, i32),
    pub(super) bands: &'static [Band],
    pub(super) places: &'static [Place],
    pub(super) routes: &'static [Route],
    /// The state that many lead to, drawn as a dot beside each of those.
    pub(super) end: &'static str,
}

/// A part of the picture with a heading.
pub(super) struct Band {
    pub(super) title: &'static str,
    pub(super) at: (i32, i32),
    pub(super) size: (i32, i32),
}

/// Where a state stands.
pub(super) struct Place {
    /// Its name, as [`name`](super::edges::name) gives it.
    pub(super) name: &'static str,
    /// Its middle.
    pub(super) at: (i32, i32),
    pub(super) size: (i32, i32),
    /// Where the way back to itself is drawn.
    pub(super) back: Side,
    /// Where the way to the end is drawn.
    pub(super) out: Side,
}

#[derive(Clone, Copy)]
pub(super) enum Side {
    Left,
    Right,
    Below,
}

/// A way from one state to another.
pub(super) struct Route {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// The corners between.
    pub(super) via: &'static [(i32, i32)],
    /// Where the words stand.
    pub(super) words: Words,
}

/// Where words stand.
#[derive(Clone, Copy)]
pub(super) enum Words {
    /// Their lines begin there.
    From(i32, i32),
    /// Their lines end there.
    To(i32, i32),
}

/// A state in a box of the usual size; what leads back to it or out is on its right.
pub(super) const fn state(name: &'static str, x: i32, y: i32) -> Place {
    Place { name, at: (x, y), size: (150, 34), back: Side::Right, out: Side::Right }
}

pub(super) const fn route(from: &'static str, to: &'static str, via: &'static [(i32, i32)], words: Words) -> Route {
    Route { from, to, via, words }
}

impl Place {
    pub(super) const fn back(self, back: Side) -> Self {
        Self { back, ..self }
    }

    pub(super) const fn out(self, out: Side) -> Self {
        Self { out, ..self }
    }

    pub(super) const fn size(self, width: i32, height: i32) -> Self {
        Self { size: (width, height), ..self }
    }

    /// Where the line to a point leaves the box: straight, if the point is beside, above or below it.
    pub(super) fn border(&self, (to_x, to_y): (i32, i32)) -> (i32, i32) {
        let (x, y) = self.at;
        let (dx, dy) = (to_x - x, to_y - y);
        let (half_width, half_height) = (self.size.0 / 2, self.size.1 / 2);
        if dx.abs() < half_width {
            (to_x, y + dy.signum() * half_height)
        } else if dy.abs() < half_height {
            (x + dx.signum() * half_width, to_y)
        } else if dx.abs() * half_height > dy.abs() * half_width {
            (x + dx.signum() * half_width, y + dy * half_width / dx.abs())
        } else {
            (x + dx * half_height / dy.abs(), y + dy.signum() * half_height)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_leave_a_box_at_its_border() {
        let place = state("One", 0, 0).size(170, 40);
        assert_eq!(place.border((500, 0)), (85, 0));
        assert_eq!(place.border((0, -500)), (0, -20));
        assert_eq!(place.border((-30, 500)), (-30, 20));
        assert_eq!(place.border((-500, 12)), (-85, 12));
        assert_eq!(place.border((-100, 100)), (-20, 20));
    }
}
