"""Tiny Shakespeare: the speeches of each speaker."""

from dataclasses import dataclass

from lib.data import store
from lib.data.errors import DataError


@dataclass(frozen=True)
class TinyShakespeare:
    """`text`: the whole file."""

    text: str

    def by_speaker(self) -> dict[str, str]:
        """Return what each speaker says, speeches in order and joined by a line break."""
        return parse_speeches(self.text)


def tiny_shakespeare() -> TinyShakespeare:
    """Return the text of Tiny Shakespeare."""
    return TinyShakespeare(store.read("tinyshakespeare", "tinyshakespeare/input.txt").decode("ascii"))


def parse_speeches(text: str) -> dict[str, str]:
    """Return {speaker: speeches} of paragraphs that begin with a line ``SPEAKER:``; raises DataError on any other."""
    found: dict[str, list[str]] = {}
    for number, paragraph in enumerate(filter(None, (part.strip("\n") for part in text.split("\n\n"))), start=1):
        heading, _, speech = paragraph.partition("\n")
        if not heading.endswith(":"):
            raise DataError(f"paragraph {number} begins with {heading!r:.60}; expected a speaker and a colon")
        found.setdefault(heading[:-1], []).append(speech)
    return {speaker: "\n".join(speeches) for speaker, speeches in found.items()}
