"""CIFAR-100 from its official source into the data folder: downloads the binary archive or takes the one given.

Usage: python data_scripts/cifar100.py [cifar-100-binary.tar.gz]
"""

import sys

from lib.data import DataError, fetch
from lib.data.archives import install_tar

if __name__ == "__main__":
    try:
        if len(sys.argv) > 1:
            install_tar("cifar100", sys.argv[1])
        else:
            fetch("cifar100")
    except DataError as error:
        sys.exit(str(error))
