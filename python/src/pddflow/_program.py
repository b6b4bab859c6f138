"""The program: where it is, and how it is called."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ._errors import ProgramError

_NAME = "pddflow.exe" if sys.platform == "win32" else "pddflow"
_PACKED = Path(__file__).parent / "_bin" / _NAME


def find_program() -> Path:
    """The program, from the first of these places that has it: the environment variable `PDDFLOW`, this package (where it was
    installed from a wheel with the program), the search path.

    Raises:
        ProgramError: it is in none of them.
    """
    named = os.environ.get("PDDFLOW")
    if named:
        program = Path(named).absolute()
        if not program.is_file():
            raise ProgramError(f"PDDFLOW is `{named}`, and there is no such file")
        return program
    if _PACKED.is_file():
        return _PACKED
    found = _on_path()
    if found is None:
        raise ProgramError(
            f"the program `{_NAME}` was not found: neither in this package ({_PACKED.parent}) nor on the search path. "
            "Build it by `cargo build --release` and put target/release on the path, or set PDDFLOW to the file"
        )
    return found


def _on_path() -> Path | None:
    """The first program on the search path that is not the command of this package, a script that would find itself."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which(_NAME, path=folder) if folder else None
        if found is not None and not _is_own_command(Path(found)):
            return Path(found).absolute()
    return None


def _is_own_command(file: Path) -> bool:
    if sys.platform == "win32":
        return file.parent.resolve() == Path(sysconfig.get_path("scripts")).resolve()
    with file.open("rb") as opened:
        return opened.read(2) == b"#!"


def main() -> NoReturn:
    """The command `pddflow`: becomes the program."""
    try:
        program = find_program()
    except ProgramError as error:
        print(f"pddflow: {error}", file=sys.stderr)
        raise SystemExit(4) from error
    arguments = [str(program), *sys.argv[1:]]
    if sys.platform == "win32":
        raise SystemExit(subprocess.call(arguments))
    os.execv(program, arguments)


def arguments_of(
    changes: Mapping[str, Any] | None, profile: str | None, places: Mapping[str, str | os.PathLike[str] | None]
) -> list[str]:
    """`--set`, `--profile` and options with folders."""
    import json

    given = [part for key, value in (changes or {}).items() for part in ("--set", f"{key}={json.dumps(value)}")]
    if profile is not None:
        given += ["--profile", profile]
    return given + [f"{option}={os.fspath(place)}" for option, place in places.items() if place is not None]


def call(arguments: Sequence[str], *, folder: str | os.PathLike[str] | None = None) -> str:
    """What the program prints.

    Raises:
        ProgramError: it is absent, or it failed; with what it said.
    """
    lines: list[str] = []
    status, said = stream(arguments, lines.append, folder=folder)
    if status != 0:
        raise ProgramError(message_of(said, status, arguments), status=status)
    return "".join(lines)


def stream(
    arguments: Sequence[str], line: Callable[[str], object], *, folder: str | os.PathLike[str] | None = None
) -> tuple[int, str]:
    """Calls `line` with each line that the program prints; gives its exit status and what it said on standard error.

    On Ctrl-C the program, which gets it too, is waited for: it writes its checkpoints.
    """
    import tempfile

    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        child = subprocess.Popen(
            [str(find_program()), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, cwd=folder, text=True, encoding="utf-8",
        )  # fmt: skip
        assert child.stdout is not None
        try:
            for text in child.stdout:
                line(text)
            status = child.wait()
        except BaseException:
            if not isinstance(sys.exc_info()[1], KeyboardInterrupt):
                child.terminate()
            child.stdout.close()
            child.wait()
            raise
        said.seek(0)
        return status, said.read()


def message_of(said: str, status: int, arguments: Sequence[str]) -> str:
    """The program's errors in words."""
    import json

    try:
        problems = json.loads(said.strip())
    except ValueError:
        problems = None
    texts = [_words(one) for one in _problems(problems)]
    text = "\n".join(texts) or said.strip() or "no message"
    return f"`pddflow {arguments[0]}` failed with status {status}: {text}"


def _problems(value: Any) -> list[dict[str, Any]]:
    found = value.get("errors") if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _words(problem: dict[str, Any]) -> str:
    text = str(problem.get("message", problem))
    if problem.get("file"):
        text = f"{problem['file']}:{problem.get('line')}:{problem.get('column')}: {text}"
    return f"{text} ({problem['help']})" if problem.get("help") else text
