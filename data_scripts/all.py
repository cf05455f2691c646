"""Every downloadable data set, one after another; what failed is listed at the end.

Usage: python data_scripts/all.py
"""

import sys

from lib.data import REGISTRY, DataError, fetch

if __name__ == "__main__":
    problems = []
    for name in REGISTRY:
        try:
            fetch(name)
        except DataError as error:
            problems.append(f"{name}: {error}")
    sys.exit("\n".join(problems) or 0)
