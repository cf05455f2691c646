"""Lines of the table of benchmarks: a comparison with a peer, or a limit that we set for ourselves."""


def peer(what: str, ours: str, other: str, agreement: str, measured: str, aim: str, reached: bool) -> dict:
    """Return one line of the table of peers: a named peer on the same input, checked to agree before it was timed."""
    line = {"kind": "peers", "what": what, "ours": ours, "peer": other, "agreement": agreement, "measured": measured}
    return line | {"aim": aim, "reached": bool(reached)}


def target(what: str, ours: str, measured: str, aim: str, reached: bool) -> dict:
    """Return one line of the table of targets: a limit that we set for ourselves."""
    return {"kind": "targets", "what": what, "ours": ours, "measured": measured, "aim": aim, "reached": bool(reached)}
