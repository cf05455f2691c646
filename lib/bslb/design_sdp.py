"""The capped design as a semidefinite programme: exact, for up to about 40 dimensions."""

import numpy as np


def sdp_design(arms: np.ndarray, u: int) -> tuple[np.ndarray, float, np.ndarray]:
    """Maximise lambda_min(sum_j mu_j a_j a_j^T) under 0 <= mu_j <= 1/u and sum mu = 1; return mu (M,), value and dual.

    `arms` has shape (M, d). Solved by CLARABEL, or SCS where that fails. Cost grows steeply in d: use the Frank-Wolfe
    solver above d of about 40. The value is recomputed from the feasible mu, so it is a lower bound on the optimum;
    the dual (d, d) is positive semidefinite up to rounding, and `capped_maximum` turns it into an upper bound.

    Raises ValueError if cvxpy is not installed or no solver succeeds. Source: companion's reconstruction of
    arXiv 2410.20041.
    """
    try:
        import cvxpy as cp
    except ImportError as error:
        raise ValueError("solver='sdp' needs cvxpy: pip install 'scarce[sdp]', or use solver='fw'") from error
    arms = np.asarray(arms, dtype=float)
    count, d = arms.shape
    outer = np.einsum("mi,mj->ijm", arms, arms).reshape(d * d, count)
    mu, level = cp.Variable(count), cp.Variable()
    gram = cp.reshape(outer @ mu, (d, d), order="C")
    psd = (gram + gram.T) / 2 - level * np.eye(d) >> 0
    problem = cp.Problem(cp.Maximize(level), [psd, mu >= 0, mu <= 1 / u, cp.sum(mu) == 1])
    for solver in (cp.CLARABEL, cp.SCS):
        try:
            problem.solve(solver=solver)
        except cp.error.SolverError:
            continue
        if mu.value is not None:
            weights = _feasible(mu.value, 1 / u)
            dual = np.asarray(psd.dual_value)
            return weights, float(np.linalg.eigvalsh((arms.T * weights) @ arms)[0]), (dual + dual.T) / 2
    raise ValueError("no semidefinite solver reached a solution; use solver='fw'")


def _feasible(mu: np.ndarray, cap: float) -> np.ndarray:
    """Remove the solver's rounding: clip to [0, cap] and spread the missing mass over the room left below the cap."""
    mu = np.clip(mu, 0.0, cap)
    excess = mu.sum() - 1.0
    if excess > 0:
        return mu / mu.sum()
    room = cap - mu
    return mu - excess * room / room.sum() if room.sum() > 0 else mu
