"""FLICKR-AES: checks the label file that you put into the data folder and records its checksum.

Usage: python data_scripts/flickr_aes.py
The files come from the drive that https://github.com/alanspike/personalizedImageAesthetics links. Put
FLICKR-AES_image_labeled_by_each_worker.csv into data/flickr-aes and unpack the photos to data/flickr-aes/40K.
"""

import sys

from lib.data import DataError
from lib.data.flickr_aes import register

if __name__ == "__main__":
    try:
        register()
    except DataError as error:
        sys.exit(str(error))
