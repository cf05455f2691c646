"""Training of teachers and students: distillation, hard targets, accuracy with full, masked and sliced heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional

from lib.compression.captured import Captured, Step
from lib.compression.data import Images


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    `soft` is the weight of the teacher's outputs (0: labels alone), `temperature` softens them, `loss` is "kd" (KL
    divergence of softened outputs) or "logits" (squared distance of logits, as N2N). `optimizer` is "adam" or "sgd"
    (momentum 0.9); with `decay` the rate falls linearly to zero; with `half` forward passes run in bfloat16; with
    `captured`, on a CUDA device, steps of Adam are recorded once and replayed (`lib.compression.captured`).
    """

    epochs: int = 3
    lr: float = 5e-3
    weight_decay: float = 5e-4
    batch: int = 64
    soft: float = 0.7
    temperature: float = 3.0
    loss: str = "kd"
    optimizer: str = "adam"
    decay: bool = False
    half: bool = False
    captured: bool = False

    def __post_init__(self) -> None:
        if self.loss not in ("kd", "logits") or self.optimizer not in ("adam", "sgd"):
            raise ValueError(f"loss {self.loss!r}, optimizer {self.optimizer!r}: choose kd or logits, adam or sgd")
        if self.epochs < 1 or self.batch < 2 or not 0 <= self.soft <= 1:
            raise ValueError("train at least one epoch in batches of at least two, with `soft` between 0 and 1")
        if self.captured and self.optimizer != "adam":
            raise ValueError("only steps of Adam are captured: choose optimizer adam")


def loss_of(logits: torch.Tensor, soft: torch.Tensor | None, labels: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Return the loss of logits ``(..., batch, classes)``: mean over the batch, sum over leading dimensions.

    ``soft * T^2 KL(teacher/T || student/T) + (1 - soft) * cross-entropy`` (the paper's prose, Hinton's distillation);
    its formulas swap teacher and label.
    """
    batch = len(labels)
    weight = 0.0 if soft is None else recipe.soft
    total = logits.new_zeros((), dtype=torch.float32)
    if weight < 1:
        logp = functional.log_softmax(logits.float(), -1)
        total = total - (1 - weight) * logp.gather(-1, labels.expand(logp.shape[:-1])[..., None]).sum() / batch
    if weight and recipe.loss == "logits":
        total = total + weight * (logits.float() - soft).square().mean(-1).sum() / batch
    elif weight:
        heat = recipe.temperature
        target = functional.softmax(soft / heat, -1)
        log_student = functional.log_softmax(logits.float() / heat, -1)
        divergence = (target * (target.clamp(min=1e-30).log() - log_student)).sum() / batch
        total = total + weight * heat**2 * divergence
    return total


def fit(model: nn.Module, images: Images, recipe: Recipe, *, seed: int = 0) -> None:
    """Train `model` in place on ``images.train_x``; epoch e sees view e (modulo their number), in an order by `seed`.

    `model` maps ``(batch, ...)`` to logits ``(batch, classes)`` or ``(models, batch, classes)``. If ``images.soft`` is
    None, labels alone count. It stays in training mode during all epochs (the authors' code freezes the normalization
    after the first) and is left in evaluation mode.
    """
    n, device = len(images.train_y), images.train_y.device
    starts = [start for start in range(0, n, recipe.batch) if start == 0 or n - start > 1]
    captured = recipe.captured and device.type == "cuda"
    optimizer = _optimizer(model, recipe, device=device if captured else None)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    if recipe.half:
        model.to(memory_format=torch.channels_last)
    step = _step_of(model, images, recipe, optimizer)
    step = Captured(step, size=recipe.batch) if captured else step
    done, total = 0, recipe.epochs * len(starts)
    for epoch in range(recipe.epochs):
        view = epoch % len(images.train_x)
        order = torch.randperm(n, generator=generator).to(device) + view * n
        for start in starts:
            _set_rate(optimizer, recipe.lr * (1 - done / total if recipe.decay else 1.0))
            step(order[start : start + recipe.batch])
            done += 1
    model.eval()


def _step_of(model: nn.Module, images: Images, recipe: Recipe, optimizer: torch.optim.Optimizer) -> Step:
    """Return a function that does one step on the images that `rows` names, all views below one another."""
    inputs, labels, n = images.train_x.flatten(0, 1), images.train_y, len(images.train_y)
    targets = None if images.soft is None or not recipe.soft else images.soft.flatten(0, 1)

    def step(rows: torch.Tensor) -> None:
        optimizer.zero_grad()
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=recipe.half):
            logits = model(inputs[rows])
        loss = loss_of(logits, None if targets is None else targets[rows], labels[rows % n], recipe)
        loss.backward()
        optimizer.step()

    return step


def logits_of(model: nn.Module, x: torch.Tensor, *, batch: int = 1000, half: bool = False) -> torch.Tensor:
    """Return the logits of `x` in evaluation mode, float32, without gradients."""
    model.eval()
    with torch.no_grad(), torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        return torch.cat([model(part).float() for part in x.split(batch)])


def with_teacher(images: Images, teacher: nn.Module, *, half: bool = False) -> Images:
    """Return `images` with the teacher's logits on each view, computed once for all students."""
    return replace(images, soft=torch.stack([logits_of(teacher, view, half=half) for view in images.train_x]))


def accuracy(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, *, among: Sequence[int] | None = None, half: bool = False
) -> float:
    """Return the share of `x` that `model` labels `y`; with `among` only these outputs compete (a masked head)."""
    logits = logits_of(model, x, half=half)
    if among is not None:
        masked = torch.full_like(logits, float("-inf"))
        allowed = torch.tensor(list(among), device=logits.device)
        masked[:, allowed] = logits[:, allowed]
        logits = masked
    return float((logits.argmax(1) == y).float().mean())


def _optimizer(model: nn.Module, recipe: Recipe, *, device: torch.device | None) -> torch.optim.Optimizer:
    """Return the optimizer; with `device`, one whose steps can be captured and whose rate is a tensor there."""
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay)
    rate = recipe.lr if device is None else torch.tensor(recipe.lr, device=device)
    options = {"weight_decay": recipe.weight_decay, "fused": True, "capturable": device is not None}
    return torch.optim.Adam(model.parameters(), lr=rate, **options)


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
