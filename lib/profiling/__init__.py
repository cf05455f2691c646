"""What an algorithm costs: memory by category, floating-point operations, latency.

Importing this room imports neither torch nor ONNX Runtime; the functions that need them import them.
"""

from lib.profiling.edge import EdgeLatency, edge_latency
from lib.profiling.flops import Flops, count_flops
from lib.profiling.latency import Latency, fixed_threads, latency
from lib.profiling.memory import CATEGORIES, MemoryPeak, peak_memory
from lib.profiling.process import ProcessPeak, process_peak
from lib.profiling.processor import processor_seconds

__all__ = [
    "CATEGORIES",
    "EdgeLatency",
    "Flops",
    "Latency",
    "MemoryPeak",
    "ProcessPeak",
    "count_flops",
    "edge_latency",
    "fixed_threads",
    "latency",
    "peak_memory",
    "process_peak",
    "processor_seconds",
]
