"""The paper's pruning baseline: filters with the least first-order Taylor score go (Molchanov et al., 1611.06440)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from lib.compression.data import Images
from lib.compression.layers import parameter_count
from lib.compression.networks import Network
from lib.compression.pruning.chain import convolutions, narrower, without_filters

FineTune = Callable[[Network], None]


def filter_scores(net: Network, x: torch.Tensor, y: torch.Tensor, *, batch: int = 64) -> list[torch.Tensor]:
    """Return the score of every filter, one tensor ``(filters,)`` a convolution, divided by the layer's Euclidean norm.

    The raw score is the absolute mean, over images and positions, of the filter's output times the gradient of the
    loss with respect to it: to first order, what the mean loss changes by when the output is set to zero, over the
    number of positions. `x` has shape ``(n, channels, pixels, pixels)``, `y` ``(n,)``. The network is scored in
    evaluation mode and left as it was.
    """
    layers, training = convolutions(net), net.training
    totals = [torch.zeros(layer.out_channels, device=x.device) for layer in layers]
    seen: list[torch.Tensor] = []
    hooks = [layer.register_forward_hook(lambda _, __, out: seen.append(out)) for layer in layers]
    net.eval()
    try:
        for rows in torch.arange(len(x)).split(batch):
            seen.clear()
            loss = functional.cross_entropy(net(x[rows]), y[rows], reduction="sum")
            gradients = torch.autograd.grad(loss, seen)
            for total, out, gradient in zip(totals, seen, gradients, strict=True):
                total += (out * gradient).mean(dim=(2, 3)).sum(dim=0).detach()
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    raw = [total.abs() / len(x) for total in totals]
    return [score / score.norm().clamp(min=1e-12) for score in raw]


def least_important(scores: list[torch.Tensor], remove: int) -> list[torch.Tensor]:
    """Return masks that drop the `remove` filters with the least score over all layers, but never a layer's best.

    Raises ValueError when so many filters cannot go.
    """
    most = sum(len(score) - 1 for score in scores)
    if not 0 <= remove <= most:
        raise ValueError(f"remove is {remove}: between 0 and {most} filters can go, one stays in every layer")
    spared = [score.clone().index_fill(0, score.argmax(), torch.inf) for score in scores]
    order = torch.cat(spared).argsort(stable=True)
    flat = torch.ones(sum(map(len, scores)), dtype=torch.bool, device=order.device)
    flat[order[:remove]] = False
    return list(flat.split([len(score) for score in scores]))


def paper_rounds(filters: int, *, each: int = 512) -> int:
    """Return the paper's number of pruning rounds, floor(2/3 floor(filters / each)): 3 for VGG-11's 2,752 filters."""
    return 2 * (filters // each) // 3


def taylor_pruning(net: Network, images: Images, *, remove: int, rounds: int, tune: FineTune) -> Network:
    """Return `net` after `rounds` rounds of removing `remove` filters and fine-tuning; `net` itself is unchanged.

    Args:
        net: A trained chain network.
        images: Scores are taken on the first view of the training part.
        remove: Filters a round (512 in the paper).
        rounds: Rounds; `paper_rounds` for the paper's number.
        tune: Trains the network that it is given in place, called after each round.
    """
    for _ in range(rounds):
        scores = filter_scores(net, images.train_x[0], images.train_y)
        net = without_filters(net, least_important(scores, remove)).to(images.train_y.device)
        tune(net)
    return net


def taylor_pruning_to(net: Network, images: Images, *, parameters: int, rounds: int, tune: FineTune) -> Network:
    """Return `net` with at most `parameters` parameters after `rounds` rounds of pruning and fine-tuning.

    As `taylor_pruning`, but each round removes as many filters as take the count down by the same factor.

    Raises ValueError when one filter a layer has more parameters than that.
    """
    start = parameter_count(net.architecture)
    for turn in range(1, rounds + 1):
        target = start * (parameters / start) ** (turn / rounds)
        scores = filter_scores(net, images.train_x[0], images.train_y)
        low, high = 0, sum(len(score) - 1 for score in scores)
        if _size(net, scores, high) > target:
            raise ValueError(f"{parameters:,} parameters: one filter a layer has {_size(net, scores, high):,} already")
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if _size(net, scores, middle) <= target else (middle + 1, high)
        net = without_filters(net, least_important(scores, low)).to(images.train_y.device)
        tune(net)
    return net


def _size(net: Network, scores: list[torch.Tensor], remove: int) -> int:
    """Return the parameters that are left when the `remove` least important filters go."""
    widths = [int(mask.sum()) for mask in least_important(scores, remove)]
    return parameter_count(narrower(net.architecture, widths))
