"""Reference vectors of the methods that came after the first ones: `python3 tests/later_vectors.py` writes them to core/host/tests/oracle,
and those of training to core/nodes/tests/oracle.

PyTorch in double precision; the form of the files and the kinds are described in core/tensor/tests/oracle/README.md.
"""

import json
import math
import pathlib
import struct

import torch

FOLDER = pathlib.Path(__file__).parent.parent / "core/host/tests/oracle"
OF_TRAINING = FOLDER.parents[2] / "nodes/tests/oracle"
TOLERANCE = {"f64_rel": 1e-8, "f32_rel": 5e-3}


def write(kind, name, params, compute, inputs, meanings, folder=FOLDER):
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
    (folder / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
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


def convnet_features(blocks, x):
    """Blocks of convolution, instance normalisation, ReLU and average pooling."""
    for block in range(0, len(blocks), 4):
        kernel, shift, scale, offset = blocks[block : block + 4]
        x = torch.nn.functional.conv2d(x, kernel, shift, padding=1)
        x = (x - x.mean((2, 3), keepdim=True)) / torch.sqrt(x.var((2, 3), unbiased=False, keepdim=True) + 1e-5)
        x = torch.relu(x * scale[:, None, None] + offset[:, None, None])
        x = torch.nn.functional.avg_pool2d(x, 2)
    return x.flatten(1)


def convnet(weights, x):
    """The blocks and a linear layer."""
    *blocks, weight, bias = weights
    return convnet_features(blocks, x) @ weight.T + bias


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


def lenet(weights, x):
    """Two convolutions and three linear layers; images of up to 28 pixels are padded by 2."""
    x = torch.relu(torch.nn.functional.conv2d(x, weights[0], weights[1], padding=2 if x.shape[2] <= 28 else 0))
    x = torch.relu(torch.nn.functional.conv2d(torch.max_pool2d(x, 2), weights[2], weights[3]))
    x = torch.relu(torch.max_pool2d(x, 2).flatten(1) @ weights[4].T + weights[5])
    x = torch.relu(x @ weights[6].T + weights[7])
    return x, x @ weights[8].T + weights[9]


def alexcifarnet(weights, x):
    """Two convolutions with max pooling and normalisation across four channels, and three linear layers."""
    across = lambda x: torch.nn.functional.local_response_norm(x, 4, alpha=0.001 / 9, beta=0.75, k=1)
    pool = lambda x: torch.max_pool2d(x, 3, 2, 1)
    x = torch.relu(torch.nn.functional.conv2d(x, weights[0], weights[1], padding=2))
    x = torch.relu(torch.nn.functional.conv2d(across(pool(x)), weights[2], weights[3], padding=2))
    x = torch.relu(pool(across(x)).flatten(1) @ weights[4].T + weights[5])
    x = torch.relu(x @ weights[6].T + weights[7])
    return x, x @ weights[8].T + weights[9]


def network(net):
    """Numbers of a net for a batch, and the gradient of its mean cross-entropy. Weights are drawn anew for each precision."""

    def compute(inputs, dtype):
        params = [name for name in inputs if name.startswith("w.")]
        weights = [inputs[name].to(dtype).clone().requires_grad_() for name in params]
        x = inputs["x"].to(dtype).clone().requires_grad_()
        features, logits = net(weights, x)
        loss = torch.nn.functional.cross_entropy(logits, inputs["y"])
        by = torch.autograd.grad(loss, [x, *weights])
        outputs = {"features": features, "logits": logits, "loss": loss, "dx": by[0]}
        # Of large weights only the sums of squares: files stay small.
        outputs |= {f"dw.{name[2:]}": (slope**2).sum() for name, slope in zip(params, by[1:])}
        return {name: value.detach() for name, value in outputs.items()}

    return compute


def pattern(shape, number):
    """Weights that a test makes again from their place: no file holds them."""
    count = math.prod(shape)
    fan_in = max(1, count // shape[0]) if len(shape) > 1 else 100
    at = torch.arange(count, dtype=torch.float64)
    return (torch.sin(0.7 * at + number) * math.sqrt(3 / fan_in)).view(shape)


NET_SHAPES = {
    "lenet": lambda channels, features, classes: {
        "conv1": (6, channels, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, features), "fc2": (84, 120), "fc3": (classes, 84)
    },
    "alexcifarnet": lambda channels, features, classes: {
        "conv1": (64, channels, 5, 5), "conv2": (64, 64, 5, 5), "fc1": (384, features), "fc2": (192, 384), "fc3": (classes, 192)
    },
}


def network_cases():
    for name, net, channels, side, features in [
        ("lenet", lenet, 1, 28, 400),
        ("alexcifarnet", alexcifarnet, 3, 12, 64 * 3 * 3),
    ]:
        shapes = {}
        for layer, shape in NET_SHAPES[name](channels, features, 3).items():
            shapes |= {f"{layer}.weight": shape, f"{layer}.bias": (shape[0],)}
        weights = {f"w.{layer}": pattern(shape, number) for number, (layer, shape) in enumerate(shapes.items())}
        draw = torch.Generator().manual_seed(3)
        inputs = {"x": torch.randn(2, channels, side, side, generator=draw, dtype=torch.float64), "y": torch.tensor([2, 0])}
        params = {"channels": channels, "height": side, "width_px": side, "classes": 3, "parameters": list(shapes)}
        full = lambda given, dtype: network(net)(given | weights, dtype)
        meanings = {"in.x": "images", "in.y": "classes", "out.features": "before the last layer", "out.logits": "logits"}
        meanings |= {"out.loss": "mean cross-entropy", "out.dx": "its gradient by the images"}
        meanings |= {f"out.dw.{layer}": "sum of squares of its gradient by this weight" for layer in shapes}
        write("net", f"net__{name}", params | {"net": name}, full, inputs, meanings)


def dd(params, shapes):
    """Unrolled gradient descent with a rate for each step, and Adam on images and raw rates."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        sizes = [math.prod(shape) for shape in shapes]
        images = given["x_syn"].clone().requires_grad_()
        raw = torch.log(torch.expm1(given["rates"])).requires_grad_()
        adam = torch.optim.Adam([images, raw], lr=params["lr"], betas=(0.5, 0.999))
        classes, ipc = params["classes"], params["ipc"]
        labels = torch.arange(classes).repeat_interleave(params["per_step"])
        groups = [
            [c * ipc + g * params["per_step"] + at for c in range(classes) for at in range(params["per_step"])]
            for g in range(ipc // params["per_step"])
        ]
        results = {}
        for iteration in range(params["iterations"]):
            theta = given["theta0"].clone().requires_grad_()
            rates = torch.nn.functional.softplus(raw)
            for step in range(len(raw)):
                weights = [part.view(shape) for part, shape in zip(theta.split(sizes), shapes)]
                loss = torch.nn.functional.cross_entropy(convnet(weights, images[groups[step % len(groups)]]), labels)
                (slope,) = torch.autograd.grad(loss, theta, create_graph=True)
                theta = theta - rates[step] * slope
            weights = [part.view(shape) for part, shape in zip(theta.split(sizes), shapes)]
            loss = torch.nn.functional.cross_entropy(convnet(weights, given["x_real"]), given["y_real"])
            adam.zero_grad()
            loss.backward()
            if iteration == 0:
                results = {"loss": loss.detach(), "dx": images.grad.clone(), "draw": raw.grad.clone()}
            adam.step()
        return results | {"images": images.detach(), "rates": torch.nn.functional.softplus(raw).detach()}

    return compute


DD_MEANINGS = {
    "in.x_syn": "synthetic images, class by class",
    "in.rates": "learning rate of each step",
    "in.theta0": "weights that every iteration starts from, flat in the order of params.parameters",
    "in.x_real": "real images, the same in every iteration",
    "in.y_real": "their classes",
    "out.loss": "loss of the first iteration",
    "out.dx": "its gradient by the synthetic images",
    "out.draw": "its gradient by what the learning rates are the softplus of",
    "out.images": "synthetic images after all iterations",
    "out.rates": "learning rates after all iterations",
}


def small_convnet(norm):
    """Shapes and names of a ConvNet of two blocks of four channels for images of 8 x 8 and three classes."""
    shapes, names = [], []
    for block, channels in enumerate([3, 4]):
        shapes += [(4, channels, 3, 3), (4,)] + ([(4,), (4,)] if norm else [])
        parts = ["conv.weight", "conv.bias"] + (["norm.weight", "norm.bias"] if norm else [])
        names += [f"block{block}.{part}" for part in parts]
    return shapes + [(3, 16), (3,)], names + ["linear.weight", "linear.bias"]


def dd_cases():
    shapes, names = small_convnet(True)
    params = {"channels": 3, "height": 8, "width_px": 8, "classes": 3, "depth": 2, "width": 4, "norm": "instance"}
    params |= {"parameters": names, "ipc": 4, "per_step": 2, "epochs": 2, "iterations": 2, "lr": 0.01}
    draw = torch.Generator().manual_seed(9)
    noise = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)
    inputs = {"x_syn": noise(12, 3, 8, 8), "rates": 0.1 + 0.05 * noise(4).abs(), "x_real": noise(5, 3, 8, 8)}
    inputs |= {"y_real": torch.tensor([0, 2, 1, 1, 0]), "theta0": 0.3 * noise(sum(math.prod(shape) for shape in shapes))}
    write("dd", "dd__steps", params, dd(params, shapes), inputs, DD_MEANINGS)
    one = params | {"ipc": 1, "per_step": 1, "epochs": 1, "iterations": 1}
    few = inputs | {"x_syn": inputs["x_syn"][:3], "rates": inputs["rates"][:1]}
    write("dd", "dd__one_step", one, dd(one, shapes), few, DD_MEANINGS)


def ridge_regression(within, between, labels, ridge):
    return between @ torch.linalg.solve(within + ridge * torch.trace(within) / len(within) * torch.eye(len(within), dtype=within.dtype), labels)


def batch_norm(x, scale, offset, mean, var):
    column = lambda v: v[:, None, None]
    return (x - column(mean)) / torch.sqrt(column(var) + 1e-5) * column(scale) + column(offset)


def pyramid(weights, statistics, x, training):
    """Two blocks, a batch normalisation before the second convolution. Features, scores, and mean and unbiased variance of the batch."""
    x = torch.nn.functional.avg_pool2d(torch.relu(torch.nn.functional.conv2d(x, weights[0], weights[1], padding=1)), 2)
    mean, var = (x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)) if training else statistics
    seen = (x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=True))
    x = batch_norm(x, weights[2], weights[3], mean, var)
    x = torch.nn.functional.avg_pool2d(torch.relu(torch.nn.functional.conv2d(x, weights[4], weights[5], padding=1)), 2).flatten(1)
    return x, x @ weights[6].T + weights[7], seen


def lamb(value, gradient, state, lr):
    """A step of LAMB without weight decay."""
    state["step"] += 1
    state["first"] = 0.9 * state["first"] + 0.1 * gradient
    state["second"] = 0.999 * state["second"] + 0.001 * gradient**2
    first, second = state["first"] / (1 - 0.9 ** state["step"]), state["second"] / (1 - 0.999 ** state["step"])
    direction = first / (torch.sqrt(second) + 1e-6)
    return value - lr * torch.norm(value) / torch.norm(direction) * direction


def frepo(params):
    """A pool of one net, so that the net is the same in every iteration."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        classes = params["classes"]
        images = given["x_syn"].clone()
        labels = (torch.eye(classes, dtype=dtype).repeat_interleave(params["ipc"], 0) - 1 / classes) / math.sqrt(classes / 10)
        fresh = [given[f"w.{name}"].clone() for name in params["parameters"]]
        net, moments, statistics, age = None, None, None, 0
        fresh_statistics = [torch.zeros(params["width"], dtype=dtype), torch.ones(params["width"], dtype=dtype)]
        states = [{"step": 0, "first": 0, "second": 0} for _ in range(2)]
        wanted = torch.eye(classes, dtype=dtype)[given["y_real"]] - 1 / classes
        both = lambda x, flip: torch.cat([x, x.flip(3) if flip else x]) if params["mirror"] else x
        results = {}
        for iteration in range(params["iterations"]):
            if net is None:
                net, statistics, moments, steps = list(fresh), list(fresh_statistics), None, 0
            images.requires_grad_(), labels.requires_grad_()
            own, _, _ = pyramid(net, statistics, both(images, True), False)
            targets, _, _ = pyramid(net, statistics, given["x_real"], False)
            scores = ridge_regression(own @ own.T, targets @ own.T, both(labels, False), params["ridge"])
            two = labels.topk(2, 1).values
            margin = torch.clamp(two[:, 0] - two[:, 1], max=1 / classes)
            loss = (0.5 * ((scores - wanted) ** 2).sum(1)).mean() - margin.mean()
            by = torch.autograd.grad(loss, [images, labels])
            if iteration == 0:
                results = {"loss": loss.detach(), "dx": by[0], "dlabels": by[1]}
            done = iteration / params["horizon"]
            lr = params["lr"] * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))
            images, labels = (lamb(v.detach(), g, s, lr) for v, g, s in zip([images, labels], by, states))
            if age > params["max_age"]:
                net, age = None, 0
                continue
            leaves = [weight.clone().requires_grad_() for weight in net]
            _, logits, seen = pyramid(leaves, None, images, True)
            slopes = torch.autograd.grad((0.5 * ((logits - labels) ** 2).sum(1)).mean(), leaves)
            moments = moments or [[0, 0] for _ in leaves]
            steps, age = steps + 1, age + 1
            for at, slope in enumerate(slopes):
                moments[at] = [0.9 * moments[at][0] + 0.1 * slope, 0.999 * moments[at][1] + 0.001 * slope**2]
                first, second = moments[at][0] / (1 - 0.9**steps), moments[at][1] / (1 - 0.999**steps)
                net[at] = (net[at] - params["lr_net"] * first / (torch.sqrt(second) + 1e-8)).detach()
            statistics = [(0.1 * old + 0.9 * new).detach() for old, new in zip(statistics, seen)]
        return results | {"images": images.detach(), "labels": labels.detach()}

    return compute


