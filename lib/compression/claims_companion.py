"""What the companion adds to the paper's claims, and the rule for each; `changed` names those younger than a result."""

from lib.compression import rules, rules_subsets, rules_theory
from lib.report import COMPANION, Claim

SHORT = "not judged below 20 iterations: the first recorded run had 6, far too few for a policy to learn"
_BEYOND = "reward more than 5 % higher in every seed; close if its median is higher"
_GROWS = (
    "mean of the last fifth of the iterations at least 3 times that of the first in every seed; close if the median "
    "is from 1.5"
)
_FLOOR = (
    "at least half of the last fifth's students within 10 % of the fewest parameters in every seed; close if the "
    "median is from a fifth"
)
_EFFORT = "not judged below 0.9 of the search's trainings: in the record random search had a half to two thirds"
_TRIED = "was reproduced by the record, whose first pass held the trial of all algorithms of the convolutions"
_CHANCE = "stricter: the sign test was added when a difference of one seed in twenty had passed for reproduced"
_INTERVAL = (
    "stricter: the interval was added when a few students, timed once, had passed without; one runtime was close"
)
MORE = (
    "judged on the seeds of a record, where one is at hand, since verdicts on one seed had been found too weak; "
    "written before there was one"
)
LOOSENED = "loosened: close asked for every seed"
NOISE = "stricter: not judged where times as noisy as the record's, which were known, would change the verdict"
_NOISY = "added with the rules of the two claims above when one seed had proved to be noisy"

