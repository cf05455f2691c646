"""K tangents at once and one by one: the same gradient, the expected memory, and a table of all ways."""

import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")

from lib.spry import figures
from lib.spry.experiments import tangents
from lib.spry.memory_model import Shape

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers and peft warn about themselves


@pytest.fixture(scope="module")
def table():
    shape = Shape(family="bert", layers=4, hidden=64, heads=4, inner=256, positions=32)
    return tangents(perturbations=(1, 8), shape=shape, batch=2, length=16, repeats=1)


def test_memory_of_one_by_one_does_not_grow_with_k_that_of_at_once_does(table):
    found = table.set_index(["way", "perturbations"])["peak_mib"]
    assert found["one by one", 8] < 1.5 * found["one by one", 1]
    assert found["at once", 8] > 3 * found["at once", 1]
    # Eight tangents beside one value: at most nine times what the value needs.
    assert found["at once", 8] < 9 * found["one by one", 1]


def test_every_way_is_timed(table):
    assert (table["seconds"] > 0).all() and (table["forwards"] > 0).all()
    assert table.groupby("way")["perturbations"].apply(list).to_dict() == {
        "at once": [1, 8],
        "backprop": [1],
        "one by one": [1, 8],
    }
    assert "8 directional derivatives at once" in figures.tangents(table).scarce_caption
