"""FEMNIST digits: says how to come by them (no official download exists) and checks what is there.

Usage: python data_scripts/femnist_digits.py
"""

import sys

from lib.data import DataError, fetch

if __name__ == "__main__":
    try:
        fetch("femnist-digits")
    except DataError as error:
        sys.exit(str(error))
