"""MNIST from a mirror of its official files into the data folder, checksums verified.

Usage: python data_scripts/mnist.py
"""

import sys

from lib.data import DataError, fetch

if __name__ == "__main__":
    try:
        fetch("mnist")
    except DataError as error:
        sys.exit(str(error))
