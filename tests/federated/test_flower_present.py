import pytest


def test_flower_is_installed():
    pytest.importorskip("flwr", reason="the Flower engine's tests need flwr (with its simulation extra) installed")
