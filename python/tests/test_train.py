"""Training in PyTorch is what the program does."""

from pathlib import Path
from typing import Any

import pytest
from conftest import PIPELINE, Ran

import pddflow

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
torch.set_num_threads(1)

NETS = 8


def net(distilled: pddflow.Distilled) -> Any:
    return pddflow.convnet(distilled, width=8, depth=2)


@pytest.mark.parametrize("of", ["dm", "dc", "dsa", "idc", "mtt", "stages"])
def test_accuracies_are_those_of_evaluate(ran: Ran, of: str) -> None:
    """By the manifest alone. Means of 8 nets each; the standard error of their difference is below a point. All six operations of DSA
    at once, the commonest mistake, cost 13 points here (`core/docs/python.md`)."""
    distilled = ran.export("out_stages" if of == "stages" else f"out[of={of}]")
    metrics = ran.run.metrics["eval_stages" if of == "stages" else f"eval[of={of}]"]
    found = distilled.evaluate(lambda: net(distilled), ran.data(), nets=NETS)
    assert found.std is not None
    error = ((metrics["accuracy_std"] ** 2 + (100 * found.std) ** 2) / NETS) ** 0.5
    print(f"{of}: evaluate {metrics['accuracy']:.1f}, PyTorch {100 * found.mean:.1f}, standard error {error:.2f}")
    assert abs(metrics["accuracy"] - 100 * found.mean) < 3.5 * max(error, 0.5)


def test_every_step_is_the_programs(ran: Ran, tmp_path: Path) -> None:
    """Where nothing is drawn, weights agree to rounding: net, loss, momentum, weight decay, drop, learned rates, stages."""
    first, _ = ran.artifact("first", "trajectories", tmp_path / "first")
    after, _ = ran.artifact("exact", "weights", tmp_path / "exact")
    distilled = ran.export("out_stages")
    model = started(distilled, first)
    plan = pddflow.Plan("progressive", distilled.plan.stages, batch=1000, augment="none", schedule="dc", carry_momentum=False)
    exact = pddflow.Distilled(distilled.sets, distilled.class_names, distilled.preprocessing, plan)
    trained = exact.train(model, epochs=6)
    assert [stage.stage for stage in trained.stages] == [1, 2]
    agree(model, first, after)


def test_every_step_of_a_script_is_the_programs(ran: Ran, tmp_path: Path) -> None:
    """The sets of an export and of the store, and `train.py`: the net that an `advance` node gives, to rounding."""
    from test_train_script import script

    first, _ = ran.artifact("first", "trajectories", tmp_path / "first")
    after, _ = ran.artifact("exact_steps", "weights", tmp_path / "exact")
    exported, stored = ran.export("out_steps"), pddflow.load(PIPELINE, ["steps[1]", "steps[2]"], cache_dir=ran.store)
    assert stored.plan == exported.plan
    assert [(stage.sets, len(stage.steps), stage.epochs) for stage in exported.stages] == [((1,), 4, 1), ((2,), 4, 1)]
    assert [len(step.rows) for step in exported.stages[0].steps] == [10] * 4
    assert exported.stages[0].steps[0].rows == exported.stages[0].steps[2].rows != exported.stages[0].steps[1].rows
    model = started(exported, first)
    seen: list[tuple[int, int]] = []
    exported.train(model, progress=lambda stage, step, _: seen.append((stage, step)))
    assert seen == [(stage, step) for stage in (1, 2) for step in (1, 2, 3, 4)]
    agree(model, first, after)
    own, alone = script(), started(exported, first)
    sets, plan, _ = own.load(ran.run.folder / "out_steps")
    own.train(alone, sets, plan, torch.Generator().manual_seed(0))
    agree(alone, first, after)
    with pytest.raises(ValueError, match="step by step"):
        exported.train(model, epochs=3)
    exported.save(tmp_path / "saved")
    assert pddflow.load(tmp_path / "saved").plan == exported.plan


def started(distilled: pddflow.Distilled, first: dict[str, Any]) -> Any:
    """The net with the first weights of the program's."""
    model = net(distilled)
    names = zip(model.state_dict(), NAMES)
    model.load_state_dict({own: torch.from_numpy(first[f"weight.{name}"][0, 0].copy()) for own, name in names})
    return model


def agree(model: Any, first: dict[str, Any], after: dict[str, Any]) -> None:
    """The net's weights are those that the program came to."""
    for own, name in zip(model.state_dict(), NAMES):
        start, expected = (torch.from_numpy(array) for array in (first[f"weight.{name}"][0, 0], after[f"weight.{name}"][0]))
        moved = float((expected - start).abs().max())
        # A bias before the normalisation of its channel has no gradient: only weight decay moves it.
        without_gradient = name.endswith("conv.bias")
        assert without_gradient or moved > 1e-3, f"{name} learned nothing, so that this shows nothing"
        assert float((model.state_dict()[own] - expected).abs().max()) < 1e-3 * moved + 1e-6, name


