"""A class-conditional generative adversarial network of small images, the control beside the diffusion model.

Source: DCGAN (Radford et al., arXiv 1511.06434). Images of 8 x 8 pixels leave nothing to convolve, so generator and
discriminator are perceptrons there; larger ones are made by transposed convolutions and judged by strided ones.
"""

import torch
from torch import nn

from lib.poisoning.generators.diffusion import SIDE, check_images

NOISE = 64


class Pair(nn.Module):
    """A generator and its discriminator, both told the class, for images of `shape` ``(c, h, w)``."""

    def __init__(self, shape: tuple[int, ...], classes: int, *, width: int):
        super().__init__()
        self.shape, self.classes, self.small = tuple(shape), classes, max(shape[1:]) <= SIDE
        pixels = torch.Size(self.shape).numel()
        if self.small:
            self.make = nn.Sequential(*_perceptron(NOISE + classes, width, pixels), nn.Tanh())
            self.judge = nn.Sequential(*_perceptron(pixels + classes, width, 1))
        else:
            self.make = _transposed(self.shape, NOISE + classes, width)
            self.judge = _strided(self.shape, classes, width)

    def made(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return images ``(n, c, h, w)`` in [-1, 1] from `noise` ``(n, NOISE)`` and `labels` ``(n,)``."""
        named = nn.functional.one_hot(labels, self.classes).to(noise)
        return self.make(torch.cat([noise, named], dim=1)).reshape(len(noise), *self.shape)

    def judged(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(n, 1)`` that `images` are real; convolutions are told the class by constant planes."""
        named = nn.functional.one_hot(labels, self.classes).to(images)
        if self.small:
            return self.judge(torch.cat([images.flatten(1), named], dim=1))
        planes = named[:, :, None, None].expand(-1, -1, *self.shape[1:])
        return self.judge(torch.cat([images, planes], dim=1))


def fit_adversarial(
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    classes: int,
    steps: int = 1500,
    batch: int = 64,
    lr: float = 1e-3,
    width: int | None = None,
    smooth: float = 0.9,
    seed: int = 0,
) -> Pair:
    """Return a generator trained against a discriminator on `images` ``(n, c, h, w)`` in [-1, 1] with `labels`.

    Adam with first moment 0.5. `smooth` is the target for real images, below one because a discriminator learns few
    images by heart. At DCGAN's own learning rate of 2e-4 so few steps leave the labels unheeded. `width` None is 128
    units for perceptrons and 32 channels for convolutions. It trains where the images lie. Torch's global generator is
    set for the initial weights and restored.
    """
    check_images(images, labels, classes)
    place = {"generator": torch.Generator(images.device).manual_seed(seed), "device": images.device}
    shape = tuple(images.shape[1:])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Pair(shape, classes, width=width or (128 if max(shape[1:]) <= SIDE else 32)).to(images.device)
    adam = {"lr": lr, "betas": (0.5, 0.999), "fused": True}
    ours, theirs = (torch.optim.Adam(part.parameters(), **adam) for part in (net.make, net.judge))
    loss = nn.functional.binary_cross_entropy_with_logits
    for _ in range(steps):
        rows = torch.randint(len(images), (batch,), **place)
        named = labels[rows]
        made = net.made(torch.randn(batch, NOISE, **place), named)
        seen, judged = net.judged(images[rows], named), net.judged(made.detach(), named)
        _step(theirs, loss(seen, torch.full_like(seen, smooth)) + loss(judged, torch.zeros_like(judged)))
        fooled = net.judged(made, named)
        _step(ours, loss(fooled, torch.ones_like(fooled)))
    return net.eval()


@torch.no_grad()
def sample_adversarial(net: Pair, labels: torch.Tensor, *, seed: int = 0) -> torch.Tensor:
    """Return one image in [-1, 1] a label, shape ``(n, c, h, w)``."""
    rng = torch.Generator(labels.device).manual_seed(seed)
    return net.made(torch.randn(len(labels), NOISE, generator=rng, device=labels.device), labels)


def _perceptron(inputs: int, width: int, outputs: int) -> list[nn.Module]:
    hidden = [nn.Linear(inputs, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2)]
    return [*hidden, nn.Linear(width, outputs)]


def _transposed(shape: tuple[int, ...], inputs: int, width: int) -> nn.Module:
    """Return transposed convolutions from a quarter of the side, with batch normalization and ReLU as in DCGAN."""
    channels, side, _ = shape
    if side % 4:
        raise ValueError(f"a side of {side} pixels cannot be halved twice; pad the images")
    quarter = side // 4
    layers = [nn.Linear(inputs, 2 * width * quarter**2, bias=False), nn.Unflatten(1, (2 * width, quarter, quarter))]
    layers += [nn.BatchNorm2d(2 * width), nn.ReLU()]
    layers += [nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh())


def _strided(shape: tuple[int, ...], classes: int, width: int) -> nn.Module:
    channels, side, _ = shape
    layers = [nn.Conv2d(channels + classes, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2 * width * (side // 4) ** 2, 1))


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """Take a step of the optimizer's own parameters; the other network's gradients are not formed."""
    own = optimizer.param_groups[0]["params"]
    for value, gradient in zip(own, torch.autograd.grad(loss, own), strict=True):
        value.grad = gradient
    optimizer.step()
