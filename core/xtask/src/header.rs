//! `plugins/abi/pddflow.h`, by cbindgen from `plugins/abi/src` with `plugins/abi/cbindgen.toml`.

use pddflow_abi::{FIELDS, SIZES};
use std::path::Path;

/// Sources of the C header in the order in which C needs the types.
const SOURCES: [&str; 5] = ["code", "data", "header", "host", "table"];

/// The text of the header.
///
/// # Errors
/// A source that cbindgen cannot read.
pub fn header(root: &Path) -> Result<Vec<u8>, String> {
    let folder = root.join("plugins/abi");
    let mut config = cbindgen::Config::from_file(folder.join("cbindgen.toml"))?;
    config.trailer = Some(trailer());
    let builder = SOURCES.iter().fold(cbindgen::Builder::new().with_config(config), |builder, name| {
        builder.with_src(folder.join(format!("src/{name}.rs")))
    });
    let mut text = Vec::new();
    builder.generate().map_err(|error| format!("cbindgen: {error}"))?.write(&mut text);
    Ok(text)
}

/// The end of the header: what a plugin defines, and the layout of every struct as assertions.
fn trailer() -> String {
    let sizes = SIZES.iter().map(|(name, size)| assertion(&format!("sizeof(Pddflow{name}) == {size}"), name));
    let fields = FIELDS.iter().map(|(name, field, offset)| {
        assertion(&format!("offsetof(Pddflow{name}, {field}) == {offset}"), &format!("{name}.{field}"))
    });
    let assertions: String = sizes.chain(fields).collect();
    format!(
        "\
/* What a plugin defines: `PDDFLOW_EXPORT const PddflowHeader pddflow_plugin = {{...}};` */
extern PDDFLOW_VISIBLE const PddflowHeader pddflow_plugin;

#ifdef __cplusplus
}}
#define PDDFLOW_ASSERT static_assert
#else
#define PDDFLOW_ASSERT _Static_assert
#endif
{assertions}"
    )
}

fn assertion(what: &str, name: &str) -> String {
    format!("PDDFLOW_ASSERT({what}, \"{name}\");\n")
}
