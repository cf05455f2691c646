"""What a linear model could know of the arms if it saw nearly all rewards: a ceiling for every linear bandit."""

import numpy as np

from lib.bslb.environments import Environment


def linear_ceiling(env: Environment, *, seed: int, folds: int = 5) -> np.ndarray:
    """Return ridge predictions of all means from the other folds' means, shape ``(S, M)``.

    What a linear model can know of an arm from the scores of most others: no bandit with T pulls has this much data.
    The penalty is chosen by generalised cross-validation on the training folds.
    """
    from sklearn.linear_model import RidgeCV

    predictions = np.empty(env.means.shape)
    for s, means in enumerate(env.means):
        fold = np.random.default_rng([seed, s, 304]).permutation(len(means)) % folds
        for held in range(folds):
            out = fold == held
            model = RidgeCV(alphas=np.logspace(-1, 5, 13)).fit(env.arms[~out], means[~out])
            predictions[s, out] = model.predict(env.arms[out])
    return predictions
