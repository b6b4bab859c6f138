//! [`Detail`]: how much of a run a page shows, so that every browser opens it.

/// Bounds of what is shown. Each level shows less than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detail {
    /// Images of each class in a grid.
    pub(crate) columns: usize,
    /// Grids of a run.
    pub(crate) grids: usize,
    /// Sets of a grid's slider.
    pub(crate) frames: usize,
    /// Points of a line.
    pub(crate) points: usize,
    /// Nodes with a panel of their own.
    pub(crate) panels: usize,
    /// Lines of a log.
    pub(crate) log_lines: usize,
    /// Bars of the time line.
    pub(crate) bars: usize,
}

impl Detail {
    /// From the most to the least.
    pub(crate) const LEVELS: [Self; 7] = [
        Self { columns: 100, grids: 24, frames: 24, points: 1_000, panels: 1_500, log_lines: 200, bars: 2_000 },
        Self { columns: 50, grids: 24, frames: 24, points: 1_000, panels: 1_000, log_lines: 100, bars: 2_000 },
        Self { columns: 20, grids: 24, frames: 16, points: 600, panels: 600, log_lines: 60, bars: 1_500 },
        Self { columns: 10, grids: 16, frames: 12, points: 400, panels: 400, log_lines: 30, bars: 1_000 },
        Self { columns: 10, grids: 8, frames: 8, points: 200, panels: 200, log_lines: 20, bars: 600 },
        Self { columns: 5, grids: 4, frames: 5, points: 100, panels: 80, log_lines: 10, bars: 300 },
        Self { columns: 1, grids: 2, frames: 3, points: 50, panels: 30, log_lines: 5, bars: 100 },
    ];
}

/// What was left out, in sentences; each is said once.
#[derive(Debug, Default)]
pub(crate) struct LeftOut(std::cell::RefCell<Vec<String>>);

impl LeftOut {
    /// Notes that something was left out.
    pub(crate) fn say(&self, sentence: String) {
        let mut said = self.0.borrow_mut();
        if !said.contains(&sentence) {
            said.push(sentence);
        }
    }

    /// Says how many of many are shown, if not all are.
    pub(crate) fn count(&self, shown: usize, all: usize, what: &str) {
        if shown < all {
            self.say(format!("{shown} of {all} {what} are shown."));
        }
    }

    pub(crate) fn take(self) -> Vec<String> {
        self.0.into_inner()
    }
}
