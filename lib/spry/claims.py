"""What the abstract claims, what is reported of the paper, what the companion adds, and the rule for each.

Only the abstract and the released code could be read; "secondary" marks what summaries report, "companion" our own
propositions. Rules were stated before the results of this page were seen, except where `SEEN` says otherwise; for
bias, floor, splitting, memory and dropout we knew results of earlier trials at other settings.
"""

from lib.report import Claim, value_text
from lib.spry import rules, rules_theory
from lib.spry.claims_companion import PROPOSITIONS, SEEN
from lib.spry.claims_texts import TEXTS

SUMMARY = "secondary (summary)"


def _published(key: str) -> str:
    return value_text("spry", key)


_PAPER = (
    Claim(
        "memory-range",
        "Backpropagation needs several times the memory of forward mode at the paper's four shapes (on a GPU)",
        "abstract",
        _published("memory-range"),
        "at least 1.4 times at every shape and 7.1 at one; close if more at every shape and 3.5 times at one",
        ("gpu_memory",),
        rules.memory_range,
    ),
    Claim(
        "memory-llama2-7b",
        "Llama2-7B with LoRA and four-bit weights: forward mode needs far less than backpropagation (on a GPU)",
        "abstract",
        _published("memory-llama"),
        "forward mode under 7 GB and backpropagation at least 5.47 times that; close from half of the ratio",
        ("gpu_memory",),
        rules.memory_at("Llama2-7B", ratio=5.47, limit=7),
    ),
    Claim(
        "memory-opt-13b",
        "OPT-13B with LoRA and four-bit weights: forward mode needs far less than backpropagation (on a GPU)",
        "abstract",
        _published("memory-opt"),
        "forward mode under 11 GB and backpropagation at least 7.08 times that; close from half of the ratio",
        ("gpu_memory",),
        rules.memory_at("OPT-13B", ratio=7.08, limit=11),
    ),
    Claim(
        "memory-small-shapes",
        "The saving at small shapes: forward mode's transient memory does not grow with depth, backpropagation's does",
        "abstract; small shapes are ours",
        _published("memory-range"),
        "growth at most 10 % from the least to the most layers, and backpropagation at least 7 times at the most; "
        "close up to 30 % and above one at every depth",
        ("depth",),
        rules.memory_small,
    ),
    Claim(
        "convergence-time",
        "Zero-order methods take longer to converge than Spry (digits)",
        "abstract",
        _published("convergence-time"),
        "operations to nine tenths of Spry's final median accuracy at least 1.2 times Spry's for each of three methods "
        "at every alpha; close if more than Spry's in all",
        ("comparison",),
        rules.convergence_time,
        SEEN,
    ),
    Claim(
        "accuracy",
        "Spry is more accurate than the best zero-order method (digits, same rounds, each method tuned)",
        "abstract",
        _published("accuracy"),
        "median paired gain at least 0.052 at every alpha; close if positive at every alpha",
        ("comparison",),
        rules.accuracy,
        SEEN,
    ),
    Claim(
        "unbiased",
        "The joined estimate is unbiased for homogeneous clients, and its bias grows with heterogeneity (digits)",
        "abstract",
        _published("unbiased"),
        "the part of the squared bias that label skew alone makes at most 5 % at the largest alpha of that at the "
        "smallest, and the squared bias falls with every step of alpha; close up to 20 % if the ends are in order",
        ("bias",),
        rules_theory.unbiased,
    ),
    Claim(
        "rate",
        "The squared gradient norm falls like one over the rounds, up to a limit set by heterogeneity (digits)",
        "abstract",
        _published("rate"),
        "slope after round 50 at most -0.9 at the largest alpha, and at least 1.5 times as much left at the smallest "
        "with fixed blocks; close up to -0.5 and from 1",
        ("floor",),
        rules_theory.rate,
    ),
    Claim(
        "accuracy-backprop",
        "Spry comes within a few percent of backpropagation (digits, same rounds)",
        SUMMARY,
        _published("accuracy-backprop"),
        "median gap to the best of FedAvg and FedYogi from 0 to 0.0616 at every alpha; close up to 0.12",
        ("comparison",),
        rules.accuracy_backprop,
        SEEN,
    ),
    Claim(
        "zero-order-memory",
        "Forward mode needs somewhat more memory than zero-order methods",
        SUMMARY,
        _published("zero-order-memory"),
        "transients above those of the zero-order method at every depth, at most 2.5 times; close if above",
        ("depth",),
        rules.zero_order_memory,
    ),
    Claim(
        "per-iteration",
        "One communication an iteration is more accurate than one an epoch (digits)",
        SUMMARY,
        _published("per-iteration"),
        "paired gain positive in every seed; close if its median is",
        ("comparison", "protocols"),
        rules.per_iteration,
        SEEN,
    ),
    Claim(
        "perturbations",
        "More perturbations soon bring little (digits)",
        SUMMARY,
        _published("perturbations"),
        "gain per doubling of K beyond 5 at most half of that before, in size; close if less",
        ("sweeps",),
        rules.perturbations,
        SEEN,
    ),
    Claim(
        "clients",
        "More clients a round bring accuracy (digits)",
        SUMMARY,
        _published("clients"),
        "median accuracy rises with every step of M; close if from end to end",
        ("sweeps",),
        rules.more_clients,
        SEEN,
    ),
    Claim(
        "split-backprop",
        "Splitting costs backpropagation accuracy (digits)",
        SUMMARY,
        _published("split-backprop"),
        "FedAvg over FedAvgSplit by 0.01 in every seed at every alpha; close if the medians are positive",
        ("comparison",),
        rules.split_backprop,
        SEEN,
    ),
    Claim(
        "no-split",
        "Without splitting, forward gradients are far worse (digits)",
        SUMMARY,
        _published("no-split"),
        "median paired gain of Spry over FedFGD with own directions above 0.05 at every alpha; close above 0.01",
        ("comparison",),
        rules.no_split,
        SEEN,
    ),
)
CLAIMS = _PAPER + TEXTS + PROPOSITIONS
