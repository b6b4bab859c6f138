//! Where tensors lie: the processor with the kernels of this crate, or a device of one of burn's backends, one row each.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use burn_flex::FlexDevice;

/// `name` is that of the option `--device`, `built` whether this build has it, `feature` the cargo feature that adds it, `double`
/// whether it computes in double precision, and `devices` lists what the machine has.
macro_rules! backends {
    ($($(#[$doc:meta])* $variant:ident $name:literal, built: $built:meta, feature: $feature:expr, double: $double:literal,
        devices: $devices:expr;)*) => {
        /// A backend of burn.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Backend {
            $($(#[$doc])* $variant,)*
        }

        impl Backend {
            /// All that this crate knows, the fastest first.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in options, keys and records.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether this build has it.
            #[must_use]
            pub fn is_built(self) -> bool {
                match self { $(Self::$variant => cfg!($built),)* }
            }

            /// The cargo feature that adds it; `None` if every build has it.
            #[must_use]
            pub fn feature(self) -> Option<&'static str> {
                match self { $(Self::$variant => $feature,)* }
            }

            /// Whether it computes in double precision.
            #[must_use]
            pub fn has_double(self) -> bool {
                match self { $(Self::$variant => $double,)* }
            }

            /// The devices that the machine has, looked for once: it opens a driver.
            fn devices(self) -> &'static [Found] {
                $(#[cfg($built)] if self == Self::$variant {
                    static FOUND: OnceLock<Vec<Found>> = OnceLock::new();
                    return FOUND.get_or_init(|| found(|| $devices));
                })*
                &[]
            }
        }
    };
}

backends! {
    /// NVIDIA GPUs.
    Cuda "cuda", built: feature = "cuda", feature: Some("cuda"), double: false, devices: cuda();
    /// Apple GPUs.
    Metal "metal", built: feature = "metal", feature: Some("metal"), double: false, devices: wgpu();
    /// GPUs with a Vulkan driver.
    Vulkan "vulkan", built: all(feature = "vulkan", not(feature = "metal")), feature: Some("vulkan"), double: false, devices: wgpu();
    /// burn's own CPU backend: the code path of a GPU on any machine, for checks. Far slower than the kernels of this crate.
    Flex "flex", built: all(), feature: None, double: true, devices: flex();
}

impl Backend {
    /// How many devices the machine has for it; 0 without a driver, or in a build without the backend.
    #[must_use]
    pub fn count(self) -> usize {
        self.devices().len()
    }

    /// How many of these are hardware: the first ones. The others are drivers that compute on the processor, slower than it.
    #[must_use]
    pub fn hardware_count(self) -> usize {
        self.devices().iter().filter(|found| !found.is_software).count()
    }

    /// A device by its number.
    pub(crate) fn device(self, index: usize) -> Option<BurnDevice> {
        self.devices().get(index).map(|found| found.device.clone())
    }

    /// What a device is sold as, with all else that its numbers depend on; empty for the processor.
    #[must_use]
    pub fn model(self, index: usize) -> &'static str {
        self.devices().get(index).map_or("", |found| &found.model)
    }
}

/// A device as its backend knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BurnDevice {
    Flex(FlexDevice),
    #[cfg(feature = "cuda")]
    Cuda(burn_cuda::CudaDevice),
    #[cfg(any(feature = "metal", feature = "vulkan"))]
    Wgpu(burn_wgpu::WgpuDevice),
}

/// A device of the machine.
struct Found {
    device: BurnDevice,
    model: String,
    is_software: bool,
}

/// What a backend lists; a driver that is missing makes some panic.
fn found(list: impl FnOnce() -> Vec<Found>) -> Vec<Found> {
    catch_unwind(AssertUnwindSafe(list)).unwrap_or_default()
}

/// The backend with the models of some of its devices, each once.
fn class(backend: &str, models: impl IntoIterator<Item = &'static str>) -> String {
    let mut models: Vec<&str> = models.into_iter().filter(|model| !model.is_empty()).collect();
    models.sort_unstable();
    models.dedup();
    [&[backend], &models[..]].concat().join(", ").replacen(", ", " ", 1)
}

/// Where a tensor lies and is computed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Device {
    /// The processor, by the kernels of this crate.
    #[default]
    Cpu,
    /// A device of a backend, by its number.
    Burn(Backend, usize),
}

