"""Small networks as a chain of units, so that "the last K units" means the same in all of them."""

from lib.nets.cnn import small_cnn
from lib.nets.mobilenet import mobilenet_v1
from lib.nets.perceptron import mlp
from lib.nets.resnet import resnet34
from lib.nets.units import UnitNet, unit_names

__all__ = ["UnitNet", "mlp", "mobilenet_v1", "resnet34", "small_cnn", "unit_names"]