NAMES = [f"block{d}.{layer}.{kind}" for d in range(2) for layer in ("conv", "norm") for kind in ("weight", "bias")]
NAMES += ["linear.weight", "linear.bias"]


def test_the_same_seed_gives_the_same_net(tiny: pddflow.Distilled) -> None:
    def weights(seed: int) -> Any:
        torch.manual_seed(0)
        model = pddflow.convnet(tiny, width=4, depth=1)
        tiny.train(model, epochs=2, seed=seed)
        return model.state_dict()["0.weight"]

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_momentum_is_kept_where_the_plan_says_so(tiny: pddflow.Distilled) -> None:
    from dataclasses import replace

    def weights(carry: bool) -> Any:
        torch.manual_seed(0)
        model = pddflow.convnet(tiny, width=4, depth=1)
        replace(tiny, plan=replace(tiny.plan, carry_momentum=carry, augment="none")).train(model, epochs=3, batch=8)
        return model.state_dict()["0.weight"]

    assert tiny.plan.carry_momentum, "progressive training keeps it"
    assert not torch.allclose(weights(True), weights(False))


def test_learning_rates_fall_and_start_over_in_each_stage(tiny: pddflow.Distilled) -> None:
    from pddflow import _train

    seen: list[float] = []

    class Watched(_train._Run):
        def epoch(self, images: Any, labels: Any) -> float:
            seen.append(self.optimizer.param_groups[0]["lr"])
            return 0.0

    run = Watched(tiny.with_plan(epochs=4), pddflow.convnet(tiny, width=2, depth=1), torch.Generator(), "cpu")
    for stage in run_stages(tiny.with_plan(epochs=4)):
        run.stage(stage, None)
    assert seen == pytest.approx([0.02] * 4 + [0.002] + [0.01] * 4 + [0.001])


def test_learning_rates_follow_waves_behind_a_warm_up() -> None:
    """The numbers are those of the program's own test."""
    from pddflow._plan import Stage, scheduled

    def factors(schedule: str, warm_up: int) -> list[float]:
        run, drops, _ = scheduled(schedule, 10, warm_up)
        stage = Stage(1, (1,), 1.0, run, drops)
        return [stage.factor(epoch) for epoch in range(run)]

    whole, half, warm = factors("cosine", 0), factors("half_cosine", 0), factors("cosine", 4)
    assert [len(one) for one in (whole, half, warm)] == [10] * 3
    assert [whole[0], whole[5], half[5]] == pytest.approx([1.0, 0.505, 0.5 + 0.5**1.5])
    assert [warm[at] for at in (0, 3, 4, 7)] == pytest.approx([0.2, 0.8, 1.0, 0.505])
    assert scheduled("dc", 10, 4)[::2] == (11, (9,))
    assert len(factors("constant", 12)) == 10


def test_the_average_of_the_weights_is_what_comes_back(tiny: pddflow.Distilled) -> None:
    from dataclasses import replace

    def weights(average: float) -> Any:
        torch.manual_seed(0)
        model = pddflow.convnet(tiny, width=4, depth=1)
        first = model.state_dict()["0.weight"].clone()
        plan = replace(tiny.plan, average=average, augment="none")
        replace(tiny, plan=plan).train(model, epochs=3, batch=8)
        return first, model.state_dict()["0.weight"]

    (first, stayed), (_, plain), (_, between) = weights(1.0), weights(0.0), weights(0.5)
    assert torch.equal(first, stayed)
    assert not torch.allclose(plain, stayed) and not torch.allclose(plain, between, rtol=1e-7, atol=0)


def run_stages(distilled: pddflow.Distilled) -> list[pddflow.StageData]:
    return list(distilled.progressive())


def test_soft_labels_and_cutmix_train(tiny: pddflow.Distilled) -> None:
    import numpy as np

    soft = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]], dtype=np.float32)
    images = tiny.sets[0].images
    distilled = pddflow.from_torch(images, soft, class_names=["a", "b"], normalize="none", recipe={"lr": 0.05})
    model = pddflow.convnet(distilled, width=4, depth=1)
    losses: list[float] = []
    distilled.train(model, epochs=60, augment="none", cutmix=0.5, progress=lambda stage, epoch, loss: losses.append(loss))
    assert len(losses) == 61 and losses[-1] < losses[0]


def test_a_tensor_dataset_goes_into_a_loader(tiny: pddflow.Distilled) -> None:
    images, labels = next(iter(torch.utils.data.DataLoader(tiny.torch(), batch_size=8)))
    assert images.shape == (8, 1, 8, 8) and labels.dtype == torch.int64
    assert [len(stage.torch()) for stage in tiny.progressive()] == [4, 8]


