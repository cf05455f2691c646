"""count_flops against closed forms; a multiply-add is 2 operations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.profiling import count_flops

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


@given(n=st.integers(1, 20), k=st.integers(1, 20), m=st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_matrix_product(n, k, m):
    flops = count_flops(torch.matmul, torch.ones(n, k), torch.ones(k, m))
    assert flops.total == 2 * n * k * m
    assert flops.by_operator == {"aten.mm": 2 * n * k * m}
    assert flops.row() == {"flops": 2 * n * k * m, "flops_aten.mm": 2 * n * k * m}


def test_linear_layer_forward_and_backward():
    layer, x = torch.nn.Linear(30, 50), torch.ones(7, 30, requires_grad=True)
    product = 2 * 7 * 30 * 50
    assert count_flops(layer, x).total == product
    # Backward has two products of the same size: with respect to the input and to the weight.
    assert count_flops(lambda: layer(x).sum().backward()).total == 3 * product
    assert count_flops(lambda: layer(x.detach()).sum().backward()).total == 2 * product


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 2)])
def test_convolution(stride, groups):
    conv = torch.nn.Conv2d(4, 6, 3, stride=stride, padding=1, groups=groups)
    out = conv(torch.ones(2, 4, 9, 9))
    expected = 2 * out.numel() * (4 // groups) * 3 * 3
    assert count_flops(conv, torch.ones(2, 4, 9, 9)).total == expected


def test_jvp_of_a_product_executes_three():
    w = torch.ones(20, 20)
    f = lambda w: torch.ones(5, 20) @ w  # noqa: E731
    # Value, x v, and x's zero tangent times w: torch executes the last one too.
    assert count_flops(torch.func.jvp, f, (w,), (w,)).total == 3 * (2 * 5 * 20 * 20)


def test_elementwise_work_is_not_counted():
    assert count_flops(lambda: torch.exp(torch.ones(100)).sum()).total == 0


def test_eager_attention_is_counted():
    q = torch.ones(1, 2, 8, 4)
    eager = count_flops(lambda: torch.softmax(q @ q.mT, -1) @ q)
    assert eager.total == 2 * (2 * 2 * 8 * 8 * 4)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        assert count_flops(torch.nn.functional.scaled_dot_product_attention, q, q, q).total == eager.total


def test_fused_attention_is_refused():
    q = torch.ones(1, 2, 8, 4)
    with pytest.raises(ValueError, match="eager"):
        count_flops(torch.nn.functional.scaled_dot_product_attention, q, q, q)


@pytest.mark.filterwarnings("ignore:TF32 acceleration:UserWarning")  # said when the oneDNN flags are restored
def test_fused_lstm_is_refused():
    lstm, x = torch.nn.LSTM(4, 8), torch.ones(3, 2, 4)
    with pytest.raises(ValueError, match="mkldnn"), torch.no_grad():
        count_flops(lstm, x)
    with torch.backends.mkldnn.flags(enabled=False), torch.no_grad():
        # 4 gates; a step multiplies the input (4) and the state (8) of each of 2 sequences; 3 steps.
        assert count_flops(lstm, x).total == 3 * 2 * (2 * 4 * 8 * (4 + 8))


def test_the_functions_own_error_passes():
    with pytest.raises(RuntimeError, match="shapes"):
        count_flops(torch.matmul, torch.ones(2, 3), torch.ones(2, 3))
