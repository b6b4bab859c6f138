#!/usr/bin/env python3
"""Trains nets on the sets beside this file as `manifest.json` says, and tests them on real images. Needs PyTorch and NumPy only.

    python train.py --test test.npz                       # a ConvNet of width 128 and depth 3
    python train.py --test test.npz --width 16 --depth 3 --nets 5
    python train.py --test test.npz --net my_net.py:make  # a net of your own: make(channels, height, width, classes)

`test.npz` has the real test images as bytes, `images` [n, height, width] or [n, height, width, channels] or [n, channels, height, width],
and their class numbers `labels` [n], in the order of `class_names` of the manifest. From torchvision, for example:

    data = torchvision.datasets.CIFAR10("data", train=False, download=True)
    numpy.savez("test.npz", images=data.data, labels=data.targets)

`train(net, sets, plan)` is the whole protocol, for use from other programs: `import train; sets, plan, manifest = train.load(folder)`.
"""

import argparse
import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# ---------------------------------------------------------------------------------------------------------------- sets


def read_safetensors(path):
    """The arrays of a safetensors file: 8 bytes with the length of the head, the head (JSON), the numbers."""
    kinds = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8}
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:start])
    head.pop("__metadata__", None)
    arrays = {}
    for name, about in head.items():
        first, last = about["data_offsets"]
        array = np.frombuffer(data[start + first : start + last], np.dtype(kinds[about["dtype"]]).newbyteorder("<"))
        arrays[name] = array.reshape(about["shape"]).copy()
    return arrays


