//! Collapses the axes of broadcast and permuted operands, so that inner loops are long.

/// Row-major strides of a shape, 0 where the axis is broadcast to a larger one; `shape` is
/// aligned with the end of `out_shape`.
pub(crate) fn broadcast_strides(shape: &[usize], out_shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; out_shape.len()];
    let offset = out_shape.len() - shape.len();
    let mut stride = 1;
    for axis in (0..shape.len()).rev() {
        if shape[axis] != 1 {
            strides[offset + axis] = stride;
        }
        stride *= shape[axis];
    }
    strides
}

/// Row-major strides of a shape.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    for axis in (0..shape.len()).rev() {
        strides[axis] = stride;
        stride *= shape[axis];
    }
    strides
}

/// One axis of a loop nest over `N` operands. A negative stride is its value modulo 2^64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis<const N: usize> {
    pub size: usize,
    pub strides: [usize; N],
}

/// The loop nest over `shape`, without axes of size 1 and with neighbours merged where every
/// operand allows it. Never empty: a scalar becomes one axis of size 1.
pub(crate) fn collapse<const N: usize>(shape: &[usize], strides: [&[usize]; N]) -> Vec<Axis<N>> {
    let mut axes: Vec<Axis<N>> = Vec::with_capacity(shape.len().max(1));
    for (index, &size) in shape.iter().enumerate() {
        if size == 1 {
            continue;
        }
        let axis = Axis { size, strides: strides.map(|s| s[index]) };
        match axes.last_mut() {
            Some(outer) if (0..N).all(|i| outer.strides[i] == axis.strides[i].wrapping_mul(size)) => {
                *outer = Axis { size: outer.size * size, strides: axis.strides };
            }
            _ => axes.push(axis),
        }
    }
    if axes.is_empty() {
        axes.push(Axis { size: 1, strides: [1; N] });
    }
    axes
}

/// Operand offsets of position `index` (row-major) in the nest.
pub(crate) fn offsets<const N: usize>(axes: &[Axis<N>], mut index: usize) -> [usize; N] {
    let mut result = [0_usize; N];
    for axis in axes.iter().rev() {
        let position = index % axis.size;
        index /= axis.size;
        for (offset, stride) in result.iter_mut().zip(axis.strides) {
            *offset = offset.wrapping_add(position.wrapping_mul(stride));
        }
    }
    result
}
