"""Makes the files beside it with PyTorch and NumPy, in the forms in which the releases of MTT, DC and others store theirs.

    python3 make.py
"""

import os

import numpy as np
import torch


class Attack:
    """Runs a command where it is loaded by a reader that calls what a pickle names."""

    def __reduce__(self):
        return os.system, ("touch attacked",)


def convnet(norm):
    """The field's ConvNet of width 2 and depth 3 for 28x28 grey images and 10 classes."""
    layers = []
    for block in range(3):
        layers.append(torch.nn.Conv2d(1 if block == 0 else 2, 2, 3, padding=3 if block == 0 else 1))
        layers.append(torch.nn.GroupNorm(2, 2) if norm == "instance" else torch.nn.BatchNorm2d(2))
        layers += [torch.nn.ReLU(), torch.nn.AvgPool2d(2)]
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(32, 10))


torch.manual_seed(0)
# Three classes with two images each; a pixel of image i is i plus a hundredth of its place.
images = (torch.arange(6).reshape(6, 1, 1, 1) + torch.arange(16).reshape(1, 1, 4, 4) / 100).float()
labels = torch.tensor([0, 0, 1, 1, 2, 2])
torch.save(images, "images_best.pt")
torch.save(labels, "labels_best.pt")
torch.save(torch.tensor(0.025), "lr.pt")
accuracies = {"ConvNet": [np.float64(0.5), np.float64(0.25)]}
torch.save({"data": [[images, labels], [images + 10, labels]], "accs_all_exps": accuracies}, "res_DC.pt")
torch.save(images, "old.pt", _use_new_zipfile_serialization=False)
torch.save([images, Attack()], "attack.pt")
# A view that is not in row-major order, other number types, a parameter, shared numbers.
torch.save(
    {
        "turned": torch.arange(6).reshape(2, 3).t(),
        "tail": torch.arange(6, dtype=torch.float64)[4:],
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "brain": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "bytes": torch.tensor([0, 255], dtype=torch.uint8),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "size": torch.Size([2, 3]),
        "flag": True,
        "text": "ä",
        "nothing": None,
    },
    "kinds.pt",
)
experts = []
for _ in range(2):
    net = convnet("instance")
    snapshots = [[weight.detach().clone() for weight in net.parameters()]]
    for _ in range(2):
        for weight in net.parameters():
            weight.data += 0.01 * torch.randn_like(weight)
        snapshots.append([weight.detach().clone() for weight in net.parameters()])
    experts.append(snapshots)
torch.save(experts, "replay_buffer_0.pt")
net = convnet("batch")
for _ in range(3):
    net(torch.randn(8, 1, 28, 28))
torch.save(net.state_dict(), "state.pt")
np.savez(
    "set.npz",
    images=(images.numpy() * 10).astype(np.uint8).transpose(0, 2, 3, 1),
    labels=np.array([2, 2, 0, 0, 1, 1]),
    lr=0.5,
    class_names=np.array(["1", "2", "0"]),
)