def belief(value, gradient, state, lr):
    """A step of AdaBelief."""
    state["step"] += 1
    state["first"] = 0.9 * state["first"] + 0.1 * gradient
    state["second"] = 0.999 * state["second"] + 0.001 * (gradient - state["first"]) ** 2 + 1e-16
    first, second = state["first"] / (1 - 0.9 ** state["step"]), state["second"] / (1 - 0.999 ** state["step"])
    return value - lr * first / (torch.sqrt(second) + 1e-16)


def rfad(params):
    """Features of a given layer in place of random nets: the kernel, the losses and the steps are what is compared."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        classes = params["classes"]
        values = {"images": given["x_syn"].clone()}
        if params["learn_labels"]:
            values["labels"] = torch.eye(classes, dtype=dtype).repeat_interleave(params["ipc"], 0)
        if params["transform"]:
            values["transform"] = torch.zeros(given["x_syn"][0].numel(), given["x_syn"][0].numel(), dtype=dtype)
        if params["platt"]:
            values["platt"] = torch.zeros(1, dtype=dtype)
        rates = {"images": params["lr"], "labels": params["lr"], "transform": params["lr_transform"], "platt": params["lr_platt"]}
        states = {name: {"step": 0, "first": 0, "second": 0} for name in values}
        hard = torch.eye(classes, dtype=dtype).repeat_interleave(params["ipc"], 0)
        features = lambda x: torch.relu(x.flatten(1) @ given["layer"]) / math.sqrt(given["layer"].shape[1])
        kernel = lambda a, b: 2 * a @ b.T + 0.01
        results = {}
        for iteration in range(params["iterations"]):
            leaves = {name: value.detach().requires_grad_() for name, value in values.items()}
            x = leaves["images"]
            if params["transform"]:
                eye = torch.eye(x[0].numel(), dtype=dtype)
                x = (x.flatten(1) @ (eye + leaves["transform"])).view(x.shape)
            own, targets = features(x), features(given["x_real"])
            labels = leaves.get("labels", hard) - 1 / classes
            scores = ridge_regression(kernel(own, own), kernel(targets, own), labels, params["ridge"])
            if params["platt"]:
                loss = torch.nn.functional.cross_entropy(torch.exp(leaves["platt"]) * scores, given["y_real"])
            else:
                loss = 0.5 * ((scores - torch.eye(classes, dtype=dtype)[given["y_real"]] + 1 / classes) ** 2).mean()
            by = torch.autograd.grad(loss, list(leaves.values()))
            if iteration == 0:
                results = {"loss": loss.detach()} | {f"d.{name}": slope for name, slope in zip(leaves, by)}
            values = {name: belief(values[name], slope, states[name], rates[name]) for name, slope in zip(values, by)}
        return results | {name: value.detach() for name, value in values.items()}

    return compute


REGRESSION_MEANINGS = {
    "in.x_syn": "synthetic images, class by class",
    "in.x_real": "real images, the same in every iteration",
    "in.y_real": "their classes",
    "in.layer": "a layer whose ReLU is the features of all nets side by side",
    "out.loss": "loss of the first iteration",
    "out.dx": "its gradient by the synthetic images",
    "out.dlabels": "its gradient by the centred labels",
    "out.images": "synthetic images after all iterations",
    "out.labels": "labels after all iterations",
    "out.transform": "what was added to the identity",
    "out.platt": "logarithm of the scale",
}


def regression_cases():
    draw = torch.Generator().manual_seed(11)
    noise = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)
    shapes = {"block0.conv.weight": (3, 3, 3, 3), "block0.conv.bias": (3,), "block1.norm.weight": (3,), "block1.norm.bias": (3,)}
    shapes |= {"block1.conv.weight": (6, 3, 3, 3), "block1.conv.bias": (6,), "linear.weight": (3, 24), "linear.bias": (3,)}
    inputs = {"x_syn": noise(6, 3, 8, 8), "x_real": noise(7, 3, 8, 8), "y_real": torch.tensor([0, 1, 2, 2, 1, 0, 1])}
    inputs |= {f"w.{name}": 0.4 * noise(*shape) for name, shape in shapes.items()}
    params = {"channels": 3, "height": 8, "width_px": 8, "classes": 3, "ipc": 2, "width": 3, "depth": 2, "parameters": list(shapes)}
    params |= {"iterations": 6, "horizon": 10, "lr": 0.05, "lr_net": 0.01, "ridge": 1e-2, "max_age": 2}
    meanings = REGRESSION_MEANINGS | {f"in.w.{name}": "weights of a fresh net" for name in shapes}
    for name, mirror in [("frepo__mirror", True), ("frepo__plain", False)]:
        own = params | {"mirror": mirror}
        write("frepo", name, own, frepo(own), inputs, meanings)
    inputs = {"x_syn": noise(6, 1, 4, 4), "x_real": noise(7, 1, 4, 4), "y_real": torch.tensor([0, 1, 2, 2, 1, 0, 1])}
    inputs["layer"] = noise(16, 20)
    params = {"channels": 1, "height": 4, "width_px": 4, "classes": 3, "ipc": 2, "iterations": 3}
    params |= {"lr": 0.02, "lr_transform": 0.01, "lr_platt": 0.05, "ridge": 5e-3}
    for name, all_learned in [("rfad__all", True), ("rfad__images", False)]:
        own = params | {"learn_labels": all_learned, "transform": all_learned, "platt": all_learned}
        meanings = REGRESSION_MEANINGS | {f"out.d.{part}": "its gradient" for part in ["images", "labels", "transform", "platt"]}
        write("rfad", name, own, rfad(own), inputs, meanings)


def hallucinated(parts, number):
    """All bases by one hallucinator; the decoder of the file is the kernel of a convolution, not of a transposed one."""
    inner = torch.nn.functional.conv2d(parts["images"], parts["encoder"][number], parts["encoder_bias"][number])
    inner = inner * parts["scale"][number] + parts["shift"][number]
    transposed = parts["decoder"][number].transpose(0, 1).flip(2, 3)
    return torch.nn.functional.conv_transpose2d(inner, transposed, parts["decoder_bias"][number])


def contrast(features, labels):
    """Supervised contrastive loss at temperature 0.07, row by row."""
    unit = torch.nn.functional.normalize(features)
    losses = []
    for row in range(len(unit)):
        others = [other for other in range(len(unit)) if other != row]
        alike = unit[others] @ unit[row] / 0.07
        shares = torch.log_softmax(alike, 0)
        same = [place for place, other in enumerate(others) if labels[other] == labels[row]]
        losses.append(-shares[same].mean())
    return torch.stack(losses).mean()


HABA_PARTS = ["images", "encoder", "encoder_bias", "scale", "shift", "decoder", "decoder_bias"]


def haba(params, shapes):
    """Matching of trajectories with images by two hallucinators, and their adversary."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        sizes = [math.prod(shape) for shape in shapes]
        cut = lambda flat: [part.view(shape) for part, shape in zip(flat.split(sizes), shapes)]
        labels = torch.arange(params["classes"]).repeat_interleave(params["ipc"])
        parts = {name: given[name].clone() for name in HABA_PARTS} | {"alpha": given["alpha"].clone()}
        rates = {name: (params["lr_hallucinators"], params["momentum_hallucinators"]) for name in HABA_PARTS}
        rates |= {"images": (params["lr"], params["momentum"]), "alpha": (params["lr_lr"], params["momentum_lr"])}
        buffers, adversary, adversary_buffer, results = {}, given["adversary"].clone(), 0, {}
        both = lambda parts: torch.cat([hallucinated(parts, 0), hallucinated(parts, 1)])
        for iteration, drawn in enumerate(params["drawn"]):
            leaves = {name: value.detach().clone().requires_grad_() for name, value in parts.items()}
            theta = given["theta0"].clone().requires_grad_()
            for number in drawn:
                logits = convnet(cut(theta), hallucinated(leaves, number))
                slope = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, labels), theta, create_graph=True)[0]
                theta = theta - leaves["alpha"] * slope
            loss = ((theta - given["target"]) ** 2).sum() / ((given["theta0"] - given["target"]) ** 2).sum()
            first, second = convnet_features(cut(adversary)[:-2], both(leaves)).chunk(2)
            likeness = ((torch.nn.functional.cosine_similarity(first, second) + 1) / 2).mean()
            slopes = torch.autograd.grad(loss + params["likeness"] * likeness, list(leaves.values()))
            for (name, value), slope in zip(leaves.items(), slopes):
                lr, momentum = rates[name]
                buffers[name] = momentum * buffers.get(name, 0) + slope
                parts[name] = (value - lr * buffers[name]).detach()
            weights = adversary.clone().requires_grad_()
            features = convnet_features(cut(weights)[:-2], both(parts))
            *_, weight, bias = cut(weights)
            first, second = features.chunk(2)
            apart = ((1 - torch.nn.functional.cosine_similarity(first, second)) / 2).mean()
            twice = labels.repeat(2)
            against = torch.nn.functional.cross_entropy(features @ weight.T + bias, twice)
            against = against + params["contrast"] * (apart + contrast(features, twice))
            adversary_buffer = params["momentum_adversary"] * adversary_buffer + torch.autograd.grad(against, weights)[0]
            adversary = adversary - params["lr_adversary"] * adversary_buffer
            if iteration == 0:
                results = {"loss": loss + params["likeness"] * likeness, "likeness": likeness, "adversary_loss": against}
                results |= {f"d.{name}": slope for name, slope in zip(leaves, slopes)}
        results |= {f"after.{name}": value for name, value in parts.items()} | {"adversary": adversary}
        return {name: value.detach() for name, value in results.items()}

    return compute


