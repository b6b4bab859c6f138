"""Puts the program and its plugins into the wheel.

`PDDFLOW_PROGRAM=$PWD/target/dist pip wheel ./python` makes a wheel for this platform with `target/dist/pddflow` and the plugins
beside it in `pddflow/_bin`. Without the variable the wheel is pure Python and looks for a program on the path.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLUGINS = {"linux": "libpddflow_m*.so", "darwin": "libpddflow_m*.dylib", "win32": "pddflow_m*.dll"}


COMPLETIONS = {
    "bash": "bash-completion/completions/pddflow",
    "zsh": "zsh/site-functions/_pddflow",
    "fish": "fish/vendor_completions.d/pddflow.fish",
}


class ProgramHook(BuildHookInterface):  # type: ignore[misc, type-arg]
    made: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        named = os.environ.get("PDDFLOW_PROGRAM")
        if not named or version == "editable":
            return
        folder = Path(named)
        program = folder / ("pddflow.exe" if sys.platform == "win32" else "pddflow")
        plugins = sorted(folder.glob(PLUGINS.get(sys.platform, PLUGINS["linux"])))
        if not folder.is_absolute() or not program.is_file():
            raise SystemExit(f"PDDFLOW_PROGRAM: there is no program {program}; give the absolute path of the folder that has it")
        if not plugins:
            raise SystemExit(f"PDDFLOW_PROGRAM: there are no plugins in {folder}; `cargo dist` puts them there")
        for file in [program, *plugins]:
            build_data["force_include"][str(file.resolve())] = f"pddflow/_bin/{file.name}"
        build_data["shared_data"].update(self.shared(program))
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{tag([program, *plugins])}"

    def shared(self, program: Path) -> dict[str, str]:
        """Manual pages and completions, where shells and `man` of the environment look for them."""
        folder = Path(tempfile.mkdtemp())
        self.made = folder
        subprocess.run([program, "man", "--to", folder / "man"], check=True)
        shared = {str(page): f"share/man/man1/{page.name}" for page in sorted((folder / "man").iterdir())}
        for shell, place in COMPLETIONS.items():
            script = folder / shell
            script.write_bytes(subprocess.run([program, "completions", shell], check=True, stdout=subprocess.PIPE).stdout)
            shared[str(script)] = f"share/{place}"
        return shared

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.made:
            shutil.rmtree(self.made, ignore_errors=True)


def tag(files: list[Path]) -> str:
    """The platform of the wheel: on Linux with the newest glibc whose symbols the files ask for."""
    machine = platform.machine().lower()
    if not sys.platform.startswith("linux"):
        import sysconfig

        return re.sub(r"[-.]", "_", sysconfig.get_platform())
    asked = {tuple(map(int, found)) for file in files for found in re.findall(rb"GLIBC_(\d+)\.(\d+)", file.read_bytes())}
    major, minor = max(asked, default=(2, 17))
    return f"manylinux_{major}_{minor}_{machine}"
