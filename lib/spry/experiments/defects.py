"""What defects of the authors' released code do to numbers that are known exactly."""

import pandas as pd


def released_defects(*, clients: int = 3, perturbations: int = 10, step: float = 1e-2) -> pd.DataFrame:
    """Evaluate the released and the right rule where the right answer is one line.

    - "aliased sum": weight of the first over that of the last of `clients` equal gradients in FedSGD's sum.
    - "scaling": effective number of Baffle's `perturbations` orthogonal directions, (sum w)^2 / sum w^2.
    - "positions": share of tensors that hold their own unit's average after split updates were averaged.
    - "late clients": share of the clients of a round that have something to train, one more client than units.
    - "gate": FwdLLM's average of clients that moved by 1 and of one that moved by `clients` + 1 and whose minibatches
      disagree.
    - "zero start": squared error of LoRA's first forward gradient, over that along B alone (A has no gradient yet).

    Returns:
        One row a defect: defect, right, released.
    """
    return pd.DataFrame(
        [
            ["aliased sum", 1.0, _first_over_last(clients)],
            ["scaling", *(_effective(perturbations, step, released) for released in (False, True))],
            ["positions", *(_in_place(clients, released) for released in (False, True))],
            ["late clients", *(_training(clients, released) for released in (False, True))],
            ["gate", *(_gated(clients, released) for released in (False, True))],
            ["zero start", 1.0, _first_error()],
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


def _training(units: int, released: bool) -> float:
    from lib.spry.released import released_assignment
    from lib.spry.units import assign_units

    try:
        shares = (released_assignment if released else assign_units)(units, units + 1)
    except ValueError:  # the released code stops here
        return 0.0
    return sum(map(bool, shares)) / len(shares)


def _gated(clients: int, released: bool) -> float:
    """All but the last client have a variance of zero, the last one of one; they agree on their number of examples."""
    import functools

    import torch

    from lib.federated.model import Model
    from lib.federated.server_optimizers import fedavg
    from lib.federated.types import ServerState, Update
    from lib.spry.baselines.methods import AS_RELEASED
    from lib.spry.baselines.zero_order import FwdLLM
    from lib.spry.spry import SEED

    gate = AS_RELEASED["FwdLLM+"]["gate"] if released else 0.5
    method = FwdLLM(model=Model(functools.partial(torch.nn.Linear, 1, 1, bias=False)), server=fedavg, gate=gate)
    moved = [1.0] * (clients - 1) + [clients + 1.0]
    updates = {
        c: Update({"weight": torch.full((1, 1), value)}, {"examples": 1, "variance": float(c == clients - 1)})
        for c, value in enumerate(moved)
    }
    state = ServerState(0, {"weight": torch.zeros(1, 1)}, {SEED: torch.tensor(0)})
    return float(method.aggregate(state, updates).tensors["weight"])


def _first_error(width: int = 64) -> float:
    """A loss linear in ``B A x`` at B = 0, with n = `width` numbers in each: (2 n + 1) / (n + 1).

    A has no gradient, so one forward gradient of all 2 n numbers and one of B alone estimate the same gradient.
    """
    from lib.spry.theory import relative_mse

    return relative_mse(2 * width) / relative_mse(width)