def haba_cases():
    shapes, names = small_convnet(True)
    params = {"channels": 3, "height": 8, "width_px": 8, "classes": 3, "depth": 2, "width": 4, "norm": "instance"}
    params |= {"parameters": names, "ipc": 2, "hallucinators": 2, "drawn": [[1, 0, 1], [0, 1, 1]], "lr": 0.5, "momentum": 0.9}
    params |= {"lr_hallucinators": 0.3, "momentum_hallucinators": 0.8, "lr_lr": 1e-4, "momentum_lr": 0.7, "likeness": 0.2}
    params |= {"contrast": 0.3, "lr_adversary": 0.05, "momentum_adversary": 0.6}
    draw = torch.Generator().manual_seed(13)
    noise = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)
    total = sum(math.prod(shape) for shape in shapes)
    inputs = {"images": noise(6, 3, 8, 8), "encoder": 0.3 * noise(2, 3, 3, 3, 3), "encoder_bias": 0.2 * noise(2, 3)}
    inputs |= {"scale": 1 + 0.2 * noise(2, 3, 6, 6), "shift": 0.2 * noise(2, 3, 6, 6), "decoder": 0.3 * noise(2, 3, 3, 3, 3)}
    inputs |= {"decoder_bias": 0.2 * noise(2, 3), "alpha": torch.tensor(0.1, dtype=torch.float64), "theta0": 0.3 * noise(total)}
    inputs |= {"target": inputs["theta0"] + 0.05 * noise(total), "adversary": 0.3 * noise(total)}
    meanings = {f"in.{name}": "what images are made of, before the first iteration" for name in HABA_PARTS}
    meanings |= {"in.alpha": "step size", "in.theta0": "start, flat", "in.target": "target, flat", "in.adversary": "first weights of the adversary"}
    meanings |= {"out.loss": "normalised distance and weighted likeness in the first iteration", "out.likeness": "mean of (1 + cosine) / 2 in it"}
    meanings |= {"out.adversary_loss": "loss of the adversary in it", "out.adversary": "its weights after all iterations, flat"}
    for name in [*HABA_PARTS, "alpha"]:
        meanings |= {f"out.d.{name}": "gradient in the first iteration", f"out.after.{name}": "value after all iterations"}
    write("haba", "haba__two", params, haba(params, shapes), inputs, meanings)
    single = inputs | {"images": noise(6, 1, 8, 8), "encoder": 0.3 * noise(2, 3, 1, 3, 3)}
    params |= {"single_channel": True}
    write("haba", "haba__single_channel", params, haba(params, shapes), single, meanings)


