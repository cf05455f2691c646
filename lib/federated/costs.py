"""What one client pays for one round: operations, memory, storage and traffic."""

from typing import Any

from lib.federated.communication import payload_bytes, tensor_bytes
from lib.federated.seeds import client_rng, configure_rng
from lib.federated.types import Algorithm, Federation
from lib.profiling import count_flops, peak_memory, processor_seconds


def client_costs(algorithm: Algorithm, federation: Federation, *, client: int = 0, seed: int = 0) -> dict[str, Any]:
    """Return the costs of `client` in its second round of `algorithm`, when it has something in memory, as one row.

    The keys: ``algorithm`` and ``client``; ``flops``, operations of its training as `lib.profiling.count_flops`
    defines them; ``peak_bytes`` of tensors while it trains (data, received and kept tensors included) and
    ``extra_bytes`` beyond those, as `lib.profiling.peak_memory` defines them; ``memory_bytes`` that it keeps between
    rounds; ``bytes_down`` and ``bytes_up``, the content of the round's messages; ``examples``; ``seconds``, the least
    processor time of three trainings.
    """
    if not 0 <= client < len(federation):
        raise ValueError(f"no client {client}: choose one of the {len(federation)} from 0")
    data, state = federation.clients[client], algorithm.init(seed)
    instruction = algorithm.configure(state, 1, [client], configure_rng(seed, 1))[client]
    update, memory = algorithm.train(instruction, data, {}, client_rng(seed, 1, client))
    state = algorithm.aggregate(state, {client: update})
    instruction = algorithm.configure(state, 2, [client], configure_rng(seed, 2))[client]

    def train() -> Any:
        return algorithm.train(instruction, data, memory, client_rng(seed, 2, client))

    flops = count_flops(train).total
    with peak_memory(inputs=(instruction.tensors, memory, data.train_x, data.train_y)) as peak:
        update, kept = train()
    return {
        "algorithm": type(algorithm).__name__,
        "client": client,
        "examples": data.examples,
        "flops": flops,
        "peak_bytes": peak.peak_bytes,
        "extra_bytes": peak.extra_bytes,
        "memory_bytes": tensor_bytes(kept),
        "bytes_down": payload_bytes(instruction),
        "bytes_up": payload_bytes(update),
        "seconds": processor_seconds(train, repeats=3)[0],
    }
