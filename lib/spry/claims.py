"""What the abstract claims, what is reported of the paper, what the companion adds, and the rule for each.

Only the abstract and the released code could be read; "secondary" marks what summaries report, "companion" our own
propositions. Rules were stated before the results of this page were seen, except where `SEEN`, or a line of its own,
says otherwise; `KNEW` marks those before which results of earlier trials at other settings were known.
"""

from lib.report import Claim, value_text
from lib.spry import rules, rules_lora, rules_memory, rules_theory
from lib.spry.claims_companion import KNEW, PROPOSITIONS, SEEN
from lib.spry.claims_longer import longer_claims
from lib.spry.claims_texts import text_claims

SUMMARY = "secondary (summary)"


GPU = "batch 8 at 64 and at 256 tokens, bfloat16, against backpropagation that keeps its dequantized weights: "
GPU_CHANGED = "the setting and the rival were fixed later, before any run on a GPU; predictions of the model were known"


def _published(key: str) -> str:
    return value_text("spry", key)


_PAPER = (
    Claim(
        "memory-range",
        "Backpropagation needs several times the memory of forward mode at the paper's four shapes (on a GPU)",
        "abstract",
        _published("memory-range"),
        "batch 8 at 64 and at 256 tokens, bfloat16; RoBERTa-large with bfloat16 weights on both sides, the others with "
        "four-bit weights against backpropagation that keeps them dequantized: "
        "at least 1.4 times at every shape and 7.1 at one; close if more at every shape and 3.5 at one",
        ("gpu_memory",),
        rules_memory.memory_range,
        GPU_CHANGED,
    ),
    Claim(
        "memory-llama2-7b",
        "Llama2-7B with LoRA and four-bit weights: forward mode needs far less than backpropagation (on a GPU)",
        "abstract",
        _published("memory-llama"),
        GPU + "forward mode under 7 GB and the rival at least 5.47 times that; close from half of the ratio",
        ("gpu_memory",),
        rules_memory.memory_at("Llama2-7B", ratio=5.47, limit=7),
        GPU_CHANGED,
    ),
    Claim(
        "memory-opt-13b",
        "OPT-13B with LoRA and four-bit weights: forward mode needs far less than backpropagation (on a GPU)",
        "abstract",
        _published("memory-opt"),
        GPU + "forward mode under 11 GB and the rival at least 7.08 times that; close from half of the ratio",
        ("gpu_memory",),
        rules_memory.memory_at("OPT-13B", ratio=7.08, limit=11),
        GPU_CHANGED,
    ),
    Claim(
        "memory-small-shapes",
        "The saving at small shapes: forward mode's transient memory does not grow with depth, backpropagation's does",
        "abstract; small shapes are ours",
        _published("memory-range"),
        "growth at most 10 % from the least to the most layers, and backpropagation at least 7 times at the most; "
        "close up to 30 % and above one at every depth",
        ("depth",),
        rules_memory.memory_small,
        KNEW,
    ),
    Claim(
        "convergence-time",
        "Zero-order methods take longer to converge than Spry (digits)",
        "abstract",
        _published("convergence-time"),
        "operations to nine tenths of Spry's final median accuracy at least 1.2 times Spry's for each of three methods "
        "at every alpha; close if more than Spry's in all; not judged if one is there at the first record",
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
        "with clients alike the average of drawn estimates is at most 1.2 squared standard errors from the gradient in "
        "every seed, at the smallest alpha at least 4, and the squared bias falls with every step of alpha; close up "
        "to 2 if the ends are in order",
        ("bias", "sampled"),
        rules_theory.unbiased,
        KNEW + "; the rule compared a line's intercept with the bias at the smallest alpha, an arbitrary measure",
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
        KNEW,
    ),
    Claim(
        "accuracy-backprop",
        "Spry comes within a few percent of backpropagation (digits, same rounds)",
        SUMMARY,
        _published("accuracy-backprop"),
        "gap to the best of FedAvg and FedYogi not negative in any seed, and its median at most 0.0616 at every alpha; "
        "close up to 0.12",
        ("comparison",),
        rules.accuracy_backprop,
        SEEN + "; stricter: the median's sign was enough, though seeds may differ in it",
    ),
    Claim(
        "zero-order-memory",
        "Forward mode needs somewhat more memory than zero-order methods",
        SUMMARY,
        _published("zero-order-memory"),
        "whole peak above the zero-order method's at every depth, at most 1.25 times; close if transients are above",
        ("depth",),
        rules_memory.zero_order_memory,
        KNEW + "; the band was 2.5 times of transients, too wide for *somewhat*",
    ),
    Claim(
        "per-iteration",
        "One communication an iteration is more accurate than one an epoch (digits)",
        SUMMARY,
        _published("per-iteration"),
        "paired gain above 0.01 in every seed; close if positive in every seed",
        ("comparison", "protocols"),
        rules.per_iteration,
        SEEN + "; stricter: a positive median was close, though seeds differed in sign",
    ),
    Claim(
        "perturbations",
        "More perturbations soon bring little (digits)",
        SUMMARY,
        _published("perturbations"),
        "over 0.02 gained from one to ten directions, and at most 0.01 in size from there to the most; close if at "
        "most a quarter of the gain before",
        ("sweeps",),
        rules.perturbations,
        SEEN + "; it took half the gain per doubling beyond five before, too wide a band",
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
        "paired gain of FedAvg over FedAvgSplit at least 0.05 in the median at every alpha and positive in every seed; "
        "close above 0.01 in the median",
        ("comparison",),
        rules.split_backprop,
        SEEN + "; 0.01 was enough before, too little for *clearly*; every seed was asked for the lesser verdict only",
    ),
    Claim(
        "no-split",
        "Without splitting, forward gradients are far worse (digits)",
        SUMMARY,
        _published("no-split"),
        "paired gain of Spry over FedFGD with own directions positive in every seed and above 0.05 in the median at "
        "every alpha; close if positive in every seed",
        ("comparison",),
        rules.no_split,
        SEEN + "; stricter: a median above 0.01 was close, though seeds differed in sign",
    ),
    Claim(
        "lora-gain",
        "Spry is more accurate with LoRA than with the classifier alone (AG News and SST-2, MiniLM's last layer)",
        SUMMARY,
        _published("peft"),
        "paired gain positive in every seed and above 0.01 in the median, on each data set at every alpha; close if "
        "positive in the median; not judged where the better side is less than 0.05 above the commonest label's share",
        ("lora",),
        rules_lora.lora_gain,
        KNEW + "; the floor was added before the rule was applied to a record",
    ),
)
_BY_ID = {claim.id: claim for claim in _PAPER}
CLAIMS = _PAPER + text_claims(_BY_ID) + longer_claims(_BY_ID) + PROPOSITIONS
