"""SST-2 from its official source into the data folder, checksums verified.

Usage: python data_scripts/sst2.py
"""

import sys

from lib.data import DataError, fetch

if __name__ == "__main__":
    try:
        fetch("sst2")
    except DataError as error:
        sys.exit(str(error))
