"""The cost formulas evaluated, and counted in runs of the algorithms."""

from collections.abc import Sequence

import pandas as pd

from lib.spry import costs
from lib.spry.memory_model import METHODS, Shape

NAMES = (
    "FedAvg", "FedSGD", "FedAvgSplit", "FedFGD", "FedMeZO", "Baffle+", "FwdLLM+", "Spry",
    "FedFGD per iteration", "FedMeZO per iteration", "Spry per iteration",
)  # fmt: skip


def communication_table(
    *, methods: Sequence[str] = NAMES, units: int = 50, unit_size: int = 2048, clients: Sequence[int] = (10, 100)
) -> pd.DataFrame:
    """Evaluate the formulas for equal units; 50 of 2048 numbers are RoBERTa-large's with LoRA of rank 1.

    Returns:
        One row a method and number of clients: method, clients, up (numbers that a client sends in a round, mean),
        up_all (by all clients), down (that a client receives).
    """
    rows = []
    for m in clients:
        for name in methods:
            found = costs.traffic(name, [unit_size] * units, m)
            rows.append([name, m, sum(found.up) / m, sum(found.up), found.down])
    return pd.DataFrame(rows, columns=["method", "clients", "up", "up_all", "down"])


def counted_costs(
    *,
    methods: Sequence[str] = NAMES,
    blocks: int = 8,
    clients: Sequence[int] = (3, 8, 12),
    perturbations: int = 2,
    seed: int = 0,
) -> pd.DataFrame:
    """Count the numbers in the messages of each method in its second round on digits, and its passes.

    Returns:
        One row a method and number of clients: method, clients, up_all, down, forward, backward (passes a minibatch),
        each also with the ending _formula, and books (numbers of eight bytes beside the tensors, for the books).
    """
    from lib.federated.communication import tensor_bytes
    from lib.federated.local import LocalSGD
    from lib.federated.seeds import client_rng, configure_rng
    from lib.spry.baselines.methods import method
    from lib.spry.toy import digits_federation, softmax_model

    model, rows = softmax_model(features=32, blocks=blocks), []
    sizes = [10 * 32 // blocks] * blocks
    for m in clients:
        federation = digits_federation(clients=m, features=32, seed=seed)
        for name in methods:
            backprop = name in costs.BACKPROP
            options = {} if backprop else {"perturbations": perturbations}
            algorithm = method(
                name, model, LocalSGD(lr=0.1, batch_size=8, epochs=None, steps=1), **options, **_units(name)
            )
            state = algorithm.init(seed)
            for r in (1, 2):
                sent = algorithm.configure(state, r, range(m), configure_rng(seed, r))
                updates = {
                    c: algorithm.train(sent[c], federation.clients[c], {}, client_rng(seed, r, c))[0] for c in range(m)
                }
                state = algorithm.aggregate(state, updates)
            k = 1 if backprop else perturbations
            expected = costs.traffic(name, sizes, m, perturbations=k)
            forward, backward = costs.passes(name, perturbations=k)
            row = {
                "method": name,
                "clients": m,
                "up_all": sum(tensor_bytes(update.tensors) for update in updates.values()) // 4,
                "up_all_formula": sum(expected.up),
                "down": max(tensor_bytes(one.tensors) for one in sent.values()) // 4,
                "down_formula": expected.down,
                "forward": updates[0].scalars["forward_passes"],
                "forward_formula": forward,
                "backward": updates[0].scalars["backward_passes"],
                "backward_formula": backward,
                "books": max(len(update.scalars) for update in updates.values()),
            }
            rows.append(row)
    return pd.DataFrame(rows)


def _units(name: str) -> dict[str, int]:
    """Return the option that makes every tensor of the toy model a unit; FedSGD has no units to share out."""
    return {} if name == "FedSGD" else {"per_unit": 1}


def step_operations(
    *,
    first: Sequence[int] = (0, 4, 7),
    shape: Shape = Shape(family="bert", layers=8, hidden=128, heads=4, inner=512, positions=64),  # noqa: B008
    batch: int = 2,
    length: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """Count the floating-point operations of one step when only the layers from `first` on (and the head) are trained.

    Returns:
        One row a method and first layer: method, first, forwards (operations over those of a forward pass), formula,
        stock (forward mode with PyTorch's own layers, which multiply by all-zero tangents; NaN for other methods).
    """
    import torch

    from lib.profiling import count_flops
    from lib.spry.memory import step_function
    from lib.spry.shaped_model import build

    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, shape.vocabulary, (batch, length), generator=generator)
    x, y = torch.stack([ids, torch.ones_like(ids)], dim=1), torch.zeros(batch, dtype=torch.long)

    def operations(method: str, layer: int, skip_frozen: bool) -> float:
        net = build(shape, skip_frozen=skip_frozen, seed=seed)
        for name, parameter in net.named_parameters():
            number = next((int(part) for part in name.split(".") if part.isdigit()), shape.layers)
            parameter.requires_grad_(parameter.requires_grad and number >= layer)
        with torch.no_grad():
            once = count_flops(net, x).total
        return count_flops(step_function(net, method, x, y)[0]).total / once

    rows = []
    for method in METHODS:
        for layer in first:
            forward = method == "forward mode"
            stock = operations(method, layer, False) if forward else float("nan")
            rows.append(
                [
                    method,
                    layer,
                    operations(method, layer, forward),
                    costs.step_cost(method, shape.layers, first=layer),
                    stock,
                ]
            )
    return pd.DataFrame(rows, columns=["method", "first", "forwards", "formula", "stock"])
