"""Who attacks: the axes on which published adversaries differ, and what an adversary costs.

The axes are the companion's reading of the paper's abstract and of the systematizations that it builds on.
"""

from dataclasses import dataclass

AXES = {
    "objective": ("untargeted", "targeted", "backdoor"),
    "clients": ("compromised", "fake", "hybrid"),
    "data": ("none", "noise", "own", "synthetic", "omniscient"),
    "aggregation": ("agnostic", "tailored"),
    "capability": ("data", "model"),
}
MEANING = {
    "objective": "harm every prediction, those of some inputs, or those with a trigger",
    "clients": "genuine clients taken over, clients made up, or few of the former and many of the latter",
    "data": "what the attacker's reference updates are trained on; omniscient means the honest updates of the round",
    "aggregation": "whether the attack uses the server's rule",
    "capability": "change the training data only, or send any update",
}


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """One adversary as a point on the axes `AXES`, with how many clients it takes over and how many it makes up.

    Raises ValueError for a value that is not on its axis, and for combinations that contradict each other.
    """

    clients: str
    data: str
    objective: str = "untargeted"
    aggregation: str = "tailored"
    capability: str = "model"
    compromised: int = 0
    fakes: int = 0

    def __post_init__(self) -> None:
        for axis, values in AXES.items():
            if getattr(self, axis) not in values:
                raise ValueError(f"{axis} = {getattr(self, axis)!r}: choose one of {', '.join(values)}")
        if min(self.compromised, self.fakes) < 0:
            raise ValueError("compromised and fakes count clients and must not be negative")
        taken, made = self.compromised > 0, self.fakes > 0
        if (taken, made) != {"compromised": (True, False), "fake": (False, True), "hybrid": (True, True)}[self.clients]:
            raise ValueError(
                f"{self.clients} clients with compromised = {self.compromised} and fakes = {self.fakes}: "
                "compromised adversaries have only the former, fake ones only the latter, hybrid ones both"
            )
        if self.clients == "fake" and self.data in ("own", "synthetic"):
            raise ValueError(f"fake clients have no data: data = {self.data!r} needs compromised ones")
        if self.capability == "data" and self.data == "none":
            raise ValueError("an adversary without data cannot poison data; let it send updates (capability='model')")

    @property
    def malicious(self) -> int:
        """Clients that send poison."""
        return self.compromised + self.fakes


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Prices in a common unit: taking over a client, making one up, and training a generator once."""

    compromised: float = 100.0
    fake: float = 1.0
    generator: float = 0.0

    def __post_init__(self) -> None:
        if min(self.compromised, self.fake, self.generator) < 0:
            raise ValueError("costs must not be negative")


def cost(adversary: Adversary, costs: Costs) -> float:
    """Return ``c * price of a compromised client + m * price of a fake + the generator``, if it is trained.

    The paper argues that taking over a genuine client costs far more than making one up; which prices it assumes, if
    any, is not known to us, so the ratio is a parameter.
    """
    once = costs.generator if adversary.data == "synthetic" else 0.0
    return adversary.compromised * costs.compromised + adversary.fakes * costs.fake + once
