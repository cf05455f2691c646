"""The federations of the paper's kind: images by class mixture or by writer's style, text by speaker."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from lib.federated.federation import make_federation
from lib.federated.partition import dirichlet, iid
from lib.federated.types import ClientData, Federation

TEST_SHARE = 0.25


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: images ``(1797, 64)`` float32 in [0, 1] and labels."""
    from lib import data

    found = data.load("digits")
    return found.features.astype(np.float32), found.labels


def dirichlet_digits(*, alpha: float, clients: int = 20, seed: int = 0) -> Federation:
    """Return clients with digits whose class shares are Dirichlet draws; a quarter of each is for testing."""
    x, y = digits()
    rng = np.random.default_rng([seed, 61])
    parts = dirichlet(y, clients, alpha=alpha, rng=rng, minimum=12)
    return make_federation(x, y, parts, test_share=TEST_SHARE, rng=rng, name=f"digits alpha={alpha:g}")


def styled_digits(*, strength: float, clients: int = 20, seed: int = 0) -> Federation:
    """Return clients with digits of all classes, each written in a style of its own: turned, sheared, thick or thin.

    `strength` scales the styles: at 1 a client's digits are turned by up to 30 degrees, sheared by up to 0.4 and their
    grey levels raised to a power between 1/2 and 2; at 0 all clients write alike.
    """
    if strength < 0:
        raise ValueError(f"strength = {strength} scales the styles; it must not be negative")
    x, y = digits()
    rng = np.random.default_rng([seed, 62])
    federation = make_federation(
        x, y, iid(len(y), clients, rng=rng), test_share=TEST_SHARE, rng=rng, name=f"digits style={strength:g}"
    )
    styles = rng.uniform(-1, 1, size=(clients, 3)) * strength
    made = []
    for one, (turn, shear, ink) in zip(federation.clients, styles, strict=True):
        train, test = (_drawn(part, 30 * turn, 0.4 * shear, 2.0**ink) for part in (one.train_x, one.test_x))
        made.append(ClientData(train, one.train_y, test, one.test_y))
    return replace(federation, clients=tuple(made))


def _drawn(images: torch.Tensor, degrees: float, shear: float, power: float) -> torch.Tensor:
    """Return 8 x 8 images turned, sheared and with other grey levels, bilinear, nothing beyond the border."""
    if degrees == 0 and shear == 0 and power == 1:
        return images
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.array([[1, shear], [0, 1]])
    theta = torch.tensor(np.column_stack([turn, [0, 0]]), dtype=images.dtype).expand(len(images), 2, 3)
    square = images.reshape(-1, 1, 8, 8)
    grid = torch.nn.functional.affine_grid(theta, list(square.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(square, grid, align_corners=False)
    return moved.clamp(0, 1).pow(power).reshape(len(images), 64)


def image_federation(
    x: np.ndarray, y: np.ndarray, *, alpha: float, clients: int, each: int, seed: int, name: str
) -> Federation:
    """Return clients of `each` images, a sixth of them for testing, with Dirichlet class shares (Hsu et al. 2019)."""
    rng = np.random.default_rng([seed, 63])
    chosen = rng.permutation(len(y))[: clients * each]
    parts = dirichlet(y[chosen], clients, alpha=alpha, rng=rng, minimum=12)
    return make_federation(x[chosen], y[chosen], parts, test_share=1 / 6, rng=rng, name=name)


def text_federation(
    texts: Sequence[str],
    *,
    length: int = 40,
    windows: int = 80,
    test_share: float = 0.25,
    vocabulary: str | None = None,
) -> tuple[Federation, str]:
    """Return one client a text, its first `windows` windows of `length` characters, and the characters by number.

    Inputs are the characters of a window, targets the next ones; the last windows are for testing. `vocabulary` None
    numbers the characters of `texts` in order. Raises ValueError for a text that is too short.
    """
    vocabulary = vocabulary or "".join(sorted(set("".join(texts))))
    code = {character: place for place, character in enumerate(vocabulary)}
    clients = []
    for text in texts:
        if len(text) < windows * length + 1:
            raise ValueError(f"a text of {len(text)} characters has no {windows} windows of {length}; lower windows")
        numbers = torch.tensor([code[character] for character in text[: windows * length + 1]])
        x, y = numbers[:-1].reshape(windows, length), numbers[1:].reshape(windows, length)
        kept = windows - round(test_share * windows)
        clients.append(ClientData(x[:kept], y[:kept], x[kept:], y[kept:]))
    return Federation("text by speaker", tuple(clients), len(vocabulary)), vocabulary
