use super::{assert_near, assert_same_bits, at_all_levels, numbers, wide};
use crate::Real;
use crate::norm::{
    Affine, Cotangents, Epilogue, Over, Planes, Saved, curvature, forward, forward_by, gradient, statistics,
};

const EPILOGUES: [Epilogue; 3] = [Epilogue::Identity, Epilogue::Relu, Epilogue::ReluPool];

const OVER: [Over; 2] = [Over::Plane, Over::Channel];

/// Random arguments of all three functions.
struct Case<T> {
    planes: Planes,
    x: Vec<T>,
    weight: Vec<T>,
    bias: Vec<T>,
    g: Vec<T>,
    c: Vec<T>,
    s: Vec<T>,
}

impl<T: Real> Case<T> {
    fn new([images, channels, height, width]: [usize; 4], over: Over, epilogue: Epilogue) -> Self {
        let planes = Planes::new([images, channels, height, width], over, epilogue);
        let [rows, columns] = epilogue.plane([height, width]);
        let count = images * channels;
        // An offset of several standard deviations shows sums of squares that cancel.
        let x = numbers(count * height * width, 1).into_iter().map(|x: T| x + T::from_f64(5.0)).collect();
        let (weight, bias) = (numbers(channels, 2), numbers(channels, 3));
        let (g, c, s) = (numbers(count * rows * columns, 4), numbers(count * height * width, 5), numbers(count * 2, 6));
        Self { planes, x, weight, bias, g, c, s }
    }

    /// Every result of the three functions.
    fn run(&self) -> Vec<Vec<T>> {
        let affine = Affine { weight: &self.weight, bias: &self.bias };
        let eps = T::from_f64(1e-5);
        let (y, statistics) = match self.planes.over {
            Over::Plane => forward(&self.x, affine, self.planes, eps),
            Over::Channel => {
                let statistics = statistics(&self.x, self.planes, eps);
                (forward_by(&self.x, affine, &statistics, self.planes), statistics)
            }
        };
        let saved = Saved { x: &self.x, affine, statistics: &statistics, g: &self.g };
        let (by_x, sums, totals) = gradient(saved, self.planes);
        let plane = self.planes.height * self.planes.width;
        for (total, by_x) in totals.iter().zip(by_x.chunks(plane)) {
            let sum: f64 = wide(by_x).iter().sum();
            let size: f64 = wide(by_x).iter().map(|x| x.abs()).sum();
            // Rounding of the partial sums of single precision.
            assert!(((*total).into() - sum).abs() <= 1e-6 * size, "{total} instead of {sum}");
        }
        let along = Cotangents { c: &self.c, sums: &self.s };
        let (second_by_x, by_g, by_weight) = curvature(saved, &sums, along, self.planes);
        vec![y, statistics, by_x, sums, second_by_x, by_g, by_weight]
    }
}

/// The function by its definition; the derivatives are checked against differences with the tape's rules.
fn defined(case: &Case<f64>) -> Vec<f64> {
    let Planes { images, channels, height, width, over, epilogue } = case.planes;
    let plane = height * width;
    let mut out = Vec::new();
    for (index, x) in case.x.chunks(plane).enumerate() {
        let group: Vec<f64> = match over {
            Over::Plane => x.to_vec(),
            Over::Channel => (0..images)
                .flat_map(|image| &case.x[(image * channels + index % channels) * plane..][..plane])
                .copied()
                .collect(),
        };
        let count = group.len() as f64;
        let mean = group.iter().sum::<f64>() / count;
        let variance = group.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let (weight, bias) = (case.weight[index % channels], case.bias[index % channels]);
        let h: Vec<f64> = x.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt() * weight + bias).collect();
        let at = |row: usize, column: usize| h[row * width + column].max(0.0);
        match epilogue {
            Epilogue::Identity => out.extend(h),
            Epilogue::Relu => out.extend(h.iter().map(|h| h.max(0.0))),
            Epilogue::ReluPool => {
                for (row, column) in (0..height / 2).flat_map(|row| (0..width / 2).map(move |column| (row, column))) {
                    let (r, c) = (2 * row, 2 * column);
                    out.push((at(r, c) + at(r, c + 1) + at(r + 1, c) + at(r + 1, c + 1)) / 4.0);
                }
            }
        }
    }
    out
}

#[test]
fn normalisation_agrees_with_its_definition_and_single_with_double_precision() {
    at_all_levels(|| {
        for shape in [[2, 3, 2, 2], [1, 2, 5, 7], [3, 5, 8, 8], [2, 3, 28, 28], [40, 3, 32, 32], [1, 2, 9, 140]] {
            for (over, epilogue) in OVER.into_iter().flat_map(|over| EPILOGUES.map(|epilogue| (over, epilogue))) {
                let (double, single) =
                    (Case::<f64>::new(shape, over, epilogue), Case::<f32>::new(shape, over, epilogue));
                // The same numbers, rounded.
                let double = Case {
                    x: wide(&single.x),
                    weight: wide(&single.weight),
                    bias: wide(&single.bias),
                    g: wide(&single.g),
                    c: wide(&single.c),
                    s: wide(&single.s),
                    ..double
                };
                let expected = double.run();
                assert_near(&expected[0], &defined(&double), 1e-12);
                for (got, expected) in single.run().iter().zip(&expected) {
                    assert_near(got, expected, 2e-5);
                }
            }
        }
    });
}

#[test]
fn bits_do_not_depend_on_threads() {
    for (over, epilogue) in OVER.into_iter().flat_map(|over| EPILOGUES.map(|epilogue| (over, epilogue))) {
        let case = Case::<f32>::new([50, 8, 32, 32], over, epilogue);
        assert_same_bits(|| case.run().concat());
    }
}
