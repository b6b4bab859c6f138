//! Values on devices of burn's backends: one path for every backend.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use burn_backend::TensorData;

use super::array::{self, Stored};
use super::burn_array::{Array, physical};
use super::calls::dims;
use super::{burn, cpu, fused};
use crate::device::BurnDevice;
use crate::error::{Result, TensorError};
use crate::op::{Binary, Descent, Op, Unary};
use crate::{Backend, DType, Device};

/// Most single numbers that are kept.
const MOST_CONSTANTS: usize = 64;
/// So few real numbers are known here if they came from here, and what is made of such numbers alone is made here.
const FEW: usize = 16;

/// Numbers that are needed again and again, and stay on their devices: single ones, and identity matrices that labels choose rows of.
static CONSTANTS: LazyLock<Kept<u64>> = LazyLock::new(Kept::default);
static IDENTITIES: LazyLock<Kept<usize>> = LazyLock::new(Kept::default);

type Kept<K> = Mutex<HashMap<(Place, DType, K), DeviceValue>>;

/// A value on a device of a backend.
#[derive(Clone)]
pub(crate) struct DeviceValue {
    numbers: Arc<Numbers>,
    dtype: DType,
    place: Place,
}

enum Numbers {
    There(Array),
    /// Integers, or a few real numbers, that came from here. They are read here without waiting for the device, and go there where it
    /// computes with them.
    Known {
        here: array::Array,
        there: OnceLock<Array>,
    },
}

/// A backend, and which of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    backend: Backend,
    index: usize,
}

impl Place {
    pub(crate) fn new(backend: Backend, index: usize) -> Self {
        Self { backend, index }
    }

    fn device(self) -> Device {
        Device::Burn(self.backend, self.index)
    }

    fn open(self, op: &'static str) -> Result<BurnDevice> {
        self.backend.device(self.index).ok_or_else(|| self.failed(op, "there is no such device"))
    }

    fn failed(self, op: &'static str, message: impl Into<String>) -> TensorError {
        TensorError::Device { op, device: self.device(), message: message.into() }
    }

    /// Backends report a lost device, a refused kernel, or too little memory by a panic.
    fn guard<T>(self, op: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(self.failed(op, text.unwrap_or("the backend stopped without a reason")))
        })
    }

    fn allows(self, op: &'static str, dtype: DType) -> Result<()> {
        if dtype == DType::F64 && !self.backend.has_double() {
            return Err(TensorError::DType { op, dtypes: vec![dtype], rule: "this device computes in f32; use cast" });
        }
        Ok(())
    }
}

impl DeviceValue {
    pub(crate) fn new<T: Stored + burn_backend::Element>(
        values: Vec<T>,
        shape: &[usize],
        place: Place,
    ) -> Result<Self> {
        const OP: &str = "upload";
        place.allows(OP, T::DTYPE)?;
        let device = place.open(OP)?;
        if T::DTYPE == DType::I64 || values.len() <= FEW {
            return Ok(Self::known(array::Array::new(values, shape), place));
        }
        let data = TensorData::new(values, physical(shape));
        Ok(Self::there(place.guard(OP, || Ok(Array::from_data(data, T::DTYPE, &device)))?, T::DTYPE, place))
    }

    pub(crate) fn full(number: f64, shape: &[usize], dtype: DType, place: Place) -> Result<Self> {
        const OP: &str = "full";
        place.allows(OP, dtype)?;
        let device = place.open(OP)?;
        if !shape.is_empty() {
            return Ok(Self::there(place.guard(OP, || Ok(Array::full(number, shape, dtype, &device)))?, dtype, place));
        }
        #[expect(clippy::cast_possible_truncation, reason = "rounded to the type of the value")]
        let made = || match dtype {
            DType::F32 => Self::new(vec![number as f32], shape, place),
            DType::F64 => Self::new(vec![number], shape, place),
            DType::I64 => Self::new(vec![number as i64], shape, place),
        };
        let known = CONSTANTS.lock().unwrap_or_else(PoisonError::into_inner).len();
        match known < MOST_CONSTANTS {
            true => kept(&CONSTANTS, (place, dtype, number.to_bits()), made),
            false => made(),
        }
    }

