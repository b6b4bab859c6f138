//! The prefix of a set that is matched besides the whole, so that each first part of the images of a class is good by itself: He, Xiao,
//! Zhou and Tsang, "Multisize Dataset Condensation" (MDC), ICLR 2024, as in the authors' code.
//!
//! A prefix of k are the first k stored images of each class, with all of their cells; earlier sets belong to each. In the first and in
//! every `period`-th iteration the squared distance of the mean features of real images and of each prefix is measured, and averaged over
//! classes and rounds. Behind it a prefix is chosen for the next iterations: of one image after the first, later that whose distance
//! changed most since it was measured before. The gradients of the chosen prefix are matched, too, and what belongs to the largest
//! smaller prefix that was chosen before gets no gradient any more.
//!
//! | release | here |
//! |---|---|
//! | distances are rounded to two decimals before they are compared | not rounded |
//! | a prefix is frozen `period` iterations after it was chosen | from when another is chosen, which is the same but for the first |
//! | at most 128 decoded images of a class, drawn at random | all images of a class |

use pddflow_sdk::{Forward, Iteration, Labelled, Leaves, Mode, Result, Tensor};

/// Named state: the number of the chosen prefix, 0 for none.
const CHOSEN: &str = "prefix.chosen";
/// Whether the prefix at each place was chosen before.
const SEEN: &str = "prefix.seen";
/// Its distance when it was measured last.
const DISTANCES: &str = "prefix.distances";

/// Prefixes in one outer iteration.
pub(crate) struct Prefixes<'a, 'call> {
    run: &'a Iteration<'call>,
    /// Cells of a stored image.
    cells: usize,
    /// The chosen one, 0 for none.
    chosen: usize,
    /// Images of each class that do not move.
    frozen: usize,
    seen: Vec<f64>,
    /// Whether this iteration measures.
    due: bool,
    /// Sums of the distances of all prefixes, and how often they were measured.
    distances: Option<Tensor<'call>>,
    count: usize,
}

impl<'a, 'call> Prefixes<'a, 'call> {
    pub(crate) fn open(run: &'a Iteration<'call>, period: u64, cells: usize) -> Result<Self> {
        let count = run.problem().ipc - 1;
        let chosen = run.state(CHOSEN)?.map_or(Ok(0.0), |chosen| chosen.scalar())? as usize;
        let seen = run.state(SEEN)?.map_or_else(|| Ok(vec![0.0; count]), |seen| seen.to_f64_vec())?;
        let frozen = (1..chosen).rev().find(|prefix| seen[prefix - 1] > 0.0).unwrap_or(0);
        let due = run.number() == 0 || (run.number() + 1).is_multiple_of(period);
        Ok(Self { run, cells, chosen, frozen, seen, due, distances: None, count: 0 })
    }

    /// Rows of a prefix among those of a class, which has so many: earlier sets first, then cell by cell.
    fn rows(&self, prefix: usize, rows: usize) -> Result<Tensor<'call>> {
        let ipc = self.run.problem().ipc;
        let earlier = rows - self.cells * ipc;
        let belongs = |row: &usize| *row < earlier || (row - earlier) % ipc < prefix;
        let chosen: Vec<i64> = (0..rows).filter(belongs).map(|row| row as i64).collect();
        Tensor::from_i64(self.run.call(), &chosen, &[chosen.len()])
    }

    /// The chosen prefix of the augmented images of a class.
    pub(crate) fn part(&self, class: &Labelled<'call>) -> Result<Option<Labelled<'call>>> {
        if self.chosen == 0 {
            return Ok(None);
        }
        let rows = self.rows(self.chosen, class.images.shape()?[0])?;
        Ok(Some(Labelled { images: class.images.gather(0, &rows)?, labels: class.labels.gather(0, &rows)? }))
    }

    /// Measures every prefix of a class, where it is time for that.
    pub(crate) fn measure(
        &mut self,
        net: &Leaves<'call>,
        real: &Labelled<'call>,
        class: &Labelled<'call>,
    ) -> Result<()> {
        if !self.due {
            return Ok(());
        }
        let features = |images: &Tensor<'call>| {
            let Forward { features, .. } =
                self.run.forward(&net.weights, &images.detach()?, Mode::Train, self.run.key())?;
            features.detach()
        };
        let (wanted, found) = (features(&real.images)?.mean(&[0], false)?, features(&class.images)?);
        let rows = found.shape()?[0];
        let of =
            |prefix: usize| found.gather(0, &self.rows(prefix, rows)?)?.mean(&[0], false)?.squared_distance(&wanted);
        let all = Tensor::stack(&(1..=self.seen.len()).map(of).collect::<Result<Vec<_>>>()?, 0)?;
        self.count += 1;
        self.distances = Some(match &self.distances {
            Some(before) => (before + &all)?,
            None => all,
        });
        Ok(())
    }

    /// The gradient by the images without what does not move.
    pub(crate) fn moving(&self, gradient: Tensor<'call>) -> Result<Tensor<'call>> {
        if self.frozen == 0 {
            return Ok(gradient);
        }
        let (shape, ipc) = (gradient.shape()?, self.run.problem().ipc);
        let mask: Vec<f64> = (0..shape[0]).map(|row| f64::from(u8::from(row % ipc >= self.frozen))).collect();
        &gradient * &Tensor::from_f64(self.run.call(), &mask, &[shape[0], 1, 1, 1])?
    }

    /// Chooses the prefix of the next iterations, where it is time for that.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.run.metric("prefix", self.chosen as f64)?;
        let Some(sums) = &self.distances else { return Ok(()) };
        let now: Vec<f64> = sums.to_f64_vec()?.into_iter().map(|sum| sum / self.count as f64).collect();
        let next = match self.run.state(DISTANCES)? {
            None => 1,
            Some(before) => {
                let changes = before.to_f64_vec()?.into_iter().zip(&now).map(|(before, now)| (before - now).abs());
                let largest = changes.enumerate().fold((0, -1.0), |best, own| if own.1 > best.1 { own } else { best });
                largest.0 + 1
            }
        };
        if self.chosen > 0 {
            self.seen[self.chosen - 1] = 1.0;
        }
        let keep = |name: &str, values: &[f64]| {
            self.run.keep_state(name, &Tensor::from_f64(self.run.call(), values, &[values.len()])?)
        };
        keep(DISTANCES, &now)?;
        keep(SEEN, &self.seen)?;
        self.run.keep_state(CHOSEN, &Tensor::full(self.run.call(), &[], next as f64)?)
    }
}
