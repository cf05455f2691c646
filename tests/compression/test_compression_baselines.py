import numpy as np
import pytest

from lib.compression import data, layers, networks
from lib.compression.baselines import all_students, fixed_students, greedy_removal, one_shot_removal
from lib.compression.networks import with_classes
from lib.compression.reward import ddc
from lib.compression.search import Evaluator, best, decisions, rewards_of, search
from lib.compression.training import Recipe

TEACHER = networks.resnet((3,), channels=1, pixels=4, blocks=1)
FREE = layers.free(TEACHER)
VALUES = np.array([0.5, -0.4, -0.3, 0.2, 0.6, -0.1, 0.7])


def additive(keeps):
    """Each kept leaf adds its own value to accuracy: the best student keeps the leaves of positive value."""
    return [{"a": 1 + float(keep[FREE] @ VALUES), "t": 0.5, "c": 0.5} for keep in keeps]


def accuracy_alone(a, t, c):
    return a


@pytest.mark.parametrize("method", [greedy_removal, one_shot_removal])
def test_removal_finds_the_optimum_of_an_additive_reward(method):
    found = method(TEACHER, additive, reward=accuracy_alone)
    assert (found.keep[FREE] == (VALUES > 0)).all() and found.keep[~FREE].all()


def test_removal_against_enumeration():
    everyone = all_students(TEACHER)[:-1]  # the last one is the teacher
    assert len({row.tobytes() for row in everyone}) == 2 ** FREE.sum() - 1
    rewards = rewards_of(Evaluator(TEACHER, additive)(everyone), accuracy_alone)
    found = greedy_removal(TEACHER, additive, reward=accuracy_alone)
    assert found.history["reward"].max() == pytest.approx(rewards.max())
    count = int(FREE.sum())
    assert len(found.history) == count * (count + 1) // 2
    assert len(one_shot_removal(TEACHER, additive, reward=accuracy_alone).history) == 2 * count


def test_too_many_students_are_refused():
    with pytest.raises(ValueError, match="students"):
        all_students(networks.mini_resnet())


def test_fixed_student_is_the_layout_and_learns_what_it_is_given():
    images = data.digits()
    nets = fixed_students((3, "M", 4), images, Recipe(epochs=1, soft=0.0), seeds=[1, 2])
    assert [net.architecture for net in nets] == [networks.mini_vgg((3, "M", 4))] * 2


def test_keys_are_decisions():
    found = search(TEACHER, lambda keeps: [{"a": 1.0, "t": k.mean(), "c": k.mean()} for k in keeps], iterations=4)
    for row in found.history.itertuples():
        assert decisions(row.key, TEACHER)[FREE].mean() == pytest.approx(row.kept)
    assert (best(found.history, TEACHER) == found.keep).all()
    early = found.history[found.history["iteration"] < 2]
    assert decisions(early.loc[early["reward"].idxmax(), "key"], TEACHER).tolist() == list(
        best(found.history, TEACHER, iterations=2)
    )


def test_fewer_classes_cut_the_classifier_alone():
    thin = with_classes(networks.mini_resnet(), 4)
    assert thin.classes == 4 and thin.parts[:-1] == networks.mini_resnet().parts[:-1]
    assert layers.parameter_count(networks.mini_resnet()) - layers.parameter_count(thin) == 6 * 17


def test_teacher_is_never_a_student():
    assert layers.invalid(TEACHER, TEACHER) and ddc(1, 1, 1) < 1e-6
