"""The units of work of `compare.py` in PyTorch eager, written as the methods' official scripts do them.

`peer.py UNIT WIDTH REPEATS THREADS [DEVICE [compile]]` prints the seconds of each repetition as JSON; on a GPU also the most memory that
PyTorch took there. `compile` passes nets that are trained or looked at through `torch.compile`. `peer.py UNIT WIDTH launches` prints how
many operations a repetition is made of.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

try:
    from torch.func import functional_call
except ImportError:
    # Before PyTorch 2.
    from torch.nn.utils.stateless import functional_call

CLASSES, REAL, IDC_REAL = 10, 256, 64
STEP_SIZE = 0.01
OPERATIONS = ["color", "crop", "cutout", "flip", "scale", "rotate"]


class ConvNet(nn.Module):
    def __init__(self, width, channels=3, side=32, batch_norm=False):
        super().__init__()
        blocks, inputs = [], channels
        for block in range(3):
            padding = 3 if channels == 1 and block == 0 else 1
            side += 2 * (padding - 1)
            blocks += [
                nn.Conv2d(inputs, width, 3, padding=padding),
                nn.BatchNorm2d(width) if batch_norm else nn.GroupNorm(width, width, affine=True),
                nn.ReLU(inplace=True),
                nn.AvgPool2d(2, 2),
            ]
            inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(width * (side // 8) ** 2, CLASSES)

    def embed(self, x):
        return self.blocks(x).flatten(1)

    def forward(self, x):
        return self.classifier(self.embed(x))


def warp(x, theta):
    grid = F.affine_grid(theta.expand(x.shape[0], 2, 3), x.shape, align_corners=True)
    return F.grid_sample(x, grid, align_corners=True)


def augment(x, seed, siamese=True):
    """DSA: one operation for the batch; one draw of its parameters for all images (Siamese), or one for each."""
    draw = torch.Generator("cpu").manual_seed(seed)
    operation = OPERATIONS[int(torch.rand(1, generator=draw, device="cpu") * len(OPERATIONS))]
    count, size = (1 if siamese else x.shape[0]), x.shape[2]
    uniform = lambda: torch.rand(count, 1, 1, 1, generator=draw, device="cpu").to(x.device)
    if operation == "color":
        x = x + (uniform() - 0.5)
        mean = x.mean(1, keepdim=True)
        x = (x - mean) * (2 * uniform()) + mean
        mean = x.mean([1, 2, 3], keepdim=True)
        return (x - mean) * (uniform() + 0.5) + mean
    if operation in ("crop", "cutout"):
        return (crop if operation == "crop" else cutout)(x, uniform, size)
    if operation == "flip":
        return torch.where(uniform() < 0.5, x.flip(3), x)
    zero = torch.zeros(count)
    if operation == "scale":
        across, down = (uniform().flatten() * (1.2 - 1 / 1.2) + 1 / 1.2 for _ in range(2))
        rows = [[across, zero, zero], [zero, down, zero]]
    else:
        angle = (uniform().flatten() - 0.5) * 2 * 15 * torch.pi / 180
        c, s = angle.cos(), angle.sin()
        rows = [[c, -s, zero], [s, c, zero]]
    return warp(x, torch.stack([torch.stack(row, -1) for row in rows], 1))


def crop(x, uniform, size):
    """As the official code: every pixel is taken from where it was shifted."""
    shift = int(0.125 * size + 0.5)
    down, across = ((uniform() * (2 * shift + 1)).long().view(-1, 1, 1) for _ in range(2))
    image, row, column = torch.meshgrid(*map(torch.arange, (x.shape[0], size, size)), indexing="ij")
    row, column = (row + down).clamp(0, size + 2 * shift - 1), (column + across).clamp(0, size + 2 * shift - 1)
    padded = F.pad(x, [shift] * 4).permute(0, 2, 3, 1)
    return padded[image, row, column].permute(0, 3, 1, 2)


def cutout(x, uniform, size):
    side = size // 2
    top, left = ((uniform() * (size + 1)).long().view(-1, 1, 1) for _ in range(2))
    image, row, column = torch.meshgrid(*map(torch.arange, (x.shape[0], side, side)), indexing="ij")
    row, column = ((row + top - side // 2).clamp(0, size - 1), (column + left - side // 2).clamp(0, size - 1))
    mask = torch.ones(x.shape[0], size, size)
    mask[image, row, column] = 0
    return x * mask.unsqueeze(1)


class Matching:
    """Synthetic images with their optimiser, and real images of one class."""

    def __init__(self, width, ipc):
        self.width, self.ipc = width, ipc
        self.images = torch.randn(CLASSES * ipc, 3, 32, 32, requires_grad=True)
        self.real = torch.randn(REAL, 3, 32, 32)
        self.optimizer = torch.optim.SGD([self.images], lr=1.0, momentum=0.5)

    def of_class(self, c):
        return self.images[c * self.ipc : (c + 1) * self.ipc]

    def step(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def dm(self, iteration):
        net = ConvNet(self.width)
        for weight in net.parameters():
            weight.requires_grad = False
        loss = torch.tensor(0.0)
        for c in range(CLASSES):
            seed = iteration * CLASSES + c
            real = net.embed(augment(self.real, seed)).detach().mean(0)
            own = net.embed(augment(self.of_class(c), seed)).mean(0)
            loss += ((real - own) ** 2).sum()
        self.step(loss)

    def slopes(self, net, x, c, seed, graph):
        labels = torch.full((len(x),), c, dtype=torch.long)
        loss = F.cross_entropy(net(augment(x, seed)), labels)
        return torch.autograd.grad(loss, list(net.parameters()), create_graph=graph)

    def dc_distance(self, net, images, c, seed):
        real = [g.detach().clone() for g in self.slopes(net, self.real, c, seed, False)]
        distance = torch.tensor(0.0)
        for a, b in zip(real, self.slopes(net, images, c, seed, True)):
            if a.dim() > 1:
                a, b = a.flatten(1), b.flatten(1)
                distance = distance + (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).sum()
        return distance

    def dc(self, iteration):
        """All classes in one graph and one backward pass, as in the official code."""
        net, loss = ConvNet(self.width), torch.tensor(0.0)
        for c in range(CLASSES):
            loss = loss + self.dc_distance(net, self.of_class(c), c, iteration * CLASSES + c)
        self.step(loss)

    def idc(self, iteration):
        net, own = ConvNet(self.width), self.of_class(0)
        parts = [own[:, :, i : i + 16, j : j + 16] for i in (0, 16) for j in (0, 16)]
        own = F.interpolate(torch.cat(parts), size=32, mode="bilinear")
        real = [g.detach() for g in self.slopes(net, self.real[:IDC_REAL], 0, iteration, False)]
        pairs = zip(real, self.slopes(net, own, 0, iteration, True))
        self.step(sum(((a - b) ** 2).sum() for a, b in pairs if a.dim() == 4))

    def mtt(self, iteration, steps):
        """All steps of the student stay in one graph, as in the official code."""
        net, target = ConvNet(self.width), ConvNet(self.width)
        names = [name for name, _ in net.named_parameters()]
        start = [weight.detach() for weight in net.parameters()]
        target = [weight.detach() for weight in target.parameters()]
        alpha = torch.tensor(STEP_SIZE, requires_grad=True)
        labels = torch.arange(CLASSES).repeat_interleave(self.ipc)
        theta = [weight.clone().requires_grad_() for weight in start]
        for step in range(steps):
            x = augment(self.images, iteration * steps + step)
            logits = functional_call(net, dict(zip(names, theta)), (x,))
            slopes = torch.autograd.grad(F.cross_entropy(logits, labels), theta, create_graph=True)
            theta = [weight - alpha * slope for weight, slope in zip(theta, slopes)]
        square = lambda a, b: sum(((x - y) ** 2).sum() for x, y in zip(a, b))
        self.step(square(theta, target) / square(start, target))


class Training:
    """A net, its optimiser and a batch of images."""

    def __init__(self, width, batch, channels, side, batch_norm=False):
        self.net = ConvNet(width, channels, side, batch_norm)
        if "compile" in sys.argv[6:]:
            self.net = torch.compile(self.net)
        self.images = torch.randn(batch, channels, side, side)
        self.labels = torch.arange(batch) % CLASSES
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step(self, iteration):
        logits = self.net(augment(self.images, iteration, siamese=False))
        loss = F.cross_entropy(logits, self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return logits

    def forgetting(self, iteration):
        self.step(iteration).argmax(1).eq(self.labels).tolist()

    def forward(self, iteration):
        with torch.no_grad():
            self.net(self.images).argmax(1).tolist()


UNITS = {
    "train": lambda width: Training(width, 256, 3, 32).step,
    "train-gray": lambda width: Training(width, 256, 1, 28).step,
    "train-batch": lambda width: Training(width, 256, 3, 32, batch_norm=True).step,
    "epoch-100": lambda width: Training(width, 100, 3, 32).step,
    "test-1000": lambda width: Training(width, 1000, 3, 32).forward,
    "dm": lambda width: Matching(width, 10).dm,
    "dc": lambda width: Matching(width, 1).dc,
    "dc-10": lambda width: Matching(width, 10).dc,
    "idc": lambda width: Matching(width, 10).idc,
    "mtt-10": lambda width: lambda iteration, bench=Matching(width, 1): bench.mtt(iteration, 10),
    "mtt-100": lambda width: lambda iteration, bench=Matching(width, 10): bench.mtt(iteration, 5),
    "forgetting": lambda width: Training(width, 256, 3, 32).forgetting,
}


# What computes nothing: views, new memory, and checks of tensors.
NO_LAUNCH = set(
    """_local_scalar_dense _reshape_alias _to_copy _unsafe_view alias as_strided as_strided_ broadcast_tensors chunk contiguous detach
    detach_ empty empty_like empty_strided expand expand_as flatten is_nonzero is_same_size item lift_fresh movedim narrow new_empty
    new_empty_strided permute reshape resize resize_ resolve_conj resolve_neg result_type select set_ slice split squeeze swapaxes t to
    transpose unbind unfold unsqueeze unsqueeze_ view view_as""".split()
)


def launches(work):
    """Operations of one repetition that are made of no others, without views: what a device would be given to do."""
    work(0)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        work(1)

    def count(event):
        inner = sum(map(count, event.cpu_children))
        return inner or int(event.name.startswith("aten::") and event.name.removeprefix("aten::") not in NO_LAUNCH)

    return sum(count(event) for event in profile.events() if event.cpu_parent is None)


def main():
    unit, width = sys.argv[1], int(sys.argv[2])
    if sys.argv[3:] == ["launches"]:
        torch.manual_seed(0)
        print(launches(UNITS[unit](width)))
        return
    repeats, threads = map(int, sys.argv[3:5])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    on_gpu = len(sys.argv) > 5 and sys.argv[5] != "cpu"
    if on_gpu:
        torch.set_default_device(sys.argv[5])
    work = UNITS[unit](width)
    seconds = []
    for repetition in range(repeats + 1):
        start = time.perf_counter()
        work(repetition)
        if on_gpu:
            torch.cuda.synchronize()
        if repetition > 0:
            seconds.append(time.perf_counter() - start)
    found = {"seconds": seconds}
    if on_gpu:
        found["peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps(found))


if __name__ == "__main__":
    main()
