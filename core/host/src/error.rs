//! Why a plugin could not be loaded or used.

use crate::environment::EnvironmentError;
use pddflow_abi::Status;
use std::path::{Path, PathBuf};

/// Every diagnostic of the boundary; the words of `plugin::...` codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// A file or id that does not exist.
    NotFound,
    /// Not a library, of another machine, or cut short.
    NotALibrary,
    /// A symbol that the loader cannot find.
    Unresolved,
    /// The header symbol is missing.
    NoEntry,
    /// The header is not one.
    NotPddflow,
    /// Other major version.
    AbiMajor,
    /// Minor versions do not overlap.
    AbiMinor,
    /// A required capability is absent.
    Capability,
    /// Endianness, pointer width, or aborts on panic.
    Build,
    /// A struct is too small.
    TableSize,
    /// A function that is NULL or not code of the library.
    NullFunction,
    /// A text of a descriptor is malformed.
    Descriptor,
    /// The parameter schema is not a JSON schema.
    Schema,
    /// Two plugins with one id.
    Duplicate,
    /// Links what a plugin must not.
    ForbiddenDependency,
    /// `open` took long.
    OpenTimeout,
    /// `open` or `create` refused.
    Refused,
    /// The plugin panicked.
    Panicked,
    /// Parameters that do not fit the schema.
    Config,
    /// What the plugin returned breaks the contract.
    Contract,
    /// See [`Status::InvalidArgument`].
    InvalidArgument,
    /// See [`Status::BadHandle`].
    BadHandle,
    /// See [`Status::Shape`].
    Shape,
    /// See [`Status::Dtype`].
    Dtype,
    /// See [`Status::Unsupported`].
    Unsupported,
    /// See [`Status::Numeric`].
    Numeric,
    /// See [`Status::Cancelled`].
    Cancelled,
    /// See [`Status::OutOfMemory`].
    OutOfMemory,
    /// See [`Status::WrongThread`].
    WrongThread,
    /// The plugin could not go on, for a reason of its own.
    Failed,
    /// A fault of the host.
    Internal,
    /// A file could not be read or copied.
    Io,
}

impl Code {
    /// The diagnostic code.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NotFound => "plugin::not_found",
            Self::NotALibrary => "plugin::not_a_library",
            Self::Unresolved => "plugin::unresolved",
            Self::NoEntry => "plugin::no_entry",
            Self::NotPddflow => "plugin::not_pddflow",
            Self::AbiMajor => "plugin::abi_major",
            Self::AbiMinor => "plugin::abi_minor",
            Self::Capability => "plugin::capability",
            Self::Build => "plugin::build",
            Self::TableSize => "plugin::table_size",
            Self::NullFunction => "plugin::null_function",
            Self::Descriptor => "plugin::descriptor",
            Self::Schema => "plugin::schema",
            Self::Duplicate => "plugin::duplicate",
            Self::ForbiddenDependency => "plugin::forbidden_dependency",
            Self::OpenTimeout => "plugin::open_timeout",
            Self::Refused => "plugin::refused",
            Self::Panicked => "plugin::panicked",
            Self::Config => "plugin::config",
            Self::Contract => "plugin::contract",
            Self::InvalidArgument => "plugin::invalid_argument",
            Self::BadHandle => "plugin::bad_handle",
            Self::Shape => "plugin::shape",
            Self::Dtype => "plugin::dtype",
            Self::Unsupported => "plugin::unsupported",
            Self::Numeric => "plugin::numeric",
            Self::Cancelled => "plugin::cancelled",
            Self::OutOfMemory => "plugin::out_of_memory",
            Self::WrongThread => "plugin::wrong_thread",
            Self::Failed => "plugin::failed",
            Self::Internal => "plugin::internal",
            Self::Io => "plugin::io",
        }
    }

    /// The status of a number other than `Ok`, and its code; an unknown number is `Internal`.
    pub(crate) fn of_status(status: i32) -> (Status, Self) {
        [
            (Status::InvalidArgument, Self::InvalidArgument),
            (Status::BadHandle, Self::BadHandle),
            (Status::Shape, Self::Shape),
            (Status::Dtype, Self::Dtype),
            (Status::Unsupported, Self::Unsupported),
            (Status::Config, Self::Config),
            (Status::Numeric, Self::Numeric),
            (Status::Cancelled, Self::Cancelled),
            (Status::OutOfMemory, Self::OutOfMemory),
            (Status::WrongThread, Self::WrongThread),
            (Status::Panic, Self::Panicked),
        ]
        .into_iter()
        .find(|(known, _)| *known as i32 == status)
        .unwrap_or((Status::Internal, Self::Internal))
    }

    /// The code when the plugin, not a function of the host, gave the status.
    pub(crate) fn of_plugin(self) -> Self {
        if self == Self::Internal { Self::Failed } else { self }
    }

    /// Advice that holds for every error of this code.
    fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::NotALibrary => {
                "build the plugin for this machine, as a dynamic library (`crate-type = [\"cdylib\"]`)"
            }
            Self::Unresolved => "link the library that defines the symbol into the plugin",
            Self::NoEntry => {
                "a plugin exports `pddflow_plugin`: use the macro `plugin!` and `crate-type = [\"cdylib\"]`"
            }
            Self::NotPddflow => "the symbol `pddflow_plugin` is not the header of a plugin: fill it as in pddflow.h",
            Self::AbiMajor | Self::AbiMinor => {
                "rebuild the plugin against this version of pddflow, or use the version it was built for"
            }
            Self::Capability => "use a newer pddflow, or a version of the plugin that does without",
            Self::Build => {
                "build the plugin with `panic = \"unwind\"` for this machine and set the flags of the header"
            }
            Self::TableSize => "set `size` to `sizeof` of the struct, and build against the pddflow.h of this version",
            Self::NullFunction => "every function of the table must be set, except those marked optional in pddflow.h",
            Self::Descriptor => "ids are [a-z][a-z0-9-]*, at most 64 bytes; texts are UTF-8 of bounded length",
            Self::Schema => "the schema must be a JSON schema of an object",
            Self::Duplicate => "remove one of the files from the search path, or list only one under `plugins:`",
            Self::Panicked => "this is a bug of the plugin: report it to its author with the text above",
            Self::BadHandle => "tensors live until the call ends or they are released; never keep one",
            Self::WrongThread => {
                "host functions may only be used on the thread that entered the plugin, with the call it was given"
            }
            Self::OutOfMemory => "release tensors or use scopes in long loops",
            Self::Numeric => "lower the learning rate, or look at the data for values that are not finite",
            Self::Failed => {
                "this is the plugin's own error: see what it says of its parameters, or report it to its author"
            }
            Self::Internal => "report this with the text above",
            _ => return None,
        })
    }
}

