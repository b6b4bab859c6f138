//! Arrays on the CPU: burn's storage, always in row-major order, under a shape.

use burn_backend::{TensorData, TensorMetadata};
use burn_flex::FlexTensor;

use crate::DType;
use crate::error::{Result, TensorError};
use pddflow_kernels::Real;
use pddflow_kernels::layout::Element;

#[derive(Clone)]
pub(crate) struct Array {
    storage: FlexTensor,
    shape: Box<[usize]>,
}

/// A type that arrays are of.
pub(crate) trait Stored: Element {
    const DTYPE: DType;
    fn wrap(values: Vec<Self>, shape: &[usize]) -> FlexTensor;
    fn of(storage: &FlexTensor) -> Option<&[Self]>;
    /// Copied before if others share them; the storage must be of this type.
    fn of_mut(storage: &mut FlexTensor) -> &mut [Self];
}

macro_rules! stored {
    ($($type:ident $dtype:ident)*) => {$(
        impl Stored for $type {
            const DTYPE: DType = DType::$dtype;
            fn wrap(values: Vec<Self>, shape: &[usize]) -> FlexTensor {
                FlexTensor::from_data(TensorData::new(values, shape))
            }
            fn of(storage: &FlexTensor) -> Option<&[Self]> {
                storage.as_slice::<Self>()
            }
            fn of_mut(storage: &mut FlexTensor) -> &mut [Self] {
                storage.storage_mut::<Self>()
            }
        }
    )*};
}

stored! { f32 F32 f64 F64 i64 I64 }

/// One of the two real types.
pub(crate) trait RealStored: Stored + Real {}

impl<T: Stored + Real> RealStored for T {}

impl Array {
    pub(crate) fn new<T: Stored>(values: Vec<T>, shape: &[usize]) -> Self {
        debug_assert_eq!(values.len(), shape.iter().product::<usize>());
        Self { storage: T::wrap(values, shape), shape: shape.into() }
    }

    /// The numbers of a tensor of burn's CPU backend, in row-major order.
    pub(super) fn from_flex(tensor: &FlexTensor) -> Self {
        let storage = tensor.to_contiguous();
        Self { shape: storage.shape().to_vec().into(), storage }
    }

    pub(super) fn into_flex(self) -> FlexTensor {
        self.storage
    }

    pub(crate) fn dtype(&self) -> DType {
        match self.storage.dtype() {
            burn_backend::DType::F64 => DType::F64,
            burn_backend::DType::I64 => DType::I64,
            _ => DType::F32,
        }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The same numbers under another shape.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Self {
        Self { storage: self.storage.reshape(shape.into()), shape: shape.into() }
    }

    /// The numbers, if they are of this type.
    pub(crate) fn of<T: Stored>(&self) -> Option<&[T]> {
        T::of(&self.storage)
    }

    /// The numbers, which are of this type.
    pub(crate) fn slice<T: Stored>(&self) -> Result<&[T]> {
        self.of().ok_or_else(wrong_type)
    }

    /// The numbers to be changed.
    pub(crate) fn slice_mut<T: Stored>(&mut self) -> Result<&mut [T]> {
        self.slice::<T>()?;
        Ok(T::of_mut(&mut self.storage))
    }

    /// The numbers with their shape.
    pub(crate) fn view<T: Stored>(&self) -> Result<(&[T], &[usize])> {
        Ok((self.slice()?, &self.shape))
    }
}

fn wrong_type() -> TensorError {
    TensorError::Internal { op: "storage", message: "numbers of another type".to_owned() }
}