def test_what_cannot_be_trained_or_tested_says_why(tiny: pddflow.Distilled) -> None:
    model = pddflow.convnet(tiny, width=2, depth=1)
    images, labels = tiny.images, tiny.labels
    with pytest.raises(pddflow.FormatError, match="test images have the shape"):
        tiny.train(model, epochs=1, test=(images[:, :, :4], labels))
    with pytest.raises(pddflow.FormatError, match="as nets see them"):
        tiny.train(model, epochs=1, test=((images > 0).astype("uint8"), labels))
    with pytest.raises(pddflow.FormatError, match="lower `lr`"):
        tiny.train(model, epochs=30, lr=1e30)
    with pytest.raises(ValueError, match="3 numbers for 2 stages"):
        tiny.train(model, lr=[0.1, 0.1, 0.1])
    unknown = pddflow.from_torch(images, labels, class_names=["a", "b"], normalize="none", recipe={"lr": "learned"})
    with pytest.raises(pddflow.FormatError, match="give `lr=`"):
        unknown.train(model, epochs=1)
    with pytest.raises(pddflow.FormatError, match="too small"):
        pddflow.convnet(tiny, depth=9)


def test_data_of_other_classes_or_normalisation_are_refused(tiny: pddflow.Distilled) -> None:
    import numpy as np

    pixels, labels = {"test": np.zeros((2, 1, 8, 8), np.uint8)}, {"test": np.array([0, 1])}
    model = pddflow.convnet(tiny, width=2, depth=1)
    swapped = pddflow.Data(pixels, labels, ("b", "a"), tiny.preprocessing, "x")
    with pytest.raises(pddflow.FormatError, match="in another order"):
        tiny.train(model, epochs=1, test=swapped)
    plain = pddflow.Data(pixels, labels, ("a", "b"), pddflow.Preprocessing(), "x")
    with pytest.raises(pddflow.FormatError, match="another normalisation"):
        tiny.train(model, epochs=1, test=plain)


def test_the_squared_distance_is_from_centred_labels() -> None:
    """The numbers of the program's own test; class numbers and one-hot vectors are the same."""
    from pddflow._train import _loss

    logits, plan = torch.tensor([[1.0, 0.0], [-0.5, 2.0]]), pddflow.Plan("union", (), loss="mse")
    for labels in (torch.tensor([0, 1]), torch.eye(2)):
        assert float(_loss(logits, labels, plan)) == 0.6875


def test_a_recipe_says_loss_and_optimizer(tiny: pddflow.Distilled) -> None:
    from dataclasses import replace

    from pddflow._plan import own_plan

    plan = own_plan([{"loss": "mse", "optimizer": "adam", "epochs": 2}], [None], "recipe")
    assert (plan.loss, plan.optimizer) == ("mse", "adam")
    trained = replace(tiny, plan=replace(tiny.plan, loss="mse", optimizer="adamw")).train(net(tiny), epochs=1)
    assert trained.stages[-1].loss > 0
    for wrong, message in [({"loss": "hinge"}, "hinge"), ({"steps": 3}, "counts steps")]:
        with pytest.raises(pddflow.FormatError, match=message):
            own_plan([wrong], [None], "recipe")


def test_a_set_that_asks_for_a_teacher_is_loaded_and_not_trained_on(tiny: pddflow.Distilled) -> None:
    from dataclasses import replace

    from pddflow._plan import own_plan

    plan = own_plan([{}, {"teacher": {"temperature": 20}}], [None, None], "recipe")
    with pytest.raises(pddflow.FormatError, match="a trained net labels every batch"):
        replace(tiny, plan=plan).train(net(tiny), epochs=1)
    assert not own_plan([{"teacher": {}}, {}], [None, None], "recipe").teacher


def test_a_script_is_followed_whatever_the_pipeline_gave_or_refused() -> None:
    import numpy as np

    from pddflow._plan import own_plan

    recipe: dict[str, Any] = {"script": {"groups": [[0, 2], [1]], "rates": "rates"}, "schedule": "constant", "given": ["epochs"]}
    learnt = {"rates": np.array([0.5, 0.25, 0.125], np.float32)}
    plan = own_plan([recipe], [None], "recipe", [learnt])
    assert plan.mode == "sequential" and plan.stages[0].epochs == 1
    assert plan.stages[0].steps == (pddflow.Step((0, 2), 0.5), pddflow.Step((1,), 0.25), pddflow.Step((0, 2), 0.125))
    for recipes, learnables, message in [
        ([recipe, {}], [learnt, {}], "set 2: other sets are trained on step by step"),
        ([recipe], [{}], "takes learning rates from the learnable `rates`"),
        ([recipe], [{"rates": np.array([-1.0])}], "the learning rate -1"),
        ([recipe | {"script": {"groups": [[]], "rates": "rates"}}], [learnt], "it must have whole numbers"),
    ]:
        with pytest.raises(pddflow.FormatError, match=message):
            own_plan(recipes, [None] * len(recipes), "recipe", learnables)
    images = np.zeros((2, 1, 8, 8), np.float32)
    two = pddflow.from_torch(images, np.array([0, 1]), class_names=["a", "b"], normalize="none")
    with pytest.raises(pddflow.FormatError, match="row 2 of 2"):
        pddflow.Distilled(two.sets, two.class_names, two.preprocessing, plan)