def generated(generator, received, labels, layer, size):
    """Images of what a layer of a decoder receives."""
    convolutions = sum(name.endswith("weight") and name.startswith("conv") for name in generator)
    sides = [math.ceil(size / 2 ** (convolutions - 1 - number)) for number in range(convolutions)]
    x = received
    if layer == 0:
        x = (x + generator["classes"][labels]) @ generator["dense.weight"].T + generator["dense.bias"]
        x = x.view(len(x), -1, sides[0], sides[0])
    for number in range(max(layer - 1, 0), convolutions):
        x = torch.relu(x)
        if number > 0:
            x = torch.nn.functional.interpolate(x, size=(sides[number], sides[number]), mode="bilinear", align_corners=False)
        x = torch.nn.functional.conv2d(x, generator[f"conv{number}.weight"], generator[f"conv{number}.bias"], padding=1)
    return x


def latents(kind, params):
    """Losses of DM or DC, or that of IT-GAN, by latents or maps of a generator."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        generator = {key.split(".", 1)[1]: value for key, value in given.items() if key.startswith("generator.")}
        weights = [given[f"w.{name}"] for name in params["parameters"]]
        labels = torch.arange(params["classes"]).repeat_interleave(params["ipc"])
        value, buffer, results = given["latents"], 0, {}
        for step in range(params["steps"]):
            leaf = value.detach().clone().requires_grad_()
            images = generated(generator, leaf, labels, params["layer"], params["height"])
            loss = 0
            for number in range(params["classes"]):
                own, real = images[labels == number], given["x_real"][number]
                if params["base"] == "dc":
                    theta = [weight.clone().requires_grad_() for weight in weights]
                    slopes = []
                    for x in [own, real]:
                        mean = torch.nn.functional.cross_entropy(convnet(theta, x), torch.full((len(x),), number))
                        slopes.append(torch.autograd.grad(mean, theta, create_graph=True))
                    for a, b in zip(*slopes):
                        if a.dim() > 1:
                            a, b = a.flatten(1), b.detach().flatten(1)
                            loss = loss + (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).sum()
                    continue
                psi = lambda x: convnet_features(weights[:-2], x)
                loss = loss + ((psi(own).mean(0) - psi(real).mean(0)) ** 2).sum()
                if kind == "itgan":
                    loss = loss + params["weight"] * ((psi(own) - psi(real)) ** 2).sum(1).mean()
            slope = torch.autograd.grad(loss, leaf)[0]
            if step == 0:
                results = {"images": images, "loss": loss, "dlatents": slope}
            buffer = params["momentum"] * buffer + slope
            value = leaf - params["lr"] * buffer
        return {name: value.detach() for name, value in (results | {"latents": value}).items()}

    return compute


def latents_by_trajectories(params, shapes):
    """Plain steps of a student on what a generator makes, and the exact gradient through them by the latents."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        generator = {key.split(".", 1)[1]: value for key, value in given.items() if key.startswith("generator.")}
        sizes = [math.prod(shape) for shape in shapes]
        labels = torch.arange(params["classes"]).repeat_interleave(params["ipc"])
        leaf, alpha = (given[key].clone().requires_grad_() for key in ["latents", "alpha"])
        images = generated(generator, leaf, labels, params["layer"], params["height"])
        theta = given["theta0"].clone().requires_grad_()
        for _ in range(params["syn_steps"]):
            weights = [part.view(shape) for part, shape in zip(theta.split(sizes), shapes)]
            loss = torch.nn.functional.cross_entropy(convnet(weights, images), labels)
            theta = theta - alpha * torch.autograd.grad(loss, theta, create_graph=True)[0]
        loss = ((theta - given["target"]) ** 2).sum() / ((given["theta0"] - given["target"]) ** 2).sum()
        by_latents, by_alpha = torch.autograd.grad(loss, [leaf, alpha])
        found = {"images": images, "loss": loss, "dlatents": by_latents, "dalpha": by_alpha}
        return {name: value.detach() for name, value in (found | {"latents": leaf - params["lr"] * by_latents}).items()}

    return compute


