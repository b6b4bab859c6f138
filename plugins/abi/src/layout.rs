//! Size and offset of every struct, checked here at compile time and in C by the assertions at the end of `pddflow.h`.
//!
//! Changing a number that has been released is a breaking change; appending is not.

use crate::{
    ArenaGroup, Call, ConfigGroup, ConvArguments, CoreGroup, DeclareGroup, DecodeArguments, Descriptor, DistillGroup,
    ForwardArguments, ForwardResult, GradGroup, GroupedConvArguments, Header, Host, InfoGroup, IterateArguments,
    LearnableDeclaration, LinearGroup, LogGroup, MakeGroup, MapGroup, MatcherTable, ModelGroup, ModelTable,
    NamedTensor, NormArguments, PoolArguments, Problem, RandomGroup, RandomKey, ReadGroup, ReduceGroup, SegmentRequest,
    SetRequest, ShapeGroup, Text, TextList, TrainRequest, WeightDeclaration, WeightInfo,
};

macro_rules! layout {
    ($($name:ident $size:literal { $($field:ident $offset:literal)* })*) => {
        $(
            const _: () = assert!(core::mem::size_of::<$name>() == $size);
            $(const _: () = assert!(core::mem::offset_of!($name, $field) == $offset);)*
        )*
        /// Name and size in bytes of each struct.
        pub const SIZES: &[(&str, usize)] = &[$((stringify!($name), $size)),*];
        /// Struct, field and offset in bytes of each field.
        pub const FIELDS: &[(&str, &str, usize)] = &[$($((stringify!($name), stringify!($field), $offset),)*)*];
    };
}

layout! {
    Text 16 { data 0 length 8 }
    TextList 16 { items 0 count 8 }
    RandomKey 32 { words 0 }
    NamedTensor 24 { name 0 tensor 16 }
    Problem 128 { size 0 dtype 4 classes 8 channels 16 height 24 width 32 ipc 40 iterations 48 learnable_rows 56 mean 64 std 72 minimum 80 maximum 88 seed_key 96 }
    WeightDeclaration 56 { size 0 kind 4 name 8 shape 24 rank 32 init 40 reserved 44 init_value 48 }
    WeightInfo 40 { size 0 kind 4 name 8 shape 24 rank 32 }
    LearnableDeclaration 112 { size 0 kind 4 name 8 shape 24 rank 32 init 40 space 44 init_value 48 lr 56 momentum 64 weight_decay 72 clamp_low 80 clamp_high 88 floor 96 first 104 }
    ForwardArguments 64 { size 0 mode 4 weights 8 weight_count 16 images 24 key 32 }
    ForwardResult 96 { size 0 reserved 4 logits 8 features 16 maps 24 map_capacity 32 map_count 40 statistics 48 statistic_capacity 56 statistic_count 64 moments 72 moment_capacity 80 moment_count 88 }
    DecodeArguments 32 { size 0 reserved 4 problem 8 learnables 16 learnable_count 24 }
    IterateArguments 56 { size 0 reserved 4 problem 8 iteration 16 key 24 }
    ConvArguments 64 { size 0 reserved 4 x 8 weight 16 bias 24 stride 32 padding 48 }
    GroupedConvArguments 104 { size 0 reserved 4 x 8 weight 16 bias 24 stride 32 padding 48 dilation 64 groups 80 output_padding 88 }
    PoolArguments 48 { size 0 kind 4 x 8 kernel 16 stride 32 }
    NormArguments 56 { size 0 kind 4 x 8 weight 16 bias 24 mean 32 variance 40 epsilon 48 }
    SetRequest 56 { size 0 part 4 class_index 8 limit 16 key 24 }
    SegmentRequest 64 { size 0 reserved 4 min_start 8 max_start 16 length 24 key 32 }
    TrainRequest 160 { size 0 source 4 images 8 labels 16 samples 24 epochs 32 batch 40 lr 48 momentum 56 weight_decay 64 augment 72 cutmix 88 key 96 weights 128 weight_count 136 buffers 144 buffer_count 152 }
    Header 104 { magic 0 size 8 abi_major 12 abi_minor 16 host_minor 20 flags 24 sdk_name 32 sdk_version 48 target 64 descriptors 80 descriptor_count 88 open 96 }
    Descriptor 128 { size 0 role 4 id 8 version 24 summary 40 schema 56 schema_text 72 required 80 optional 96 table 112 revision 120 reserved 124 }
    Call 16 { size 0 reserved 4 host 8 }
    Host 136 { size 0 abi_minor 4 core 8 log 16 config 24 make 32 info 40 read 48 map 56 reduce 64 shape 72 linear 80 grad 88 random 96 model 104 arena 112 declare 120 distill 128 }
    CoreGroup 64 { size 0 revision 4 version 8 supports 16 has 24 fail 32 error 40 cancelled 48 budget 56 }
    LogGroup 24 { size 0 revision 4 message 8 metric 16 }
    ConfigGroup 16 { size 0 revision 4 json 8 }
    MakeGroup 40 { size 0 revision 4 from_bytes 8 full 16 arange 24 cast 32 }
    InfoGroup 48 { size 0 revision 4 dtype 8 rank 16 shape 24 elements 32 on_tape 40 }
    ReadGroup 24 { size 0 revision 4 bytes 8 scalar 16 }
    MapGroup 32 { size 0 revision 4 unary 8 binary 16 select 24 }
    ReduceGroup 16 { size 0 revision 4 over 8 }
    ShapeGroup 112 { size 0 revision 4 reshape 8 permute 16 broadcast 24 slice 32 pad 40 flip 48 concat 56 stack 64 gather 72 scatter_add 80 one_hot 88 top_k 96 take_along 104 }
    LinearGroup 104 { size 0 revision 4 matmul 8 affine 16 conv2d 24 pool2d 32 norm 40 log_softmax 48 cross_entropy 56 resize 64 solve 72 conv2d_grouped 80 conv_transpose2d 88 grid_sample 96 }
    GradGroup 32 { size 0 revision 4 variable 8 detach 16 gradient 24 }
    RandomGroup 64 { size 0 revision 4 fold 8 fold_text 16 uniform 24 normal 32 permutation 40 choose 48 below 56 }
    ModelGroup 64 { size 0 revision 4 count 8 weight 16 fresh 24 forward 32 map_name 40 models 48 choose 56 }
    ArenaGroup 56 { size 0 revision 4 release 8 open_scope 16 close_scope 24 live 32 tape_bytes 40 tape_budget 48 }
    DeclareGroup 72 { size 0 revision 4 weight 8 learnable 16 need 24 recipe 32 output 40 identity 48 input 56 input_tensor 64 }
    DistillGroup 152 { size 0 revision 4 problem 8 class_size 16 real_batch 24 set 32 learnable 40 step 48 assign 56 start_weights 64 trajectory 72 train 80 state_get 88 state_put 96 save_point 104 roll_back 112 augment 120 choose_rows 128 real_rows 136 train_by 144 }
    ModelTable 40 { size 0 reserved 4 create 8 destroy 16 weights 24 forward 32 }
    MatcherTable 56 { size 0 reserved 4 create 8 destroy 16 describe 24 iterate 32 decode 40 identify 48 }
}
