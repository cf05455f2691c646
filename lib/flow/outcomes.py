"""Who gains and who is harmed: predictions of the global and of the personalized model, instance by instance."""

from collections.abc import Sequence

import pandas as pd
import torch

from lib.federated.algorithms.outputs import padded_tests, split_rows
from lib.federated.seeds import evaluation_rng
from lib.federated.stack import select, stack
from lib.federated.types import Algorithm, Federation, Memory, ServerState
from lib.flow.flow import Flow

COLUMNS = ("client", "test", "global", "personal", "both", "only_global", "only_personal", "neither", "harmed", "tied")


def personal_right(
    algorithm: Algorithm, state: ServerState, federation: Federation, memories: dict[int, Memory], *, seed: int
) -> list[torch.Tensor]:
    """Return for each client which of its test instances its personalized model gets right, booleans ``(n, ...)``."""
    datas, count = federation.clients, len(federation)
    kept = [memories.get(c, {}) for c in range(count)]
    rngs = [evaluation_rng(seed, state.round, c) for c in range(count)]
    if hasattr(algorithm, "personal_outputs"):
        outputs = algorithm.personal_outputs(state, datas, kept, rngs)
    else:
        models = algorithm.personal_models(state, datas, kept, rngs)
        models = stack([select(state.tensors, algorithm.model.names)] * count) if models is None else models
        with torch.no_grad():
            outputs = split_rows(algorithm.model.stacked(models, padded_tests(datas)), datas)
    return [rows.argmax(dim=-1) == data.test_y for rows, data in zip(outputs, datas, strict=True)]


def global_right(algorithm: Algorithm, state: ServerState, federation: Federation) -> list[torch.Tensor] | None:
    """Return the same of the server's model; None where the server holds none."""
    if not set(algorithm.model.names) <= set(state.tensors):
        return None
    values = select(state.tensors, algorithm.model.names)
    with torch.no_grad():
        return [algorithm.model(values, data.test_x).argmax(dim=-1) == data.test_y for data in federation.clients]


def clients_table(before: Sequence[torch.Tensor], after: Sequence[torch.Tensor]) -> pd.DataFrame:
    """Return one row a client that has test instances.

    Columns: client; test (instances); global, personal (accuracies); both, only_global, only_personal, neither (shares
    of instances that those models get right); harmed (personal strictly below global, 0 or 1); tied (equal).

    Args:
        before: which test instances the global model gets right, one tensor a client.
        after: the same of the personalized model.
    """
    rows = []
    for client, (g, p) in enumerate(zip(before, after, strict=True)):
        if g.numel():
            one, two = int(g.sum()), int(p.sum())
            shares = [float(part.double().mean()) for part in (g & p, g & ~p, ~g & p, ~g & ~p)]
            rows.append([client, g.numel(), one / g.numel(), two / p.numel(), *shares, int(two < one), int(two == one)])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def routes_apart(algorithm: Flow, state: ServerState, federation: Federation, *, seed: int) -> pd.DataFrame:
    """Return whether the instances of a client take different routes in a test, one row a client.

    An instance has a rounded route in each routed unit; in a text every character counts as one.

    Columns: client; routed (instances); local (share of their routes that are local); apart (share of the instances
    whose routes are not the client's most frequent ones: 0 where nothing is routed by instance).
    """
    rngs = [evaluation_rng(seed, state.round, client) for client in range(len(federation))]
    parts, x = algorithm.personalize(state, federation.clients, rngs), padded_tests(federation.clients)
    with torch.no_grad():
        shares = algorithm.routing.forward(parts.shared, parts.local, parts.policy, x, algorithm.test_mode)[1]
    return apart_table(split_rows(shares, federation.clients))


def apart_table(shares: Sequence[torch.Tensor]) -> pd.DataFrame:
    """Return the table of `routes_apart` for each client's probabilities of the local route, ``(n, units[, T])``."""
    rows = []
    for client, one in enumerate(shares):
        hard = one.transpose(1, -1).flatten(0, -2) > 0.5  # an instance, or a character of one, a row
        if len(hard):
            most = int(hard.unique(dim=0, return_counts=True)[1].max())
            rows.append([client, len(hard), float(hard.double().mean()), 1 - most / len(hard)])
    return pd.DataFrame(rows, columns=["client", "routed", "local", "apart"])


def by_run(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the means over clients of `clients_table` rows, one row a run: the columns `by`, then the means."""
    columns = [column for column in table.select_dtypes("number") if column not in {*by, "client", "test"}]
    return table.groupby(list(by), sort=False, as_index=False)[columns].mean()
