"""What three defects of the authors' released code do to numbers that are known exactly."""

import pandas as pd


def released_defects(*, clients: int = 3, perturbations: int = 10, step: float = 1e-2) -> pd.DataFrame:
    """Evaluate the released and the right rule where the right answer is one line.

    - "aliased sum": weight of the first over that of the last of `clients` equal gradients in FedSGD's sum.
    - "scaling": effective number of Baffle's `perturbations` orthogonal directions, (sum w)^2 / sum w^2.
    - "positions": share of tensors that hold their own unit's average after split updates were averaged.

    Returns:
        One row a defect: defect, right, released.
    """
    return pd.DataFrame(
        [
            ["aliased sum", 1.0, _first_over_last(clients)],
            ["scaling", *(_effective(perturbations, step, released) for released in (False, True))],
            ["positions", *(_in_place(clients, released) for released in (False, True))],
        ],
        columns=["defect", "right", "released"],
    )


def _first_over_last(clients: int) -> float:
    import torch

    from lib.spry.released import aliased_sum

    weights = aliased_sum([{"w": row} for row in torch.eye(clients)])["w"]
    return float(weights[0] / weights[-1])


def _effective(count: int, step: float, released: bool) -> float:
    """Each direction is a coordinate of its own, so a linear loss shows the weight that it gets."""
    import torch

    from lib.spry.zero_order import baffle

    found = baffle(
        lambda params: params["w"].sum(),
        {"w": torch.zeros(count)},
        {"w": torch.eye(count)},
        step=step,
        as_released=released,
    )
    weights = found.gradient["w"]
    return float(weights.sum() ** 2 / weights.square().sum())


def _in_place(clients: int, released: bool) -> float:
    """Client c owns tensor c of as many and moves it to c + 1; the others stay at zero."""
    import torch

    from lib.spry.released import positional_zip
    from lib.spry.units import aggregate_units

    server = {f"w{c}": torch.zeros(1) for c in range(clients)}
    brought = {c: ({f"w{c}": torch.full((1,), c + 1.0)}, 1.0) for c in range(clients)}
    after = (positional_zip if released else aggregate_units)(server, brought, "examples")
    return sum(float(after[f"w{c}"]) == c + 1 for c in range(clients)) / clients