def latent_cases():
    shapes, names = small_convnet(True)
    params = {"channels": 3, "height": 8, "width_px": 8, "classes": 3, "depth": 2, "width": 4, "norm": "instance"}
    params |= {"parameters": names, "ipc": 2, "momentum": 0.5, "steps": 3, "layer": 0, "base": "dm", "lr": 0.1}
    draw = torch.Generator().manual_seed(17)
    noise = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)
    inputs = {f"w.{name}": 0.3 * noise(*shape) for name, shape in zip(names, shapes)}
    decoder = {"classes": 0.5 * noise(3, 5), "dense.weight": noise(32, 5), "dense.bias": 0.2 * noise(32)}
    decoder |= {"conv0.weight": 0.3 * noise(4, 2, 3, 3), "conv0.bias": 0.2 * noise(4)}
    decoder |= {"conv1.weight": 0.3 * noise(3, 4, 3, 3), "conv1.bias": 0.2 * noise(3)}
    decoder |= {"latents": 0.5 * noise(12, 5), "latent_counts": torch.tensor([4, 4, 4])}
    inputs |= {f"generator.{name}": value for name, value in decoder.items()} | {"x_real": noise(3, 4, 3, 8, 8)}
    meanings = {f"in.{name}": "the net, or the generator" for name in inputs} | {"in.x_real": "real images of each class"}
    meanings |= {"in.latents": "what a layer receives, before the first step", "out.images": "images of it", "out.loss": "sum over the classes"}
    meanings |= {"out.dlatents": "its gradient in the first step", "out.latents": "what the layer receives after all steps"}
    first = inputs | {"latents": 0.5 * noise(6, 5)}
    for kind, name, more, own in [
        ("glad", "glad__dm", {}, first),
        ("glad", "glad__dc", {"base": "dc", "lr": 0.01}, first),
        ("glad", "glad__maps", {"layer": 2}, inputs | {"latents": 0.5 * noise(6, 4, 4, 4)}),
        ("itgan", "itgan", {"weight": 0.3}, first | {"x_real": inputs["x_real"][:, :2]}),
    ]:
        write(kind, name, params | more, latents(kind, params | more), own, meanings)
    start = 0.3 * noise(sum(math.prod(shape) for shape in shapes))
    own = {name: value for name, value in first.items() if not name.startswith(("w.", "x_real"))}
    own |= {"theta0": start, "target": start + 0.05 * noise(len(start)), "alpha": torch.tensor(0.1, dtype=torch.float64)}
    meanings |= {"in.theta0": "start, flat in the order of params.parameters", "in.target": "target, flat", "in.alpha": "step size"}
    meanings |= {"out.loss": "normalised distance", "out.dalpha": "its exact gradient by alpha", "out.dlatents": "by the latents"}
    meanings |= {"out.latents": "latents after a step"}
    params |= {"base": "mtt", "lr": 5.0, "steps": 1, "syn_steps": 3}
    write("glad", "glad__mtt", params, latents_by_trajectories(params, shapes), own, meanings)


