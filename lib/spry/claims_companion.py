"""Propositions of the companion about Spry, and the rule for each; `SEEN` marks rules younger than a result."""

from lib.report import COMPANION, Claim
from lib.spry import rules_lora, rules_memory, rules_theory

UNSTATED = "not stated"
SEEN = "rule written after a first trial of this experiment had been seen"
KNEW = "results of earlier trials at other settings were known when the rule was written"

PROPOSITIONS = (
    Claim(
        "variance-identity",
        "The relative squared error of a forward gradient of p numbers with K directions is (p + 1) / K",
        COMPANION,
        UNSTATED,
        "medians of all cells within 10 %; close within 20 %",
        ("estimator",),
        rules_theory.variance,
        KNEW,
    ),
    Claim(
        "forward-fits",
        "With four-bit weights forward mode finetunes Llama2-7B in under 7 GB and OPT-13B in under 11 GB (on a GPU)",
        COMPANION,
        UNSTATED,
        "both under their limit at batch 8, bfloat16, 64 and 256 tokens; close up to a tenth above",
        ("gpu_memory",),
        rules_memory.forward_fits,
        "taken out of memory-llama2-7b and memory-opt-13b after a run on a GPU had not reached OPT-13B's rival in time",
    ),
    Claim(
        "checkpointing",
        "Checkpointed backpropagation closes most of the gap in memory",
        COMPANION,
        UNSTATED,
        "at least 90 % of the gap in transients at the most layers; close from 50 %",
        ("depth",),
        rules_memory.checkpointing,
        KNEW,
    ),
    Claim(
        "checkpointing-gpu",
        "At the paper's shapes checkpointed backpropagation needs hardly more memory than forward mode (on a GPU)",
        COMPANION,
        UNSTATED,
        "at most 1.2 times forward mode's peak, with the same weights, at all four shapes, batch 8, bfloat16, 64 and "
        "256 tokens; close up to 1.5",
        ("gpu_memory",),
        rules_memory.checkpointed,
        "rule written after the record had been seen",
    ),
    Claim(
        "one-step-splitting",
        "In one synchronous step splitting brings nothing over unsplit clients with directions of their own",
        COMPANION,
        UNSTATED,
        "squared error split at least 0.95 times that unsplit at the most clients; close from 0.8",
        ("one_step",),
        rules_theory.one_step,
        KNEW,
    ),
    Claim(
        "local-steps",
        "Splitting pays with local steps, on a quadratic with equal clients",
        COMPANION,
        UNSTATED,
        "rounds unsplit over split at most 1.1 at the fewest and at least 1.5 at the most steps; close if it grows",
        ("splitting",),
        rules_theory.local_steps,
        KNEW,
    ),
    Claim(
        "averaged-bias",
        "The bias is one of the round's clients: averaged over cohorts it vanishes",
        COMPANION,
        UNSTATED,
        "medians of the squared average within 20 % of what chance leaves, for every alpha; close within a factor 2",
        ("bias",),
        rules_theory.averaged_bias,
        KNEW,
    ),
    Claim(
        "dropout-noise",
        "With a dropout mask for each side of a difference, small finite differences measure dropout",
        COMPANION,
        UNSTATED,
        "correlation with the exact derivative below 0.5 in size at the smallest step, above 0.99 with one mask at its "
        "best step; close if lower by 0.2",
        ("dropout",),
        rules_theory.dropout,
        KNEW,
    ),
    Claim(
        "released-defects",
        "Six further rules of the released code change numbers that are known exactly (arithmetic, no training)",
        COMPANION,
        UNSTATED,
        "each released number off by half of the right one or more; close if one is",
        ("defects",),
        rules_theory.defects,
        SEEN + "; three of the six rules were added later",
    ),
    Claim(
        "released-runs",
        "With four rules of the released code methods are less accurate than with those of their papers (digits)",
        COMPANION,
        UNSTATED,
        "median paired loss at least 0.02 for each of four methods; close if for one",
        ("released",),
        rules_theory.released,
    ),
    Claim(
        "exactly-k-scalars",
        "With one communication an iteration a client sends K numbers, beside a few for the books, and every cost "
        "formula counts right",
        COMPANION,
        UNSTATED,
        "counted numbers equal K a client, and all counts equal the formulas; close if the former",
        ("counted",),
        rules_theory.scalars,
    ),
    Claim(
        "same-directions",
        "At equal directions, rates and dropout, exact derivatives and finite differences are equally accurate",
        COMPANION,
        UNSTATED,
        "FedFGD and FedMeZO within 0.01 in every seed at every alpha; close within 0.03",
        ("comparison",),
        rules_theory.same_directions,
        SEEN,
    ),
    Claim(
        "lora-backprop-alone",
        "What LoRA adds to the classifier alone, backpropagation learns in rounds in which forward gradients do not "
        "(AG News and SST-2)",
        COMPANION,
        UNSTATED,
        "median paired gain of FedAvg from LoRA at least 0.02, and that of forward gradients without splitting (FedFGD "
        "with LoRA minus Spry alone, which with a single unit is FedFGD) at most half of it, on each data set at every "
        "alpha; close if FedAvg's is positive and the larger; not judged where the best of the four arms is less than "
        "0.05 above the commonest label's share",
        ("lora",),
        rules_lora.lora_backprop_alone,
        KNEW + "; before the rule was applied to a record, the floor was added, and Spry with LoRA, whose splitting "
        "leaves the classifier fewer clients, gave way to FedFGD",
    ),
)
