"""AG News: says how to come by it (no checksum of the official archive is known to us) and checks what is there.

Usage: python data_scripts/ag_news.py
"""

import sys

from lib.data import DataError, fetch

if __name__ == "__main__":
    try:
        fetch("ag-news")
    except DataError as error:
        sys.exit(str(error))
