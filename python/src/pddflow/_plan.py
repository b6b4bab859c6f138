"""How nets are trained on a set, stage by stage: the one place that reads what an export or a set says about it.

A manifest of `export` (formats 2 to 4) has every number. A set straight from a node has its own recipe only; what it becomes in
several stages is in `own_plan`, by the program's rule for `recipe: own`.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ._container import field
from ._errors import FormatError

DSA = "dsa:color_crop_cutout_flip_scale_rotate"
#: Sets after which PDD with IDC halves its learning rate.
_HALVED_AFTER = 6

Schedule = Literal["constant", "dc", "pdd", "idc", "cosine", "half_cosine"]
_LOSSES = ("cross_entropy", "mse")
_OPTIMIZERS = ("sgd", "adam", "adamw")
_SCHEDULES: tuple[Schedule, ...] = ("constant", "dc", "pdd", "idc", "cosine", "half_cosine")


@dataclass(frozen=True)
class Step:
    """A step on some rows of a set that is of use step by step."""

    #: Counted from 0.
    rows: tuple[int, ...]
    #: Its learning rate.
    lr: float


@dataclass(frozen=True)
class Stage:
    """One stage of a training."""

    #: From 1.
    number: int
    #: Numbers of the sets whose union it trains on, from 1.
    sets: tuple[int, ...]
    #: Learning rate at its beginning; `None` where neither set nor recipe has one.
    lr: float | None
    #: Epochs that it runs, or that each of its steps does.
    epochs: int
    #: From which epoch on, counted from 0, the learning rate is multiplied by what.
    drops: tuple[tuple[int, float], ...] = ()
    #: Epochs before which the momentum is emptied.
    resets: tuple[int, ...] = ()
    #: The script of its set, where nets are trained by this.
    steps: tuple[Step, ...] = ()

    def factor(self, epoch: int) -> float:
        """What the learning rate is multiplied by in an epoch, counted from 0."""
        return next((by for start, by in reversed(self.drops) if epoch >= start), 1.0)


@dataclass(frozen=True)
class Plan:
    """A training; by default stochastic gradient descent on mean cross-entropy."""

    #: `progressive`, `union` or `sequential`.
    mode: str
    stages: tuple[Stage, ...]
    momentum: float = 0.9
    weight_decay: float = 5e-4
    #: Images in a step.
    batch: int = 256
    #: `none`, `dsa:KINDS` or `idc:KINDS`.
    augment: str = DSA
    #: Share of the steps with CutMix.
    cutmix: float = 0.0
    #: Whether the momentum is kept from one stage to the next.
    carry_momentum: bool = False
    schedule: str = "dc"
    #: `cross_entropy`, or `mse`: half the squared distance from centred labels.
    loss: str = "cross_entropy"
    #: `sgd`, `adam` or `adamw`.
    optimizer: str = "sgd"
    #: Epochs of a stage in which the learning rate rises first.
    warm_up: int = 0
    #: What a step leaves of the average of the weights, which is tested; 0 for no average.
    average: float = 0.0
    #: Whether a trained net labels every batch, which the program's `evaluate` does and `train` refuses.
    teacher: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (("loss", self.loss, _LOSSES), ("optimizer", self.optimizer, _OPTIMIZERS)):
            if value not in known:
                raise FormatError(f"the {name} `{value}` is not known; expected one of {', '.join(known)}")

    def changed(
        self,
        *,
        epochs: int | None = None,
        lr: float | Sequence[float] | None = None,
        batch: int | None = None,
        augment: str | None = None,
        cutmix: float | None = None,
        momentum: float | None = None,
        weight_decay: float | None = None,
    ) -> "Plan":
        """The plan with other numbers; `epochs` is the budget of each stage, as in `evaluate`, of which the schedules `dc` and
        `pdd` run one more; `lr` is one number or one for each stage."""
        if epochs is not None and epochs < 1 or batch is not None and batch < 1:
            raise ValueError("epochs and batch must be at least 1")
        if (epochs is not None or lr is not None) and any(stage.steps for stage in self.stages):
            raise ValueError("the sets say step by step how long and at which learning rates: give a `Plan` of your own in place of theirs")
        rates = list(lr) if isinstance(lr, Sequence) else [lr] * len(self.stages)
        if len(rates) != len(self.stages):
            raise ValueError(f"lr has {len(rates)} numbers for {len(self.stages)} stages")
        stages = []
        for stage, rate in zip(self.stages, rates):
            if epochs is not None:
                run, drops, resets = scheduled(self.schedule, epochs, self.warm_up)
                stage = replace(stage, epochs=run, drops=drops, resets=resets)
            stages.append(stage if rate is None else replace(stage, lr=float(rate)))
        given = {"batch": batch, "augment": augment, "cutmix": cutmix, "momentum": momentum, "weight_decay": weight_decay}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return replace(self, stages=tuple(stages), **changes)


Scheduled = tuple[int, tuple[tuple[int, float], ...], tuple[int, ...]]


def scheduled(schedule: str, epochs: int, warm_up: int = 0) -> Scheduled:
    """Epochs that are run for a budget, changes of the learning rate, and epochs before which the momentum is emptied."""
    run, drops, resets = _without_warm_up(schedule, max(0, epochs - warm_up))
    if warm_up <= 0:
        return run, drops, resets
    rising = [(epoch, (epoch + 1) / (warm_up + 1)) for epoch in range(min(warm_up, epochs))]
    after = [(epoch + warm_up, by) for epoch, by in ((0, 1.0), *drops)] if epochs > warm_up else []
    return max(run + warm_up, epochs) if epochs > warm_up else epochs, (*rising, *after), tuple(at + warm_up for at in resets)


def _without_warm_up(schedule: str, epochs: int) -> Scheduled:
    def wave(done: float) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * done))

    if schedule in ("dc", "pdd"):
        drop = epochs // 2 + 2
        happens = drop <= epochs
        return epochs + 1, ((drop, 0.1),) if happens else (), (drop,) if happens and schedule == "dc" else ()
    if schedule == "idc":
        first, second = 2 * epochs // 3, 5 * epochs // 6
        drops = ((first, 0.2),) if first < second else ()
        return epochs, (*drops, (second, 0.2 * 0.2)), ()
    if schedule == "constant":
        return epochs, (), ()
    if schedule == "cosine":
        return epochs, tuple((at, 0.01 + 0.99 * wave(at / epochs)) for at in range(1, epochs)), ()
    if schedule == "half_cosine":
        return epochs, tuple((at, wave(0.5 * at / epochs)) for at in range(1, epochs)), ()
    raise FormatError(f"the schedule `{schedule}` is not known; expected one of {', '.join(_SCHEDULES)}")


def plan_of_manifest(manifest: Mapping[str, Any], what: str) -> Plan:
    """The plan of an exported folder.

    Raises:
        FormatError: something is missing or of another type, or a stage trains on sets that do not exist.
    """
    training = field(manifest, "training", dict, what)
    format_ = field(manifest, "format", int, what)
    stages = [_stage(stage, training, format_, what) for stage in field(training, "stages", list, what)]
    sets = field(manifest, "sets", list, what)
    for stage in stages:
        if not stage.sets or not all(1 <= number <= len(sets) for number in stage.sets):
            raise FormatError(f"{what}: stage {stage.number} trains on the sets {list(stage.sets)} of {len(sets)}")
    if not stages:
        raise FormatError(f"{what}: there is no stage")
    mode = field(training, "mode", str, what)
    return Plan(
        mode="progressive" if mode == "one set" else mode,
        stages=tuple(stages),
        momentum=float(field(training, "momentum", (int, float), what)),
        weight_decay=float(field(training, "weight_decay", (int, float), what)),
        batch=max(1, field(training, "batch", int, what)),
        augment=field(training, "augment", str, what),
        cutmix=float(field(training, "cutmix", (int, float), what, 0.0)),
        carry_momentum=field(training, "momentum_is_kept_between_stages", bool, what),
        schedule=field(training, "schedule", str, what, None) or _schedule_of(stages[0]),
        loss=field(training, "loss", str, what, "cross_entropy"),
        optimizer=field(training, "optimizer", str, what, "sgd"),
        warm_up=field(training, "warm_up", int, what, 0),
        average=float(field(training, "average", (int, float), what, 0.0)),
    )


def _stage(stage: Any, training: Mapping[str, Any], format_: int, what: str) -> Stage:
    if not isinstance(stage, dict):
        raise FormatError(f"{what}: a stage is no object")
    # Format 2 has drops and resets once for all stages, format 3 in each.
    place, drops, lr = (training, "step_size_is_multiplied", "step_size") if format_ < 3 else (stage, "lr_is_multiplied", "lr")
    number = field(stage, "stage", int, what)
    what = f"{what}, stage {number}"
    rate = field(stage, lr, (int, float), what, None)
    resets = field(place, "momentum_is_emptied_before_epochs", list, what)
    sets = field(stage, "trains_on_sets", list, what)
    if not all(isinstance(one, int) for one in [*resets, *sets]):
        raise FormatError(f"{what}: sets and epochs must be whole numbers")
    epochs = field(stage, "epochs", int, what)
    if epochs < 1 or (rate is not None and rate <= 0):
        raise FormatError(f"{what}: {epochs} epochs at the learning rate {rate} are no training")
    return Stage(
        number=number,
        sets=tuple(sets),
        lr=None if rate is None else float(rate),
        epochs=epochs,
        drops=tuple(_drop(drop, what) for drop in field(place, drops, list, what)),
        resets=tuple(resets),
        steps=tuple(_step(step, what) for step in field(stage, "steps", list, what, [])),
    )


def _step(step: Any, what: str) -> Step:
    if not isinstance(step, dict):
        raise FormatError(f"{what}: a step is no object")
    return _checked(field(step, "rows", list, what), field(step, "lr", (int, float), what), what)


def _checked(rows: Sequence[Any], lr: float, what: str) -> Step:
    if not rows or not all(isinstance(row, int) and row >= 0 for row in rows):
        raise FormatError(f"{what}: a step has the rows {list(rows)!r}; it must have whole numbers from 0 on")
    if not (math.isfinite(lr) and lr > 0):
        raise FormatError(f"{what}: a step has the learning rate {lr}")
    return Step(tuple(rows), float(lr))


def _drop(drop: Any, what: str) -> tuple[int, float]:
    if not isinstance(drop, dict):
        raise FormatError(f"{what}: a drop of the learning rate is no object")
    return field(drop, "from_epoch", int, what), float(field(drop, "by", (int, float), what))


def _schedule_of(stage: Stage) -> Schedule:
    """Format 2 does not name the schedule; its drops tell which it is."""
    if not stage.drops:
        return "constant"
    if stage.resets:
        return "dc"
    return "idc" if stage.drops[0][1] > 0.15 else "pdd"


Learnables = Mapping[str, Any]


def own_plan(
    recipes: Sequence[Mapping[str, Any]],
    learned: Sequence[float | None],
    what: str,
    learnables: Sequence[Learnables] | None = None,
) -> Plan:
    """The plan of sets that carry these recipes, learned learning rates and learnables, in order: the last recipe, over that of DSA.

    In several stages it becomes that of progressive training, unless the pipeline gave it: half of the epochs in each stage,
    schedule `pdd` for `dc`, momentum kept, and with the schedule `idc` half the learning rate after six sets. Where a set carries a
    script, each stage has the steps of one set.

    Raises:
        FormatError: a recipe holds values that are none.
    """
    recipe, count = recipes[-1], len(recipes)
    several = count > 1
    # Sets of before `given` that say how momentum is carried were given their recipe for the stages.
    given = field(recipe, "given", list, what, ["epochs", "schedule"] if "carry_momentum" in recipe else [])
    scripts: list[tuple[Step, ...]] = []
    if any(own.get("script") is not None for own in recipes):
        scripts = [_script(own, learnt, number, what) for number, (own, learnt) in enumerate(zip(recipes, learnables or [{}] * count), 1)]
    if recipe.get("steps") is not None and "epochs" not in given:
        raise FormatError(f"{what}: it counts steps, not epochs; the manifest of `export` has its epochs")
    epochs = field(recipe, "epochs", int, what, 1000)
    if epochs < 1:
        raise FormatError(f"{what}: {epochs} epochs are no training")
    schedule = field(recipe, "schedule", str, what, "dc")
    if several and "epochs" not in given:
        epochs = max(1, epochs // 2)
    if several and "schedule" not in given and schedule == "dc":
        schedule = "pdd"
    warm_up = field(recipe, "warm_up", int, what, 0) // (2 if several else 1)
    # Each step of a script is an epoch.
    run, drops, resets = scheduled(schedule, 1 if scripts else epochs, warm_up)
    halved = field(recipe, "halve_lr_after_sets", int, what, _HALVED_AFTER if several and schedule == "idc" else None)
    fixed = recipe.get("lr", 0.01)
    stages = []
    for place, steps in enumerate(scripts):
        stages.append(Stage(place + 1, (place + 1,), steps[0].lr, run, drops, resets, steps))
    for place, own in enumerate([] if scripts else learned):
        rate = own if fixed in ("learned", None) else fixed[place] if isinstance(fixed, list) and place < len(fixed) else fixed
        if rate is not None and (not isinstance(rate, (int, float)) or not rate > 0):
            raise FormatError(f"{what}: the learning rate {rate!r} of set {place + 1} is none")
        late = 0.5 if halved is not None and place >= halved else 1.0
        stages.append(
            Stage(place + 1, tuple(range(1, place + 2)), None if rate is None else rate * late, run, drops, resets)
        )
    return Plan(
        mode="sequential" if scripts else "progressive",
        stages=tuple(stages),
        momentum=float(field(recipe, "momentum", (int, float), what, 0.9)),
        weight_decay=float(field(recipe, "weight_decay", (int, float), what, 5e-4)),
        batch=max(1, field(recipe, "batch", int, what, 256)),
        augment=field(recipe, "augment", str, what, DSA),
        cutmix=float(field(recipe, "cutmix", (int, float), what, 0.0)),
        carry_momentum=field(recipe, "carry_momentum", bool, what, several),
        schedule=schedule,
        loss=field(recipe, "loss", str, what, "cross_entropy"),
        optimizer=field(recipe, "optimizer", str, what, "sgd"),
        warm_up=warm_up,
        average=float(field(recipe, "average", (int, float), what, 0.0)),
        teacher=recipe.get("teacher") is not None,
    )


def _script(recipe: Mapping[str, Any], learnables: Learnables, number: int, what: str) -> tuple[Step, ...]:
    """The steps of a set: one for each learning rate that was learned, on its groups of rows in turn."""
    what = f"{what}, set {number}"
    if recipe.get("script") is None:
        raise FormatError(f"{what}: other sets are trained on step by step, and this one does not say how")
    script = field(recipe, "script", dict, what)
    groups, rates = field(script, "groups", list, what), learnables.get(field(script, "rates", str, what))
    if rates is None:
        raise FormatError(f"{what}: its script takes learning rates from the learnable `{script['rates']}`, which it does not have")
    if not groups or not all(isinstance(group, list) for group in groups) or not rates.size:
        raise FormatError(f"{what}: its script has no step, or groups that are no lists of rows")
    return tuple(_checked(rows, float(lr), what) for rows, lr in zip(itertools.cycle(groups), rates.reshape(-1)))


def manifest_of_plan(plan: Plan, images_per_class: Sequence[int]) -> dict[str, Any]:
    """The plan as a manifest of format 4 has it."""
    return {
        "recipe": "own",
        "mode": plan.mode,
        "number_of_stages": len(plan.stages),
        "stages": [
            {
                "stage": stage.number,
                "trains_on_sets": list(stage.sets),
                "images_per_class": sum(images_per_class[number - 1] for number in stage.sets),
                "lr": stage.lr,
                "epochs": stage.epochs,
                "lr_is_multiplied": [{"from_epoch": epoch, "by": by} for epoch, by in stage.drops],
                "momentum_is_emptied_before_epochs": list(stage.resets),
                **({"steps": [{"rows": list(step.rows), "lr": step.lr} for step in stage.steps]} if stage.steps else {}),
            }
            for stage in plan.stages
        ],
        "first_weights": "random",
        "loss": plan.loss,
        "optimizer": plan.optimizer,
        "momentum": plan.momentum,
        "weight_decay": plan.weight_decay,
        "batch": plan.batch,
        "augment": plan.augment,
        "cutmix": plan.cutmix,
        "schedule": plan.schedule,
        "warm_up": plan.warm_up,
        "average": plan.average,
        "momentum_is_kept_between_stages": plan.carry_momentum,
    }
