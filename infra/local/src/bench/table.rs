//! Rows of figures, a column a phase, with what each is held against. A figure
//! that misses its mark is followed by an exclamation mark.

use std::fmt::{self, Formatter};

use super::measure::Phase;

const LABEL: usize = 34;
const COLUMN: usize = 13;

/// What a figure is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    None,
    AtMost(f64),
    AtLeast(f64),
}

/// A figure of one phase; there may be none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    value: Option<f64>,
    mark: Mark,
}

impl Cell {
    /// Held against a mark.
    pub(super) fn against(self, mark: Mark) -> Self {
        Self { mark, ..self }
    }

    fn is_missed(self) -> bool {
        match (self.value, self.mark) {
            (None, _) | (_, Mark::None) => false,
            (Some(value), Mark::AtMost(most)) => value > most,
            (Some(value), Mark::AtLeast(least)) => value < least,
        }
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        Self {
            value,
            mark: Mark::None,
        }
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Some(value).into()
    }
}

/// Writes rows for the same phases.
pub(super) struct Table<'a, 'f> {
    pub(super) phases: &'a [Phase],
    pub(super) out: &'a mut Formatter<'f>,
}

impl Table<'_, '_> {
    /// Names the columns.
    pub(super) fn head(&mut self, title: &str, last: &str) -> fmt::Result {
        write!(self.out, "\n{title:<LABEL$}")?;
        for phase in self.phases {
            write!(self.out, "{:>COLUMN$}", phase.pace)?;
        }
        writeln!(self.out, "   {last}")
    }

    /// A row that ends with the words of its mark.
    pub(super) fn row(
        &mut self,
        label: &str,
        decimals: usize,
        marks: &str,
        cell: impl Fn(&Phase) -> Cell,
    ) -> fmt::Result {
        write!(self.out, "{label:<LABEL$}")?;
        for phase in self.phases {
            let cell = cell(phase);
            let missed = if cell.is_missed() { "!" } else { " " };
            let number = cell
                .value
                .map_or("-".into(), |value| format!("{value:.decimals$}"));
            write!(self.out, "{:>COLUMN$}", format!("{number}{missed}"))?;
        }
        writeln!(self.out, "  {marks}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_missed_on_the_wrong_side_of_its_mark_only() {
        let cell = |value: f64, mark| Cell::from(value).against(mark).is_missed();
        assert!(!cell(5.0, Mark::AtMost(5.0)) && cell(5.1, Mark::AtMost(5.0)));
        assert!(!cell(5.0, Mark::AtLeast(5.0)) && cell(4.9, Mark::AtLeast(5.0)));
        assert!(!cell(5.0, Mark::None));
        assert!(!Cell::from(None).against(Mark::AtLeast(1.0)).is_missed());
    }
}
