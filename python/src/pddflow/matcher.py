"""Matchers in Python: what a function of yours is given by the matcher plugin `python`, and the process that calls it.

A pipeline names the file, `matcher: { python: { file: my_matcher.py } }`, and the file has a function

>>> def loss(problem, batch):
...     total = 0
...     for real, synthetic in batch.by_class():
...         total = total + (synthetic.mean(0) - real.mean(0)).square().sum()
...     return total

It is called once in each outer iteration and returns a number that PyTorch can differentiate by `batch.synthetic`, or
`(loss, gradient)` with the gradient as a tensor of that shape. Everything lies on the processor; what goes to a GPU by `.cuda()` comes
back in the gradient. Random numbers of `torch`, `random` and, where it is imported, `numpy` are seeded for each iteration. What is
computed may depend on the arguments only: nothing is kept between calls that a later call needs, since that may be made in another process.

The plugin runs this module as a program, from its own copy: neither the file nor its interpreter needs the package `pddflow`. Import
`Problem` and `Batch` from here for type hints, where the package is installed.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import json
import mmap
import os
import random
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn


@dataclass(frozen=True)
class Problem:
    """The task, and where in it this call is."""

    #: Classes of the data set.
    classes: int
    #: Channels, rows and columns of an image.
    shape: tuple[int, int, int]
    #: New synthetic images of each class.
    ipc: int
    #: Subtracted from pixels in [0, 1], for each channel; then they were divided by `std`.
    mean: tuple[float, ...]
    std: tuple[float, ...]
    #: Number of this outer iteration, from 0.
    iteration: int
    #: Of this iteration; `torch`, `random` and `numpy` are seeded with it.
    seed: int
    #: What the pipeline gives as `with`.
    parameters: dict[str, Any]
    _metrics: dict[str, float] = field(default_factory=dict, repr=False)

    def metric(self, name: str, value: Any) -> None:
        """Reports a number of this iteration; it becomes a curve of the node. `loss` is reported by itself."""
        self._metrics[name] = float(value)


@dataclass(frozen=True)
class Batch:
    """What is compared in this iteration. Images are as nets see them, `[n, channel, row, column]`, class by class, and augmented
    already: with one draw for each class, the same on both sides."""

    #: Real images, `batch` of each class or as many as there are; `None` where `batch` is 0.
    real: Any
    #: Their classes, int64 `[n]`.
    real_labels: Any
    #: Synthetic images, of earlier sets too: a leaf to differentiate by. The gradient by rows of earlier sets changes nothing.
    synthetic: Any
    #: Their classes, int64 `[n]`, or probabilities `[n, class]`.
    synthetic_labels: Any
    #: Weights of the net to start from, by the names of the model, such as `block0.conv.weight`; empty with `net: false`.
    net: dict[str, Any]
    #: Rows of each class on both sides.
    real_rows: tuple[int, ...]
    synthetic_rows: tuple[int, ...]

    def by_class(self) -> Iterator[tuple[Any, Any]]:
        """Real and synthetic images of one class after the other."""
        if self.real is None:
            raise Failure("`by_class` needs real images, and `batch` is 0 in the pipeline")
        yield from zip(self.real.split(self.real_rows), self.synthetic.split(self.synthetic_rows))


class Failure(Exception):
    """Something that the user can mend; its text is the whole message."""


class _Shared:
    """The file with the tensors, mapped into memory."""

    def __init__(self, name: str) -> None:
        self.file = os.open(name, os.O_RDWR)
        self.map: mmap.mmap | None = None

    def mapped(self) -> mmap.mmap:
        """All of it as it is now. An older map lives as long as a tensor on it."""
        size = os.fstat(self.file).st_size
        if self.map is None or len(self.map) != size:
            self.map = mmap.mmap(self.file, size)
        return self.map

    def tensor(self, about: dict[str, Any]) -> Any:
        """One tensor where it lies, without a copy."""
        import torch

        shape, dtype = about["shape"], getattr(torch, about["dtype"])
        count = 1
        for side in shape:
            count *= side
        if count == 0:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(self.mapped(), dtype=dtype, count=count, offset=about["at"]).reshape(shape)


class _Function:
    """The function of the user's file."""

    def __init__(self, begin: dict[str, Any]) -> None:
        self.path = Path(begin["file"])
        self.name: str = begin["function"]
        self.folder = self.path.parent.resolve()
        self.declared = {self.path.resolve(), *(Path(file).resolve() for file in begin["files"])}
        self.modules = 0
        self.call = self._load()
        self.check_imports()

    def _load(self) -> Callable[[Problem, Batch], Any]:
        # As a script is run; compiled from the bytes as they are, for a compiled copy may be of an older file of the same second.
        sys.path.insert(0, str(self.folder))
        sys.pycache_prefix = os.path.join(os.devnull, "none")
        sys.dont_write_bytecode = True
        spec = importlib.util.spec_from_loader(self.path.stem, loader=None, origin=str(self.path))
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        module.__file__ = str(self.path)
        sys.modules.setdefault(self.path.stem, module)
        exec(compile(self.path.read_bytes(), str(self.path), "exec"), module.__dict__)
        function = getattr(module, self.name, None)
        if not callable(function):
            there = ", ".join(sorted(name for name, value in vars(module).items() if _is_own(value, module)))
            raise Failure(f"`{self.path.name}` has no function `{self.name}`; it has {there or 'none'}")
        found: Callable[[Problem, Batch], Any] = function
        return found

    def check_imports(self) -> None:
        """Files beside the user's that are imported must be declared, so that a change of them is seen."""
        if len(sys.modules) == self.modules:
            return
        self.modules = len(sys.modules)
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or "site-packages" in file or "dist-packages" in file:
                continue
            path = Path(file).resolve()
            if self.folder in path.parents and path not in self.declared:
                shown = path.relative_to(self.folder)
                raise Failure(f"`{self.path.name}` imports `{shown}`, which `files` does not name: a change of it would not be seen")


