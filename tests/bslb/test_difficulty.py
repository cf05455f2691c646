import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss

from lib.bslb.difficulty import classifier, model_difficulty, negative_log_likelihood, thirds


@pytest.mark.parametrize("classes", [2, 4])
def test_negative_log_likelihood_averages_to_the_log_loss(classes):
    X, y = make_classification(200, 10, n_informative=6, n_classes=classes, random_state=0)
    model = classifier().fit(X, y)
    assert negative_log_likelihood(model, X, y).mean() == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-12)


def test_negative_log_likelihood_is_finite_where_the_probability_is_not():
    model = classifier().fit(np.array([[-1.0], [1.0]]), [0, 1])
    far = np.array([[1e6]])
    slope = model.coef_[0, 0]
    assert negative_log_likelihood(model, far, np.array([0]))[0] == pytest.approx(slope * 1e6)
    assert negative_log_likelihood(model, far, np.array([1]))[0] == 0


def test_label_unknown_to_the_model_is_refused():
    model = classifier().fit(np.array([[-1.0], [1.0]]), [0, 2])
    for label in (1, 3):
        with pytest.raises(ValueError, match="unknown to the model"):
            negative_log_likelihood(model, np.ones((1, 1)), np.array([label]))


def test_model_difficulty_is_standardised_deterministic_and_finds_flipped_labels():
    X, y = make_classification(400, 8, n_informative=8, n_redundant=0, class_sep=2.0, flip_y=0, random_state=1)
    flipped = np.arange(0, 400, 20)
    y[flipped] = 1 - y[flipped]
    difficulty = model_difficulty(X, y, models=5, sample=100, seed=3)
    np.testing.assert_array_equal(difficulty, model_difficulty(X, y, models=5, sample=100, seed=3))
    assert difficulty.mean() == pytest.approx(0, abs=1e-12) and difficulty.std() == pytest.approx(1)
    assert difficulty[flipped].mean() > 1.5 > np.delete(difficulty, flipped).max() / 2


def test_model_difficulty_refuses_a_sample_larger_than_the_data():
    with pytest.raises(ValueError, match="sample = 11"):
        model_difficulty(np.zeros((10, 2)), np.arange(10) % 2, sample=11)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=50))
def test_thirds_are_disjoint_of_equal_size_and_ordered(values):
    difficulty = np.array(values)
    hard, easy = thirds(difficulty)
    assert hard.sum() == easy.sum() == len(values) // 3 and not (hard & easy).any()
    middle = difficulty[~hard & ~easy]
    assert difficulty[hard].min() >= middle.max(initial=-np.inf) >= middle.min(initial=difficulty[easy].max())
    assert difficulty[hard].min() >= difficulty[easy].max()
