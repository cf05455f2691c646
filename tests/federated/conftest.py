"""The Flower engine's tests need flwr; without it they are left out, and `test_flower_present` says so."""

from importlib.util import find_spec

NEED_FLOWER = [
    "test_flower_deployment.py",
    "test_flower_server.py",
    "test_flower_simulation.py",
    "test_flower_strategies.py",
]
collect_ignore = [] if find_spec("flwr") else NEED_FLOWER