def flat(params):
    """Sharpness-aware steps that leave out a part of the first gradient, with momentum and weight decay."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        weights = [given[f"w.{name}"].clone() for name in params["parameters"]]
        together = lambda slopes: torch.cat([slope.flatten() for slope in slopes])

        def gradient(at):
            leaves = [weight.clone().requires_grad_() for weight in at]
            loss = torch.nn.functional.cross_entropy(convnet(leaves, given["x"]), given["y"])
            return torch.autograd.grad(loss, leaves)

        buffers, path = [0] * len(weights), []
        for _ in range(params["steps"]):
            first = gradient(weights)
            scale = params["rho"] / together(first).norm()
            second = gradient([weight + scale * slope for weight, slope in zip(weights, first)])
            g, h = together(first), together(second)
            along = h - params["alpha"] * (g - (g @ h) / (h @ h) * h)
            parts = along.split([weight.numel() for weight in weights])
            for at, part in enumerate(parts):
                slope = part.view(weights[at].shape) + params["weight_decay"] * weights[at]
                buffers[at] = params["momentum"] * buffers[at] + slope
                weights[at] = weights[at] - params["lr"] * buffers[at]
            path.append(together(weights))
        return {"path": torch.stack(path)}

    return compute


def flat_cases():
    shapes, names = small_convnet(True)
    draw = torch.Generator().manual_seed(17)
    noise = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)
    inputs = {f"w.{name}": 0.4 * noise(*shape) for name, shape in zip(names, shapes)}
    inputs |= {"x": noise(5, 3, 8, 8), "y": torch.tensor([0, 1, 2, 2, 1])}
    params = {"depth": 2, "parameters": names, "steps": 3, "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-3}
    meanings = {f"in.w.{name}": "first weights" for name in names} | {"in.x": "images", "in.y": "classes"}
    meanings["out.path"] = "flat weights after each step"
    for name, rho, alpha in [("flat__gap", 0.2, 0.3), ("flat__plain", 0.05, 0.0)]:
        own = params | {"rho": rho, "alpha": alpha}
        write("flat", name, own, flat(own), inputs, meanings, OF_TRAINING)


def crops(params):
    """The whole images, one crop each, that a net finds easiest, in parts of lower resolution where they are tiled."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        weights = [given[f"w.{name}"] for name in params["parameters"]]
        tile, side = params["tile"], given["x"].shape[2]
        resized = lambda x, size: torch.nn.functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
        rows, images = [], []
        for number in range(params["classes"]):
            own = [row for row, label in enumerate(given["y"].tolist()) if label == number]
            small = resized(given["x"][own], side // tile)
            said = torch.log_softmax(convnet(weights, resized(small, side)), 1)
            order = sorted(range(len(own)), key=lambda at: -said[at, number].item())[: params["ipc"] * tile**2]
            rows += [own[at] for at in order]
            for first in range(0, len(order), tile**2):
                parts = [small[at] for at in order[first : first + tile**2]]
                lines = [torch.cat(parts[line * tile : (line + 1) * tile], 2) for line in range(tile)]
                images.append(torch.cat(lines, 1))
        images = torch.stack(images)
        return {"rows": torch.tensor(rows), "images": images, "labels": torch.softmax(convnet(weights, images), 1)}

    return compute


def crops_cases():
    shapes, names = small_convnet(True)
    draw = torch.Generator().manual_seed(23)
    noise = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)
    inputs = {f"w.{name}": 0.4 * noise(*shape) for name, shape in zip(names, shapes)}
    inputs |= {"x": noise(15, 3, 8, 8), "y": torch.arange(15) % 3}
    meanings = {f"in.w.{name}": "the net" for name in names} | {"in.x": "real images", "in.y": "their classes"}
    meanings |= {"out.rows": "rows of the chosen images, class by class, the easiest first", "out.images": "the set"}
    meanings["out.labels"] = "probabilities of the net for the set"
    for name, ipc, tile in [("crops__whole", 3, 1), ("crops__tiled", 1, 2)]:
        own = {"depth": 2, "width": 4, "classes": 3, "parameters": names, "ipc": ipc, "tile": tile}
        write("crops", name, own, crops(own), inputs, meanings, OF_TRAINING)


