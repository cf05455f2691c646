"""Ridge regression of several replicates, updated one observation at a time."""

import numpy as np

from lib.bslb.environments import Environment


class Posterior:
    """The ridge estimate ``theta`` (S, d) and the inverse of V = penalty I + sum x x^T for each replicate.

    The inverse is kept as ``I / penalty - U^T U`` with one row of U an observation, so that a product with it costs
    O(t d) after t observations and no d x d matrix is ever written.
    """

    def __init__(self, env: Environment, T: int, *, penalty: float) -> None:
        S, d = len(env.means), env.arms.shape[1]
        self.env, self.penalty, self.count = env, penalty, 0
        self.theta, self.residual = np.zeros((S, d)), np.zeros((S, d))
        self.rows = np.zeros((S, T, d), dtype=np.float32)
        self.factor = np.zeros((S, T, d), dtype=np.float32)
        self.rewards = np.zeros((S, T))

    def inverse_times(self, vectors: np.ndarray) -> np.ndarray:
        """Return ``V^-1 v`` for one vector a replicate, shape ``(S, d)``."""
        U = self.factor[:, : self.count]
        inner = np.matmul(U, vectors[:, :, None])
        return vectors / np.float32(self.penalty) - np.matmul(inner.transpose(0, 2, 1), U)[:, 0]

    def observe(self, arms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pull one arm a replicate, shape ``(S,)``, and return how all scores change.

        Returns:
            direction u, shape ``(S, d)``, and gain, shape ``(S,)``: V^-1 falls by u u^T, theta moves by gain times u.
        """
        x = self.env.arms[arms]
        reward = self.env.rewards[np.arange(len(arms)), arms]
        solved = self.inverse_times(x.astype(np.float32))
        scale = np.sqrt(1.0 + np.einsum("sd,sd->s", x, solved))
        direction = (solved / scale[:, None]).astype(np.float32)
        gain = ((reward - np.einsum("sd,sd->s", x, self.theta)) / scale).astype(np.float32)
        self.theta += gain[:, None] * direction
        self.rows[:, self.count], self.factor[:, self.count] = x, direction
        self.rewards[:, self.count] = reward
        self.count += 1
        return direction, gain

    def refine(self) -> None:
        """Remove the rounding that ``theta`` has accumulated, by one step of iterative refinement.

        The residual of the normal equations is taken in double precision and solved with the approximate inverse.
        """
        for s, theta in enumerate(self.theta):
            X = self.rows[s, : self.count].astype(float)
            self.residual[s] = X.T @ (self.rewards[s, : self.count] - X @ theta) - self.penalty * theta
        self.theta += self.inverse_times(self.residual.astype(np.float32))