def load(folder):
    """The sets, each images and labels as tensors; how they are trained on; the whole manifest."""
    folder = Path(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if manifest["format"] != 4:
        sys.exit(f"the manifest has format {manifest['format']}; this file reads 4")
    sets = []
    for entry in manifest["sets"]:
        arrays = read_safetensors(folder / entry["file"])
        sets.append((torch.from_numpy(arrays["images"]).float(), torch.from_numpy(arrays["labels"])))
    return sets, manifest["training"], manifest


def preprocess(pixels, manifest, folder):
    """Pixels [n, c, h, w] from 0 to 1, as nets see them."""
    how = manifest["preprocessing"]
    kind = how.get("normalize", how.get("kind"))
    if kind == "standard":
        mean, std = (np.asarray(how[name]).reshape(1, -1, 1, 1) for name in ("mean", "std"))
        return ((pixels - mean) / std).astype(np.float32)
    if kind == "zca":
        zca = read_safetensors(Path(folder) / how["file"])
        rows = pixels.reshape(len(pixels), -1).astype(np.float32)
        return ((rows - zca["mean"]) @ zca["transform"]).astype(np.float32).reshape(pixels.shape)
    return pixels.astype(np.float32)


def test_images(path, manifest, folder):
    """Real test images as nets see them, and their classes."""
    channels, height, width = manifest["sets"][0]["images"][1:]
    with np.load(path) as file:
        images, labels = file["images"], np.asarray(file["labels"]).astype(np.int64).reshape(-1)
    if images.dtype != np.uint8:
        sys.exit(f"{path}: images are {images.dtype}; they must be bytes, 0 to 255")
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[1:] == (height, width, channels) and images.shape[1:] != (channels, height, width):
        images = images.transpose(0, 3, 1, 2)
    if images.shape[1:] != (channels, height, width) or len(images) != len(labels) or len(labels) == 0:
        sys.exit(f"{path}: images {list(images.shape)} and {len(labels)} labels; the sets have images {[channels, height, width]}")
    if labels.min() < 0 or labels.max() >= len(manifest["class_names"]):
        sys.exit(f"{path}: labels from {labels.min()} to {labels.max()}; there are {len(manifest['class_names'])} classes")
    return torch.from_numpy(preprocess(images / 255.0, manifest, folder)), torch.from_numpy(labels)


# ----------------------------------------------------------------------------------------------------------------- net


def convnet(channels, height, width, classes, filters=128, depth=3, norm="instance"):
    """The standard net of dataset distillation: `depth` times convolution 3x3, normalisation, ReLU, average pooling 2x2; then a
    linear layer. The first convolution pads by 3 where images have one channel (28x28 becomes 32x32), all others by 1. First weights are
    PyTorch's own: uniform in +-1/sqrt(inputs of an output), for weights and biases alike; normalisations start at 1 and 0."""
    layers = []
    for block in range(depth):
        padding = 3 if block == 0 and channels == 1 else 1
        height, width = ((side + 2 * padding - 2) // 2 for side in (height, width))
        layers.append(nn.Conv2d(channels, filters, 3, padding=padding))
        if norm == "instance":
            layers.append(nn.GroupNorm(filters, filters))
        elif norm == "batch":
            layers.append(nn.BatchNorm2d(filters))
        layers += [nn.ReLU(), nn.AvgPool2d(2)]
        channels = filters
    if min(height, width) < 1:
        sys.exit(f"the images are too small for {depth} poolings: lower --depth")
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(filters * height * width, classes))


# -------------------------------------------------------------------------------------------------------- augmentation

KINDS = ("color", "crop", "cutout", "flip", "scale", "rotate")
# Largest shift and side of the square that is cut out, in sides; largest scale; largest angle in degrees.
SHIFT, CUTOUT, SCALE, ANGLE = 0.125, 0.5, 1.2, 15.0


def augment(policy, x, generator):
    """`dsa:KINDS` applies ONE of its kinds, drawn anew for each step, with parameters of its own for each image. `idc:KINDS` applies flip,
    colour, one of crop, scale and rotate, then cutout, as far as listed. `none` does nothing."""
    family, _, listed = policy.partition(":")
    kinds = [kind for kind in KINDS if kind in (listed.split("_") if listed else KINDS)]

    def pick(some):
        return some[int(torch.randint(len(some), (1,), generator=generator))]

    if family == "dsa":
        return apply(pick(kinds), x, generator, corners=True)
    if family == "idc":
        movers = [kind for kind in kinds if kind in ("crop", "scale", "rotate")]
        for kind in ("flip", "color", pick(movers) if movers else None, "cutout"):
            if kind in kinds:
                x = apply(kind, x, generator, corners=False)
    return x


def apply(kind, x, generator, corners):
    """One kind; every image has its own draw."""
    count, _, height, width = x.shape

    def uniform(low, high):
        drawn = torch.rand(count, generator=generator, dtype=torch.float64) * (high - low) + low
        return drawn.to(x.device, x.dtype)

    def whole(low, high):
        return torch.randint(low, high + 1, (count,), generator=generator).to(x.device)

    if kind == "color":
        # Brightness, saturation around the mean of each pixel's channels, contrast around the mean of the image.
        x = x + wide(uniform(-0.5, 0.5))
        mean, factor = x.mean(1, keepdim=True), wide(uniform(0.0, 2.0))
        x = (x - mean) * factor + mean
        mean, factor = x.mean((1, 2, 3), keepdim=True), wide(uniform(0.5, 1.5))
        return (x - mean) * factor + mean
    if kind == "crop":
        rows, columns = (part(SHIFT, side) for side in (height, width))
        return crop(x, whole(-rows, rows), whole(-columns, columns))
    if kind == "cutout":
        rows, columns = (part(CUTOUT, side) for side in (height, width))
        return cutout(x, whole(0, height - rows % 2), whole(0, width - columns % 2), (rows, columns))
    if kind == "flip":
        return torch.where(wide(uniform(0.0, 1.0) < 0.5), x.flip(3), x)
    if kind == "scale":
        columns_by, rows_by = uniform(1 / SCALE, SCALE), uniform(1 / SCALE, SCALE)
        zero = torch.zeros_like(rows_by)
        return warp(x, [[columns_by, zero], [zero, rows_by]], corners)
    angle = uniform(-ANGLE, ANGLE) * (math.pi / 180)
    return warp(x, [[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]], corners)


def crop(x, rows, columns):
    """Moved by whole pixels, zero outside."""
    count, _, height, width = x.shape
    row = torch.arange(height, device=x.device)[None, :] + rows[:, None]
    column = torch.arange(width, device=x.device)[None, :] + columns[:, None]
    inside = ((row >= 0) & (row < height))[:, :, None] & ((column >= 0) & (column < width))[:, None, :]
    image = torch.arange(count, device=x.device)[:, None, None]
    taken = x.permute(0, 2, 3, 1)[image, row.clamp(0, height - 1)[:, :, None], column.clamp(0, width - 1)[:, None, :]]
    return (taken * inside[..., None]).permute(0, 3, 1, 2)


def cutout(x, row, column, size):
    """A rectangle set to 0 around each centre, cut at the edge."""

    def covered(centre, cut, side):
        places = torch.arange(side, device=x.device)[None, :]
        start, end = (centre - cut // 2).clamp(0, side - 1), (centre - cut // 2 + cut - 1).clamp(0, side - 1)
        return (places >= start[:, None]) & (places <= end[:, None])

    rows, columns = covered(row, size[0], x.shape[2]), covered(column, size[1], x.shape[3])
    return x * ~(rows[:, :, None] & columns[:, None, :])[:, None]


def warp(x, matrix, corners):
    """Resampled, bilinear and zero outside."""
    theta = torch.stack([torch.stack([*row, torch.zeros_like(row[0])], 1) for row in matrix], 1)
    grid = F.affine_grid(theta, list(x.shape), align_corners=corners)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=corners)


def cutmix(images, labels, share, generator):
    """With probability `share` one box, the same for the batch, pasted from a partner: images, labels of the partners, weight of the
    own label. The box covers 1 - lambda of the image, lambda uniform, around a uniform centre, and is cut at the edge."""
    draws = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
    if draws[0] >= share:
        return images, labels, 1.0
    partner = torch.randperm(len(images), generator=generator).to(images.device)
    height, width = images.shape[2:]
    root = math.sqrt(1.0 - draws[1])
    (top, bottom), (left, right) = (
        (max(centre - half, 0), min(centre + half, side))
        for side, centre, half in (
            (side, int(draw * side), int(side * root) // 2) for side, draw in ((height, draws[2]), (width, draws[3]))
        )
    )
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[partner][:, :, top:bottom, left:right]
    return mixed, labels[partner], 1.0 - (bottom - top) * (right - left) / (height * width)


def part(share, side):
    """A share of a side in whole pixels, halves rounded up."""
    return math.floor(share * side + 0.5)


def wide(values):
    return values.reshape(-1, 1, 1, 1)


# ------------------------------------------------------------------------------------------------------------ training


def train(net, sets, plan, generator, after_stage=None):
    """One net through all stages. `plan` is `training` of the manifest, `generator` draws on the processor."""
    device = next(net.parameters()).device
    optimizer, average = None, weights_of(net) if plan.get("average") else None
    net.train()
    for stage in plan["stages"]:
        numbers = [number - 1 for number in stage["trains_on_sets"]]
        images = torch.cat([sets[number][0] for number in numbers]).to(device)
        labels = torch.cat(same_kind([sets[number][1] for number in numbers])).to(device)
        # All images at once, or step by step where the set has a script.
        for part in stage.get("steps", [{"rows": range(len(images)), "lr": stage["lr"]}]):
            if not plan["momentum_is_kept_between_stages"]:
                optimizer = None
            chosen = torch.tensor(list(part["rows"]), device=device)
            for epoch in range(stage["epochs"]):
                if optimizer is None or epoch in stage["momentum_is_emptied_before_epochs"]:
                    optimizer = make_optimizer(net.parameters(), part["lr"], plan)
                factor = next((drop["by"] for drop in reversed(stage["lr_is_multiplied"]) if epoch >= drop["from_epoch"]), 1.0)
                for group in optimizer.param_groups:
                    group["lr"] = part["lr"] * factor
                # Each image once, in a new order; the last step may have fewer.
                order = chosen[torch.randperm(len(chosen), generator=generator).to(device)]
                for rows in order.split(plan["batch"]):
                    step(net, optimizer, images[rows], labels[rows], plan, generator)
                    if average is not None:
                        take_in(average, net, plan["average"])
        # What is tested, and what is left in the end, is the average.
        own = weights_of(net)
        if average is not None:
            net.load_state_dict(average)
        if after_stage is not None:
            after_stage(stage["stage"])
        if average is not None and stage is not plan["stages"][-1]:
            net.load_state_dict(own)


def weights_of(net):
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def take_in(average, net, left):
    """The weights into their average, of which a step leaves so much."""
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            average[name].mul_(left).add_(value.detach(), alpha=1.0 - left)
        else:
            average[name].copy_(value)


def make_optimizer(parameters, lr, plan):
    """Gradient descent, or Adam with the momentum as its first beta."""
    kind, decay = plan.get("optimizer", "sgd"), plan["weight_decay"]
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=lr, momentum=plan["momentum"], weight_decay=decay)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](
        parameters, lr=lr, betas=(plan["momentum"], 0.999), weight_decay=decay
    )


