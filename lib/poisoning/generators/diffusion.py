"""A class-conditional denoising diffusion model (DDPM) of few images. Source: Ho et al., arXiv 2006.11239.

The noise schedule and the reverse steps are those of the diffusers library; the denoiser is a perceptron for images of
8 x 8 pixels, where a convolutional one costs ten times as much, and diffusers' UNet for larger ones.
"""

import itertools

import torch
from torch import nn

SIDE = 8  # pixels: up to this size the perceptron


class Perceptron(nn.Module):
    """A denoiser of small images: flattened pixels, a sinusoidal embedding of the step and one of the class."""

    def __init__(self, pixels: int, classes: int, *, width: int = 256, embedding: int = 64):
        super().__init__()
        self.classes = nn.Embedding(classes, embedding)
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, -6.9, embedding // 2)))
        sizes = [pixels + 2 * embedding, width, width, width]
        layers = [layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(width, pixels))

    def forward(self, images: torch.Tensor, steps: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the noise in `images` ``(n, 1, h, w)`` at `steps` ``(n,)``, given their `labels` ``(n,)``."""
        angles = steps[:, None] * self.frequencies
        inputs = [images.flatten(1), angles.sin(), angles.cos(), self.classes(labels)]
        return self.layers(torch.cat(inputs, dim=1)).reshape(images.shape)


def fit_diffusion(
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    classes: int,
    steps: int = 800,
    batch: int = 128,
    lr: float = 2e-3,
    timesteps: int = 200,
    widths: tuple[int, ...] = (16, 32, 32),
    seed: int = 0,
) -> nn.Module:
    """Return a denoiser trained on `images` ``(n, c, h, w)`` in [-1, 1] with `labels` ``(n,)``.

    Adam with a learning rate that falls linearly to zero; minibatches are drawn with replacement. `widths` are the
    channels of the UNet that larger images take. It trains where the images lie. Torch's global generator is set for
    the initial weights and restored.
    """
    check_images(images, labels, classes)
    scheduler, rng = _scheduler(timesteps), torch.Generator(images.device).manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _denoiser(images.shape[1:], classes, widths).to(images.device)
    place = {"generator": rng, "device": images.device}
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, fused=True)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(steps):
        rows = torch.randint(len(images), (batch,), **place)
        noise = torch.randn(batch, *images.shape[1:], **place)
        times = torch.randint(timesteps, (batch,), **place)
        noisy = scheduler.add_noise(images[rows], noise, times)
        loss = (net(noisy, times, labels[rows]) - noise).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        decay.step()
    return net.eval()


@torch.no_grad()
def sample_diffusion(
    net: nn.Module, labels: torch.Tensor, shape: tuple[int, ...], *, timesteps: int = 200, seed: int = 0
) -> torch.Tensor:
    """Return one image in [-1, 1] of `shape` ``(c, h, w)`` a label, shape ``(n, c, h, w)``, by all reverse steps."""
    scheduler, rng = _scheduler(timesteps), torch.Generator(labels.device).manual_seed(seed)
    images = torch.randn(len(labels), *shape, generator=rng, device=labels.device)
    for time in scheduler.timesteps:
        noise = net(images, time.to(labels.device).expand(len(labels)), labels)
        images = scheduler.step(noise, time, images, generator=rng).prev_sample
    return images.clamp(-1, 1)


def check_images(images: torch.Tensor, labels: torch.Tensor, classes: int) -> None:
    """Raise ValueError unless `images` are ``(n, c, h, w)`` within [-1, 1] with n labels below `classes`."""
    if images.dim() != 4 or len(images) != len(labels) or len(images) == 0:
        raise ValueError(f"images {tuple(images.shape)}, {len(labels)} labels: give (n, c, h, w) and a label an image")
    if images.abs().max() > 1 or int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(f"images must lie in [-1, 1] and labels in 0 .. {classes - 1}")


def _scheduler(timesteps: int):
    from diffusers import DDPMScheduler  # takes seconds to import

    return DDPMScheduler(num_train_timesteps=timesteps, beta_schedule="squaredcos_cap_v2")


def _denoiser(shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> nn.Module:
    channels, height, width = shape
    if max(height, width) <= SIDE:
        return Perceptron(channels * height * width, classes)
    return UNet(channels, height, classes, widths=widths)


class UNet(nn.Module):
    """diffusers' UNet without attention, sized for images of 28 and 32 pixels."""

    def __init__(self, channels: int, side: int, classes: int, *, widths: tuple[int, ...] = (16, 32, 32)):
        super().__init__()
        from diffusers import UNet2DModel

        if side % 2 ** (len(widths) - 1):
            raise ValueError(f"a side of {side} pixels cannot be halved {len(widths) - 1} times; pad the images")
        self.net = UNet2DModel(
            sample_size=side,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=1,
            block_out_channels=widths,
            down_block_types=("DownBlock2D",) * len(widths),
            up_block_types=("UpBlock2D",) * len(widths),
            norm_num_groups=8,
            num_class_embeds=classes,
            add_attention=False,
        )

    def forward(self, images: torch.Tensor, steps: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the noise in `images` ``(n, c, h, w)`` at `steps` ``(n,)``, given their `labels` ``(n,)``."""
        return self.net(images, steps, class_labels=labels).sample
