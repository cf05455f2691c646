"""peak_memory against tensor sizes worked out by hand, and against torch's own allocator log."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.profiling import CATEGORIES, peak_memory

torch = pytest.importorskip("torch")
# torch.func compiles its forward-mode formulas with torch.jit on first use.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")

FLOAT = 4
BATCH, WIDTHS = 32, (20, 64, 48, 5)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def mlp(widths=WIDTHS):
    layers = []
    for wide, narrow in pairwise(widths):
        layers += [torch.nn.Linear(wide, narrow), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


PARAMETERS = sum((a + 1) * b for a, b in pairwise(WIDTHS))
TENSORS = 2 * (len(WIDTHS) - 1)


def test_importing_the_room_does_not_import_torch():
    code = "import sys, lib.profiling; print('torch' in sys.modules or 'onnxruntime' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_chain_of_elementwise_operations_keeps_two_buffers():
    x = torch.ones(1000)
    with peak_memory(inputs=x) as m:
        for _ in range(5):
            x = x + 1  # old and new are alive together, then the old one goes: the meter must not hold it
    assert m.peak_bytes == 2 * 1000 * FLOAT
    assert m.by_category["inputs"] == m.by_category["activations_and_transients"] == 1000 * FLOAT


def test_views_and_in_place_operations_cost_nothing():
    x = torch.ones(64, 64)
    with peak_memory(inputs=x) as m:
        x.view(-1)[::2].t()
        x.add_(1).mul_(2)
        x[3].zero_()
    assert m.extra_bytes == 0
    assert m.baseline_bytes == m.peak_bytes == 64 * 64 * FLOAT


def test_undeclared_older_tensors_do_not_count():
    x = torch.ones(1000)
    with peak_memory() as m:
        y = x[:10].reshape(5, 2)
        z = y + 1
    assert m.peak_bytes == z.numel() * FLOAT


def test_tensors_built_from_python_numbers_count():
    with peak_memory() as m:
        torch.tensor([1.0, 2.0, 3.0])
    assert m.peak_bytes == 3 * FLOAT


def test_inference_keeps_two_activations():
    net, x = mlp(), torch.ones(BATCH, WIDTHS[0])
    with torch.no_grad(), peak_memory(modules=net, inputs=x) as m:
        net(x)
    # nn.Sequential frees a layer's input when the next output exists; Linear and Tanh each make a new tensor.
    widest = max(2 * WIDTHS[1], WIDTHS[1] + WIDTHS[2], 2 * WIDTHS[2])
    assert m.by_category == dict.fromkeys(CATEGORIES, 0) | {
        "parameters": PARAMETERS * FLOAT,
        "inputs": x.numel() * FLOAT,
        "activations_and_transients": BATCH * widest * FLOAT,
    }


def test_training_forward_keeps_the_saved_activations():
    net, x = mlp(), torch.ones(BATCH, WIDTHS[0])
    with peak_memory(modules=net, inputs=x) as m:
        out = net(x)
    # Tanh saves its output, Linear its input (the Tanh output, or x): one tensor a hidden layer stays, plus the last
    # output; at the peak the pre-activation of the second layer is still there instead of the small last output.
    saved = BATCH * (WIDTHS[1] + WIDTHS[2]) * FLOAT
    assert out.shape == (BATCH, WIDTHS[3])
    assert m.by_category["activations_and_transients"] == saved + BATCH * max(WIDTHS[2], WIDTHS[3]) * FLOAT


@pytest.mark.parametrize(
    ("optimizer", "state"),
    [
        (lambda p: torch.optim.SGD(p, lr=0.1), 0),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), PARAMETERS * FLOAT),
        (lambda p: torch.optim.Adam(p, lr=0.1), 2 * PARAMETERS * FLOAT + TENSORS * FLOAT),
    ],
    ids=["sgd", "momentum", "adam"],
)
def test_training_step_by_category(optimizer, state):
    net, x = mlp(), torch.ones(2, WIDTHS[0])
    opt = optimizer(net.parameters())

    def step():
        opt.zero_grad()
        net(x).square().sum().backward()
        opt.step()

    step()
    opt.zero_grad()
    with peak_memory(modules=net, optimizer=opt, inputs=x) as m:
        step()
    # With a batch of 2 the parameter-sized tensors dominate, so that the peak lies where all gradients exist.
    assert m.by_category["parameters"] == PARAMETERS * FLOAT
    assert m.by_category["gradients"] == PARAMETERS * FLOAT
    assert m.by_category["optimizer_state"] == state
    assert m.baseline_bytes == (PARAMETERS + x.numel()) * FLOAT + state
    assert sum(m.by_category.values()) == m.peak_bytes


def test_state_and_gradients_born_inside_the_block_are_labelled():
    net, x = mlp(), torch.ones(2, WIDTHS[0])
    opt = torch.optim.Adam(net.parameters())
    with peak_memory(modules=net, optimizer=opt, inputs=x) as m:
        net(x).square().sum().backward()
        opt.step()
        torch.empty(10**6)  # moves the peak to after the step
    assert m.by_category["gradients"] == PARAMETERS * FLOAT
    assert m.by_category["optimizer_state"] == (2 * PARAMETERS + TENSORS) * FLOAT
    assert m.by_category["activations_and_transients"] == 10**6 * FLOAT


def test_frozen_parameters_have_no_gradient():
    net, x = mlp(), torch.ones(2, WIDTHS[0])
    net[0].requires_grad_(False)
    with peak_memory(modules=net, inputs=x) as m:
        net(x).sum().backward()
        torch.empty(10**6)
    frozen = (WIDTHS[0] + 1) * WIDTHS[1]
    assert m.by_category["parameters"] == PARAMETERS * FLOAT
    assert m.by_category["gradients"] == (PARAMETERS - frozen) * FLOAT


def test_backprop_grows_with_depth_and_jvp_does_not():
    def peaks(depth):
        net, x = mlp((16,) * (depth + 1)), torch.ones(256, 16)
        names = dict(net.named_parameters())
        detached = {k: v.detach() for k, v in names.items()}
        tangents = {k: torch.ones_like(v) for k, v in detached.items()}
        call = lambda p: torch.func.functional_call(net, p, (x,)).sum()  # noqa: E731
        with peak_memory(modules=net, inputs=x) as backward:
            torch.func.functional_call(net, names, (x,)).sum().backward()
        with peak_memory(modules=net, inputs=(x, tangents)) as forward:
            torch.func.jvp(call, (detached,), (tangents,))
        return backward.by_category["activations_and_transients"], forward.by_category["activations_and_transients"]

    shallow, deep = peaks(4), peaks(12)
    layer = 256 * 16 * FLOAT
    assert deep[0] - shallow[0] == pytest.approx(8 * layer, rel=0.02)  # one saved Tanh output a layer
    assert deep[1] == pytest.approx(shallow[1], abs=4096)
    # Input and output, each with its tangent, and the partial products that the tangent of a layer is the sum of.
    assert 4 * layer <= deep[1] <= 7 * layer


@pytest.mark.parametrize("api", ["func.jvp", "forward_ad"])
def test_forward_mode_of_one_product(api):
    import torch.autograd.forward_ad as fwad

    x, w, v = torch.ones(50, 30), torch.ones(30, 40), torch.ones(30, 40)
    with torch.no_grad(), peak_memory(inputs=(x, w, v)) as m:
        if api == "func.jvp":
            value, slope = torch.func.jvp(lambda w: x @ w, (w,), (v,))
        else:
            with fwad.dual_level():
                value, slope = fwad.unpack_dual(x @ fwad.make_dual(w, v))
    assert torch.equal(value, x @ w) and torch.equal(slope, x @ v)
    assert m.baseline_bytes == (50 * 30 + 2 * 30 * 40) * FLOAT
    # The value, and the tangent as a sum of two products: torch multiplies x's zero tangent out as well.
    assert m.extra_bytes == 4 * 50 * 40 * FLOAT


def allocator_peak(step):
    """Peak of the CPU allocator's running balance during `step`, from the profiler's log: the independent witness."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as log:
        step()
    events = [e for e in log.profiler.kineto_results.events() if e.name() == "[memory]"]
    sizes = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]
    return int(np.cumsum(sizes).max())