def _is_own(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _begin(begin: dict[str, Any]) -> _Function:
    try:
        import torch
    except ImportError as error:
        raise Failure(f"{sys.executable} cannot import torch: {error}") from error
    torch.set_num_threads(begin["threads"])
    return _Function(begin)


def _compute(function: _Function, call: dict[str, Any], shared: _Shared) -> dict[str, Any]:
    import torch

    tensors = {about["name"]: (about, shared.tensor(about)) for about in call["tensors"]}

    def of(name: str) -> Any:
        return tensors[name][1] if name in tensors else None

    def rows(name: str) -> tuple[int, ...]:
        return tuple(tensors[name][0]["rows"]) if name in tensors else ()

    synthetic = of("synthetic").clone().requires_grad_()
    net = {name[len("net ") :]: tensor for name, (_, tensor) in tensors.items() if name.startswith("net ")}
    sides = (of("real"), of("real_labels"), synthetic, of("synthetic_labels"))
    batch = Batch(*sides, net, rows("real"), rows("synthetic"))
    channels, height, width = call["shape"]
    problem = Problem(
        call["classes"], (channels, height, width), call["ipc"], tuple(call["mean"]), tuple(call["std"]), call["iteration"],
        call["seed"], call["parameters"],
    )  # fmt: skip
    torch.manual_seed(problem.seed)
    random.seed(problem.seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(problem.seed)
    loss, gradient = _gradient(function, function.call(problem, batch), synthetic)
    of("gradient").copy_(gradient)
    metrics = list(problem._metrics.items())
    for name, value in metrics:
        if value != value or value in (float("inf"), float("-inf")):
            raise Failure(f"the metric `{name}` of iteration {problem.iteration} is {value}")
    return {"loss": loss, "metrics": metrics}


def _gradient(function: _Function, given: Any, synthetic: Any) -> tuple[float, Any]:
    """Loss and gradient of what the function gave, checked."""
    import torch

    name = f"`{function.name}` of `{function.path.name}`"
    gradient = None
    if isinstance(given, tuple) and len(given) == 2:
        given, gradient = given
    if isinstance(given, (int, float)) and gradient is not None:
        given = torch.tensor(float(given))
    if not isinstance(given, torch.Tensor) or given.numel() != 1:
        shown = f"a tensor of shape {list(given.shape)}" if isinstance(given, torch.Tensor) else f"{type(given).__name__}"
        raise Failure(f"{name} gave {shown}; it must give a tensor with one number, or (loss, gradient)")
    loss = float(given.detach())
    if loss != loss or loss in (float("inf"), float("-inf")):
        raise Failure(f"{name} gave the loss {loss}")
    if gradient is None:
        if not given.requires_grad:
            raise Failure(f"the loss of {name} does not depend on `batch.synthetic`: something is detached, or read as a number")
        gradient = torch.autograd.grad(given.reshape(()), synthetic, allow_unused=True)[0]
        if gradient is None:
            raise Failure(f"the loss of {name} does not depend on `batch.synthetic`")
    gradient = torch.as_tensor(gradient).detach()
    if gradient.shape != synthetic.shape:
        raise Failure(f"{name} gave a gradient of shape {list(gradient.shape)}; `batch.synthetic` has {list(synthetic.shape)}")
    if not bool(torch.isfinite(gradient).all()):
        raise Failure(f"{name} gave a gradient that is not finite, with the loss {loss}")
    return loss, gradient


def _why(error: BaseException, function: _Function | None, file: str) -> str:
    """One line: where in the user's file, and what."""
    if isinstance(error, Failure):
        return str(error)
    path = str(function.path) if function is not None else file
    what = "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()[-1]
    places = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError) and error.filename == path:
        places = [error.lineno]
    where = f", line {places[-1]}" if places and places[-1] else ""
    return f"{Path(path).name}{where}: {what[:1500]}; the traceback is in the node's log"


def _end_with_parent() -> None:
    """Ends this process when the program is gone: it may be in a loop that asks nobody."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _serve() -> None:
    # Standard input is the socket. What the user prints goes where errors go, into the node's log.
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    faulthandler.enable()
    _end_with_parent()
    sys.argv = ["matcher"]
    function: _Function | None = None
    shared: _Shared | None = None
    file = ""
    for line in channel.makefile("rb"):
        message = json.loads(line)
        begin = message.get("begin")
        if begin is not None:
            file = begin["file"]
        # Says where every thread is, then ends the process.
        faulthandler.dump_traceback_later(message["patience"], exit=True)
        reply: dict[str, Any] = {"ready": {}}
        try:
            if begin is not None:
                shared = _Shared(begin["shared"])
                function = _begin(begin)
            elif "shared" in message:
                shared = _Shared(message["shared"])
            else:
                assert function is not None and shared is not None
                reply = {"done": _compute(function, message["call"], shared)}
                function.check_imports()
        except Exception as error:
            if not isinstance(error, Failure):
                traceback.print_exc()
            reply = {"failed": {"message": _why(error, function, file)}}
        faulthandler.cancel_dump_traceback_later()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        channel.sendall(json.dumps(reply).encode() + b"\n")


def _main() -> NoReturn:
    _serve()
    # Without the clean-up of libraries, which may hang after a GPU was used.
    os._exit(0)


if __name__ == "__main__":
    _main()
