"""From arrays and a partition to clients with training and test examples."""

from collections.abc import Sequence

import numpy as np
import torch

from lib.federated.types import ClientData, Federation


def make_federation(
    x: np.ndarray,
    y: np.ndarray,
    parts: Sequence[np.ndarray],
    *,
    test_share: float = 0.2,
    rng: np.random.Generator,
    name: str,
    classes: int | None = None,
) -> Federation:
    """Return the federation in which client ``c`` holds the examples ``parts[c]``, split at random in train and test.

    The test examples follow the client's own distribution. Every client keeps at least one example for training, and
    one for testing where it has two and `test_share` is positive.

    Args:
        x: inputs, shape ``(n, ...)``; stored as float32.
        y: targets, shape ``(n,)`` or ``(n, ...)``; integers are stored as int64, reals as float32.
        parts: indices into `x`, one array a client, from `lib.federated.partition`.
        test_share: share of each client's examples that is held out, in [0, 1).
        rng: draws the split.
        name: name of the federation.
        classes: number of classes; None counts up to the largest target (zero for real targets).
    """
    if not 0 <= test_share < 1:
        raise ValueError(f"test_share = {test_share} must lie in [0, 1): some examples must be left for training")
    inputs, targets = torch.as_tensor(np.asarray(x, dtype=np.float32)), torch.as_tensor(np.asarray(y))
    targets = targets.float() if targets.is_floating_point() else targets.long()
    clients = []
    for part in parts:
        order = torch.from_numpy(rng.permutation(np.asarray(part, dtype=np.int64)))
        held = min(max(round(test_share * len(order)), int(test_share > 0)), len(order) - 1)
        train, test = order[held:], order[:held]
        clients.append(ClientData(inputs[train], targets[train], inputs[test], targets[test]))
    if classes is None:
        classes = 0 if targets.is_floating_point() else int(targets.max()) + 1
    return Federation(name, tuple(clients), classes)
