"""Tiny Shakespeare from its official source into the data folder, checksums verified.

Usage: python data_scripts/tinyshakespeare.py
"""

import sys

from lib.data import DataError, fetch

if __name__ == "__main__":
    try:
        fetch("tinyshakespeare")
    except DataError as error:
        sys.exit(str(error))
