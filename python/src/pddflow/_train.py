"""Training and testing of nets in PyTorch, as the program does it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ._data import Data
from ._errors import FormatError, need
from ._plan import Plan
from ._sets import Distilled, StageData

if TYPE_CHECKING:
    from torch.nn import Module

torch = need("torch", "torch", "training")

from ._augment import Policy, cutmix  # noqa: E402

#: Images that are tested at once.
_TEST_BATCH = 1024


@dataclass(frozen=True)
class StageResult:
    """The end of a stage."""

    stage: int
    #: Mean loss of its last epoch.
    loss: float
    #: Share of the test images that are right, 0 to 1; `None` without test images.
    accuracy: float | None


@dataclass(frozen=True)
class Trained:
    """A trained net."""

    net: "Module" = field(repr=False)
    stages: tuple[StageResult, ...]

    @property
    def accuracy(self) -> float | None:
        """After the last stage."""
        return self.stages[-1].accuracy


@dataclass(frozen=True)
class Evaluation:
    """Test accuracies of several nets, 0 to 1, after the last epoch of the last stage."""

    accuracies: tuple[float, ...]
    #: Of each net, after each stage.
    by_stage: tuple[tuple[float, ...], ...] = field(repr=False)

    @property
    def mean(self) -> float:
        """Mean over the nets."""
        return float(np.mean(self.accuracies))

    @property
    def std(self) -> float | None:
        """Sample standard deviation over the nets; `None` for one net."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else None


def train(
    distilled: Distilled,
    net: Any,
    *,
    test: Data | tuple[Any, Any] | None = None,
    seed: int = 0,
    device: Any = None,
    progress: Callable[[int, int, float], object] | None = None,
) -> Trained:
    """See `Distilled.train`."""
    if distilled.plan.teacher:
        raise FormatError(
            "by the set's recipe a trained net labels every batch, which `evaluate` of the program does and `train` does not: "
            "give a `Plan` of your own in place of the set's to train on its labels"
        )
    if device is not None:
        net.to(device)
    place = next(net.parameters()).device
    tested = None if test is None else _test_tensors(distilled, test, place)
    generator = torch.Generator().manual_seed(seed)
    run = _Run(distilled, net, generator, place)
    results = []
    for stage in distilled.progressive():
        loss = run.stage(stage, progress)
        own = run.take_average()
        results.append(StageResult(stage.number, loss, None if tested is None else accuracy(net, *tested)))
        if stage.number < len(distilled.plan.stages):
            net.load_state_dict(own)
    return Trained(net, tuple(results))


def evaluate(
    distilled: Distilled,
    make_net: Callable[[], Any],
    test: Data | tuple[Any, Any],
    *,
    nets: int,
    seed: int,
    device: Any,
) -> Evaluation:
    """See `Distilled.evaluate`."""
    if nets < 1:
        raise ValueError("at least one net must be trained")
    by_stage = []
    for number in range(nets):
        with torch.random.fork_rng():
            torch.manual_seed(seed * 1_000_003 + number)
            trained = train(distilled, make_net(), test=test, seed=seed * 1_000_003 + number, device=device)
        by_stage.append(tuple(float(stage.accuracy or 0.0) for stage in trained.stages))
    return Evaluation(tuple(stages[-1] for stages in by_stage), tuple(by_stage))


def accuracy(net: Any, images: Any, labels: Any) -> float:
    """Share of the images that the net gets right."""
    was_training = net.training
    net.eval()
    with torch.no_grad():
        right = sum(
            int((net(images[start : start + _TEST_BATCH]).argmax(1) == labels[start : start + _TEST_BATCH]).sum())
            for start in range(0, len(images), _TEST_BATCH)
        )
    net.train(was_training)
    return right / len(images)


