//! Tensors of burn's backends under one type, and which of them a call goes to. What burn has for this hides the tensor of the backend,
//! which our own kernels need.

use burn_backend::{DType, Shape, TensorMetadata};
use burn_flex::{FlexDevice, FlexTensor};

use crate::device::BurnDevice;

/// What a backend takes for a value of this type.
pub(super) trait Lower<T> {
    fn lower(self) -> T;
}

impl<T> Lower<T> for T {
    fn lower(self) -> T {
        self
    }
}

/// A line for each backend: its tensors, of whatever numbers, and its devices.
macro_rules! backends {
    ($($(#[$built:meta])? $variant:ident $tensor:ty, $device:ty;)*) => {
        /// Numbers, integers or booleans on a device.
        #[derive(Clone, Debug)]
        pub(crate) enum Tensor {
            $($(#[$built])? $variant($tensor),)*
        }

        /// A backend of this build.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Which {
            $($(#[$built])? $variant,)*
        }

        impl Which {
            pub(super) fn of(tensor: &Tensor) -> Self {
                match tensor { $($(#[$built])? Tensor::$variant(_) => Self::$variant,)* }
            }

            pub(super) fn of_device(device: &BurnDevice) -> Self {
                match device { $($(#[$built])? BurnDevice::$variant(_) => Self::$variant,)* }
            }
        }

        impl Tensor {
            pub(super) fn dtype(&self) -> DType {
                match self { $($(#[$built])? Self::$variant(tensor) => TensorMetadata::dtype(tensor),)* }
            }

            pub(super) fn shape(&self) -> Shape {
                match self { $($(#[$built])? Self::$variant(tensor) => TensorMetadata::shape(tensor),)* }
            }
        }

        $(
            $(#[$built])?
            impl From<$tensor> for Tensor {
                fn from(tensor: $tensor) -> Self {
                    Self::$variant(tensor)
                }
            }

            $(#[$built])?
            impl Lower<$tensor> for Tensor {
                fn lower(self) -> $tensor {
                    match self {
                        Self::$variant(tensor) => tensor,
                        #[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
                        other => mixed(&other),
                    }
                }
            }

            $(#[$built])?
            impl Lower<Option<$tensor>> for Option<Tensor> {
                fn lower(self) -> Option<$tensor> {
                    self.map(Lower::lower)
                }
            }

            $(#[$built])?
            impl Lower<Vec<$tensor>> for Vec<Tensor> {
                fn lower(self) -> Vec<$tensor> {
                    self.into_iter().map(Lower::lower).collect()
                }
            }

            $(#[$built])?
            impl<'a> Lower<&'a $device> for &'a BurnDevice {
                fn lower(self) -> &'a $device {
                    match self {
                        BurnDevice::$variant(device) => device,
                        #[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
                        other => mixed(other),
                    }
                }
            }
        )*
    };
}

backends! {
    Flex FlexTensor, FlexDevice;
    #[cfg(feature = "cuda")]
    Cuda burn_cubecl::tensor::CubeTensor<cubecl::cuda::CudaRuntime>, burn_cuda::CudaDevice;
    #[cfg(any(feature = "metal", feature = "vulkan"))]
    Wgpu burn_cubecl::tensor::CubeTensor<cubecl::wgpu::WgpuRuntime>, burn_wgpu::WgpuDevice;
}

impl Tensor {
    pub(super) fn device(&self) -> BurnDevice {
        match self {
            Self::Flex(_) => BurnDevice::Flex(FlexDevice),
            #[cfg(feature = "cuda")]
            Self::Cuda(tensor) => BurnDevice::Cuda(tensor.device.clone()),
            #[cfg(any(feature = "metal", feature = "vulkan"))]
            Self::Wgpu(tensor) => BurnDevice::Wgpu(tensor.device.clone()),
        }
    }
}

/// As the backends report what they are not made for; [`super::on_device`] makes an error of it.
#[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
fn mixed(other: &impl std::fmt::Debug) -> ! {
    panic!("not of the backend that computes: {other:?}")
}

/// An expression in which a name is the backend.
macro_rules! on {
    ($which:expr, $backend:ident => $result:expr) => {
        match $which {
            $crate::backend::burn_tensor::Which::Flex => {
                type $backend = burn_flex::Flex;
                $result
            }
            #[cfg(feature = "cuda")]
            $crate::backend::burn_tensor::Which::Cuda => {
                type $backend = burn_cuda::Cuda;
                $result
            }
            #[cfg(any(feature = "metal", feature = "vulkan"))]
            $crate::backend::burn_tensor::Which::Wgpu => {
                type $backend = burn_wgpu::Wgpu<f32, i32, u8>;
                $result
            }
        }
    };
}

pub(super) use on;
