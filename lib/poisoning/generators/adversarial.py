"""A class-conditional generative adversarial network of small images, the control beside the diffusion model.

Losses and optimizer are those of DCGAN (Radford et al., arXiv 1511.06434). Images of 8 x 8 pixels leave nothing to
convolve, so generator and discriminator are perceptrons.
"""

import torch
from torch import nn

from lib.poisoning.generators.diffusion import check_images

NOISE = 64


def fit_adversarial(
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    classes: int,
    steps: int = 1500,
    batch: int = 64,
    lr: float = 1e-3,
    width: int = 128,
    smooth: float = 0.9,
    seed: int = 0,
) -> nn.Module:
    """Return a generator trained against a discriminator on `images` ``(n, c, h, w)`` in [-1, 1] with `labels`.

    Adam with first moment 0.5. `smooth` is the target for real images, below one because a discriminator learns few
    images by heart. At DCGAN's own learning rate of 2e-4 so few steps leave the labels unheeded. Torch's global
    generator is set for the initial weights and restored.
    """
    check_images(images, labels, classes)
    pixels, rng = images[0].numel(), torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _perceptron(NOISE + classes, width, pixels, nn.Tanh())
        critic = _perceptron(pixels + classes, width, 1, nn.Identity())
    ours, theirs = (torch.optim.Adam(part.parameters(), lr=lr, betas=(0.5, 0.999)) for part in (net, critic))
    named = nn.functional.one_hot(labels, classes).float()
    real, loss = torch.full((batch, 1), smooth), nn.functional.binary_cross_entropy_with_logits
    for _ in range(steps):
        rows = torch.randint(len(images), (batch,), generator=rng)
        made = net(torch.cat([torch.randn(batch, NOISE, generator=rng), named[rows]], dim=1))
        seen = critic(torch.cat([images[rows].flatten(1), named[rows]], dim=1))
        judged = critic(torch.cat([made.detach(), named[rows]], dim=1))
        _step(theirs, loss(seen, real) + loss(judged, torch.zeros_like(judged)))
        fooled = critic(torch.cat([made, named[rows]], dim=1))
        _step(ours, loss(fooled, torch.ones_like(fooled)))
    return net.eval()


@torch.no_grad()
def sample_adversarial(
    net: nn.Module, labels: torch.Tensor, shape: tuple[int, ...], *, classes: int, seed: int = 0
) -> torch.Tensor:
    """Return one image in [-1, 1] of `shape` ``(c, h, w)`` a label, shape ``(n, c, h, w)``."""
    noise = torch.randn(len(labels), NOISE, generator=torch.Generator().manual_seed(seed))
    return net(torch.cat([noise, nn.functional.one_hot(labels, classes).float()], dim=1)).reshape(len(labels), *shape)


def _perceptron(inputs: int, width: int, outputs: int, last: nn.Module) -> nn.Sequential:
    hidden = [nn.Linear(inputs, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*hidden, nn.Linear(width, outputs), last)


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
