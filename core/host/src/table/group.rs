//! The form that all functions of the host have.

use super::shared::Give;
pub(super) use pddflow_abi::Call;

/// The place for a result of a type.
pub(super) type Place<T> = <T as Give>::Place;

/// A group's table with its functions, as the boundary names and orders their arguments.
///
/// `enter fn name(state, arguments) -> Result { body }` is the C function `name(call, arguments, out)`: the body runs with the state of the
/// call, by `call::enter` or `call::enter_always`; its value is stored through `out`. Without a result there is no `out`. The functions named
/// behind `and` are written out elsewhere.
macro_rules! group {
    ($TABLE:ident: $Group:ident, $name:literal, revision $revision:literal $(, and $other:ident)*; $(
        $enter:ident fn $function:ident($state:ident $(, $argument:ident: $type:ty)* $(,)?) $(-> $Result:ty)? $body:block
    )*) => {
        pub(super) static $TABLE: pddflow_abi::$Group = pddflow_abi::$Group {
            size: size_of::<pddflow_abi::$Group>() as u32,
            revision: $revision,
            $($other: Some($other),)*
            $($function: Some($function),)*
        };
        $(
            extern "C" fn $function(
                call: *mut $crate::table::group::Call,
                $($argument: $type,)*
                $(out: $crate::table::group::Place<$Result>,)?
            ) -> i32 {
                $enter(call, concat!($name, ".", stringify!($function)), |$state| {
                    let result = $body;
                    $crate::table::shared::Give::give(
                        result,
                        $state,
                        ($({ let place: $crate::table::group::Place<$Result> = out; place })?),
                    )
                })
            }
        )*
    };
}
pub(super) use group;
