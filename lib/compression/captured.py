"""A training step recorded once as a CUDA graph and replayed: small networks wait for Python, not for the GPU."""

from __future__ import annotations

from collections.abc import Callable

import torch

Step = Callable[[torch.Tensor], None]
WARM_UP = 3  # steps before the recording: they create the optimizer's state and choose the convolutions' algorithms


class Captured:
    """`step` on minibatches of `size` rows, recorded after `WARM_UP` calls and replayed from then on.

    A replay launches all kernels of the step at once. What changes from call to call must be read from tensors on the
    device: `step` takes the rows ``(size,)`` of the minibatch, and its optimizer has its rate in a tensor and is
    capturable. Minibatches of another size run as they would without a recording.
    """

    def __init__(self, step: Step, *, size: int) -> None:
        self.step, self.size, self.seen = step, size, 0
        self.rows: torch.Tensor | None = None
        self.graph = torch.cuda.CUDAGraph()

    def __call__(self, rows: torch.Tensor) -> None:
        """Do one step on the rows of the data that `rows` names."""
        if len(rows) != self.size:
            self.step(rows)
        elif self.seen < WARM_UP:
            self.seen += 1
            self._aside(rows)
        else:
            if self.rows is None:
                self._record(rows)
            self.rows.copy_(rows)
            self.graph.replay()

    def _aside(self, rows: torch.Tensor) -> None:
        """Do one step on a stream of its own, as recording demands of the steps before it."""
        here, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            self.step(rows)
        here.wait_stream(side)

    def _record(self, rows: torch.Tensor) -> None:
        self.rows = rows.clone()
        with torch.cuda.graph(self.graph):  # nothing is computed here
            self.step(self.rows)