    fn there(array: Array, dtype: DType, place: Place) -> Self {
        Self { numbers: Arc::new(Numbers::There(array)), dtype, place }
    }

    fn known(here: array::Array, place: Place) -> Self {
        let dtype = here.dtype();
        Self { numbers: Arc::new(Numbers::Known { here, there: OnceLock::new() }), dtype, place }
    }

    pub(crate) fn device(&self) -> Device {
        self.place.device()
    }

    /// Bytes of an element.
    pub(crate) fn width(&self) -> usize {
        self.dtype.size()
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        match &*self.numbers {
            Numbers::There(Array::Float(x) | Array::Int(x)) => dims(x),
            Numbers::Known { here, .. } => here.shape().to_vec(),
        }
    }

    /// The numbers, as the type of the value has them.
    pub(crate) fn read<T: Stored + burn_backend::Element>(&self) -> Result<Vec<T>> {
        match &*self.numbers {
            Numbers::There(array) => self.place.guard("download", || array.read()),
            Numbers::Known { here, .. } => here.slice().map(<[T]>::to_vec),
        }
    }

    pub(crate) fn is_at_hand(&self) -> bool {
        self.as_known().is_some()
    }

    fn as_known(&self) -> Option<&array::Array> {
        match &*self.numbers {
            Numbers::There(_) => None,
            Numbers::Known { here, .. } => Some(here),
        }
    }

    /// The only number, if it is real and known here.
    fn number(&self) -> Option<f64> {
        let here = self.as_known()?;
        match (here.of::<f32>(), here.of::<f64>()) {
            (Some(&[number]), _) => Some(f64::from(number)),
            (_, Some(&[number])) => Some(number),
            _ => None,
        }
    }

    fn array(&self) -> Result<&Array> {
        const OP: &str = "upload";
        let (here, there) = match &*self.numbers {
            Numbers::There(array) => return Ok(array),
            Numbers::Known { here, there } => (here, there),
        };
        if let Some(array) = there.get() {
            return Ok(array);
        }
        let device = self.place.open(OP)?;
        let shape = physical(here.shape());
        let data = match self.dtype {
            DType::F32 => TensorData::new(here.slice::<f32>()?.to_vec(), shape),
            DType::F64 => TensorData::new(here.slice::<f64>()?.to_vec(), shape),
            DType::I64 => TensorData::new(here.slice::<i64>()?.to_vec(), shape),
        };
        let array = self.place.guard(OP, || Ok(Array::from_data(data, self.dtype, &device)))?;
        Ok(there.get_or_init(|| array))
    }
}

/// What is kept under a name, made if nothing is.
fn kept<K: Eq + std::hash::Hash>(
    all: &Kept<K>,
    name: (Place, DType, K),
    make: impl FnOnce() -> Result<DeviceValue>,
) -> Result<DeviceValue> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = all.get(&name) {
        return Ok(value.clone());
    }
    let value = make()?;
    all.insert(name, value.clone());
    Ok(value)
}

/// The identity of so many classes.
fn identity(classes: usize, dtype: DType, place: Place) -> Result<DeviceValue> {
    kept(&IDENTITIES, (place, dtype, classes), || {
        let numbers = || (0..classes * classes).map(|place| place % (classes + 1) == 0);
        let shape = [classes, classes];
        match dtype {
            DType::F64 => DeviceValue::new(numbers().map(|one| f64::from(u8::from(one))).collect(), &shape, place),
            _ => DeviceValue::new(numbers().map(|one| f32::from(u8::from(one))).collect(), &shape, place),
        }
    })
}

