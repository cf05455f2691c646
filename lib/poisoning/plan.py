"""The settings of a federated run under attack."""

from dataclasses import dataclass

from lib.federated.local import LocalSGD


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A federated run: rounds, clients a round, the share of them that is malicious, and local training.

    `virtual` clients with `images_each` train for a hybrid adversary; with `own` those that it took over join.
    `generator_steps` and `generator_widths` size the generators of images larger than the digits.
    """

    rounds: int = 40
    cohort: int = 25
    share: float = 0.2
    steps: int = 10
    batch_size: int = 8
    lr: float = 0.1
    tolerated: int | str = "oracle"
    kind: str = "unit"
    mpaf_scale: float = 1e6
    virtual: int = 20
    images_each: int = 20
    own: bool = False
    evaluate_every: int = 1
    generator_steps: int = 800
    generator_widths: tuple[int, ...] = (16, 32, 32)

    @property
    def malicious(self) -> int:
        """Malicious clients of a cohort."""
        return round(self.share * self.cohort)

    @property
    def local(self) -> LocalSGD:
        """The settings of one client's work in one round."""
        return LocalSGD(lr=self.lr, batch_size=self.batch_size, epochs=None, steps=self.steps)
