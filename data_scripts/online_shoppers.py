"""Online Shoppers Purchasing Intention from UCI into the data folder; its content is checked and its checksum recorded.

Usage: python data_scripts/online_shoppers.py
The official checksum is not known to us: the table must have the official columns and 12,330 rows.
"""

import sys

from lib.data import DataError
from lib.data.online_shoppers import download

if __name__ == "__main__":
    try:
        download()
    except DataError as error:
        sys.exit(str(error))