/// An operation of which one input is a number that is known here: the device is told it instead of given it.
fn with_number(op: &Op, inputs: &[&DeviceValue], shape: &[usize]) -> Result<Option<Array>> {
    let number = |index: usize| inputs.get(index).and_then(|input| input.number());
    let there = |index: usize| (inputs[index].shape() == physical(shape).to_vec()).then(|| inputs[index].array());
    let (array, told) = match (op, number(0), number(1)) {
        (Op::BroadcastTo { .. }, Some(number), _) => {
            let place = inputs[0].place;
            let device = place.open(op.name())?;
            return place.guard(op.name(), || Ok(Some(Array::full(number, shape, inputs[0].dtype, &device))));
        }
        (Op::Binary(Binary::Add), None, Some(value)) => (there(0), Unary::AddScalar { value }),
        (Op::Binary(Binary::Add), Some(value), None) => (there(1), Unary::AddScalar { value }),
        (Op::Binary(Binary::Sub), None, Some(value)) => (there(0), Unary::AddScalar { value: -value }),
        (Op::Binary(Binary::Mul), None, Some(value)) => (there(0), Unary::MulScalar { value }),
        (Op::Binary(Binary::Mul), Some(value), None) => (there(1), Unary::MulScalar { value }),
        _ => return Ok(None),
    };
    let Some(array) = array.transpose()? else { return Ok(None) };
    inputs[0].place.guard(op.name(), || Ok(Some(burn::evaluate(&Op::Unary(told), &[array], shape)?.0)))
}

/// Computes an operation on values of one device.
pub(crate) fn evaluate(op: &Op, inputs: &[&DeviceValue], shape: &[usize]) -> Result<(DeviceValue, Vec<DeviceValue>)> {
    let place = inputs[0].place;
    let dtype = match op {
        Op::Cast { dtype } | Op::OneHot { dtype, .. } => *dtype,
        Op::ArgMax { .. } | Op::MaxPoolIndex { .. } => DType::I64,
        _ => inputs[0].dtype,
    };
    place.allows(op.name(), dtype)?;
    let known: Option<Vec<&array::Array>> = inputs.iter().map(|input| input.as_known()).collect();
    if let Some(known) = known.filter(|_| dtype == DType::I64 || shape.iter().product::<usize>() <= FEW) {
        let (array, saved) = cpu::evaluate(op, &known, shape)?;
        let value = |array| DeviceValue::known(array, place);
        return Ok((value(array), saved.into_iter().map(value).collect()));
    }
    if let Some(array) = with_number(op, inputs, shape)? {
        return Ok((DeviceValue::there(array, dtype, place), Vec::new()));
    }
    let mut arrays = inputs.iter().map(|input| input.array()).collect::<Result<Vec<&Array>>>()?;
    let rows = match op {
        Op::OneHot { classes, dtype } => {
            if let Some(labels) = inputs[0].as_known() {
                cpu::check_rows(op, labels, *classes)?;
            }
            Some(identity(*classes, *dtype, place)?)
        }
        _ => None,
    };
    if let Some(rows) = &rows {
        arrays.push(rows.array()?);
    }
    let (array, saved) = place.guard(op.name(), || burn::evaluate(op, &arrays, shape))?;
    let value = |array: Array| DeviceValue::there(array, dtype, place);
    Ok((value(array), saved.into_iter().map(value).collect()))
}

/// A step of gradient descent: the weight after it, and the buffer if the rule has one.
pub(crate) fn descend(
    rule: &Descent,
    weight: &DeviceValue,
    gradient: &DeviceValue,
    buffer: Option<&DeviceValue>,
) -> Result<(DeviceValue, Option<DeviceValue>)> {
    let (place, dtype) = (weight.place, weight.dtype);
    if let (Some(here), Some(slope)) = (weight.as_known(), gradient.as_known())
        && buffer.is_none_or(DeviceValue::is_at_hand)
    {
        // A few numbers that stay here.
        let known = buffer.and_then(DeviceValue::as_known).cloned();
        let (mut moved, first) = (here.clone(), known.is_none());
        let mut kept = (rule.momentum != 0.0).then(|| known.unwrap_or_else(|| slope.clone()));
        cpu::descend(rule, &mut moved, slope, kept.as_mut(), first)?;
        return Ok((DeviceValue::known(moved, place), kept.map(|kept| DeviceValue::known(kept, place))));
    }
    let (weight, gradient) = (weight.array()?, gradient.array()?);
    let there = buffer.map(DeviceValue::array).transpose()?;
    let (weight, buffer) = place.guard("descent", || fused::descend(rule, weight, gradient, there))?;
    let value = |array: Array| DeviceValue::there(array, dtype, place);
    Ok((value(weight), buffer.map(value)))
}
