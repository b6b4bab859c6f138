use super::{assert_near, numbers, wide};
use crate::resample::{Sizes, apply, transpose};

#[test]
fn maps_and_their_transposes_agree_with_the_definition() {
    let sizes = Sizes { channels: 3, from: 12, to: 10, taps: 4 };
    let images = 5;
    let per_image = sizes.to * sizes.taps;
    let weight = numbers::<f64>(images * per_image, 1);
    let index: Vec<u32> = (0..images * per_image).map(|i| (i * 7 % 12) as u32).collect();
    let entries = |image: usize| (&index[image * per_image..][..per_image], &weight[image * per_image..][..per_image]);
    let x = numbers::<f32>(images * 3 * 12, 2);
    let g = numbers::<f32>(images * 3 * 10, 3);
    let (mut out, mut back) = (vec![0.0; g.len()], vec![0.0; x.len()]);
    for image in 0..images {
        for channel in 0..3 {
            for p in 0..10 {
                for t in 0..4 {
                    let entry = image * per_image + p * 4 + t;
                    let from = (image * 3 + channel) * 12 + index[entry] as usize;
                    let to = (image * 3 + channel) * 10 + p;
                    out[to] += weight[entry] * wide(&x)[from];
                    back[from] += weight[entry] * wide(&g)[to];
                }
            }
        }
    }
    assert_near(&apply(&x, sizes, entries), &out, 1e-6);
    assert_near(&transpose(&g, sizes, entries), &back, 1e-6);
}