COMPANIONS = (
    Claim(
        "beyond-random",
        "The search is worth more than random search with as many trainings (digits)",
        COMPANION,
        "",
        _BEYOND,
        ("final",),
        rules.beyond("final", "random search"),
    ),
    Claim(
        "beyond-minimal",
        "The search is worth more than removing everything (digits)",
        COMPANION,
        "",
        _BEYOND,
        ("final",),
        rules.beyond("final", "remove all"),
    ),
    Claim(
        "beyond-random-seeds",
        "The same with more seeds",
        COMPANION,
        "",
        _BEYOND,
        ("methods",),
        rules.beyond("methods", "random search"),
        changed=_NOISY,
    ),
    Claim(
        "beyond-minimal-seeds",
        "The same with more seeds (against removing everything)",
        COMPANION,
        "",
        _BEYOND,
        ("methods",),
        rules.beyond("methods", "remove all"),
        changed=_NOISY,
    ),
    Claim(
        "beyond-greedy",
        "The search is worth more than greedy removal, which trains every student with one layer less (digits)",
        COMPANION,
        "",
        _BEYOND,
        ("greedy",),
        rules.beyond("greedy", "greedy removal"),
    ),
    Claim(
        "resnet18-minimal",
        "The search is worth more than removing everything (ResNet-18, CIFAR-10)",
        COMPANION,
        "",
        _BEYOND,
        ("gpu_final", "gpu_history", "gpu_times"),
        rules.beyond_in_record("gpu", "remove all", times="gpu_times"),
        changed=f"{SHORT}; {NOISE}",
    ),
    Claim(
        "resnet18-random",
        "The search is worth more than random search with as many trainings (ResNet-18, CIFAR-10)",
        COMPANION,
        "",
        _BEYOND,
        ("gpu_final", "gpu_history", "gpu_times"),
        rules.beyond_in_record("gpu", "random search", times="gpu_times"),
        changed=f"{SHORT}; {_EFFORT}; {NOISE}",
    ),
    Claim(
        "resnet18-grows",
        "The reward of drawn students grows several times over (ResNet-18, CIFAR-10)",
        COMPANION,
        "",
        _GROWS,
        ("gpu_history",),
        rules.long_enough("gpu_history", rules.on("gpu_history", rules.grows)),
        changed=LOOSENED,
    ),
    Claim(
        "resnet18-floor",
        "The policy ends at the floor: it removes (nearly) all that it may (ResNet-18, CIFAR-10)",
        COMPANION,
        "",
        _FLOOR,
        ("gpu_history",),
        rules.long_enough("gpu_history", rules.on("gpu_history", rules.floor)),
        changed=LOOSENED,
    ),
    Claim(
        "vgg11-minimal",
        "The search is worth more than removing everything (VGG-11, CIFAR-10)",
        COMPANION,
        "",
        _BEYOND,
        ("gpu_vgg_final", "gpu_vgg_history"),
        rules.beyond_in_record("gpu_vgg", "remove all"),
        changed=NOISE,
    ),
    Claim(
        "vgg11-random",
        "The search is worth more than random search with as many trainings (VGG-11, CIFAR-10)",
        COMPANION,
        "",
        _BEYOND,
        ("gpu_vgg_final", "gpu_vgg_history"),
        rules.beyond_in_record("gpu_vgg", "random search"),
        changed=f"{_EFFORT}; {NOISE}",
    ),
    Claim(
        "floors",
        "ResNet-18 cannot be compressed more than 6.46 times by removing layers (6.32 at 100 classes)",
        COMPANION,
        "",
        "closed forms equal the counts 1,728,970 and 1,775,140",
        ("floors",),
        rules_theory.floors,
    ),
    Claim(
        "grows",
        "The reward of drawn students grows several times over",
        COMPANION,
        "",
        _GROWS,
        ("history",),
        rules.with_more("history", "drawn", lambda name: rules.on(name, rules.grows)),
        changed=f"{MORE}; {LOOSENED}",
        uses=("drawn",),
    ),
    Claim(
        "floor",
        "The policy ends at the floor: it removes (nearly) all that it may",
        COMPANION,
        "",
        _FLOOR,
        ("history",),
        rules.with_more("history", "drawn", lambda name: rules.on(name, rules.floor)),
        changed=f"{MORE}; {LOOSENED}",
        uses=("drawn",),
    ),
    Claim(
        "cache",
        "Remembering trained students saves trainings in a search of the paper's form",
        COMPANION,
        "",
        "at least 1.3 students drawn for one trained in every seed; close if the median is from 1.1",
        ("savings",),
        rules.cache,
        changed=f"{MORE}; {LOOSENED}",
        uses=("drawn",),
    ),
    Claim(
        "exchange",
        "One unit of relative time is worth (1 - R2) / (1 - R1) units of relative accuracy: 5.5 for the teacher",
        COMPANION,
        "",
        "the closed form equals central differences of log R to a relative 1e-6, and the reward is what it was after "
        "the gain that repays the loss, both at every time; 5.45 to 5.55 at the teacher; close without the last",
        ("exchange",),
        rules_theory.exchange,
    ),
    Claim(
        "variance",
        "Sharing the mean advantage, as the code does, multiplies the gradient's variance by about the five students",
        COMPANION,
        "",
        "ratio between 4 and 6, exact and simulated; close if one of them",
        ("noise",),
        rules_theory.variance,
    ),
    Claim(
        "slow-start",
        "A fresh policy sees next to no reward under the paper's product, but much of it under N2N's (surrogate)",
        COMPANION,
        "",
        "smallest network worth at least 10 times the fresh policy's mean, N2N at most 3; close from 3 times N2N's",
        ("first",),
        rules_theory.slow_start,
    ),
    Claim(
        "updates",
        "The released update needs at least twice the iterations of the paper's formula (surrogate)",
        COMPANION,
        "",
        "median iterations to 90 % of the smallest network's reward at least doubled; close if more",
        ("speed",),
        rules_theory.updates,
    ),
    Claim(
        "transfer-at-once",
        "A policy that has collapsed to the floor needs no search on a subset (surrogate)",
        COMPANION,
        "",
        "at 90 % of the smallest network's reward after at most 1 iteration, scratch after 5 or more; close at a fifth",
        ("transfer_speed",),
        rules_theory.transfer,
    ),
    Claim(
        "latency",
        "Layers kept rank latency better than parameters do (students of one teacher, timed once)",
        COMPANION,
        "",
        "gain of rank correlation above 0 in every runtime with its 90 % interval over students; close without that",
        ("predictors",),
        rules_theory.latency,
        changed=_INTERVAL,
    ),
    Claim(
        "edge",
        "In ONNX Runtime, one image and one thread, the minimal student is at least twice as fast as the teacher",
        COMPANION,
        "",
        "between 0.1 and 0.5 of the teacher's time; close below 0.7",
        ("edge",),
        rules_theory.edge,
    ),
    Claim(
        "oracle",
        "Where all students are known, the search finds the best one, and more often than random search does",
        COMPANION,
        "",
        "in at least 80 % of the seeds, and more often than random search by a sign test over them (p at most 0.05); "
        "close if more often, within chance",
        ("oracle",),
        rules_theory.oracle,
        changed=_CHANCE,
    ),
    Claim(
        "masking",
        "Masking absent classes in the test makes students for a class subset more accurate for free",
        COMPANION,
        "",
        "median gain above 0.005 in every subset; close above 0",
        ("heads",),
        rules_subsets.masking,
    ),
    Claim(
        "slicing",
        "A classifier sliced to the subset is as accurate as a masked one, and smaller",
        COMPANION,
        "",
        "median not more than 0.005 below in every subset; close to 0.015",
        ("heads",),
        rules_subsets.slicing,
    ),
    Claim(
        "cold",
        "The first pass of a process, by which the code times the teacher, takes twice as long as a warm one or longer",
        COMPANION,
        "",
        "at least 2 times; close from 1.3; not judged where the first pass tried the convolutions' algorithms",
        ("gpu_times",),
        rules_theory.cold,
        changed=_TRIED,
    ),
    Claim(
        "cold-cpu",
        "A cold teacher makes the minimal student look faster than it is, on a processor (digits, miniature ResNet)",
        COMPANION,
        "",
        "the teacher's first pass at least 2 times its warm one in every fresh process; close from 1.3 in the median",
        ("cold",),
        rules_theory.cold_here,
        changed="two processes of a trial had been seen when the rule of the claim on a GPU was taken over",
    ),
)
