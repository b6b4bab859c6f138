//! Where tensors lie: the processor with the kernels of this crate, or a device of one of burn's backends, one row each.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use burn_dispatch::DispatchDevice;

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
            fn devices(self) -> &'static [DispatchDevice] {
                $(#[cfg($built)] if self == Self::$variant {
                    static FOUND: OnceLock<Vec<DispatchDevice>> = OnceLock::new();
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
    Metal "metal", built: feature = "metal", feature: Some("metal"), double: false, devices: wgpu(DispatchDevice::Metal);
    /// GPUs with a Vulkan driver.
    Vulkan "vulkan", built: all(feature = "vulkan", not(feature = "metal")), feature: Some("vulkan"), double: false,
        devices: wgpu(DispatchDevice::Vulkan);
    /// burn's own CPU backend: the code path of a GPU on any machine, for checks. Far slower than the kernels of this crate.
    Flex "flex", built: all(), feature: None, double: true, devices: vec![DispatchDevice::Flex(burn_flex::FlexDevice)];
}

impl Backend {
    /// How many devices the machine has for it; 0 without a driver, or in a build without the backend.
    #[must_use]
    pub fn count(self) -> usize {
        self.devices().len()
    }

    /// A device by its number.
    pub(crate) fn device(self, index: usize) -> Option<DispatchDevice> {
        self.devices().get(index).cloned()
    }
}

/// What a backend lists; a driver that is missing makes some panic.
fn found(list: impl FnOnce() -> Vec<DispatchDevice>) -> Vec<DispatchDevice> {
    catch_unwind(AssertUnwindSafe(list)).unwrap_or_default()
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
    /// What results depend on: the backend, and not which of its devices. It enters keys.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Burn(backend, _) => backend.name(),
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

#[cfg(feature = "cuda")]
fn cuda() -> Vec<DispatchDevice> {
    numbered(|index| DispatchDevice::Cuda(burn_cuda::CudaDevice::new(index)))
}

/// Discrete GPUs, then integrated and virtual ones, then software.
#[cfg(any(feature = "vulkan", feature = "metal"))]
fn wgpu(device: impl Fn(burn_wgpu::WgpuDevice) -> DispatchDevice) -> Vec<DispatchDevice> {
    use burn_wgpu::WgpuDevice;
    let kinds: [fn(usize) -> WgpuDevice; 4] =
        [WgpuDevice::DiscreteGpu, WgpuDevice::IntegratedGpu, WgpuDevice::VirtualGpu, |_| WgpuDevice::Cpu];
    kinds.into_iter().flat_map(|kind| numbered(|index| device(kind(index)))).collect()
}

/// All devices of a kind.
#[cfg(any(feature = "cuda", feature = "vulkan", feature = "metal"))]
fn numbered(device: impl Fn(usize) -> DispatchDevice) -> Vec<DispatchDevice> {
    use burn_backend::{Backend as _, DeviceOps as _};
    let count = burn_dispatch::Dispatch::device_count(device(0).id().type_id);
    (0..count).map(device).collect()
}