/// Why a plugin could not be loaded or used.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.text())]
pub struct PluginError(Box<Details>);

#[derive(Debug)]
struct Details {
    code: Code,
    message: String,
    help: Option<String>,
    file: Option<PathBuf>,
    environment: Option<EnvironmentError>,
}

impl Details {
    fn text(&self) -> String {
        match &self.file {
            Some(file) => format!("{}: {}", file.display(), self.message),
            None => self.message.clone(),
        }
    }
}

impl PluginError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Details { code, message: message.into(), help: None, file: None, environment: None }))
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Says which operation gave the first number that is not finite: what the same call says when each of them is looked at.
    pub(crate) fn because_of(mut self, first: &Self) -> Self {
        let message = &first.0.message;
        let own = message.split_once("failed: ").map_or(message.as_str(), |(_, own)| own);
        self.0.message = format!("{}; the first of it: {own}", self.0.message);
        self
    }

    /// Whether a number is not finite.
    pub(crate) fn is_numeric(&self) -> bool {
        self.0.code == Code::Numeric || self.code().ends_with("not_finite")
    }

    pub(crate) fn with_file(mut self, file: &Path) -> Self {
        self.0.file = Some(file.to_path_buf());
        self
    }

    pub(crate) fn with_environment(mut self, cause: EnvironmentError) -> Self {
        self.0.environment = Some(cause);
        self
    }

    /// Diagnostic code: `plugin::...`, or that of the environment when what failed was asked of it.
    #[must_use]
    pub fn code(&self) -> &str {
        self.0.environment.as_ref().map_or(self.0.code.text(), |cause| &cause.code)
    }

    /// What failed; lower case, no full stop.
    #[must_use]
    pub fn message(&self) -> String {
        self.0.text()
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let cause = self.0.environment.as_ref().and_then(|cause| cause.help.clone());
        cause.or_else(|| self.0.help.clone()).or_else(|| self.0.code.advice().map(str::to_owned))
    }

    /// The file of the plugin, if one is to blame.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// Whether nothing failed but the run was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.code == Code::Cancelled || self.0.environment.as_ref().is_some_and(|cause| cause.cancelled)
    }
}

impl From<PluginError> for EnvironmentError {
    fn from(error: PluginError) -> Self {
        Self {
            help: error.help(),
            cancelled: error.is_cancelled(),
            source: None,
            ..Self::new(error.code(), error.to_string())
        }
    }
}

/// A fault inside one host function: what the plugin gets as a status and the call keeps as text.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) status: Status,
    pub(crate) message: String,
    pub(crate) environment: Option<Box<EnvironmentError>>,
}

impl Fault {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), environment: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Status::InvalidArgument, message)
    }
}

impl From<pddflow_tensor::TensorError> for Fault {
    fn from(error: pddflow_tensor::TensorError) -> Self {
        use pddflow_tensor::TensorError as E;
        let status = match &error {
            E::Shape { .. } => Status::Shape,
            E::DType { .. } => Status::Dtype,
            E::Internal { .. } => Status::Internal,
            E::NotFinite { .. } | E::NotPositiveDefinite { .. } => Status::Numeric,
            E::Size { .. } | E::Memory { .. } => Status::OutOfMemory,
            _ => Status::InvalidArgument,
        };
        Self::new(status, error.to_string())
    }
}

impl From<EnvironmentError> for Fault {
    fn from(error: EnvironmentError) -> Self {
        let status = if error.cancelled { Status::Cancelled } else { Status::Internal };
        Self { status, message: error.message.clone(), environment: Some(Box::new(error)) }
    }
}

impl From<PluginError> for Fault {
    fn from(error: PluginError) -> Self {
        EnvironmentError::from(error).into()
    }
}
