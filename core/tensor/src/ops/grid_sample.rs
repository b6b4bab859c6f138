//! Sampling of planes at positions.

use crate::Tensor;
use crate::error::{Result, shape_error, value_error};

const OP: &str = "grid_sample";

/// Sampling of planes at positions.
impl Tensor {
    /// Bilinear samples of `[image, channel, row, column]` at the positions of `grid`, `[image or 1, row, column, 2]`: first the position
    /// along a row, then along a column; -1 is the outer edge of the first pixel and 1 that of the last, what lies outside is 0.
    /// PyTorch's `grid_sample` with zeros for padding and without aligned corners.
    ///
    /// Differentiable by both to any order. The gradient by the positions is that within a cell of four pixels; it jumps from cell to
    /// cell. The positions are read by the processor, whatever the device.
    ///
    /// # Errors
    /// When shapes do not fit or a position is not finite.
    pub fn grid_sample(&self, grid: &Self) -> Result<Self> {
        let (&[images, channels, height, width], &[grids, rows, columns, 2]) = (self.shape(), grid.shape()) else {
            let rule = "the tensor is [image, channel, row, column], the grid [image or 1, row, column, 2]";
            return shape_error(OP, &[self.shape(), grid.shape()], rule);
        };
        if ![1, images].contains(&grids) || height * width == 0 {
            let rule = "there is a grid for each image, or one for all, and a plane has pixels";
            return shape_error(OP, &[self.shape(), grid.shape()], rule);
        }
        let points = images * rows * columns;
        let positions = grid.broadcast_to(&[images, rows, columns, 2])?.reshape(&[points, 2])?;
        let (x, y) = (Along::new(&positions, 0, width)?, Along::new(&positions, 1, height)?);
        let pixels = self.permute(&[0, 2, 3, 1])?.reshape(&[images * height * width, channels])?;
        let corner = |below: usize, right: usize| {
            let place = |point: usize| {
                let (row, column) = (y.pixel(point, below)?, x.pixel(point, right)?);
                Some((point / (rows * columns) * height + row) * width + column)
            };
            let found: Vec<Option<usize>> = (0..points).map(place).collect();
            #[expect(clippy::cast_possible_wrap, reason = "a place in a tensor")]
            let places = found.iter().map(|place| place.unwrap_or(0) as i64).collect();
            let inside = found.iter().map(|place| f64::from(u8::from(place.is_some()))).collect();
            let inside = Self::from_values(inside, &[points, 1], self.dtype(), &self.device())?;
            let weight = y.weights[below].mul(&x.weights[right])?.mul(&inside)?;
            pixels.gather(0, &Self::from_i64(places, &[points], &self.device())?)?.mul(&weight)
        };
        let above = corner(0, 0)?.add(&corner(0, 1)?)?;
        let below = corner(1, 0)?.add(&corner(1, 1)?)?;
        above.add(&below)?.reshape(&[images, rows, columns, channels])?.permute(&[0, 3, 1, 2])
    }
}

/// Positions along one axis of the planes.
struct Along {
    length: usize,
    /// The pixel before each, which may lie outside.
    before: Vec<f64>,
    /// Shares of that pixel and of the next, `[point, 1]`.
    weights: [Tensor; 2],
}

impl Along {
    fn new(positions: &Tensor, axis: usize, length: usize) -> Result<Self> {
        #[expect(clippy::cast_precision_loss, reason = "sides are far shorter than 2^52")]
        let half = length as f64 / 2.0;
        let place = positions.slice(1, axis, axis + 1, 1)?.mul_scalar(half)?.add_scalar(half - 0.5)?;
        let before: Vec<f64> = place.detach().to_f64_vec()?.into_iter().map(f64::floor).collect();
        if before.iter().any(|before| !before.is_finite()) {
            return value_error(OP, "a position is not finite");
        }
        let whole = Tensor::from_values(before.clone(), place.shape(), place.dtype(), &place.device())?;
        let after = place.sub(&whole)?;
        Ok(Self { length, before, weights: [after.neg()?.add_scalar(1.0)?, after] })
    }

    /// The pixel before a point, or the next; `None` outside of the plane.
    fn pixel(&self, point: usize, next: usize) -> Option<usize> {
        #[expect(clippy::cast_precision_loss, reason = "sides are far shorter than 2^52")]
        let (pixel, length) = (self.before[point] + next as f64, self.length as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below the length")]
        (0.0..length).contains(&pixel).then_some(pixel as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn numbers_are_those_of_pytorch() {
        let tensor = |values: Vec<f64>, shape: &[usize]| Tensor::from_f64(values, shape, &Device::Cpu).unwrap();
        let x = tensor((0..24).map(|at| libm::sin(0.7 * f64::from(at))).collect(), &[1, 2, 3, 4]);
        let grid = tensor(vec![-0.9, -0.3, 0.2, 0.6, 1.1, -0.5, -2.5, 0.0], &[1, 2, 2, 2]);
        let found = x.grid_sample(&grid).unwrap();
        assert_eq!(found.shape(), [1, 2, 2, 2]);
        for (found, expected) in found.to_f64_vec().unwrap().iter().zip(TORCH) {
            assert!((found - expected).abs() < 1e-14, "{found} for {expected}");
        }
        let lost = x.grid_sample(&grid.mul_scalar(f64::INFINITY).unwrap()).unwrap_err();
        assert!(lost.to_string().contains("a position is not finite"), "{lost}");
        let far = x.grid_sample(&grid.mul_scalar(1e300).unwrap()).unwrap();
        assert!(far.to_f64_vec().unwrap().iter().all(|sample| sample.is_finite()));
        assert!(x.grid_sample(&x).is_err());
    }

    /// PyTorch 1.13, double precision.
    const TORCH: [f64; 8] = [
        0.12897043781002346,
        0.4517227442116917,
        0.12053816154917163,
        0.0,
        -0.10778476967544853,
        0.31848778689441637,
        -0.1477138138288806,
        0.0,
    ];
}
