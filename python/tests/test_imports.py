"""Sets that were made elsewhere."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Ran

import pddflow

IMAGES = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
LABELS = np.array([1, 0, 1, 0])
KNOWN: dict[str, Any] = {"class_names": ["cat", "dog"], "normalize": "zca"}


def test_arrays_become_a_set_class_by_class() -> None:
    distilled = pddflow.from_torch(IMAGES, LABELS, **KNOWN, step_size=0.03)
    assert distilled.labels.tolist() == [0, 0, 1, 1]
    assert np.array_equal(distilled.images, IMAGES[[1, 3, 0, 2]])
    assert distilled.sets[0].images_per_class == 2
    stage = distilled.stages[0]
    assert (stage.lr, stage.epochs, stage.drops, stage.resets) == (0.03, 1001, ((502, 0.1),), (502,))


def test_stages_are_trained_on_as_pdd_does() -> None:
    distilled = pddflow.from_torch([IMAGES] * 3, [LABELS] * 3, **KNOWN, step_size=[0.03, 0.02, 0.01])
    assert [stage.sets for stage in distilled.stages] == [(1,), (1, 2), (1, 2, 3)]
    assert [stage.lr for stage in distilled.stages] == [0.03, 0.02, 0.01]
    assert pddflow.from_torch([IMAGES] * 3, [LABELS] * 3, **KNOWN, step_size=np.array([0.03, 0.02, 0.01])).plan == distilled.plan
    assert all(stage.epochs == 501 and stage.resets == () for stage in distilled.stages)
    assert distilled.plan.carry_momentum


def test_a_recipe_says_how_to_train() -> None:
    recipe = {"epochs": 30, "schedule": "idc", "batch": 64, "cutmix": 0.5, "augment": "idc:flip"}
    distilled = pddflow.from_torch(IMAGES, LABELS, **KNOWN, recipe=recipe)
    assert distilled.stages[0].drops == ((20, 0.2), (25, 0.2 * 0.2))
    assert (distilled.plan.batch, distilled.plan.cutmix, distilled.stages[0].lr) == (64, 0.5, 0.01)


def test_bytes_are_normalised() -> None:
    pixels = np.full((2, 1, 2, 2), 255, np.uint8)
    distilled = pddflow.from_torch(pixels, np.arange(2), class_names=["a", "b"], normalize=((0.5,), (0.25,)))
    assert np.allclose(distilled.images, 2.0) and (distilled.pixels == 255).all()


@pytest.mark.parametrize(
    ("images", "labels", "known", "message"),
    [
        (IMAGES[0], LABELS, KNOWN, r"float or bytes \[n, c, h, w\]"),
        (IMAGES.astype(np.int32), LABELS, KNOWN, "float or bytes"),
        (IMAGES, LABELS[:3], KNOWN, "4 images and 3 labels"),
        (IMAGES, np.array([0, 1, 2, 0]), KNOWN, "from 0 to 1"),
        (IMAGES, np.array([0.5, 1, 0, 0]), KNOWN, "must be whole"),
        (IMAGES, np.array(["a", "b", "a", "b"]), KNOWN, "labels are"),
        (IMAGES, -np.ones((4, 2)), KNOWN, "probabilities"),
        (IMAGES * np.inf, LABELS, KNOWN, "not finite"),
        (IMAGES, LABELS, {"normalize": "none"}, "name the classes"),
        (IMAGES, LABELS, {"class_names": ["a", "a"], "normalize": "none"}, "differ"),
        (IMAGES, LABELS, {"class_names": ["a", "b"]}, "what was done to the pixels"),
        (IMAGES, LABELS, {"class_names": ["a", "b"], "normalize": "l2"}, "must be none, zca"),
        ([IMAGES], [LABELS, LABELS], KNOWN, "1 sets of images, 2 of labels"),
        ("images.pt", LABELS, KNOWN, "no tensor or array but str"),
    ],
)
def test_what_does_not_fit_is_refused(images: Any, labels: Any, known: dict[str, Any], message: str) -> None:
    with pytest.raises(pddflow.FormatError, match=message):
        pddflow.from_torch(images, labels, **known)


def test_the_releases_of_mtt_are_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.save(torch.from_numpy(IMAGES), tmp_path / "images_best.pt")
    torch.save(torch.from_numpy(LABELS), tmp_path / "labels_best.pt")
    distilled = pddflow.from_mtt(tmp_path, step_size=0.02, **KNOWN)
    assert distilled.sets[0].method == "MTT" and distilled.stages[0].lr == 0.02
    assert np.array_equal(distilled.images, IMAGES[[1, 3, 0, 2]])
    torch.save(torch.tensor(0.05), tmp_path / "lr_best.pt")
    assert pddflow.from_mtt(tmp_path, **KNOWN).stages[0].lr == pytest.approx(0.05)
    with pytest.raises(pddflow.FormatError, match="no such file"):
        pddflow.from_mtt(tmp_path / "images_best.pt", tmp_path / "none.pt", **KNOWN)
    with pytest.raises(pddflow.FormatError, match="name the file with the labels"):
        pddflow.from_mtt(tmp_path / "images_best.pt", **KNOWN)


class Hidden:
    """What a pickle runs when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def test_a_pickle_in_a_pt_file_is_refused_and_does_not_run(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    trace = tmp_path / "it-ran"
    torch.save(torch.from_numpy(LABELS), tmp_path / "labels_best.pt")
    torch.save({"images": torch.from_numpy(IMAGES), "hidden": Hidden(trace)}, tmp_path / "images_best.pt")
    with pytest.raises(pddflow.FormatError, match="more than tensors"):
        pddflow.from_mtt(tmp_path, **KNOWN)
    (tmp_path / "images_best.pt").write_bytes(pickle.dumps(Hidden(trace)))
    with pytest.raises(pddflow.FormatError, match="refused|no file of torch.save"):
        pddflow.from_mtt(tmp_path, **KNOWN)
    (tmp_path / "images_best.pt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(pddflow.FormatError):
        pddflow.from_mtt(tmp_path, **KNOWN)
    torch.save({"images": torch.from_numpy(IMAGES)}, tmp_path / "images_best.pt")
    with pytest.raises(pddflow.FormatError, match="no tensor or array but dict"):
        pddflow.from_mtt(tmp_path, **KNOWN)
    assert not trace.exists()


def folder(root: Path, names: list[str]) -> Path:
    from pddflow._save import png

    for number, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for copy in range(2):
            image = np.full((3, 4, 4), 40 * number + copy, np.uint8)
            (root / name / f"{copy}.png").write_bytes(png(image))
    return root


def test_pictures_take_the_order_of_the_given_classes(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    root = folder(tmp_path / "a", ["cat", "dog", "emu"])
    distilled = pddflow.from_image_folder(root, class_names=["emu", "cat", "dog"], normalize="none")
    assert distilled.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert distilled.pixels[:, 0, 0, 0].tolist() == [80, 81, 0, 1, 40, 41]
    assert pddflow.from_image_folder(root, normalize="none").class_names == ("cat", "dog", "emu")
    numbered = folder(tmp_path / "b", ["new000", "new002", "new001"])
    assert pddflow.from_image_folder(numbered, class_names=["x", "y", "z"], normalize="none").pixels[:, 0, 0, 0].tolist() == [
        0, 1, 80, 81, 40, 41,
    ]  # fmt: skip
    for names, message in ((["cat", "dog", "fox"], "none of the classes"), (["cat", "dog", "emu", "fox"], "fox has no folder")):
        with pytest.raises(pddflow.FormatError, match=message):
            pddflow.from_image_folder(root, class_names=names, normalize="none")
    (root / "cat" / "0.png").write_bytes(b"no picture")
    with pytest.raises(pddflow.FormatError, match="no picture that can be read"):
        pddflow.from_image_folder(root, normalize="none")


def test_an_import_is_data_for_a_pipeline(ran: Ran, tmp_path: Path) -> None:
    """A set of the program, taken out as plain arrays, put back as pictures and trained on there: near what it is worth."""
    exported, data = ran.export("out[of=dm]"), ran.data()
    distilled = pddflow.from_torch(exported.images, exported.labels, data=data)
    node = distilled.save_as_data(tmp_path / "pictures", test=data)
    indented = "".join(f"    {line}\n" for line in node.splitlines())
    (tmp_path / "imported.yaml").write_text(
        f"format: 1\nnodes:\n  data:\n{indented}"
        "  eval:\n    kind: evaluate\n    needs: { data: data }\n    with: { model: { convnet: { width: 8, depth: 2 } }, "
        "training: full, recipe: dsa, lr: 0.01, nets: 4, epochs: 40, batch: 25 }\n",
        encoding="utf-8",
    )
    run = pddflow.run(tmp_path / "imported.yaml", cache_dir=tmp_path / "store", results_dir=tmp_path / "results")
    assert run.metrics["eval"]["accuracy"] == pytest.approx(ran.run.metrics["eval[of=dm]"]["accuracy"], abs=4)
