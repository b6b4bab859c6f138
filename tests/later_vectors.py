"""Reference vectors of the methods that came after the first ones: `python3 tests/later_vectors.py` writes them to core/host/tests/oracle.

PyTorch in double precision; the form of the files and the kinds are described in core/tensor/tests/oracle/README.md.
"""

import json
import math
import pathlib
import struct

import torch

FOLDER = pathlib.Path(__file__).parent.parent / "core/host/tests/oracle"
TOLERANCE = {"f64_rel": 1e-8, "f32_rel": 5e-3}


def write(kind, name, params, compute, inputs, meanings):
    """Computes a case in both precisions and writes it as safetensors, whose metadata is the case."""
    outputs = compute(inputs, torch.float64)
    single = compute(inputs, torch.float32)
    seen = max(
        ((single[key].double() - value).abs().max() / value.abs().max()).item() for key, value in outputs.items()
    )
    tensors = {f"in.{key}": value for key, value in inputs.items()} | {f"out.{key}": value for key, value in outputs.items()}
    tensors = {key: value.detach().contiguous() for key, value in tensors.items()}
    types = {torch.float64: ("F64", "float64"), torch.int64: ("I64", "int64")}
    case = {"kind": kind, "name": name, "params": params, "tolerance": TOLERANCE, "f32_seen": float(f"{seen:.1e}")}
    case["tensors"] = {
        key: {"shape": list(value.shape), "dtype": types[value.dtype][1], "meaning": meanings[key]}
        for key, value in tensors.items()
    }
    header, data = {"__metadata__": {"case": json.dumps(case)}}, b""
    for key, value in sorted(tensors.items()):
        numbers = value.flatten().tolist()
        letter = "d" if value.dtype == torch.float64 else "q"
        part = struct.pack(f"<{len(numbers)}{letter}", *numbers)
        header[key] = {
            "dtype": types[value.dtype][0],
            "shape": list(value.shape),
            "data_offsets": [len(data), len(data) + len(part)],
        }
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (FOLDER / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    print(f"{name}: single precision is off by {seen:.1e}")


def pair_kernels(products, first, second, depth):
    """NNGP and NTK of pairs of images: `<x, x'> / d` of each pair and of both images with themselves."""
    process, own, other = (2 * value + 0.01 for value in (products, first, second))
    tangent = process
    for _ in range(depth):
        scale = torch.sqrt(own * other)
        angle = torch.acos(process / scale)
        k1 = scale / (2 * math.pi) * (torch.sin(angle) + (math.pi - angle) * torch.cos(angle))
        k0 = (math.pi - angle) / (2 * math.pi)
        process = 2 * k1 + 0.01
        tangent = process + 2 * tangent * k0
        own, other = own + 0.01, other + 0.01
    return process, tangent


def kernel_between(a, b, kernel, depth):
    a, b = a.flatten(1), b.flatten(1)
    size = a.shape[1]
    own, other = (a * a).sum(1) / size, (b * b).sum(1) / size
    both = pair_kernels(a @ b.T / size, own[:, None].expand(-1, len(b)), other[None, :].expand(len(a), -1), depth)
    return both[kernel == "ntk"]


def kernel_within(x, kernel, depth):
    """The pairs above the diagonal, and the diagonal by itself: there K1 is half of an image's own value and K0 is 1/2."""
    count, rows = len(x), x.flatten(1)
    own = (rows * rows).sum(1) / rows.shape[1]
    above, right = torch.triu_indices(count, count, 1)
    pairs = pair_kernels((rows[above] * rows[right]).sum(1) / rows.shape[1], own[above], own[right], depth)
    process = 2 * own + 0.01
    tangent = process
    for _ in range(depth):
        process = process + 0.01
        tangent = process + tangent
    diagonal = tangent if kernel == "ntk" else process
    result = torch.diag(diagonal)
    return result.index_put((above, right), pairs[kernel == "ntk"]).index_put((right, above), pairs[kernel == "ntk"])


def kip(params):
    def compute(inputs, dtype):
        classes = params["classes"]
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        images = given["x_syn"].clone().requires_grad_()
        labels = given["labels"].clone().requires_grad_()
        groups = [{"params": [images], "lr": params["lr"]}]
        if params["learn_labels"]:
            groups.append({"params": [labels], "lr": params["lr_labels"]})
        adam = torch.optim.Adam(groups)
        real = given["x_real"].flatten(0, 1)
        wanted = torch.eye(classes, dtype=dtype).repeat_interleave(given["x_real"].shape[1], 0) - 1 / classes
        results = {}
        for step in range(params["steps"]):
            union, known = images, labels
            if "x_earlier" in given:
                union = torch.cat([given["x_earlier"], images])
                known = torch.cat([torch.eye(classes, dtype=dtype)[given["y_earlier"]], labels])
            within = kernel_within(union, params["kernel"], params["depth"])
            ridge = params["ridge"] * torch.trace(within) / len(union) * torch.eye(len(union), dtype=dtype)
            weights = torch.linalg.solve(within + ridge, known - 1 / classes)
            scores = kernel_between(real, union, params["kernel"], params["depth"]) @ weights
            loss = 0.5 * ((scores - wanted) ** 2).mean()
            adam.zero_grad()
            loss.backward()
            if step == 0:
                results = {"loss": loss.detach(), "dx": images.grad.clone()}
                if params["learn_labels"]:
                    results["dlabels"] = labels.grad.clone()
            adam.step()
        results["images"] = images.detach()
        if params["learn_labels"]:
            results["labels"] = labels.detach()
        return results

    return compute


KIP_MEANINGS = {
    "in.x_syn": "synthetic images, class by class",
    "in.labels": "their labels, not centred",
    "in.x_real": "real images [class, image, ..], the same in every step",
    "in.x_earlier": "images of an earlier set, which do not move",
    "in.y_earlier": "their classes",
    "out.loss": "loss before the first step",
    "out.dx": "its gradient by the synthetic images",
    "out.dlabels": "its gradient by the labels",
    "out.images": "synthetic images after all steps of Adam",
    "out.labels": "labels after all steps of Adam",
}


def kip_cases():
    shared = {"channels": 1, "height": 4, "width_px": 5, "classes": 3, "ipc": 2, "steps": 3, "lr": 0.04, "lr_labels": 0.02}
    cases = {
        "kip__ntk": {"kernel": "ntk", "depth": 1, "ridge": 1e-6, "learn_labels": False},
        "kip__deep_labels": {"kernel": "ntk", "depth": 3, "ridge": 1e-2, "learn_labels": True},
        "kip__union": {"kernel": "nngp", "depth": 2, "ridge": 1e-3, "learn_labels": True, "earlier": True},
    }
    for number, (name, own) in enumerate(cases.items()):
        params = shared | {"earlier": False} | own
        draw = torch.Generator().manual_seed(number)
        image = (params["channels"], params["height"], params["width_px"])
        noise = lambda *shape: torch.randn(*shape, generator=draw, dtype=torch.float64)
        rows = params["classes"] * params["ipc"]
        one_hot = torch.eye(params["classes"], dtype=torch.float64).repeat_interleave(params["ipc"], 0)
        moved = 0.1 * noise(rows, params["classes"]) if params["learn_labels"] else 0
        inputs = {"x_syn": noise(rows, *image), "labels": one_hot + moved, "x_real": noise(params["classes"], 4, *image)}
        if params["earlier"]:
            inputs |= {"x_earlier": noise(3, *image), "y_earlier": torch.arange(3)}
        write("kip", name, params, kip(params), inputs, KIP_MEANINGS)


def convnet(weights, x):
    """Blocks of convolution, instance normalisation, ReLU and average pooling, and a linear layer."""
    *blocks, weight, bias = weights
    for block in range(0, len(blocks), 4):
        kernel, shift, scale, offset = blocks[block : block + 4]
        x = torch.nn.functional.conv2d(x, kernel, shift, padding=1)
        x = (x - x.mean((2, 3), keepdim=True)) / torch.sqrt(x.var((2, 3), unbiased=False, keepdim=True) + 1e-5)
        x = torch.relu(x * scale[:, None, None] + offset[:, None, None])
        x = torch.nn.functional.avg_pool2d(x, 2)
    return x.flatten(1) @ weight.T + bias


def mtt(params, shapes):
    """Plain steps on all rows with labels that are learned as logits, and the exact gradient through them."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        images, labels, alpha = (given[key].clone().requires_grad_() for key in ["x", "labels", "alpha"])
        sizes = [math.prod(shape) for shape in shapes]
        theta = given["theta0"].clone().requires_grad_()
        start = theta
        for _ in range(params["steps"]):
            weights = [part.view(shape) for part, shape in zip(theta.split(sizes), shapes)]
            logits = convnet(weights, images)
            loss = -(torch.softmax(labels, 1) * torch.log_softmax(logits, 1)).sum(1).mean()
            (slope,) = torch.autograd.grad(loss, theta, create_graph=True)
            theta = theta - alpha * slope
        loss = ((theta - given["target"]) ** 2).sum() / ((start.detach() - given["target"]) ** 2).sum()
        by = torch.autograd.grad(loss, [images, labels, alpha])
        names = ["dx", "dlabels", "dalpha"]
        return dict(zip(names, by)) | {"loss": loss.detach(), "theta": theta.detach()}

    return compute


MTT_MEANINGS = {
    "in.x": "synthetic images",
    "in.y": "class numbers, which the labels do not follow",
    "in.labels": "logits of the labels",
    "in.theta0": "start, flat in the order of params.parameters",
    "in.target": "target, flat",
    "in.alpha": "step size",
    "in.batch_sizes": "rows in each step",
    "in.batch_rows": "rows of all steps one after the other",
    "out.loss": "normalised distance",
    "out.theta": "theta_N",
    "out.dx": "exact gradient by the images",
    "out.dlabels": "exact gradient by the logits of the labels",
    "out.dalpha": "exact gradient by alpha",
}


def mtt_cases():
    shapes, names = [], []
    for block, channels in enumerate([3, 4]):
        shapes += [(4, channels, 3, 3), (4,), (4,), (4,)]
        names += [f"block{block}.{part}" for part in ["conv.weight", "conv.bias", "norm.weight", "norm.bias"]]
    shapes += [(3, 16), (3,)]
    params = {"channels": 3, "height": 8, "width_px": 8, "classes": 3, "depth": 2, "width": 4, "norm": "instance"}
    params |= {"mode": "train", "steps": 3, "ipc": 2, "batch": 6, "parameters": names + ["linear.weight", "linear.bias"]}
    draw = torch.Generator().manual_seed(7)
    noise = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)
    total = sum(math.prod(shape) for shape in shapes)
    start = 0.3 * noise(total)
    inputs = {
        "x": noise(6, 3, 8, 8),
        "y": torch.arange(3).repeat_interleave(2),
        "labels": noise(6, 3),
        "theta0": start,
        "target": start + 0.05 * noise(total),
        "alpha": torch.tensor(0.1, dtype=torch.float64),
        "batch_sizes": torch.full((3,), 6),
        "batch_rows": torch.arange(6).repeat(3),
    }
    write("mtt", "mtt__soft", params, mtt(params, shapes), inputs, MTT_MEANINGS)


def tangent_kernel_of_a_net(x, seed, width):
    """Products of the gradients of a net by all of its weights."""
    draw = torch.Generator().manual_seed(seed)
    shapes = [(width, x.shape[1]), (width,), (width,), ()]
    weights = [torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_() for shape in shapes]

    def net(image):
        hidden = math.sqrt(2 / len(image)) * weights[0] @ image + 0.1 * weights[1]
        return math.sqrt(2 / width) * weights[2] @ torch.relu(hidden) + 0.1 * weights[3]

    slopes = [torch.cat([slope.flatten() for slope in torch.autograd.grad(net(image), weights)]) for image in x]
    return torch.stack(slopes) @ torch.stack(slopes).T


def check_against_wide_nets():
    """The mean over nets with 4096 hidden numbers comes near the closed form."""
    x = torch.randn(5, 20, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = sum(tangent_kernel_of_a_net(x, seed, 4096) for seed in range(16)) / 16
    expected = kernel_within(x, "ntk", 1)
    error = ((found - expected).abs() / expected.diagonal().mean()).max().item()
    print(f"kernel of wide nets: off by {error:.1%}")
    assert error < 0.03


if __name__ == "__main__":
    torch.set_num_threads(1)
    check_against_wide_nets()
    kip_cases()
    mtt_cases()
