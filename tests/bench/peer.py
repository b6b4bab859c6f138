"""The units of work of `main.rs` in PyTorch eager, written as the methods' official scripts do them.

`peer.py UNIT WIDTH REPEATS THREADS` prints the seconds of each repetition as JSON.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

CLASSES, IPC, REAL = 10, 10, 256
STEPS, STEP_SIZE = 5, 0.01
OPERATIONS = ["color", "crop", "cutout", "flip", "scale", "rotate"]


class ConvNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        blocks, inputs = [], 3
        for _ in range(3):
            blocks += [
                nn.Conv2d(inputs, width, 3, padding=1),
                nn.GroupNorm(width, width, affine=True),
                nn.ReLU(inplace=True),
                nn.AvgPool2d(2, 2),
            ]
            inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(width * 16, CLASSES)

    def embed(self, x):
        return self.blocks(x).flatten(1)

    def forward(self, x):
        return self.classifier(self.embed(x))


def warp(x, theta):
    grid = F.affine_grid(theta.expand(x.shape[0], 2, 3), x.shape, align_corners=True)
    return F.grid_sample(x, grid, align_corners=True)


def augment(x, seed):
    """One operation for the batch, one draw of its parameters for all images (Siamese DSA)."""
    draw = torch.Generator().manual_seed(seed)
    uniform = lambda: torch.rand(1, generator=draw).item()
    size = x.shape[2]
    operation = OPERATIONS[int(uniform() * len(OPERATIONS))]
    if operation == "color":
        x = x + (uniform() - 0.5)
        mean = x.mean(1, keepdim=True)
        x = (x - mean) * (2 * uniform()) + mean
        mean = x.mean([1, 2, 3], keepdim=True)
        return (x - mean) * (uniform() + 0.5) + mean
    if operation == "crop":
        shift = int(0.125 * size + 0.5)
        top, left = (int(uniform() * (2 * shift + 1)) for _ in range(2))
        return F.pad(x, [shift] * 4)[:, :, top : top + size, left : left + size]
    if operation == "cutout":
        side = size // 2
        top, left = (int(uniform() * (size + 1)) - side // 2 for _ in range(2))
        mask = torch.ones(size, size)
        mask[max(top, 0) : top + side, max(left, 0) : left + side] = 0
        return x * mask
    if operation == "flip":
        return x.flip(3) if uniform() < 0.5 else x
    if operation == "scale":
        across, down = (uniform() * (1.2 - 1 / 1.2) + 1 / 1.2 for _ in range(2))
        return warp(x, torch.tensor([[[across, 0, 0], [0, down, 0]]]))
    angle = torch.tensor((uniform() - 0.5) * 2 * 15 * torch.pi / 180)
    c, s = angle.cos(), angle.sin()
    return warp(x, torch.tensor([[[c, -s, 0], [s, c, 0]]]))


def dm(width, state, iteration):
    net = ConvNet(width)
    for weight in net.parameters():
        weight.requires_grad = False
    images, optimizer = state["images"], state["optimizer"]
    loss = torch.tensor(0.0)
    for c in range(CLASSES):
        seed = iteration * CLASSES + c
        real = net.embed(augment(state["real"], seed)).detach().mean(0)
        own = net.embed(augment(images[c * IPC : (c + 1) * IPC], seed)).mean(0)
        loss += ((real - own) ** 2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def dsa(width, state, iteration):
    net = ConvNet(width)
    weights = list(net.parameters())
    own = state["images"][:IPC].detach().requires_grad_()
    labels = torch.zeros(REAL, dtype=torch.long)
    loss = F.cross_entropy(net(augment(state["real"], iteration)), labels)
    real = [g.detach().clone() for g in torch.autograd.grad(loss, weights)]
    loss = F.cross_entropy(net(augment(own, iteration)), labels[:IPC])
    matched = torch.autograd.grad(loss, weights, create_graph=True)
    distance = torch.tensor(0.0)
    for a, b in zip(real, matched):
        if a.dim() > 1:
            a, b = a.flatten(1), b.flatten(1)
            distance = distance + (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).sum()
    torch.autograd.grad(distance, own)


def mtt(width, state, iteration):
    """All steps of the student stay in one graph, as in the official code."""
    net, target = ConvNet(width), ConvNet(width)
    names = [name for name, _ in net.named_parameters()]
    start = [weight.detach() for weight in net.parameters()]
    target = [weight.detach() for weight in target.parameters()]
    alpha = torch.tensor(STEP_SIZE, requires_grad=True)
    labels = torch.arange(CLASSES).repeat_interleave(IPC)
    theta = [weight.clone().requires_grad_() for weight in start]
    for step in range(STEPS):
        x = augment(state["images"], iteration * STEPS + step)
        logits = torch.func.functional_call(net, dict(zip(names, theta)), (x,))
        slopes = torch.autograd.grad(F.cross_entropy(logits, labels), theta, create_graph=True)
        theta = [weight - alpha * slope for weight, slope in zip(theta, slopes)]
    square = lambda a, b: sum(((x - y) ** 2).sum() for x, y in zip(a, b))
    loss = square(theta, target) / square(start, target)
    state["optimizer"].zero_grad()
    loss.backward()
    state["optimizer"].step()


def main():
    unit, width, repeats, threads = sys.argv[1], *map(int, sys.argv[2:5])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    images = torch.randn(CLASSES * IPC, 3, 32, 32, requires_grad=True)
    state = {
        "images": images,
        "real": torch.randn(REAL, 3, 32, 32),
        "optimizer": torch.optim.SGD([images], lr=1.0, momentum=0.5),
    }
    seconds = []
    for repetition in range(repeats + 1):
        start = time.perf_counter()
        {"dm": dm, "dsa": dsa, "mtt": mtt}[unit](width, state, repetition)
        if repetition > 0:
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
