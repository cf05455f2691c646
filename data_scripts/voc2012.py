"""VOC 2012 boxes from the official archive: downloads it (about 2 GB) or converts the one given.

Usage: python data_scripts/voc2012.py [VOCtrainval_11-May-2012.tar]
The difficulty scores (GPL-3) are not downloaded: put VSD_dataset.csv into data/voc2012 yourself.
"""

import sys

from lib.data import DataError, fetch
from lib.data.download import install_boxes

if __name__ == "__main__":
    try:
        if len(sys.argv) > 1:
            install_boxes(sys.argv[1])
        else:
            fetch("voc2012")
    except DataError as error:
        sys.exit(str(error))
