"""peak_memory in use: clean-up, refusals, table rows, storages without memory, NumPy arrays."""

import weakref

import numpy as np
import pytest

from lib.profiling import peak_memory

torch = pytest.importorskip("torch")

FLOAT = 4


def test_nothing_is_kept_alive_and_hooks_are_removed():
    net = torch.nn.Linear(6, 3)
    gone = weakref.ref(net.weight.untyped_storage())
    with peak_memory(modules=net, optimizer=torch.optim.SGD(net.parameters(), lr=1)) as m:
        net(torch.ones(1, 6)).sum().backward()
    assert not any(p._post_accumulate_grad_hooks for p in net.parameters())
    del net
    assert gone() is None
    assert m.peak_bytes > 0


def test_an_exception_passes_and_cleans_up():
    net = torch.nn.Linear(6, 3)
    with pytest.raises(KeyError, match="inside"), peak_memory(modules=net) as m:
        raise KeyError("inside")
    assert not any(p._post_accumulate_grad_hooks for p in net.parameters())
    with pytest.raises(RuntimeError, match="no measurement"):
        _ = m.peak_bytes
    with peak_memory() as again:
        torch.empty(7)
    assert again.peak_bytes == 7 * FLOAT


def test_row_has_plain_columns():
    with peak_memory() as m:
        torch.empty(25)
    assert m.row() == {
        "device": "cpu",
        "kind": "torch",
        "peak_bytes": 100,
        "baseline_bytes": 0,
        "extra_bytes": 100,
        "parameters_bytes": 0,
        "gradients_bytes": 0,
        "optimizer_state_bytes": 0,
        "inputs_bytes": 0,
        "activations_and_transients_bytes": 100,
    }


def test_numpy_arrays_of_known_size():
    x = np.ones(10**6)
    with peak_memory(kind="numpy", inputs={"x": [x, x[:5]]}) as m:
        y = x + 1  # 8 MB
        z = np.concatenate([y, y])  # 16 MB
        del y, z
        np.zeros(1000)
    assert m.by_category["inputs"] == 8 * 10**6
    assert m.extra_bytes == pytest.approx(24 * 10**6, abs=16384)  # Python objects make up the small difference
    assert m.peak_bytes == m.extra_bytes + 8 * 10**6


def test_numpy_blocks_follow_each_other_but_do_not_nest():
    peaks = []
    for _ in range(2):
        with peak_memory(kind="numpy") as m:
            np.ones(10**5)
        peaks.append(m.peak_bytes)
    assert peaks == pytest.approx([8 * 10**5] * 2, abs=16384)
    with peak_memory(kind="numpy"), pytest.raises(RuntimeError, match="nest"), peak_memory(kind="numpy"):
        pass


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "jax"}, "kind"),
        ({"device": "tpu"}, "device"),
        ({"kind": "numpy", "device": "cuda"}, "CPU"),
        ({"kind": "numpy", "modules": torch.nn.Linear(1, 1)}, "CPU"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        peak_memory(**options)


def test_bad_use_is_refused():
    m = peak_memory()
    with pytest.raises(RuntimeError, match="after the with block"):
        _ = m.result
    with m:
        with pytest.raises(ValueError, match="category"):
            m.mark("weights", torch.ones(1))
        with pytest.raises(RuntimeError, match="no measurement"):
            m.row()
    with pytest.raises(RuntimeError, match="one block"):
        m.__enter__()
    with pytest.raises(RuntimeError, match="inside a block"):
        m.mark("inputs", torch.ones(1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is present")
def test_missing_cuda_is_named():
    with pytest.raises(ValueError, match="no CUDA device"), peak_memory("cuda"):
        pass


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_peak_is_the_allocators():
    x = torch.ones(1000, 1000, device="cuda")
    with peak_memory("cuda", inputs=x) as m:
        x @ x
    assert m.by_category["inputs"] == 4 * 10**6
    assert m.peak_bytes >= 8 * 10**6
    assert sum(m.by_category.values()) == m.peak_bytes


def test_storages_without_memory_cost_nothing():
    with peak_memory() as m:
        torch.empty(1000, device="meta") + 1
        torch._efficientzerotensor((1000,))  # what forward-mode differentiation uses for an absent tangent
    assert m.peak_bytes == 0


def test_a_storage_that_grows_and_shrinks_is_followed():
    with peak_memory() as m:
        x = torch.empty(10)
        x.resize_(1000)
        x.untyped_storage().resize_(10 * FLOAT)
        x[:10].add_(1)  # the next operation shows that the storage has shrunk
        torch.empty(995)
    assert m.peak_bytes == (10 + 995) * FLOAT


def test_declaring_an_older_tensor_later_counts_it():
    x = torch.ones(100)
    with peak_memory() as m:
        x.add_(1)
        m.mark("inputs", x)
    assert m.peak_bytes == m.by_category["inputs"] == 100 * FLOAT
    assert m.baseline_bytes == 0
