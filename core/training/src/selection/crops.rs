//! Crops of real images that a trained net finds easiest, with what the net says of them as labels.
//!
//! Of each class some images are drawn, of each image some square crops, resized to the whole; each image's crop with the lowest
//! cross-entropy stays, and of these the lowest ones of the class are chosen. Ties go to the one that was drawn first.
//!
//! With tiles an image of the set is f x f crops, each of so much lower resolution, enlarged again for the net to see them by themselves;
//! the labels are what the net says of the whole.
//!
//! | randomness | key below that of the choice |
//! |---|---|
//! | which images of class c | c, `images` |
//! | crop j of the image at place i of the class | c, `crops`, i, j |

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::Model;
use pddflow_tensor::{RandomKey, Tensor, TensorError};

use crate::accuracy::logits;
use crate::splits::Split;

/// How crops are made.
#[derive(Clone, Copy, Debug)]
pub struct Crops {
    /// Images of a class that are looked at, all if there are fewer.
    pub candidates: usize,
    /// Crops of each.
    pub crops: usize,
    /// Least share of an image's area; shares are uniform from there to 1.
    pub least_area: f64,
    /// Crops along each side of an image of the set.
    pub tile: usize,
}

/// What was chosen, class by class, the easiest first.
pub struct Chosen {
    /// Rows of the training images, those of a tiled image one after the other.
    pub rows: Vec<usize>,
    /// The crops.
    pub images: Tensor,
    /// Probabilities of the net, `[row, class]`.
    pub labels: Tensor,
}

impl Crops {
    /// Chooses crops for `ipc` images of each class.
    ///
    /// # Errors
    /// The net fails, or tiles do not divide the images.
    pub fn choose(
        &self,
        (model, weights): (&Model, &[Tensor]),
        train: &Split,
        ipc: usize,
        key: RandomKey,
    ) -> NodeResult<Chosen> {
        let (doing, count) = ("choosing crops", ipc * self.tile * self.tile);
        let size = [train.samples().images.shape()[2], train.samples().images.shape()[3]];
        if size.iter().any(|side| !side.is_multiple_of(self.tile)) {
            let message =
                format!("images of {} x {} cannot be cut into {} parts along each side", size[0], size[1], self.tile);
            return Err(fail("tile", message).with_help("choose a `tile` that divides both sides"));
        }
        let (mut rows, mut images, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (class, own) in train.class_rows().iter().enumerate() {
            let key = key.fold_u64(class as u64);
            let places = key.fold("images").choose(own.len(), self.candidates.max(count).min(own.len()));
            let crops =
                places.iter().map(|place| self.of_image(train, own[*place], key.fold("crops").fold_u64(*place as u64)));
            let crops = Tensor::concat(&crops.collect::<NodeResult<Vec<_>>>()?, 0).during(doing)?;
            let seen = match self.tile {
                1 => crops.clone(),
                _ => crops.bilinear_resize(size[0], size[1]).during(doing)?,
            };
            let said = logits(model, weights, &seen)?.log_softmax(1).during(doing)?;
            let own_class = said.slice(1, class, class + 1, 1).and_then(|column| column.to_f64_vec()).during(doing)?;
            let mut best: Vec<(f64, usize, usize)> = places
                .iter()
                .enumerate()
                .filter_map(|(number, place)| {
                    let first = number * self.crops;
                    let losses = own_class[first..first + self.crops].iter().enumerate();
                    let (crop, loss) = losses.map(|(crop, said)| (crop, -said)).min_by(|a, b| a.1.total_cmp(&b.1))?;
                    Some((loss, first + crop, own[*place]))
                })
                .collect();
            best.sort_by(|a, b| a.0.total_cmp(&b.0));
            best.truncate(count);
            #[expect(clippy::cast_possible_wrap, reason = "row numbers of a tensor fit in i64")]
            let numbers = best.iter().map(|(_, crop, _)| *crop as i64).collect();
            let numbers = Tensor::from_i64(numbers, &[best.len()], &crops.device()).during(doing)?;
            let chosen = crops.gather(0, &numbers).during(doing)?;
            let (chosen, said) = match self.tile {
                1 => (chosen, said.gather(0, &numbers).during(doing)?),
                _ => {
                    let tiled = self.tiled(&chosen).during(doing)?;
                    let said = logits(model, weights, &tiled)?.log_softmax(1).during(doing)?;
                    (tiled, said)
                }
            };
            images.push(chosen);
            labels.push(said.exp().during(doing)?);
            rows.extend(best.into_iter().map(|(.., row)| row));
        }
        let (images, labels) = (Tensor::concat(&images, 0).during(doing)?, Tensor::concat(&labels, 0).during(doing)?);
        Ok(Chosen { rows, images, labels })
    }

    /// Crops side by side: the first ones fill the first image, row by row.
    fn tiled(&self, crops: &Tensor) -> Result<Tensor, TensorError> {
        let [rows, channels, height, width] = *crops.shape() else { return Ok(crops.clone()) };
        let (side, count) = (self.tile, rows / (self.tile * self.tile));
        let apart = crops.reshape(&[count, side, side, channels, height, width])?;
        apart.permute(&[0, 3, 1, 4, 2, 5])?.reshape(&[count, channels, side * height, side * width])
    }

    fn of_image(&self, train: &Split, row: usize, key: RandomKey) -> NodeResult<Tensor> {
        let doing = "cropping an image";
        let image = train.samples().images.slice(0, row, row + 1, 1).during(doing)?;
        let (height, width) = (image.shape()[2], image.shape()[3]);
        let crop = |number: usize| {
            let drawn = key.fold_u64(number as u64).uniform_f64(3);
            let area = self.least_area + (1.0 - self.least_area) * drawn[0];
            let side = part((area * (height * width) as f64).sqrt()).clamp(1, height.min(width));
            let at = |drawn: f64, whole: usize| part((drawn * (whole - side + 1) as f64).floor()).min(whole - side);
            let (top, left) = (at(drawn[1], height), at(drawn[2], width));
            let square = image.slice(2, top, top + side, 1)?.slice(3, left, left + side, 1)?;
            square.bilinear_resize(height / self.tile, width / self.tile)
        };
        let crops = (0..self.crops).map(crop).collect::<Result<Vec<_>, _>>().during(doing)?;
        Tensor::concat(&crops, 0).during(doing)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place within an image")]
fn part(value: f64) -> usize {
    value.round().max(0.0) as usize
}
