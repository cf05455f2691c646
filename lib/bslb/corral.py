"""C-BSLB: CORRAL over BSLB learners that assume different sparsities, for when the sparsity is unknown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib.bslb.bslb import default_subset_size, exploration_length
from lib.bslb.environments import Environment
from lib.bslb.policy import check_blocking, check_problem, replicate_rngs
from lib.bslb.regression import estimate
from lib.bslb.subset import Design, good_subset

SHARES = ("all", "private")
_DESIGN = 202


@dataclass(frozen=True)
class CorralRun:
    """The arms that the master pulled and how it weighed its bases.

    Attributes:
        order: arm indices in the order of the pulls, shape ``(S, T)``, distinct in each row.
        weights: probability of each base before each pull, shape ``(S, T, L)``.
        chosen: base that made each pull, shape ``(S, T)``.
        explorations: exploration length of each base, in observations, shape ``(L,)``.
        explored: 0: no leading block of pulls is exploration only.
    """

    order: np.ndarray
    weights: np.ndarray
    chosen: np.ndarray
    explorations: np.ndarray
    explored: int = 0

    def __post_init__(self) -> None:
        check_blocking(self.order)


def log_barrier_step(p: np.ndarray, loss: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
    """Return the next weights of online mirror descent with the log barrier, shape ``(..., L)``.

    The x with ``sum_j 1 / (1/p_j + eta_j (loss_j - x)) = 1`` is found by safeguarded Newton steps; nothing is
    renormalised. Source: Agarwal, Luo, Neyshabur and Schapire (COLT 2017, arXiv 1612.06246), CORRAL.

    Args:
        p: weights in the open simplex, shape ``(..., L)``.
        loss: loss estimates, same shape.
        eta: learning rates, positive, a shape that broadcasts to that of `p`.

    Raises:
        ValueError: if a weight or rate is not positive, weights do not sum to 1, or a loss is not finite.
    """
    p, loss, eta = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (p, loss, eta)))
    if not ((p > 0).all() and (eta > 0).all() and np.isfinite(loss).all()):
        raise ValueError("weights and rates must be positive and losses finite; mix weights with the uniform ones")
    if not np.allclose(p.sum(axis=-1), 1, atol=1e-8):
        raise ValueError("weights must sum to 1; divide them by their sum")
    barrier = 1 / p + eta * loss
    low = loss.min(axis=-1, keepdims=True)
    # Right of the smallest pole a weight would be negative; right of the largest loss the sum exceeds 1.
    high = np.minimum(loss.max(axis=-1, keepdims=True), (barrier / eta).min(axis=-1, keepdims=True))
    x = low
    for _ in range(100):
        weight = 1 / (barrier - eta * x)
        total = weight.sum(axis=-1, keepdims=True)
        if (np.abs(total - 1) < 1e-14).all():
            break
        low, high = np.where(total <= 1, x, low), np.where(total >= 1, x, high)
        # Newton on 1 / total - 1, which is concave and nearly linear in x.
        newton = x + (total - total**2) / (eta * weight**2).sum(axis=-1, keepdims=True)
        inside = (newton > low) & (newton < high)
        x = np.where(inside, newton, (low + high) / 2)
    return 1 / (barrier - eta * x)


def corral(
    env: Environment,
    T: int,
    *,
    ks: Sequence[int] = (1, 4, 16),
    seed: int,
    eta: float = 0.5,
    share: str = "all",
    version: str = "v1",
    c_e: float = 2.0,
    c_l: float = 1.5,
    reward_range: tuple[float, float] | None = None,
    iterations: int = 100,
    design: Design | None = None,
) -> CorralRun:
    """Run C-BSLB: the CORRAL master picks at each round the BSLB base that proposes the next arm.

    That the paper corrals over sparsities is its own; grid, rates, losses and sharing are the companion's
    reconstruction. Base i explores the subset in its own order until it has seen its exploration length of
    observations, fits once, then proposes its best arm that is still available.

    Args:
        env: the environment, S replicates in lockstep.
        T: number of pulls, at least 3.
        ks: sparsity that each of the L bases assumes.
        seed: seed of design, bases and master.
        eta: initial learning rate.
        share: "all" gives each observation to every base ("practical C-BSLB"), "private" to the chosen base only.
        version: exploration length of the bases, "v1" or "v2".
        c_e: factor on the exploration length.
        c_l: factor on the Lasso penalty.
        reward_range: rewards that map to losses 1 and 0; losses beyond are clipped. Default: smallest and largest
            reward that the replicate has observed so far. That range moves with the pulls, which CORRAL's analysis
            does not cover.
        iterations: iterations of the design if none is given.
        design: a design computed before for the same arms.

    Raises:
        ValueError: if T < 3 or T exceeds M, a sparsity exceeds d, or an option is unknown.
    """
    if not len(ks):
        raise ValueError("ks is empty; give at least one sparsity")
    check_problem(env, T, k=max(ks))
    if T < 3 or share not in SHARES or not eta > 0:
        raise ValueError(f"need T >= 3, share in {SHARES} and eta > 0, got T={T}, share={share!r}, eta={eta}")
    lengths = np.array([exploration_length(k, T, version=version, c_e=c_e) for k in ks])
    S, L = len(env.means), len(ks)
    if design is None:
        rng = np.random.default_rng([seed, 0, _DESIGN])
        size = default_subset_size(*env.arms.shape, int(lengths.max()))
        design = good_subset(env.arms, size, iterations=iterations, rng=rng)
    rngs = replicate_rngs(env, seed)
    bases = [[_Base(env, s, n, design.subset, c_l, rngs[s]) for n in lengths] for s in range(S)]
    span = _Span.start(S, reward_range)
    order, chosen, weights = np.empty((S, T), dtype=int), np.empty((S, T), dtype=int), np.empty((S, T, L))
    master = _Master.start(S, L, T, eta)
    taken = np.zeros(env.means.shape, dtype=bool)
    rows = np.arange(S)
    for t in range(T):
        weights[:, t] = master.mixed
        picks = np.array([rngs[s].choice(L, p=master.mixed[s]) for s in rows])
        arms = np.array([bases[s][i].propose(taken[s]) for s, i in enumerate(picks)])
        taken[rows, arms], order[:, t], chosen[:, t] = True, arms, picks
        for s, (i, arm) in enumerate(zip(picks, arms, strict=True)):
            for base in bases[s] if share == "all" else (bases[s][i],):
                base.learn(arm)
        master.update(picks, span.losses(env.rewards[rows, arms]))
    return CorralRun(order, weights, chosen, lengths)


@dataclass
class _Span:
    """Smallest and largest reward of each replicate, shape (S,), given or observed so far, and losses between them."""

    low: np.ndarray
    high: np.ndarray
    fixed: bool

    @classmethod
    def start(cls, S: int, given: tuple[float, float] | None) -> "_Span":
        low, high = (np.inf, -np.inf) if given is None else given
        if given is not None and not low < high:
            raise ValueError(f"reward_range must be (low, high) with low < high, got {given}")
        return cls(np.full(S, float(low)), np.full(S, float(high)), given is not None)

    def losses(self, rewards: np.ndarray) -> np.ndarray:
        """Return the losses in [0, 1] of one reward a replicate, shape (S,)."""
        if self.fixed:
            return np.clip((self.high - rewards) / (self.high - self.low), 0, 1)
        self.low, self.high = np.minimum(self.low, rewards), np.maximum(self.high, rewards)
        distance = self.high - self.low
        # The first reward is the whole range and says nothing: loss 1/2.
        scaled = (self.high - rewards) / np.where(distance > 0, distance, 1.0)
        return np.where(distance > 0, scaled, 0.5)


@dataclass
class _Master:
    """CORRAL's weights for S replicates in lockstep; arrays of shape (S, L)."""

    p: np.ndarray
    mixed: np.ndarray
    eta: np.ndarray
    rho: np.ndarray
    gamma: float
    growth: float

    @classmethod
    def start(cls, S: int, L: int, T: int, eta: float) -> "_Master":
        uniform = np.full((S, L), 1.0 / L)
        rho = np.full((S, L), 2.0 * L)
        return cls(uniform, uniform, np.full((S, L), float(eta)), rho, 1.0 / T, float(np.exp(1 / np.log(T))))

    def update(self, picks: np.ndarray, loss: np.ndarray) -> None:
        rows, L = np.arange(len(picks)), self.p.shape[1]
        weighted = np.zeros_like(self.p)
        weighted[rows, picks] = loss / self.mixed[rows, picks]
        self.p = log_barrier_step(self.p, weighted, self.eta)
        self.mixed = (1 - self.gamma) * self.p + self.gamma / L
        rare = 1 / self.mixed > self.rho
        self.rho = np.where(rare, 2 / self.mixed, self.rho)
        self.eta = np.where(rare, self.growth * self.eta, self.eta)


class _Base:
    """A sequential view of BSLB on one replicate: explore in its own order, fit once, exploit."""

    def __init__(self, env, s, length, subset, c_l, rng) -> None:
        self.env, self.s, self.length, self.c_l, self.rng = env, s, int(length), c_l, rng
        rest = np.setdiff1d(np.arange(len(env.arms)), subset)
        self.preference = np.concatenate([rng.permutation(subset), rng.permutation(rest)])
        self.next, self.seen = 0, []

    def propose(self, taken: np.ndarray) -> int:
        while taken[self.preference[self.next]]:
            self.next += 1
        return int(self.preference[self.next])

    def learn(self, arm: int) -> None:
        self.seen.append(arm)
        if len(self.seen) == self.length:
            seen = np.array(self.seen)
            theta = estimate(self.env.arms[seen], self.env.rewards[self.s, seen], sigma=self.env.sigma, c_l=self.c_l)
            shuffled = self.rng.permutation(len(self.env.arms))
            scores = self.env.scores(theta[None])[0]
            self.preference, self.next = shuffled[np.argsort(-scores[shuffled], kind="stable")], 0
