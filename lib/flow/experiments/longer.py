"""The experiments on embedded data that take longer than a build may: all methods, ablations, digits."""

from collections.abc import Sequence

from lib.flow.baselines.methods import METHODS, UNTUNED
from lib.flow.experiments.ablation import ablation, variants
from lib.flow.experiments.arms import groups_of
from lib.flow.experiments.curves import AT_EACH_ROUND, over_rounds
from lib.flow.experiments.preference import preference
from lib.flow.experiments.shifts import digit_shifts
from lib.flow.experiments.work import Job, Tables, Work, in_turn
from lib.flow.outcomes import by_run

KNOWN = ("methods", "deltas", "rounds", "ablation", "digits")
CELL = ["rho", "delta", "method", "seed"]
SHIFTS = ({"alphas": (0.1,)}, {"alphas": (0.6,)}, {"alphas": (10.0,)}, {"styles": (1.0,)})


def longer_tables(
    names: Sequence[str],
    *,
    seeds: int = 5,
    seed: int = 0,
    rounds: int = 25,
    device: str = "cpu",
    work: Work | None = None,
) -> Tables:
    """Return the tables named: `KNOWN` says which there are. `work` does the jobs, see `lib.flow.experiments.work`.

    ``methods`` (all methods on instance preferences, one row a run), ``deltas`` and
    ``delta_routes`` (FedAvg, fine-tuning and Flow against the distance of the clients' rules, rho = 0.5), ``ablation``
    (at most three seeds), ``digits`` (`digit_shifts`), ``rounds`` (`over_rounds`). Raises ValueError for an unknown
    name.
    """
    jobs = longer_jobs(names, seeds=seeds, seed=seed, rounds=rounds, device=device)
    return (work or in_turn())(jobs, "longer runs") if jobs else {}


def longer_jobs(names: Sequence[str], *, seeds: int, seed: int = 0, rounds: int, device: str = "cpu") -> list[Job]:
    """Return the jobs of `longer_tables`."""
    unknown = sorted(set(names) - set(KNOWN))
    if unknown:
        raise ValueError(f"no table {unknown[0]!r}; choose from {', '.join(KNOWN)}")
    more = {"seeds": seeds, "seed": seed, "device": device}
    long = more | {"rounds": rounds}
    jobs = {
        "methods": [
            Job(methods_table, long | {"rhos": (rho,), "methods": group})
            for rho in (0.25, 0.5)
            for group in groups_of((*METHODS, UNTUNED))
        ],
        "deltas": [
            Job(deltas_tables, long | {"rhos": (0.5,), "deltas": (delta,), "methods": group})
            for delta in (0.25, 0.5, 1.0)
            for group in (("FedAvg", "FedAvg + FT"), ("Flow",))
        ],
        "rounds": [Job(rounds_table, long | {"methods": group}) for group in groups_of(AT_EACH_ROUND)],
        "ablation": [
            Job(ablation_table, long | {"seeds": min(seeds, 3), "groups": (group,), "names": (name,)})
            for group, some in variants().items()
            for name in some
        ],
        "digits": [
            Job(digits_table, more | {"alphas": (), "styles": (), "methods": group} | shift)
            for shift in SHIFTS
            for group in groups_of((*METHODS, UNTUNED))
        ],
    }
    return [job for name in KNOWN if name in names for job in jobs[name]]


def methods_table(**options: object) -> Tables:
    """Return the table ``methods`` of one call of `preference`."""
    return {"methods": by_run(preference(**options)["clients"], CELL)}


def deltas_tables(**options: object) -> Tables:
    """Return the tables ``deltas`` and, where Flow is among the methods, ``delta_routes``."""
    found = preference(**options)
    routes = {} if found["routes"].empty else {"delta_routes": by_run(found["routes"], CELL)}
    return {"deltas": by_run(found["clients"], CELL)} | routes


def ablation_table(**options: object) -> Tables:
    """Return the table ``ablation`` of one call of `lib.flow.experiments.ablation.ablation`."""
    return {"ablation": ablation(**options)}


def rounds_table(**options: object) -> Tables:
    """Return the table ``rounds`` of one call of `over_rounds`."""
    return {"rounds": over_rounds(**options)}


def digits_table(**options: object) -> Tables:
    """Return the table ``digits`` of one call of `digit_shifts`."""
    return {"digits": digit_shifts(**options)}
