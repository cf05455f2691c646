"""Peak memory of a block of code, by category: torch tensors on CPU or CUDA, or NumPy arrays.

What the numbers mean is stated once, in `peak_memory`.
"""

import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import numpy as np

CATEGORIES = ("parameters", "gradients", "optimizer_state", "inputs", "activations_and_transients")


@dataclass(frozen=True)
class MemoryPeak:
    """Bytes at the moment of the peak; `by_category` sums to `peak_bytes` exactly."""

    device: str
    kind: str
    peak_bytes: int
    baseline_bytes: int  # of the declared tensors that were alive when the block began
    by_category: dict[str, int]

    @property
    def extra_bytes(self) -> int:
        """Bytes at the peak beyond what was declared and alive when the block began."""
        return self.peak_bytes - self.baseline_bytes

    def row(self) -> dict[str, Any]:
        """Return one table row: totals and one ``<category>_bytes`` column a category."""
        totals = {key: getattr(self, key) for key in ("device", "kind", "peak_bytes", "baseline_bytes", "extra_bytes")}
        return totals | {f"{name}_bytes": count for name, count in self.by_category.items()}


class peak_memory:
    """Measure the peak memory of a ``with`` block; read the handle after the block.

    ``with peak_memory(modules=net, optimizer=opt, inputs=(x, y)) as m: step()`` then gives ``m.peak_bytes``,
    ``m.baseline_bytes``, ``m.extra_bytes``, ``m.by_category``, ``m.row()`` and the frozen ``m.result``.

    **kind="torch", device="cpu"**: bytes of tensor storages, tracked operation by operation, so the same code gives
    the same number every time. Counted are the tensors declared here and every storage allocated in the block, until
    it is freed. Not counted: undeclared tensors that existed before the block, scratch buffers inside a native kernel,
    the allocator's rounding (64 bytes a tensor), sparse tensors, Python itself. Views count once; zero tensors
    without memory (forward-mode differentiation makes many) not at all.

    **kind="torch", device="cuda"**: `peak_bytes` is the CUDA caching allocator's own peak of allocated bytes
    (``torch.cuda.max_memory_allocated``); categories come from the same tracker, and ``untracked`` holds the
    difference (kernel workspaces, rounding, tensors that were not declared).

    **kind="numpy"**: bytes that Python and NumPy allocate in the block, seen by ``tracemalloc`` (a few kB of Python
    objects included), plus the declared `inputs`, which are taken to live throughout. Blocks of this kind do not nest.

    The categories: *parameters* are parameters and buffers of `modules` and of `optimizer`'s groups; *gradients* are
    their ``.grad``; *optimizer_state* the tensors in ``optimizer.state``; *inputs* the tensors or arrays in `inputs`
    (nested lists, tuples and dicts allowed); *activations_and_transients* all else. Gradients returned by
    ``torch.func.grad`` belong to no parameter: ``m.mark("gradients", tensors)`` inside the block names them.

    Raises ``ValueError`` for an unknown kind, device or category, or modules and optimizer with ``kind="numpy"``;
    ``RuntimeError`` when the handle is read before the block has ended.
    """

    def __init__(
        self,
        device: str = "cpu",
        *,
        kind: Literal["torch", "numpy"] = "torch",
        modules: Any = (),
        optimizer: Any = None,
        inputs: Any = (),
    ) -> None:
        if kind not in ("torch", "numpy"):
            raise ValueError(f"kind is {kind!r}: pass 'torch' for tensors or 'numpy' for arrays")
        if str(device).split(":")[0] not in ("cpu", "cuda"):
            raise ValueError(f"device is {device!r}: only 'cpu' and 'cuda' (or 'cuda:1', ...) are measured")
        if kind == "numpy" and (str(device) != "cpu" or _given(modules) or optimizer is not None):
            raise ValueError(
                "kind='numpy' measures arrays on the CPU: pass inputs=, not modules, optimizer or a device"
            )
        self.device, self.kind = str(device), kind
        self._declared = {"modules": modules, "optimizer": optimizer, "inputs": inputs}
        self._meter: Any = None
        self._result: MemoryPeak | None = None

    def __enter__(self) -> "peak_memory":
        """Register what was declared and begin to track."""
        if self._meter is not None:
            raise RuntimeError("one peak_memory handle measures one block: make a new one")
        if self.kind == "numpy":
            self._meter = _ArrayMeter(self._declared["inputs"])
        else:
            from lib.profiling.tracker import TorchMeter

            self._meter = TorchMeter(self.device, **self._declared)
        self._declared = {}  # the handle must not keep tensors alive
        self._meter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop tracking; keep the result unless the block raised."""
        peak, baseline, by_category = self._meter.stop()
        if error is None:
            self._result = MemoryPeak(self.device, self.kind, peak, baseline, by_category)

    def mark(self, category: str, tensors: Any) -> None:
        """Put the storages of `tensors` (a tensor or a nesting) into `category`; inside a block of kind torch only."""
        if category not in CATEGORIES:
            raise ValueError(f"category is {category!r}: choose one of {', '.join(CATEGORIES)}")
        if self.kind != "torch" or self._meter is None or self._result is not None:
            raise RuntimeError("mark works inside a block of kind 'torch'")
        self._meter.mark(category, tensors)

    @property
    def result(self) -> MemoryPeak:
        """The frozen measurement; available once the block has ended without an exception."""
        if self._result is None:
            raise RuntimeError("no measurement yet: read it after the with block has ended")
        return self._result

    @property
    def peak_bytes(self) -> int:
        """Bytes at the peak."""
        return self.result.peak_bytes

    @property
    def baseline_bytes(self) -> int:
        """Declared bytes alive when the block began."""
        return self.result.baseline_bytes

    @property
    def extra_bytes(self) -> int:
        """Bytes at the peak beyond the baseline."""
        return self.result.extra_bytes

    @property
    def by_category(self) -> dict[str, int]:
        """Bytes at the moment of the peak, by category."""
        return self.result.by_category

    def row(self) -> dict[str, Any]:
        """Return the measurement as one table row."""
        return self.result.row()


class _ArrayMeter:
    """NumPy's side of `peak_memory`, on top of tracemalloc (to which NumPy reports its buffers)."""

    running = False

    def __init__(self, inputs: Any) -> None:
        owners = {id(array): array for array in map(_owner, _arrays(inputs))}
        self.input_bytes = sum(array.nbytes for array in owners.values())

    def start(self) -> None:
        if _ArrayMeter.running:
            raise RuntimeError("blocks of kind 'numpy' do not nest: tracemalloc keeps a single peak")
        _ArrayMeter.running = True
        self.started = not tracemalloc.is_tracing()
        if self.started:
            tracemalloc.start()
        tracemalloc.reset_peak()
        self.before = tracemalloc.get_traced_memory()[0]

    def stop(self) -> tuple[int, int, dict[str, int]]:
        traced = max(0, tracemalloc.get_traced_memory()[1] - self.before)
        if self.started:
            tracemalloc.stop()
        _ArrayMeter.running = False
        by_category = dict.fromkeys(CATEGORIES, 0) | {"inputs": self.input_bytes, "activations_and_transients": traced}
        return traced + self.input_bytes, self.input_bytes, by_category


def _given(value: Any) -> bool:
    """Tell whether an option was used at all (a module has no length, so truth would be wrong)."""
    return not (isinstance(value, tuple | list) and len(value) == 0)


def _arrays(nesting: Any) -> Iterator[np.ndarray]:
    if isinstance(nesting, np.ndarray):
        yield nesting
    elif isinstance(nesting, Mapping | Iterable) and not isinstance(nesting, str | bytes):
        for part in nesting.values() if isinstance(nesting, Mapping) else nesting:
            yield from _arrays(part)


def _owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
