//! The exact gradient through all steps of a student.

use crate::attempt::{Attempt, Outcome};
use crate::path::Path;
use crate::vector::{add_scaled, product, scaled};
use pddflow_sdk::{Result, scalars};

impl<'call> Attempt<'_, 'call> {
    /// Trains a student for so many steps, `theta_{t+1} = theta_t - alpha g_t`, and gives the gradient of the normalised distance from the
    /// target by alpha and by the learnables `names`, from which the set is decoded. Every step's Hessian counts; memory is bounded.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn exact(&self, steps: usize, names: &[&str]) -> Result<Outcome<'call>> {
        let (alpha, segment, mut student) = (self.rate, &self.segment, self.student()?);
        let (mut path, end) = Path::walk(&mut student, &segment.start, (steps, alpha))?;
        // loss = |theta_N - target|^2 / |theta_0 - target|^2, and back through every step
        self.finish(&end, |difference| {
            let mut lambda = scaled(difference, 2.0 / segment.squared_length)?;
            let (mut by_alpha, mut rows) = (Vec::new(), student.no_rows()?);
            while let Some((t, theta)) = path.back(&mut student)? {
                let step = student.backward(t, &theta, &lambda, t > 0)?;
                by_alpha.push(product(&lambda, &step.gradient)?);
                rows = add_scaled(&rows, &step.rows, -alpha)?;
                lambda = add_scaled(&lambda, &step.theta, -alpha)?;
            }
            let by_alpha = scalars(&by_alpha)?.iter().fold(0.0, |sum, part| sum - part);
            Ok((by_alpha, student.by_learnables(&rows, names)?))
        })
    }
}
