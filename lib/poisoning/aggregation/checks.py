"""What every rule asks of the updates it is given."""

import math

import torch


def check_updates(updates: torch.Tensor) -> torch.Tensor:
    """Return `updates` if it is a finite floating-point tensor of shape ``(n, d)`` with n and d positive.

    Raises ValueError otherwise: a rule that ranks distances would rank NaN silently. `finite_rows` drops bad rows.
    """
    check_shape(updates)
    # A finite sum has finite terms, which settles the usual case in one cheap pass.
    if not math.isfinite(updates.sum().item()) and not bool(torch.isfinite(updates).all()):
        raise ValueError("an update holds NaN or infinity; drop such rows first with finite_rows")
    return updates


def check_shape(updates: torch.Tensor) -> torch.Tensor:
    """Return `updates` if it is a floating-point tensor of shape ``(n, d)`` with n and d positive, else ValueError."""
    if updates.dim() != 2 or min(updates.shape) == 0 or not updates.is_floating_point():
        raise ValueError(f"updates are {updates.dtype} {tuple(updates.shape)}; give floating-point rows, one a client")
    return updates


def check_tolerance(clients: int, f: int, least: int, rule: str, needs: str) -> None:
    """Raise ValueError unless ``0 <= f`` and there are at least `least` clients, which `rule` needs (`needs`)."""
    if int(f) != f or f < 0:
        raise ValueError(f"f = {f} must be a number of clients: an integer of at least zero")
    if clients < least:
        raise ValueError(f"{rule} needs {needs}; there are n = {clients} updates and f = {f}: lower f or add clients")


def check_majority(clients: int, f: int, rule: str) -> None:
    """Raise ValueError unless fewer than half of the clients are to be tolerated."""
    check_tolerance(clients, f, 2 * f + 1, rule, "n > 2f")


def finite_rows(updates: torch.Tensor) -> torch.Tensor:
    """Return the rows of `updates` ``(n, d)`` that hold only finite numbers, in their order."""
    return updates[torch.isfinite(updates).all(dim=1)]
