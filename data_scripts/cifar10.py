"""CIFAR-10 from its official source into the data folder: downloads the binary archive or takes the one given.

Usage: python data_scripts/cifar10.py [cifar-10-binary.tar.gz]
"""

import sys

from lib.data import DataError, fetch
from lib.data.archives import install_tar

if __name__ == "__main__":
    try:
        if len(sys.argv) > 1:
            install_tar("cifar10", sys.argv[1])
        else:
            fetch("cifar10")
    except DataError as error:
        sys.exit(str(error))