impl Device {
    /// What results depend on: the backend and the model, and not which of several alike. It enters keys. Nodes may compute on any device
    /// from this one on: where these are of several models, all are named.
    #[must_use]
    pub fn class(&self) -> String {
        match self {
            Self::Cpu => "cpu".to_owned(),
            Self::Burn(backend, index) => {
                class(backend.name(), (*index..backend.count()).map(|index| backend.model(index)))
            }
        }
    }

    /// Whether it is a graphics processor.
    #[must_use]
    pub fn is_gpu(&self) -> bool {
        matches!(self, Self::Burn(backend, _) if backend.feature().is_some())
    }

    /// Whether double precision can be computed there.
    #[must_use]
    pub fn has_double(&self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Burn(backend, _) => backend.has_double(),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Burn(backend, index) => write!(f, "{}:{index}", backend.name()),
        }
    }
}

fn flex() -> Vec<Found> {
    vec![Found { device: BurnDevice::Flex(FlexDevice), model: String::new(), is_software: true }]
}

#[cfg(feature = "cuda")]
fn cuda() -> Vec<Found> {
    let model = |index| {
        use cudarc::driver::{CudaContext, sys::CUdevice_attribute as Attribute};
        let device = CudaContext::new(index).ok()?;
        let of = |attribute| device.attribute(attribute).ok();
        let major = of(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = of(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        Some(format!("{} sm_{major}{minor}", device.name().ok()?))
    };
    let found = |device: burn_cuda::CudaDevice| Found {
        model: model(device.index).unwrap_or_default(),
        device: BurnDevice::Cuda(device),
        is_software: false,
    };
    numbered::<burn_cuda::Cuda>(burn_cuda::CudaDevice::new).into_iter().map(found).collect()
}

/// Discrete GPUs, then integrated and virtual ones, then software.
#[cfg(any(feature = "vulkan", feature = "metal"))]
fn wgpu() -> Vec<Found> {
    use burn_wgpu::{WgpuDevice, graphics::AutoGraphicsApi};
    let kinds: [fn(usize) -> WgpuDevice; 4] =
        [WgpuDevice::DiscreteGpu, WgpuDevice::IntegratedGpu, WgpuDevice::VirtualGpu, |_| WgpuDevice::Cpu];
    let one = |adapter: WgpuDevice| {
        // Opened here, where the driver says what it is; one that cannot be opened is none.
        let open = || burn_wgpu::init_setup::<AutoGraphicsApi>(&adapter, Default::default()).adapter.get_info();
        let about = catch_unwind(AssertUnwindSafe(open)).ok()?;
        Some(Found {
            is_software: adapter == WgpuDevice::Cpu,
            device: BurnDevice::Wgpu(adapter),
            model: format!("{} {}", about.name, about.driver_info).trim().to_owned(),
        })
    };
    kinds.into_iter().flat_map(numbered::<burn_wgpu::Wgpu>).filter_map(one).collect()
}

/// All devices of a kind.
#[cfg(any(feature = "cuda", feature = "vulkan", feature = "metal"))]
fn numbered<B: burn_backend::Backend>(device: impl Fn(usize) -> B::Device) -> Vec<B::Device> {
    use burn_backend::DeviceOps as _;
    (0..B::device_count(device(0).id().type_id)).map(device).collect()
}

/// The first device of every backend that this build and the machine have, for tests. burn's CPU backend is always there.
#[cfg(test)]
pub(crate) fn devices() -> Vec<Device> {
    let found: Vec<Device> =
        Backend::ALL.iter().filter(|backend| backend.count() > 0).map(|&backend| Device::Burn(backend, 0)).collect();
    #[expect(clippy::print_stdout, reason = "what a test ran on")]
    for device in &found {
        println!("on {}", device.class());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_names_each_model_once() {
        assert_eq!(Device::Cpu.class(), "cpu");
        assert_eq!(Device::Burn(Backend::Flex, 0).class(), "flex");
        let two = ["H200 sm_90", "A100 sm_80", "H200 sm_90"];
        assert_eq!(class("cuda", two), "cuda A100 sm_80, H200 sm_90");
        assert_eq!(class("cuda", two[2..].iter().copied()), "cuda H200 sm_90");
    }
}
