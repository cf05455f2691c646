import sys
from types import SimpleNamespace

import pytest

from lib.report import provenance


@pytest.mark.parametrize(
    ("visible", "driver", "suggested"),
    [("0,1", False, True), ("", True, False), ("-1", True, False), (None, True, True), (None, False, False)],
)
def test_the_environment_decides_and_else_the_driver(tmp_path, monkeypatch, visible, driver, suggested):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert provenance.device_suggested(tmp_path if driver else tmp_path / "none") == suggested


def fake_torch(available):
    cuda = SimpleNamespace(is_available=lambda: available, get_device_name=lambda index: f"device {index}")
    return SimpleNamespace(cuda=cuda)


@pytest.mark.parametrize(("available", "name"), [(True, "device 0"), (False, "none")])
def test_torch_names_the_device(monkeypatch, available, name):
    monkeypatch.setitem(sys.modules, "torch", fake_torch(available))
    assert provenance.accelerator() == name


def test_without_torch_or_a_device_nothing_is_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert provenance.accelerator() == "none"
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(provenance, "device_suggested", lambda: False)
    assert provenance.accelerator() == "none"
    assert "torch" not in sys.modules