def loss_of(logits, labels, plan):
    """Mean cross-entropy; or half the squared distance from centred labels, which may be any numbers."""
    if plan.get("loss", "cross_entropy") == "cross_entropy":
        return F.cross_entropy(logits, labels)
    classes = logits.shape[1]
    wanted = labels if labels.ndim == 2 else F.one_hot(labels, classes)
    return 0.5 * (logits - wanted + 1 / classes).square().sum(1).mean()


def step(net, optimizer, images, labels, plan, generator):
    images, partners, own = augment(plan["augment"], images, generator), labels, 1.0
    if plan.get("cutmix"):
        images, partners, own = cutmix(images, labels, plan["cutmix"], generator)
    logits = net(images)
    loss = loss_of(logits, labels, plan)
    if own != 1.0:
        loss = own * loss + (1.0 - own) * loss_of(logits, partners, plan)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def same_kind(labels):
    """Class numbers become probabilities where another set has these."""
    soft = [one for one in labels if one.ndim == 2]
    if not soft:
        return labels
    return [one if one.ndim == 2 else F.one_hot(one, soft[0].shape[1]).to(soft[0].dtype) for one in labels]


def accuracy(net, images, labels):
    """Share of the images that the net gets right, in percent."""
    device = next(net.parameters()).device
    net.eval()
    with torch.no_grad():
        right = sum(
            int((net(images[at : at + 1024].to(device)).argmax(1).cpu() == labels[at : at + 1024]).sum())
            for at in range(0, len(images), 1024)
        )
    net.train()
    return 100.0 * right / len(images)


