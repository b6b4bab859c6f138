"""Wheels with the program in them: which machines they are for, and what the others are told."""

import importlib.util
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent.parent


@pytest.fixture
def hook() -> ModuleType:
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    spec = importlib.util.spec_from_file_location("hatch_build", HERE / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_a_machine_whose_glibc_is_too_old_refuses_the_wheel(hook: ModuleType, tmp_path: Path) -> None:
    program, plugin = tmp_path / "pddflow", tmp_path / "libpddflow_matcher_dm.so"
    program.write_bytes(b"\0GLIBC_2.17\0GLIBC_2.34\0")
    plugin.write_bytes(b"\0GLIBC_2.2.5\0GLIBC_2.99\0")
    tag = hook.tag([program, plugin])
    assert tag == f"manylinux_2_99_{platform.machine().lower()}"
    wheel = tmp_path / f"pddflow-0.1.0-py3-none-{tag}.whl"
    wheel.write_bytes(b"")
    install = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target", tmp_path / "to", wheel]
    refused = subprocess.run(install, capture_output=True, text=True)
    assert refused.returncode != 0 and "is not a supported wheel on this platform" in refused.stderr, refused.stderr
    assert not (tmp_path / "to").exists()
