"""Exported folders, nodes of the store, and what is wrong with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PIPELINE, Ran
from safetensors.numpy import load_file, save_file

import pddflow


def test_an_export_has_images_labels_classes_and_stages(ran: Ran) -> None:
    distilled = ran.export("out_stages")
    assert distilled.images.shape == (40, 1, 28, 28) and distilled.images.dtype == np.float32
    assert distilled.labels.shape == (40,) and np.bincount(distilled.labels).tolist() == [4] * 10
    assert distilled.class_names[:2] == ("T-shirt/top", "Trouser") and distilled.source == "fashion-mini"
    assert [one.method for one in distilled.sets] == ["PDD+MTT"] * 2
    first, second = distilled.progressive()
    assert (len(first.images), len(second.images)) == (20, 40)
    assert [first.lr, second.lr] == [one.step_size for one in distilled.sets]
    assert distilled.plan.carry_momentum and first.epochs == 41 and first.stage.drops == ((22, 0.1),)
    assert set(distilled.sets[0].learnables) == {"images", "learning_rate"}
    assert distilled.pixels.dtype == np.uint8 and distilled.pixels.std() > 10


def test_idc_is_decoded(ran: Ran) -> None:
    """Two stored images of each class, of four each."""
    distilled = ran.export("out[of=idc]")
    assert distilled.images.shape == (80, 1, 28, 28) and distilled.sets[0].images_per_class == 2
    assert distilled.sets[0].learnables["images"].shape == (20, 1, 28, 28)
    assert distilled.plan.cutmix == 0.5 and distilled.plan.augment == "idc:color_crop_flip_scale_rotate"


def test_nodes_of_the_store_are_what_their_export_is(ran: Ran) -> None:
    exported = ran.export("out_stages")
    stored = pddflow.load(PIPELINE, ["stage[1]", "stage[2]"], cache_dir=ran.store)
    assert np.array_equal(stored.images, exported.images)
    assert (stored.class_names, stored.preprocessing) == (exported.class_names, exported.preprocessing)
    assert stored.plan == exported.plan
    by_node = pddflow.load(PIPELINE, "out_stages", cache_dir=ran.store)
    assert np.array_equal(by_node.images, exported.images) and by_node.plan == exported.plan
    alone = pddflow.load(PIPELINE, "mtt", cache_dir=ran.store)
    assert alone.plan.stages[0].epochs == 1001, "an export is told the epochs of a smaller training"
    assert alone.with_plan(epochs=40, batch=25).plan == ran.export("out[of=mtt]").plan


@pytest.mark.parametrize("last", ["dsa", "idc"])
def test_recipes_become_progressive_as_in_the_program(ran: Ran, last: str) -> None:
    stored = pddflow.load(PIPELINE, ["dm", last], cache_dir=ran.store)
    assert stored.plan == ran.export(f"out_two[last={last}]").plan
    assert stored.plan.carry_momentum and stored.plan.stages[1].sets == (1, 2) and stored.plan.stages[1].epochs in (500, 501)


def test_other_ways_to_train_are_read(ran: Ran) -> None:
    union = ran.export("out_as[training=union]")
    assert union.plan.mode == "union" and [len(stage.images) for stage in union.progressive()] == [40]
    sequential = ran.export("out_as[training=sequential]")
    assert [stage.sets for stage in sequential.stages] == [(1,), (2,)]
    second = list(sequential.progressive())[1]
    assert np.array_equal(second.images, sequential.sets[1].images)


def test_a_manifest_of_format_2_is_read(tiny: pddflow.Distilled, tmp_path: Path) -> None:
    """It has drops and resets once for all stages, other names, and no name of the schedule."""
    tiny.save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    training = manifest["training"]
    manifest["format"] = 2
    for stage in training["stages"]:
        stage["step_size"] = stage.pop("lr")
        training["step_size_is_multiplied"] = stage.pop("lr_is_multiplied")
        training["momentum_is_emptied_before_epochs"] = stage.pop("momentum_is_emptied_before_epochs")
    del training["schedule"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert pddflow.load(tmp_path).plan == tiny.plan


def test_a_folder_of_results_must_have_one_export(ran: Ran) -> None:
    with pytest.raises(pddflow.FormatError, match=r"there are 12 exports.*out_stages"):
        pddflow.load(ran.run.folder)
    with pytest.raises(pddflow.FormatError, match="give a node too"):
        pddflow.load(PIPELINE)
    with pytest.raises(pddflow.FormatError, match="gives no set but dataset"):
        pddflow.load(PIPELINE, "data", cache_dir=ran.store)
    with pytest.raises(pddflow.ProgramError, match="no node `nope`"):
        pddflow.load(PIPELINE, "nope", cache_dir=ran.store)
    with pytest.raises(pddflow.ProgramError):
        pddflow.load(PIPELINE, "dm", cache_dir=ran.store, set={"seed": 77})


def test_data_are_pixels_and_what_nets_see(ran: Ran) -> None:
    data = ran.data()
    images, labels = data.test
    assert images.shape == (500, 1, 28, 28) and labels.shape == (500,)
    assert np.allclose(images, (data.pixels["test"] / 255 - 0.2861) / 0.353, atol=1e-5)
    assert data.preprocessing.agrees_with(ran.export("out[of=dm]").preprocessing)


def test_whitening_goes_there_and_back(ran: Ran) -> None:
    white = pddflow.load_data(PIPELINE, "white", cache_dir=ran.store)
    picked = ran.export("out_white")
    assert picked.preprocessing.kind == "zca" and picked.preprocessing.zca is not None
    assert picked.preprocessing.agrees_with(white.preprocessing)
    assert np.allclose(picked.preprocessing.apply(white.pixels["test"]), white.test[0], atol=1e-4)
    held_out, classes = white.part("held_out")
    assert len(held_out) == 30 and np.bincount(classes).tolist() == [3] * 10
    # The picked images are training images: their pixels come back.
    train = {image.tobytes() for image in white.pixels["train"]}
    found = sum(image.tobytes() in train for image in picked.pixels)
    assert found == len(picked.pixels)
    stored = pddflow.load(PIPELINE, "picked", cache_dir=ran.store)
    with pytest.raises(pddflow.FormatError, match="not at hand"):
        stored.pixels


def test_what_is_saved_is_loaded(tiny: pddflow.Distilled, tmp_path: Path) -> None:
    tiny.save(tmp_path / "set")
    again = pddflow.load(tmp_path / "set")
    assert np.array_equal(again.images, tiny.images) and np.array_equal(again.labels, tiny.labels)
    assert (again.plan, again.class_names, again.preprocessing) == (tiny.plan, tiny.class_names, tiny.preprocessing)
    assert [one.step_size for one in again.sets] == [0.02, 0.01]
    with pytest.raises(pddflow.FormatError, match="something there already"):
        tiny.save(tmp_path / "set")


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    names = ["../../out", "a/b\\c", "<script>alert(1)</script>", "x" * 300, "\n\0", "CON:"]
    images, labels = np.zeros((6, 3, 4, 4), np.float32), np.arange(6)
    distilled = pddflow.from_torch(images, labels, class_names=names, normalize="none", method="../../m")
    distilled.save(tmp_path / "in" / "set")
    assert pddflow.load(tmp_path / "in" / "set").class_names == tuple(names)
    node = distilled.save_as_data(tmp_path / "in" / "data")
    assert "image-folder" in node
    assert [path.name for path in tmp_path.iterdir()] == ["in"] and len(list((tmp_path / "in" / "data" / "train").iterdir())) == 6


Change = Callable[[dict[str, Any]], object]


def put(*path: Any, value: Any) -> Change:
    def change(manifest: dict[str, Any]) -> None:
        inner: Any = manifest
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("format", value=1), "format is 1"),
        (put("format", value=99), "format is 99"),
        (put("format", value=True), "`format` is true"),
        (put("class_names", value=[1, 2]), "list of texts"),
        (put("class_names", value=["a"]), "whole numbers from 0 to 0"),
        (put("preprocessing", "normalize", value="magic"), "`magic` is not known"),
        (put("preprocessing", "std", value=[0.0]), "do not go together"),
        (put("preprocessing", "file", value="../zca.safetensors"), "not inside the folder"),
        (put("sets", value=[]), "of 0"),
        (put("sets", 0, "file", value="../../etc/passwd"), "not inside the folder"),
        (put("sets", 0, "file", value="/etc/passwd"), "not inside the folder"),
        (put("sets", 0, "file", value="C:\\x"), "not inside the folder"),
        (put("sets", 0, "file", value="a\0b"), "not inside the folder"),
        (put("sets", 0, "file", value=""), "not inside the folder"),
        (put("sets", 0, "file", value="none.safetensors"), "no such file"),
        (put("sets", 0, value=3), "no object"),
        (put("training", "stages", value=[]), "no stage"),
        (put("training", "stages", 0, "trains_on_sets", value=[3]), r"trains on the sets \[3\] of 2"),
        (put("training", "stages", 0, "epochs", value="many"), "`epochs` is"),
        (put("training", "stages", 0, "epochs", value=-1), "are no training"),
        (put("training", "stages", 0, "lr", value=0), "are no training"),
        (put("training", "weight_decay", value=float("nan")), "which is no number"),
        (put("training", "stages", 0, "lr_is_multiplied", value=[3]), "is no object"),
        (put("training", "momentum", value=None), "`momentum` is missing"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(tiny: pddflow.Distilled, tmp_path: Path, change: Change, message: str) -> None:
    tiny.save(tmp_path / "set")
    path = tmp_path / "set" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(pddflow.FormatError, match=message):
        pddflow.load(tmp_path / "set")


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_that_is_no_json_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(text)
    with pytest.raises(pddflow.FormatError, match="JSON"):
        pddflow.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("images", np.zeros((4, 8, 8), np.float32), r"\[4, 8, 8\]"),
        ("images", np.full((4, 1, 8, 8), np.nan, np.float32), "not finite"),
        ("images", np.zeros((4, 1, 4, 4), np.float32), "another size"),
        ("labels", np.array([0, 0, 1, 2]), "from 0 to 1"),
        ("labels", np.array([0, 0, -1, 1]), "from 0 to 1"),
        ("labels", np.array([0, 1]), r"labels of the shape \[2\]"),
        ("labels", np.zeros((4, 3), np.float32), r"labels of the shape \[4, 3\]"),
        ("step_size", np.array([1.0, 2.0]), "not one number"),
        ("step_size", np.array([np.inf]), "not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tiny: pddflow.Distilled, tmp_path: Path, name: str, array: Any, message: str
) -> None:
    tiny.save(tmp_path / "set")
    path = tmp_path / "set" / "02-imported" / "images.safetensors"
    save_file({**load_file(path), name: array}, path)
    with pytest.raises(pddflow.FormatError, match=message):
        pddflow.load(tmp_path / "set")


def test_a_damaged_or_missing_array_file_is_refused(tiny: pddflow.Distilled, tmp_path: Path) -> None:
    tiny.save(tmp_path / "set")
    path = tmp_path / "set" / "01-imported" / "images.safetensors"
    whole = path.read_bytes()
    for bytes_ in (whole[:-4], b"", b"\xff" * 200, whole[:20]):
        path.write_bytes(bytes_)
        with pytest.raises(pddflow.FormatError, match="no safetensors file"):
            pddflow.load(tmp_path / "set")
    save_file({"labels": np.zeros(4, np.int64)}, path)
    with pytest.raises(pddflow.FormatError, match="`images` is missing"):
        pddflow.load(tmp_path / "set")