def maker(text, options):
    """What makes a net: the ConvNet, or `FILE.py:FUNCTION`."""
    if text == "convnet":
        return lambda *shape: convnet(*shape, filters=options.width, depth=options.depth, norm=options.norm)
    path, _, name = text.rpartition(":")
    if not path:
        sys.exit("--net is `convnet` or FILE.py:FUNCTION")
    spec = importlib.util.spec_from_file_location("net", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def main(arguments=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--test", required=True, metavar="FILE.npz", help="real test images and their classes")
    options.add_argument("--folder", default=Path(__file__).parent, help="the exported folder [that of this file]")
    options.add_argument("--net", default="convnet", help="`convnet`, or FILE.py:FUNCTION")
    options.add_argument("--width", type=int, default=128, help="filters of the ConvNet [128]")
    options.add_argument("--depth", type=int, default=3, help="blocks of the ConvNet [3]")
    options.add_argument("--norm", choices=["instance", "batch", "none"], default="instance", help="[instance]")
    options.add_argument("--nets", type=int, default=5, help="nets to train, from other weights and draws each [5]")
    options.add_argument("--seed", type=int, default=0, help="[0]")
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="[a GPU if there is one]")
    options = options.parse_args(arguments)
    sets, plan, manifest = load(options.folder)
    images, labels = test_images(options.test, manifest, options.folder)
    make = maker(options.net, options)
    shape = (*sets[0][0].shape[1:], len(manifest["class_names"]))
    results = []
    for number in range(options.nets):
        seed = options.seed * 1_000_003 + number
        torch.manual_seed(seed)
        net = make(*shape).to(options.device)
        stages = []
        train(
            net, sets, plan, torch.Generator().manual_seed(seed), lambda _: stages.append(accuracy(net, images, labels))
        )
        print(f"net {number + 1}: " + ", ".join(f"{found:.2f} %" for found in stages), flush=True)
        results.append(stages[-1])
    spread = f" +- {np.std(results, ddof=1):.2f}" if len(results) > 1 else ""
    print(f"accuracy: {np.mean(results):.2f}{spread} % on {len(labels)} test images, mean and deviation over {len(results)} nets")
    return results


if __name__ == "__main__":
    main()