class _Run:
    """One net through its stages."""

    def __init__(self, distilled: Distilled, net: Any, generator: Any, device: Any) -> None:
        self.plan, self.net, self.generator, self.device = distilled.plan, net, generator, device
        self.augment = Policy(self.plan.augment)
        self.optimizer: Any = None
        #: Of the weights over all steps, where that is what is tested.
        self.average = self.weights() if self.plan.average > 0 else None

    def weights(self) -> dict[str, Any]:
        return {name: value.detach().clone() for name, value in self.net.state_dict().items()}

    def take_average(self) -> dict[str, Any]:
        """Gives the net the average of its weights, if there is one; what it had comes back."""
        own = self.weights()
        if self.average is not None:
            self.net.load_state_dict(self.average)
        return own

    def stage(self, data: StageData, progress: Callable[[int, int, float], object] | None) -> float:
        rate = data.stage.lr
        if rate is None:
            raise FormatError(f"stage {data.number} has no learning rate: its set learned none; give `lr=`")
        images = torch.from_numpy(data.images).to(self.device)
        labels = torch.from_numpy(data.labels).to(self.device)
        loss = float("nan")
        self.net.train()
        done = 0
        # All images at once, or step by step where the set has a script.
        for step in data.stage.steps or [None]:
            if not self.plan.carry_momentum:
                self.optimizer = None
            seen, rate = (slice(None), rate) if step is None else (list(step.rows), step.lr)
            for epoch in range(data.epochs):
                if self.optimizer is None or epoch in data.stage.resets:
                    self.optimizer = _optimizer(self.net.parameters(), rate, self.plan)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate * data.stage.factor(epoch)
                loss, done = self.epoch(images[seen], labels[seen]), done + 1
                if not np.isfinite(loss):
                    raise FormatError(f"stage {data.number}, epoch {done}: the loss is {loss}; lower `lr`")
                if progress is not None:
                    progress(data.number, done, loss)
        return loss

    def epoch(self, images: Any, labels: Any) -> float:
        """Each image once, in a new order; the last step may have fewer. Gives the mean loss of the steps."""
        order = torch.randperm(len(images), generator=self.generator).to(self.device)
        losses = [self.step(images[rows], labels[rows]) for rows in order.split(self.plan.batch)]
        return float(torch.stack(losses).mean())

    def step(self, images: Any, labels: Any) -> Any:
        images, partners, own = self.augment(images, self.generator), labels, 1.0
        if self.plan.cutmix > 0:
            images, partners, own = cutmix(images, labels, self.plan.cutmix, self.generator)
        logits = self.net(images)
        loss = _loss(logits, labels, self.plan)
        if own != 1.0:
            loss = own * loss + (1.0 - own) * _loss(logits, partners, self.plan)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        if self.average is not None:
            for name, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.average[name].mul_(self.plan.average).add_(value.detach(), alpha=1.0 - self.plan.average)
                else:
                    self.average[name].copy_(value)
        return loss.detach()


def _optimizer(parameters: Any, lr: float, plan: Plan) -> Any:
    """Gradient descent, or Adam with the momentum as its first beta."""
    if plan.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=lr, momentum=plan.momentum, weight_decay=plan.weight_decay)
    kind = torch.optim.Adam if plan.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, lr=lr, betas=(plan.momentum, 0.999), weight_decay=plan.weight_decay)


def _loss(logits: Any, labels: Any, plan: Plan) -> Any:
    """Mean cross-entropy; or half the squared distance from centred labels, which may be any numbers."""
    if plan.loss == "cross_entropy":
        return torch.nn.functional.cross_entropy(logits, labels)
    classes = logits.shape[1]
    wanted = labels if labels.ndim == 2 else torch.nn.functional.one_hot(labels, classes)
    return 0.5 * (logits - wanted + 1 / classes).square().sum(1).mean()


def _test_tensors(distilled: Distilled, test: Data | tuple[Any, Any], device: Any) -> tuple[Any, Any]:
    if isinstance(test, Data):
        if test.class_names != distilled.class_names:
            raise FormatError("the data have other classes than the set, or in another order")
        if not test.preprocessing.agrees_with(distilled.preprocessing):
            raise FormatError("the set was made for another normalisation of the pixels than the data have")
        test = test.test
    images, labels = (torch.as_tensor(one) for one in test)
    shape = distilled.sets[0].images.shape[1:]
    if tuple(images.shape[1:]) != shape or len(images) != len(labels) or len(images) == 0:
        raise FormatError(f"test images have the shape {list(images.shape)} for {len(labels)} labels; the set has {list(shape)}")
    if not images.is_floating_point():
        raise FormatError("test images must be as nets see them: apply `preprocessing.apply` to pixels")
    return images.to(device, torch.float32), labels.to(device)
