//! Values of the tensor crate in their C form.

use pddflow_abi as abi;
use pddflow_tensor::{DType, RandomKey};

/// The C form of a key.
pub(crate) fn words(key: RandomKey) -> abi::RandomKey {
    abi::RandomKey { words: key.words() }
}

/// The number of a dtype.
pub(crate) fn dtype_number(dtype: DType) -> u32 {
    match dtype {
        DType::F32 => abi::Dtype::F32 as u32,
        DType::F64 => abi::Dtype::F64 as u32,
        DType::I64 => abi::Dtype::I64 as u32,
    }
}
