"""The companion's propositions and counts, and the rule for each; see `lib.flow.claims`."""

from lib.flow import rules_theory
from lib.report import COMPANION, Claim

UNSTATED = "not stated"

PROPOSITIONS = (
    Claim(
        "global-rates",
        "The global gradient falls at least like the inverse root of the rounds, to a floor that heterogeneity lifts",
        COMPANION,
        UNSTATED,
        "slope at most -0.4 at every level and floors in order in every seed; close if the floors are in the median",
        ("global_rates",),
        rules_theory.global_rates,
    ),
    Claim(
        "personal-gradients",
        "The routed model is flatter than the global one among unlike clients, and than the local one among alike",
        COMPANION,
        UNSTATED,
        "squared gradient of the test loss smaller in every seed; close if below 0.99 times the other in the median",
        ("personal_gradients",),
        rules_theory.personal_gradients,
        changed="after results had been seen: stricter (equality counted, and a median of 1 was close)",
    ),
    Claim(
        "gradient-mix",
        "The routed model's squared gradient is at most the mix of the two branches' own, weighted by the routes",
        COMPANION,
        UNSTATED,
        "at most the mix in every client with instances on both branches; close if for the means over clients in every "
        "seed and setting; not judged where no client has such",
        ("personal_gradients",),
        rules_theory.gradient_bound("mix"),
        changed="added when the gradients had been seen, as the statement that routes should obey",
    ),
    Claim(
        "gradient-parts",
        "The routed model's squared gradient is at most that mix with each branch's gradient over the instances it "
        "serves",
        COMPANION,
        UNSTATED,
        "at most the bound in every client with instances on both branches; close if for the means over clients in "
        "every seed and setting; not judged where no client has such",
        ("personal_gradients",),
        rules_theory.gradient_bound("parts"),
        changed="added when the gradients had been seen, as a proposition with a proof",
    ),
    Claim(
        "policy-memory",
        "The policy step needs the most memory, more than twice a step of FedAvg (EMNIST network)",
        COMPANION,
        UNSTATED,
        "gradients, activations and transients above 2 times those of FedAvg; close above 1.5 times",
        ("phases",),
        rules_theory.policy_memory,
    ),
    Claim(
        "mixing",
        "The best weight of the local estimate is a ratio of variances, whatever the number of clients",
        COMPANION,
        UNSTATED,
        "weight within 0.03 and risk within 3 % of the closed forms in every setting; close within twice that",
        ("mixing",),
        rules_theory.mixing,
    ),
    Claim(
        "instance-value",
        "Routing by instance gains a hump over the share of a type, and nothing at its ends",
        COMPANION,
        UNSTATED,
        "within 3 % of the closed form, and below 1e-9 at the ends; close within 6 %",
        ("instances",),
        rules_theory.instance_value,
    ),
)