@pytest.mark.parametrize("mode", ["forward", "backprop", "jvp", "attention"])
def test_agrees_with_the_allocator(mode):
    net, x = mlp((64, 128, 128, 64)), torch.ones(64, 64)
    frozen = {k: v.detach() for k, v in net.named_parameters()}
    tangents = {k: torch.ones_like(v) for k, v in frozen.items()}

    def step():
        if mode == "forward":
            with torch.no_grad():
                net(x)
        elif mode == "backprop":
            torch.autograd.grad(net(x).square().sum(), list(net.parameters()))
        elif mode == "jvp":
            torch.func.jvp(lambda p: torch.func.functional_call(net, p, (x,)).square().sum(), (frozen,), (tangents,))
        else:
            with torch.no_grad():
                torch.softmax(net(x) @ net(x).t() / 8, dim=-1) @ net(x)

    step()
    with peak_memory(modules=net, inputs=(x, tangents)) as m:
        step()
    tensors = 40  # the allocator rounds each tensor up to 64 bytes
    assert m.extra_bytes == pytest.approx(allocator_peak(step), abs=64 * tensors)


@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_peak_of_kept_tensors_is_their_sum(sizes):
    with peak_memory() as m:
        kept = [torch.empty(n) for n in sizes]
    assert m.peak_bytes == sum(sizes) * FLOAT == sum(t.numel() for t in kept) * FLOAT


@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_peak_of_released_tensors_is_the_largest(sizes):
    with peak_memory() as m:
        for n in sizes:
            torch.empty(n)
    assert m.peak_bytes == max(sizes) * FLOAT


def test_measuring_twice_gives_the_same_bytes():
    def measure():
        torch.manual_seed(0)
        net, x = mlp(), torch.ones(BATCH, WIDTHS[0])
        opt = torch.optim.Adam(net.parameters())
        with peak_memory(modules=net, optimizer=opt, inputs=x) as m:
            for _ in range(3):
                opt.zero_grad()
                net(x).square().sum().backward()
                opt.step()
        return m.row()

    assert measure() == measure()


def test_mark_names_functional_gradients():
    w = torch.ones(100)
    with peak_memory(inputs=w) as m:
        m.mark("gradients", torch.func.grad(lambda w: (w**2).sum())(w))
    assert m.by_category["gradients"] in (0, 400)  # 0 when the peak lay before the result was all that was left
    with peak_memory(inputs=w) as m:
        gradient = torch.func.grad(lambda w: (w**2).sum())(w)
        m.mark("gradients", {"w": [gradient]})
        torch.empty(10**5)
    assert m.by_category["gradients"] == 400


def test_buffers_count_as_parameters():
    norm = torch.nn.BatchNorm1d(10)
    with peak_memory(modules=[norm]) as m:
        pass
    assert m.peak_bytes == m.by_category["parameters"] == 4 * 10 * FLOAT + 8  # weight, bias, two statistics, a counter
