"""Numerical checks of the companion's propositions on the best mix of local and global."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.flow.theory import Setting, best_alpha, risk, simulated_errors, simulated_risk, value_of_instances

GRID = np.linspace(0, 1, 1001)


def mixing_check(
    *,
    examples: Sequence[int] = (5, 20, 80, 320),
    spreads: Sequence[float] = (0.01, 0.05, 0.2, 0.8),
    clients: Sequence[int] = (5, 20),
    noise: float = 1.0,
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the weight of the local estimate that is best in a simulation, beside the closed form.

    Returns:
        One row a setting: clients, examples, spread, ratio (examples times spread over noise), alpha (best of a grid of
        1,001 on the simulated risk), predicted, simulated_risk and risk (at the predicted weight).
    """
    rows = []
    for m in clients:
        for n in examples:
            for spread in spreads:
                at = Setting(m, n, noise, spread)
                local, shared = simulated_errors(at, draws=draws, seed=seed)
                measured = simulated_risk(GRID, local, shared)
                best = best_alpha(at)
                own = float(simulated_risk(np.array([best]), local, shared)[0])
                row = [m, n, spread, n * spread / noise, float(GRID[measured.argmin()]), best, own]
                rows.append([*row, float(risk(best, at))])
    names = ["clients", "examples", "spread", "ratio", "alpha", "predicted", "simulated_risk", "risk"]
    return pd.DataFrame(rows, columns=names)


def instance_value_check(
    *,
    rhos: Sequence[float] = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0),
    clients: int = 20,
    examples: int = 20,
    noise: float = 1.0,
    spread_0: float = 0.01,
    spread_1: float = 0.5,
    draws: int = 4000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what one weight a type of instance gains over one weight a client, simulated and in closed form.

    Returns:
        One row a share of type 1: rho, value (risk of the best common weight less that of the best pair, both found on
        the simulated risk), predicted, and the setting: clients, examples, noise, spread_0, spread_1.
    """
    low, high = (Setting(clients, examples, noise, spread) for spread in (spread_0, spread_1))
    fine = np.linspace(0, 1, 5001)
    curves = [
        simulated_risk(fine, *simulated_errors(at, draws=draws, seed=seed + place))
        for place, at in enumerate((low, high))
    ]
    rows = []
    for rho in rhos:
        common = (rho * curves[1] + (1 - rho) * curves[0]).min()
        value = common - rho * curves[1].min() - (1 - rho) * curves[0].min()
        rows.append([rho, float(value), float(value_of_instances(rho, low, spread_1))])
    table = pd.DataFrame(rows, columns=["rho", "value", "predicted"])
    return table.assign(clients=clients, examples=examples, noise=noise, spread_0=spread_0, spread_1=spread_1)
