#![doc = include_str!("../DESIGN.md")]
#![no_std]
#![deny(missing_docs)]

mod code;
mod data;
mod header;
mod host;
mod layout;
mod table;

pub use code::{
    Draw, Dtype, Flag, InitKind, LearnableInitKind, LearnableKind, LogLevel, Mode, Need, Norm, Op, Optimizer, Output,
    Pool, Role, SetPart, Space, Status, TrainSource, WeightKind,
};
pub use data::{
    ConvArguments, DecodeArguments, ForwardArguments, ForwardResult, GroupedConvArguments, IterateArguments,
    LearnableDeclaration, NamedTensor, NormArguments, PoolArguments, Problem, RandomKey, SegmentRequest, SetRequest,
    Tensor, Text, TextList, TrainRequest, WeightDeclaration, WeightInfo,
};
pub use header::{ABI_MAJOR, ABI_MINOR, CAPABILITIES, Descriptor, HEADER_MANDATORY, Header, MAGIC};
pub use header::{MAX_ID_BYTES, MAX_LISTED, MAX_SCHEMA_BYTES, MAX_TEXT_BYTES, SYMBOL};
pub use host::{
    ArenaGroup, Call, ConfigGroup, CoreGroup, DeclareGroup, DistillGroup, GradGroup, Host, InfoGroup, LinearGroup,
    LogGroup, MakeGroup, MapGroup, ModelGroup, RandomGroup, ReadGroup, ReduceGroup, ShapeGroup,
};
pub use layout::{FIELDS, SIZES};
pub use table::{MatcherTable, ModelTable};
