//! One place for a parameter: its description, its range, its type and its default.

/// Declares the parameters of a plugin: a struct that pipelines fill in, with a default for each field.
///
/// A doc comment is the parameter's description in the schema; `#[schemars(range(..))]` is its range. What a pipeline file does not
/// give has the default; a name that is not there is an error. `#[schemars(extend("presets" = json))]` on the struct names sets of published
/// parameters, an object name -> parameters, from which a pipeline chooses by `preset: NAME`.
///
/// ```
/// pddflow_sdk::parameters! {
///     /// Parameters of a method.
///     struct Method {
///         /// Learning rate of the images.
///         #[schemars(range(min = 0.0))]
///         lr: f64 = 1.0,
///         /// Real images per class and step.
///         batch: usize = 256,
///     }
/// }
/// assert_eq!(Method::default().batch, 256);
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[$about:meta])* $vis:vis struct $name:ident {
            $($(#[$field_about:meta])* $field:ident: $type:ty = $default:expr),* $(,)?
        }
    ) => {
        #[derive(Clone, Debug, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        $(#[$about])*
        $vis struct $name {
            $($(#[$field_about])* $field: $type),*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }
    };
}
