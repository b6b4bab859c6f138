//! `cargo xtask header` writes `plugins/abi/pddflow.h`; see [`pddflow_xtask`].

use std::process::ExitCode;

fn main() -> ExitCode {
    let root = pddflow_xtask::workspace_root();
    let written = match std::env::args().nth(1).as_deref() {
        Some("header") => pddflow_xtask::header(&root)
            .and_then(|text| fs_err::write(root.join(pddflow_xtask::HEADER), text).map_err(|error| error.to_string())),
        _ => Err(format!("usage: cargo xtask header    writes {} from plugins/abi/src", pddflow_xtask::HEADER)),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{text}\n"));
            ExitCode::FAILURE
        }
    }
}
