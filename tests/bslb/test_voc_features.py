import os

import numpy as np
import pytest

import lib.data as data
from lib.bslb.experiments.annotation_real import annotation_voc, annotation_voc_accuracy
from lib.bslb.figures.annotation import difficulty_regret
from lib.bslb.voc_features import layout_features, object_features

# Image 0: two overlapping squares and one apart; image 1: nothing; image 2: the whole frame.
BOXES = np.array([[0, 0, 0, 100, 100, 3], [0, 50, 0, 150, 100, 3], [0, 400, 400, 450, 500, 7], [2, 0, 0, 500, 500, 19]])


def needs(name):
    table = data.status()
    absent = table[(table.name == name) & ~table.state.isin(["ok", "derived"])]
    if len(absent):
        mirror = os.environ.get("SCARCE_DATA_MIRROR")
        pytest.skip(f"needs {', '.join(absent.file)}: set SCARCE_DATA_MIRROR to a folder with it (now {mirror})")


def test_layout_by_hand():
    features = layout_features(3, BOXES)
    assert features.shape == (3, 53) and np.isfinite(features).all()
    assert features[:, 0].tolist() == [3, 0, 1]
    np.testing.assert_allclose(features[:, 6], [0.04 + 0.04 + 0.02, 0, 1])  # area in units of a full frame
    np.testing.assert_allclose(features[:, 7], [0.02, 0, 1])  # smallest
    np.testing.assert_allclose(features[:, 9], [0.04, 0, 1])  # largest


def test_overlap_is_intersection_over_union():
    total, worst = layout_features(3, BOXES)[:, 28:30].T
    np.testing.assert_allclose(total, [1 / 3, 0, 0])
    np.testing.assert_allclose(worst, [1 / 3, 0, 0])


def test_layout_does_not_see_classes_or_the_order_of_boxes():
    other = BOXES.copy()
    other[:, 5] = [0, 1, 2, 3]
    np.testing.assert_array_equal(layout_features(3, BOXES), layout_features(3, other))
    np.testing.assert_allclose(layout_features(3, BOXES), layout_features(3, BOXES[[2, 0, 1, 3]]), atol=1e-12)


def test_objects_add_counts_presence_and_area_of_each_class():
    features = object_features(3, BOXES, pairs=5)
    assert features.shape == (3, 53 + 62 + 5)
    counts, present, covered = features[:, 53:73], features[:, 73:93], features[:, 93:113]
    assert counts[0, 3] == 2 and counts[0, 7] == 1 and counts.sum() == 4 and present.sum() == 3
    np.testing.assert_allclose(covered.sum(axis=1), features[:, 6])
    assert features[:, 113].tolist() == [2, 0, 1]
    assert features[0, 115] == 1 and features[:, 115:].sum() == 1  # classes 3 and 7 share one image


def test_voc_regret_and_its_random_reference():
    needs("voc2012")
    table = annotation_voc(budgets=(100, 200), seeds=2, policies=("random", "bslb", "full_data_linear", "oracle"))
    reference = table.groupby("T").random_regret.first()
    # Fixed reference lines of the difficulty data: 315.5 and 517.1 score units.
    assert reference[100] == pytest.approx(315.5, rel=0.01) and reference[200] == pytest.approx(517.1, rel=0.01)
    regret = table.groupby(["policy", "T"]).regret.mean()
    assert regret["random", 200] == pytest.approx(reference[200], rel=0.05)
    assert regret["oracle"].eq(0).all()
    assert regret["full_data_linear", 200] < 0.8 * reference[200]
    assert regret["full_data_linear", 200] < regret["bslb", 200] < reference[200]
    assert 0.3 < table[table.policy == "full_data_linear"].kendall_tau.mean() < 0.6
    assert 60 <= table.d.iloc[0] <= 150
    figure = difficulty_regret(table)
    assert f"{reference[100]:.1f}" in figure.scarce_caption


def test_voc_embeddings_of_the_user_are_used(tmp_path):
    needs("voc2012")
    voc = data.load("voc2012")
    np.savez(tmp_path / "f.npz", ids=voc.ids, features=np.column_stack([voc.difficulty, np.ones((len(voc.ids), 2))]))
    table = annotation_voc(budgets=(50,), seeds=1, policies=("full_data_linear",), features=tmp_path / "f.npz")
    assert table.d.tolist() == [1] and table.regret[0] == pytest.approx(0, abs=1e-6)


def test_voc_accuracy_shares_choices_between_classes():
    needs("voc2012")
    table = annotation_voc_accuracy(budgets=(50,), seeds=1, policies=("random", "margin", "all"))
    chosen = table[table.policy == "random"].mean_difficulty
    assert chosen.nunique() == 1 and table.task.nunique() == 2
    assert table[table.policy == "margin"].mean_difficulty.nunique() == 2
