"""`train.py` of an export: it trains as the program does, and needs only PyTorch and NumPy."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import Ran

import pddflow

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
torch.set_num_threads(1)

SCRIPT = Path(__file__).parents[2] / "core" / "exchange" / "src" / "export" / "train.py"
NETS = 8


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def saved_test(ran: Ran, to: Path) -> Path:
    data = ran.data()
    np.savez(to, images=data.pixels["test"].transpose(0, 2, 3, 1), labels=data.labels["test"])
    return to


@pytest.mark.parametrize("of", ["dm", "idc", "stages"])
def test_accuracies_are_those_of_evaluate(ran: Ran, of: str, tmp_path: Path) -> None:
    """As somebody runs it who has the folder only. Eight nets each; see `test_train.py`."""
    folder = ran.run.folder / ("out_stages" if of == "stages" else f"out[of={of}]")
    metrics = ran.run.metrics["eval_stages" if of == "stages" else f"eval[of={of}]"]
    # No package of ours, nor safetensors: only what is said to be needed.
    guard = "import sys\nfor name in ('pddflow', 'safetensors', 'pandas'): sys.modules[name] = None\n"
    run = guard + f"import runpy\nsys.argv = {['train.py', '--test', str(saved_test(ran, tmp_path / 'test.npz')), '--width', '8', '--depth', '2', '--nets', str(NETS)]!r}\nrunpy.run_path({str(folder / 'train.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, env={"OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1].split()
    mean, std = float(last[1]), float(last[3])
    error = ((metrics["accuracy_std"] ** 2 + std**2) / NETS) ** 0.5
    print(f"{of}: evaluate {metrics['accuracy']:.1f}, train.py {mean:.1f}, standard error {error:.2f}")
    assert abs(metrics["accuracy"] - mean) < 3.5 * max(error, 0.5)


def test_it_draws_what_the_package_draws(tiny: pddflow.Distilled) -> None:
    """So what is tested of the package's augmentation, kind by kind against the program's, holds here."""
    from pddflow._augment import KINDS, Policy, cutmix

    own = script()
    images = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    policies = [f"{family}:{kind}" for family in ("dsa", "idc") for kind in KINDS] + ["dsa", "idc", "none"]
    for policy in policies:
        both = [torch.Generator().manual_seed(5) for _ in range(2)]
        for _ in range(4):
            assert torch.equal(own.augment(policy, images, both[0]), Policy(policy)(images, both[1])), policy
    labels = torch.arange(6)
    for seed in range(8):
        both = [torch.Generator().manual_seed(seed) for _ in range(2)]
        first, second = own.cutmix(images, labels, 0.5, both[0]), cutmix(images, labels, 0.5, both[1])
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(first, second))


def test_a_net_trained_by_it_is_that_of_the_package(tiny: pddflow.Distilled) -> None:
    own, plan = script(), tiny.with_plan(epochs=4).plan
    manifest_plan: dict[str, Any] = {
        "momentum": plan.momentum, "weight_decay": plan.weight_decay, "batch": plan.batch, "augment": plan.augment,
        "cutmix": plan.cutmix, "momentum_is_kept_between_stages": plan.carry_momentum,
        "stages": [
            {
                "stage": stage.number, "trains_on_sets": list(stage.sets), "lr": stage.lr, "epochs": stage.epochs,
                "lr_is_multiplied": [{"from_epoch": at, "by": by} for at, by in stage.drops],
                "momentum_is_emptied_before_epochs": list(stage.resets),
            }
            for stage in plan.stages
        ],
    }  # fmt: skip
    sets = [(torch.from_numpy(one.images), torch.from_numpy(one.labels)) for one in tiny.sets]

    def net() -> Any:
        torch.manual_seed(0)
        return pddflow.convnet(tiny, width=4, depth=1)

    expected, found = net(), net()
    tiny.with_plan(epochs=4).train(expected, seed=3)
    own.train(found, sets, manifest_plan, torch.Generator().manual_seed(3))
    for name, value in expected.state_dict().items():
        assert torch.allclose(value, found.state_dict()[name], atol=1e-6), name


def test_its_net_is_the_packages(tiny: pddflow.Distilled) -> None:
    own = script()
    for norm in ("instance", "batch", "none"):
        torch.manual_seed(0)
        expected = pddflow.convnet(shape=(1, 28, 28), classes=10, width=4, depth=3, norm=norm)  # type: ignore[arg-type]
        torch.manual_seed(0)
        found = own.convnet(1, 28, 28, 10, filters=4, depth=3, norm=norm)
        assert str(expected) == str(found)
        assert all(torch.equal(a, b) for a, b in zip(expected.parameters(), found.parameters()))


def test_whitened_data_and_wrong_files(ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = script()
    folder = ran.run.folder / "out_white"
    sets, _, manifest = own.load(folder)
    assert sets[0][0].shape[1:] == (1, 28, 28)
    pixels = ran.data().pixels["test"][:4]
    expected = pddflow.load(folder).preprocessing.apply(pixels)
    assert np.allclose(own.preprocess(pixels / 255.0, manifest, folder), expected, atol=1e-4)
    wrong = tmp_path / "wrong.npz"
    for images, labels, message in [
        (np.zeros((2, 28, 28), np.float32), [0, 1], "must be bytes"),
        (np.zeros((2, 5, 5), np.uint8), [0, 1], "the sets have images"),
        (np.zeros((2, 28, 28), np.uint8), [0, 10], "there are 10 classes"),
    ]:
        np.savez(wrong, images=images, labels=labels)
        with pytest.raises(SystemExit, match=message):
            own.test_images(wrong, manifest, folder)


def test_the_average_of_the_weights_is_left_in_the_net() -> None:
    own, images = script(), torch.randn(4, 1, 2, 2, generator=torch.Generator().manual_seed(1))

    def trained(average: float) -> Any:
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
        first = own.weights_of(net)["1.weight"]
        stage = {"stage": 1, "trains_on_sets": [1], "lr": 0.1, "epochs": 2, "lr_is_multiplied": [{"from_epoch": 0, "by": 0.5}]}
        plan = {"stages": [stage | {"momentum_is_emptied_before_epochs": []}], "momentum_is_kept_between_stages": False}
        plan |= {"momentum": 0.0, "weight_decay": 0.0, "batch": 4, "augment": "none", "average": average}
        own.train(net, [(images, torch.tensor([0, 1, 0, 1]))], plan, torch.Generator().manual_seed(2))
        return first, own.weights_of(net)["1.weight"]

    (first, stayed), (_, plain), (_, between) = trained(1.0), trained(0.0), trained(0.5)
    assert torch.equal(first, stayed) and not torch.allclose(plain, first)
    assert float((between - first).abs().max()) < float((plain - first).abs().max())
