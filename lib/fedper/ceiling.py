"""What any single model can reach when users label the same input differently (the companion's proposition)."""

import numpy as np


def single_model_ceiling(probabilities: np.ndarray) -> float:
    """Return the highest accuracy, averaged over users and inputs, of any one function from inputs to labels.

    `probabilities` has shape ``(users, inputs, classes)``: how likely each user gives each input each label. One model
    must answer all users alike, so at each input it can do no better than the label with most votes.
    """
    _check(probabilities)
    return float(probabilities.mean(axis=0, dtype=np.float64).max(axis=1).mean())


def personal_ceiling(probabilities: np.ndarray) -> float:
    """Return the highest accuracy that a model of its own for each user can reach; shape as above."""
    _check(probabilities)
    return float(probabilities.max(axis=2).mean(dtype=np.float64))


def permutation_ceiling(permutations: np.ndarray, class_shares: np.ndarray) -> float:
    """Return the single-model ceiling where user `u` calls true class `c` by the name ``permutations[u, c]``.

    Args:
        permutations: shape ``(users, classes)``, each row a permutation of the class names.
        class_shares: shape ``(classes,)``, how often each true class occurs.
    """
    permutations = np.asarray(permutations)
    classes = permutations.shape[1]
    if not (np.sort(permutations, axis=1) == np.arange(classes)).all():
        raise ValueError("every row must be a permutation of 0 to classes - 1")
    votes = np.stack([(permutations == label).mean(axis=0) for label in range(classes)])
    return float(votes.max(axis=0) @ (np.asarray(class_shares) / np.sum(class_shares)))


def _check(probabilities: np.ndarray) -> None:
    if probabilities.ndim != 3 or np.abs(probabilities.sum(axis=2, dtype=np.float64) - 1).max() > 1e-4:
        raise ValueError("probabilities must have shape (users, inputs, classes) and sum to one over the classes")
