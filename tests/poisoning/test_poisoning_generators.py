"""Generators: determinism, ranges, labels, and the quality that a hybrid adversary needs."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from lib.poisoning.generators import GENERATORS, nearest_distances, synthesize
from lib.poisoning.generators.adversarial import fit_adversarial, sample_adversarial
from lib.poisoning.generators.diffusion import Perceptron, UNet, fit_diffusion, sample_diffusion

needs_diffusers = pytest.mark.skipif(find_spec("diffusers") is None, reason="the extra `diffusion` is not installed")
SHORT = {"ddpm": {"steps": 3, "timesteps": 5}, "dcgan": {"steps": 3}}


def blobs(n=60, seed=0):
    """Images of two classes that are plainly different: bright above, or bright below."""
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(rng.integers(2, size=n))
    images = torch.from_numpy(rng.normal(0, 0.1, size=(n, 1, 8, 8)).astype(np.float32)) - 0.5
    images[labels == 0, :, :4] += 1
    images[labels == 1, :, 4:] += 1
    return images.clamp(-1, 1), labels


@needs_diffusers
@pytest.mark.parametrize("kind", GENERATORS)
def test_made_images_are_images_with_labels_and_the_same_again(kind):
    images, labels = blobs()
    before = torch.random.get_rng_state()
    found = [
        synthesize(kind, images, labels, 17, classes=2, rng=np.random.default_rng(seed), **SHORT.get(kind, {}))
        for seed in (0, 0, 1)
    ]
    (x, y), again, other = found
    assert x.shape == (17, 1, 8, 8) and x.dtype == torch.float32 and y.shape == (17,) and y.dtype == torch.int64
    assert x.abs().max() <= 1 and set(y.tolist()) <= {0, 1}
    assert torch.equal(x, again[0]) and torch.equal(y, again[1]) and not torch.equal(x, other[0])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_bootstrap_draws_real_images_with_their_labels():
    images, labels = blobs()
    x, y = synthesize("bootstrap", images, labels, 200, classes=2, rng=np.random.default_rng(0))
    assert nearest_distances(x, images).max() < 1e-6
    assert bool(((x[:, 0, 0, 0] > 0) == (y == 0)).all())


@needs_diffusers
@pytest.mark.parametrize(("kind", "training"), [("ddpm", {"steps": 500}), ("dcgan", {"steps": 400})])
def test_trained_generators_heed_the_label(kind, training):
    images, labels = blobs()
    x, y = synthesize(kind, images, labels, 100, classes=2, rng=np.random.default_rng(0), **training)
    above, below = x[:, 0, :4].mean(dim=(1, 2)), x[:, 0, 4:].mean(dim=(1, 2))
    assert float(((above > below) == (y == 0)).float().mean()) > 0.9
    noise, _ = synthesize("noise", images, labels, 100, classes=2, rng=np.random.default_rng(0))
    assert nearest_distances(x, images).mean() < 0.5 * nearest_distances(noise, images).mean()


@needs_diffusers
def test_the_denoiser_of_larger_images_is_the_librarys_unet():
    images, labels = torch.rand(4, 1, 28, 28) * 2 - 1, torch.tensor([0, 1, 0, 1])
    net = fit_diffusion(images, labels, classes=2, steps=1, batch=2, timesteps=4)
    assert isinstance(net, UNet)
    assert sample_diffusion(net, labels, (1, 28, 28), timesteps=4).shape == images.shape
    with pytest.raises(ValueError, match="cannot be halved"):
        UNet(1, 30, 2)


def test_larger_images_are_made_and_judged_by_convolutions():
    small, labels = blobs(80)
    images = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    net = fit_adversarial(images, labels, classes=2, steps=150, batch=32, width=8)
    assert any(isinstance(layer, nn.ConvTranspose2d) for layer in net.make)
    assert any(isinstance(layer, nn.Conv2d) for layer in net.judge)
    wanted = torch.tensor([0, 1] * 20)
    made = sample_adversarial(net, wanted)
    assert made.shape == (40, 1, 16, 16) and made.abs().max() <= 1
    above, below = made[:, 0, :8].mean(dim=(1, 2)), made[:, 0, 8:].mean(dim=(1, 2))
    assert float(((above > below) == (wanted == 0)).float().mean()) > 0.9
    with pytest.raises(ValueError, match="cannot be halved twice"):
        fit_adversarial(images[:, :, :14, :14], labels, classes=2, steps=1)


def test_the_perceptron_sees_step_and_class():
    net = Perceptron(64, 3)
    x = torch.randn(5, 1, 8, 8)
    found = net(x, torch.full((5,), 3), torch.zeros(5, dtype=torch.long))
    assert found.shape == x.shape and isinstance(net.layers, nn.Sequential)
    assert not torch.allclose(found, net(x, torch.full((5,), 90), torch.zeros(5, dtype=torch.long)))
    assert not torch.allclose(found, net(x, torch.full((5,), 3), torch.ones(5, dtype=torch.long)))


def test_the_adversarial_sampler_is_seeded():
    images, labels = blobs()
    net = fit_adversarial(images, labels, classes=2, steps=2)
    a, b, c = (sample_adversarial(net, labels, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:, 0], y), r"give \(n, c, h, w\)"),
        (lambda x, y: (x[:5], y), "a label an image"),
        (lambda x, y: (3 * x, y), "must lie in"),
        (lambda x, y: (x, y + 5), "must lie in"),
    ],
)
def test_bad_images_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        synthesize("bootstrap", *change(*blobs()), 5, classes=2, rng=np.random.default_rng(0))


def test_unknown_generators_are_refused():
    with pytest.raises(ValueError, match="choose one of ddpm"):
        synthesize("vae", *blobs(), 5, classes=2, rng=np.random.default_rng(0))
