//! The first values of images, where an expert is asked for them.

use crate::attempt::CHUNK;
use crate::first::First;
use crate::settings::Settings;
use pddflow_sdk::{Error, Iteration, Mode, Result, Tensor};

impl Settings<'_> {
    /// Before the first iteration: gives images their first values where an expert is asked for them. The expert is drawn by `key.fold("first")`, images of
    /// class c by `key.fold("first").fold_u64(c)`, `key` being the iteration's.
    ///
    /// # Errors
    /// No trajectories are wired or they are too short, or a class has too few images.
    pub fn begin(&self, run: &Iteration<'_>) -> Result<()> {
        if run.number() > 0 || self.images.0 != First::Recognised {
            return Ok(());
        }
        let (key, last) = (run.key().fold("first")?, self.window.max);
        let expert = run.trajectory(last - 1..last, self.epochs, key)?.target;
        let mut chosen = Vec::new();
        for class in 0..run.problem().classes {
            let key = key.fold_u64(class as u64)?;
            let real = run.real_batch(Some(class), run.class_size(class)?, key)?.images;
            let (count, wanted) = (real.shape()?[0], run.problem().ipc);
            if count < wanted {
                return Err(Error::config(format!("class {class} has {count} real images for {wanted}")));
            }
            let (mut right, mut others) = (Vec::new(), Vec::new());
            for from in (0..count).step_by(CHUNK) {
                let chunk = real.slice(0, from, (from + CHUNK).min(count), 1)?;
                let said = run.forward(&expert, &chunk, Mode::Eval, key)?.logits.argmax(1)?.to_i64_vec()?;
                for (row, said) in (from as i64..).zip(said) {
                    if said == class as i64 { right.push(row) } else { others.push(row) }
                }
                if right.len() >= wanted {
                    break;
                }
            }
            right.extend(others);
            right.truncate(wanted);
            chosen.push(real.gather(0, &Tensor::from_i64(run.call(), &right, &[wanted])?)?);
        }
        run.assign("images", &Tensor::concat(&chosen, 0)?)
    }
}
