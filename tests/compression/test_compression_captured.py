from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest
import torch

from lib.compression import data, networks
from lib.compression.captured import WARM_UP, Captured
from lib.compression.experiments import steps
from lib.compression.training import Recipe, fit, logits_of

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Recording:
    """A graph of one call of a step, which a replay repeats with what lies in the recorded tensor by then."""

    def __init__(self):
        self.calls = []

    def replay(self):
        for step, rows in self.calls:
            step(rows)


@pytest.fixture
def done(monkeypatch):
    """Sums of the rows of each step that was done; recording stands in for CUDA's and does nothing by itself."""
    sums, recordings = [], []

    def step(rows):
        if recordings:
            recordings[-1].calls.append((step, rows))
        else:
            sums.append(int(rows.sum()))

    @contextmanager
    def graph(recording):
        recordings.append(recording)
        yield
        recordings.pop()

    class Stream:
        def wait_stream(self, other):
            assert isinstance(other, Stream)

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recording)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    return step, sums


def test_every_step_is_done_once_and_in_order(done):
    step, sums = done
    captured = Captured(step, size=4)
    minibatches = [torch.arange(4) + k for k in range(8)]
    minibatches.insert(6, torch.tensor([50, 60]))  # the last minibatch of an epoch is smaller
    for rows in minibatches:
        captured(rows)
    assert sums == [int(rows.sum()) for rows in minibatches]
    assert len(captured.graph.calls) == 1 and captured.seen == WARM_UP


def test_only_adam_is_captured():
    with pytest.raises(ValueError, match="choose optimizer adam"):
        Recipe(optimizer="sgd", captured=True)


def test_without_a_device_nothing_is_recorded():
    images, outputs = data.digits(), []
    images = replace(images, train_x=images.train_x[:, :100], train_y=images.train_y[:100])
    for captured in (False, True):
        net = networks.build(networks.mini_resnet((2, 3, 4)))
        fit(net, images, Recipe(epochs=1, captured=captured))
        outputs.append(logits_of(net, images.val_x))
    assert torch.equal(*outputs)


def test_a_trial_compares_like_with_like():
    found = steps.trial(networks.mini_resnet((2, 3, 4)), data.digits(), Recipe(epochs=1, batch=16))
    assert found["captured_error"] == 0 and found["captured"] and found["fit_s"] > 0  # no device, nothing recorded


@CUDA
def test_recorded_steps_train_alike():
    images, recipe = data.digits(device="cuda"), Recipe(epochs=1, batch=50, half=True, decay=True)
    found = steps.trial(networks.mini_resnet((16, 32, 64)), images, recipe)
    assert found["captured"] and found["captured_error"] < 0.001