def prefix(params):
    """Gradients of the convolutions over all cells of a class and over those of its first images, without what does not move."""

    def compute(inputs, dtype):
        given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        weights = [given[f"w.{name}"] for name in params["parameters"]]
        ipc, chosen, frozen = params["ipc"], params["chosen"], params["frozen"]
        x = given["x_syn"].clone().requires_grad_()
        still = torch.arange(len(x)) % ipc < frozen
        moving = torch.where(still[:, None, None, None], x.detach(), x)
        mean, std = (torch.tensor(params[name], dtype=dtype)[:, None, None] for name in ["mean", "std"])

        def cells(images):
            parts = [images[:, :, i : i + 4, j : j + 4] for i in (0, 4) for j in (0, 4)]
            large = lambda part: torch.nn.functional.interpolate(part, (8, 8), mode="bilinear", align_corners=False)
            return (torch.cat([large(part) for part in parts]) - mean) / std

        def slopes(images, label):
            leaves = [weight.clone().requires_grad_() for weight in weights]
            loss = torch.nn.functional.cross_entropy(convnet(leaves, images), torch.full((len(images),), label))
            every = torch.autograd.grad(loss, leaves, create_graph=True)
            return [slope for slope, weight in zip(every, weights) if weight.ndim == 4]

        total, distances = 0, torch.zeros(ipc - 1, dtype=dtype)
        for label in range(params["classes"]):
            own, real = moving[label * ipc : (label + 1) * ipc], given["x_real"][label]
            wanted = [slope.detach() for slope in slopes(real, label)]
            for images in [own, own[:chosen]]:
                total = total + sum(((a - b) ** 2).sum() for a, b in zip(slopes(cells(images), label), wanted))
            features = lambda images: convnet_features(weights[:-2], images).mean(0)
            off = [((features(cells(own[:first])) - features(real)) ** 2).sum() for first in range(1, ipc)]
            distances = distances + torch.stack(off).detach() / params["classes"]
        total.backward()
        following = (distances - given["before"]).abs().argmax() + 1
        return {"loss": total.detach() / params["classes"], "dx": x.grad, "distances": distances, "next": following.to(dtype)}

    return compute


