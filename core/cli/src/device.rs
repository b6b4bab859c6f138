//! The device that the user asks for, and the one that there is.

use crate::problem::Problem;
use pddflow_nodes::{Backend, Device, visible_gpus};
use std::str::FromStr;

/// What `--device` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    /// The first GPU of the build and the machine, or else the processor.
    Auto,
    Cpu,
    /// Without a number all that there are: each node that asks for one gets its own.
    Backend(Backend, Option<usize>),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, index) = text.split_once(':').map_or((text, None), |(name, index)| (name, Some(index)));
        let known = || {
            let backends = Backend::ALL.iter().map(|backend| format!("`{}`", backend.name()));
            backends.collect::<Vec<_>>().join(", ")
        };
        match name {
            "auto" | "cpu" if text != name => Err(format!("`{name}` has no number")),
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            _ => {
                let backend = Backend::ALL.iter().find(|backend| backend.name() == name);
                let backend = backend.ok_or_else(|| format!("write `auto`, `cpu` or one of {}", known()))?;
                let number =
                    |text: &str| text.parse().map_err(|_| format!("`{text}` is no number of a device, such as 0"));
                Ok(Self::Backend(*backend, index.map(number).transpose()?))
            }
        }
    }
}

impl DeviceChoice {
    /// The device, if this build and the machine have it; of several the first.
    pub(crate) fn resolve(self) -> Result<Device, Problem> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(best_of(Backend::ALL)),
            Self::Backend(backend, index) => {
                if !backend.is_built() {
                    return Err(not_built(backend));
                }
                let (index, count) = (index.unwrap_or(0), backend.count());
                if index < count { Ok(Device::Burn(backend, index)) } else { Err(missing(backend, index, count)) }
            }
        }
    }

    /// How many graphics processors nodes have between them in a run on the device that this is.
    pub(crate) fn gpus(self, device: &Device) -> u32 {
        let count = match (self, device) {
            (Self::Backend(_, Some(_)), _) => 1,
            (_, Device::Burn(backend, _)) if device.is_gpu() => backend.count(),
            // For programs of `command`.
            _ => visible_gpus(),
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// The first GPU there is. A driver that computes on the processor is none.
fn best_of(backends: &[Backend]) -> Device {
    let gpu = backends.iter().find(|backend| backend.hardware_count() > 0);
    gpu.map_or(Device::Cpu, |&backend| Device::Burn(backend, 0))
}

fn not_built(backend: Backend) -> Problem {
    let name = backend.name();
    let help = format!(
        "build one that has it: `cargo build --release --features pddflow-cli/{}`; or choose `--device cpu`",
        backend.feature().unwrap_or(name)
    );
    Problem::usage("device", format!("this build of pddflow does not have the device `{name}`")).with_help(help)
}

fn missing(backend: Backend, index: usize, count: usize) -> Problem {
    let name = backend.name();
    let (message, help) = match count {
        0 => (
            format!("no device for `{name}` is found on this machine"),
            "check that its driver is installed and that the device is visible to this process (CUDA_VISIBLE_DEVICES); \
             `pddflow doctor` lists what is found"
                .to_owned(),
        ),
        1 => (format!("there is no device `{name}:{index}`"), format!("the only one is `{name}:0`")),
        _ => (format!("there is no device `{name}:{index}`"), format!("there are `{name}:0` to `{name}:{}`", count - 1)),
    };
    Problem::usage("device", message).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_with_an_optional_number() {
        let read = |text: &str| text.parse::<DeviceChoice>();
        assert_eq!(read("auto"), Ok(DeviceChoice::Auto));
        assert_eq!(read("cpu"), Ok(DeviceChoice::Cpu));
        assert_eq!(read("cuda"), Ok(DeviceChoice::Backend(Backend::Cuda, None)));
        assert_eq!(read("vulkan:3"), Ok(DeviceChoice::Backend(Backend::Vulkan, Some(3))));
        for (text, reason) in [
            ("gpu", "one of `cuda`"),
            ("cpu:1", "has no number"),
            ("cuda:x", "no number of a device"),
            ("cuda:-1", "no number"),
        ] {
            assert!(read(text).unwrap_err().contains(reason), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let text = |problem: Problem| format!("{problem:?}");
        assert!(text(missing(Backend::Cuda, 0, 0)).contains("driver"));
        assert!(text(missing(Backend::Cuda, 1, 1)).contains("the only one is `cuda:0`"));
        assert!(text(missing(Backend::Cuda, 9, 4)).contains("`cuda:0` to `cuda:3`"));
        assert!(text(not_built(Backend::Vulkan)).contains("--features pddflow-cli/vulkan"));
        assert_eq!(DeviceChoice::Backend(Backend::Flex, None).resolve().unwrap(), Device::Burn(Backend::Flex, 0));
        assert!(DeviceChoice::Backend(Backend::Flex, Some(1)).resolve().is_err());
        // A build without a GPU's backend computes on the processor, and never on the slow backend for checks.
        assert_eq!(best_of(&[Backend::Flex]), Device::Cpu);
    }
}
