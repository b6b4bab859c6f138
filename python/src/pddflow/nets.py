"""ConvNet-D, the standard network of dataset distillation, as the program's plugin `convnet` has it."""

from typing import TYPE_CHECKING, Any, Literal

from ._errors import FormatError, need

if TYPE_CHECKING:
    from torch.nn import Module

    from ._sets import Distilled

Norm = Literal["instance", "batch", "none"]


def convnet(
    distilled: "Distilled | None" = None,
    *,
    width: int = 128,
    depth: int = 3,
    norm: Norm = "instance",
    shape: tuple[int, int, int] | None = None,
    classes: int | None = None,
) -> "Module":
    """Blocks of convolution 3x3, normalisation, ReLU and average pooling 2x2, then a linear layer.

    The first block pads by 3 where images have one channel, which makes 28x28 into 32x32; all others pad by 1. First weights are
    PyTorch's own, uniform in +-1/sqrt(fan_in), which are the program's too.

    Args:
        distilled: sets whose images and classes it is for; or else `shape` (channels, rows, columns) and `classes`.
    """
    nn = need("torch", "torch", "a net").nn
    if distilled is not None:
        image = distilled.sets[0].images.shape
        shape, classes = (int(image[1]), int(image[2]), int(image[3])), len(distilled.class_names)
    if shape is None or classes is None:
        raise ValueError("give sets, or `shape` and `classes`")
    channels, height, width_of_image = shape
    layers: list[Any] = []
    for place in range(depth):
        padding = 3 if place == 0 and channels == 1 else 1
        height, width_of_image = ((side + 2 * padding - 2) // 2 for side in (height, width_of_image))
        layers.append(nn.Conv2d(channels, width, 3, padding=padding))
        if norm == "instance":
            layers.append(nn.GroupNorm(width, width))
        elif norm == "batch":
            layers.append(nn.BatchNorm2d(width))
        layers += [nn.ReLU(), nn.AvgPool2d(2)]
        channels = width
    if min(height, width_of_image) < 1:
        raise FormatError(f"images of {shape[1]}x{shape[2]} are too small for {depth} poolings: lower `depth`")
    net: "Module" = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width_of_image, classes))
    return net