def prefix_cases():
    shapes, names = small_convnet(True)
    draw = torch.Generator().manual_seed(19)
    noise = lambda *shape: torch.randn(shape, generator=draw, dtype=torch.float64)
    inputs = {f"w.{name}": 0.4 * noise(*shape) for name, shape in zip(names, shapes)}
    inputs |= {"x_syn": torch.rand((9, 3, 8, 8), generator=draw, dtype=torch.float64), "x_real": noise(3, 4, 3, 8, 8)}
    inputs["before"] = torch.tensor([0.0, 5.0], dtype=torch.float64)
    params = {"channels": 3, "height": 8, "width_px": 8, "classes": 3, "depth": 2, "width": 4, "norm": "instance", "parameters": names}
    params |= {"ipc": 3, "factor": 2, "chosen": 2, "frozen": 1, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
    meanings = {f"in.w.{name}": "weights" for name in names}
    meanings |= {"in.x_syn": "stored images, class by class", "in.x_real": "real images [class, image, ..], normalised"}
    meanings |= {"in.before": "distances of the prefixes of one and of two images as they were measured before"}
    meanings |= {"out.loss": "distance of gradients, mean over the classes", "out.dx": "its gradient by the stored images, times the number of classes"}
    meanings |= {"out.distances": "squared distances of mean features", "out.next": "images of the prefix that is chosen then"}
    write("idc_prefix", "idc_prefix", params, prefix(params), inputs, meanings)


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
    network_cases()
    dd_cases()
    regression_cases()
    haba_cases()
    latent_cases()
    flat_cases()
    prefix_cases()
    crops_cases()
