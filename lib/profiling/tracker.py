"""Live bytes of torch storages, operation by operation. Imports torch: use `lib.profiling.peak_memory`.

Storages rather than tensors are counted (views share one), and they are removed when the last tensor on them dies,
which a weak reference on the storage object reports.
"""

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lib.profiling.memory import CATEGORIES

# Operations whose input is not an older tensor but memory that Python has only just handed over.
_FRESH = {torch.ops.aten.lift_fresh.default, torch.ops.aten.lift.default}


class StorageTracker(TorchDispatchMode):
    """Track the total bytes of live storages on one kind of device, and what was alive at the highest total."""

    def __init__(self, device_type: str) -> None:
        super().__init__()
        self.device_type = device_type
        self.live: dict[int, int] = {}  # number of a storage -> bytes; numbers, unlike addresses, are never reused
        self.total = self.peak = 0
        self.at_peak: dict[int, int] = {}
        self.labels: dict[int, str] = {}
        self._known: dict[int, tuple[weakref.ref, int]] = {}  # id of the storage object -> (reference, number)
        self._count = 0
        self._rising = False  # the total has reached a new peak that `at_peak` does not show yet

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run the operation; count each output storage that none of its inputs lies on."""
        kwargs = kwargs or {}
        if func not in _FRESH:
            for tensor in _tensors((args, kwargs)):
                self.see(tensor, counted=False)  # older than the block and not declared
        out = func(*args, **kwargs)
        for tensor in _tensors(out):
            self.see(tensor)
        return out

    def see(self, tensor: torch.Tensor, *, counted: bool = True, label: str | None = None) -> None:
        """Count the storage of `tensor` if it is new, and label it; storages without memory are skipped."""
        if tensor.device.type != self.device_type or tensor.layout is not torch.strided:
            return
        try:
            storage = tensor.untyped_storage()
            if storage.data_ptr() == 0:
                return
        except RuntimeError:  # a wrapper (functorch) or a zero tensor of forward-mode AD: it owns no memory
            return
        known = self._known.get(id(storage))
        number = self._add(storage) if known is None else known[1]
        if known is None and counted:
            self._grow(number, storage.nbytes())
        elif number in self.live and self.live[number] != storage.nbytes():
            self._grow(number, storage.nbytes())  # the storage was resized in place
        elif label is not None and number not in self.live:
            self._grow(number, storage.nbytes())  # first seen undeclared, declared later
        if label is not None:
            self.labels[number] = label

    def _add(self, storage: torch.UntypedStorage) -> int:
        self._count += 1
        key, number = id(storage), self._count
        self._known[key] = (weakref.ref(storage, lambda _: self._free(key, number)), number)
        return number

    def _grow(self, number: int, size: int) -> None:
        change = size - self.live.get(number, 0)
        if change < 0:
            self._freeze()
        self.live[number] = size
        self.total += change
        if self.total > self.peak:
            self.peak, self._rising = self.total, True

    def _free(self, key: int, number: int) -> None:
        self._known.pop(key, None)
        if number in self.live:
            self._freeze()
            self.total -= self.live.pop(number)
            if number not in self.at_peak:
                self.labels.pop(number, None)

    def _freeze(self) -> None:
        """Remember what is alive, once per new peak: between a peak and the next release nothing can be lost."""
        if self._rising:
            self.at_peak, self._rising = dict(self.live), False

    def finish(self) -> dict[str, int]:
        """Return the bytes at the peak by category and forget all storages."""
        self._freeze()
        self._known.clear()
        by_category = dict.fromkeys(CATEGORIES, 0)
        for number, size in self.at_peak.items():
            by_category[self.labels.get(number, "activations_and_transients")] += size
        return by_category


class TorchMeter:
    """The torch side of `peak_memory`: declares tensors, follows gradients and optimizer state, reads CUDA's peak."""

    def __init__(self, device: str, *, modules: Any, optimizer: Any, inputs: Any) -> None:
        self.device = torch.device(device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError("device is 'cuda' but torch sees no CUDA device: pass device='cpu'")
        modules = [modules] if isinstance(modules, torch.nn.Module) else list(modules)
        groups = [] if optimizer is None else optimizer.param_groups
        self.parameters = [p for module in modules for p in module.parameters()]
        self.parameters += [p for group in groups for p in group["params"]]
        self.buffers = [buffer for module in modules for buffer in module.buffers()]
        self.optimizer, self.inputs = optimizer, inputs
        self.tracker = StorageTracker(self.device.type)
        self.handles: list[Any] = []

    def start(self) -> None:
        """Count what is declared, hook gradients and optimizer, enter the dispatch mode."""
        self.mark("parameters", (self.parameters, self.buffers))
        self.mark("gradients", [p.grad for p in self.parameters])
        if self.optimizer is not None:
            self._mark_state(self.optimizer)
            self.handles.append(self.optimizer.register_step_post_hook(lambda opt, *_: self._mark_state(opt)))
        self.mark("inputs", self.inputs)
        leaves = {id(p): p for p in self.parameters if p.requires_grad and p.is_leaf}
        self.handles += [
            p.register_post_accumulate_grad_hook(lambda p: self.mark("gradients", p.grad)) for p in leaves.values()
        ]
        self.parameters, self.buffers, self.optimizer, self.inputs = [], [], None, ()
        self.baseline = self.tracker.total
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
        self.tracker.__enter__()

    def stop(self) -> tuple[int, int, dict[str, int]]:
        """Leave the mode, remove the hooks; return peak, baseline and categories in bytes."""
        self.tracker.__exit__(None, None, None)
        for handle in self.handles:
            handle.remove()
        by_category = self.tracker.finish()
        if self.device.type != "cuda":
            return self.tracker.peak, self.baseline, by_category
        torch.cuda.synchronize(self.device)
        peak = torch.cuda.max_memory_allocated(self.device)
        by_category["untracked"] = peak - self.tracker.peak
        return peak, self.baseline, by_category

    def mark(self, category: str, tensors: Any) -> None:
        """Label the storages of all tensors in a nesting, counting those not yet counted."""
        for tensor in _tensors(tensors):
            self.tracker.see(tensor, label=category)

    def _mark_state(self, optimizer: Any) -> None:
        self.mark("optimizer_state", list(optimizer.state.values()))


def _tensors(nesting: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in a nesting; a lone tensor, the common case, is not walked."""
    if isinstance(nesting, torch.Tensor):
        yield nesting
    else:
        yield from (leaf for leaf in tree_leaves(nesting) if isinstance(leaf, torch.Tensor))
