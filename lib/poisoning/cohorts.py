"""How many malicious clients a round has: the law of a cohort drawn from a population, exactly."""

from math import comb


def malicious_probability(clients: int, malicious: int, cohort: int) -> list[float]:
    """Return the probabilities of ``0 .. cohort`` malicious clients in a cohort drawn without replacement.

    The hypergeometric law, from exact integer counts. Raises ValueError for impossible numbers.
    """
    if not 0 <= malicious <= clients or not 1 <= cohort <= clients:
        raise ValueError(f"{malicious} malicious and a cohort of {cohort} of {clients} clients is impossible")
    total = comb(clients, cohort)
    return [comb(malicious, m) * comb(clients - malicious, cohort - m) / total for m in range(cohort + 1)]


def at_least(clients: int, malicious: int, cohort: int, least: int) -> float:
    """Return the probability of at least `least` malicious clients in a cohort."""
    return sum(malicious_probability(clients, malicious, cohort)[max(least, 0) :])
