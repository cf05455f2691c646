"""FLICKR-AES: who rated which photo how, and the photos as arrays."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lib.data import store
from lib.data.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

LABELS = "flickr-aes/FLICKR-AES_image_labeled_by_each_worker.csv"


@dataclass(frozen=True)
class FlickrAes:
    """`ratings`: worker (str), image (file name), score (int, 1-5); `folder`: where the photos lie."""

    ratings: "pd.DataFrame"
    folder: Path

    def photos(self, names: Sequence[str], *, size: int = 224) -> np.ndarray:
        """Return the photos `names` as uint8 ``(n, 3, size, size)``, the shorter side scaled and the centre cut out.

        Raises DataError if a photo is missing or cannot be decoded.
        """
        return np.stack([_photo(self.folder / name, size) for name in names])


def parse_ratings(content: bytes) -> "pd.DataFrame":
    """Return worker, image and score of the official label file (columns ``worker, imagePair, score``).

    Raises DataError for other columns, an empty table or a score outside 1 to 5.
    """
    import pandas as pd

    try:
        table = pd.read_csv(io.BytesIO(content), skipinitialspace=True)
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"the label file of FLICKR-AES is no CSV ({error})") from error
    table.columns = [str(column).strip() for column in table.columns]
    if list(table.columns) != ["worker", "imagePair", "score"] or table.empty:
        raise DataError(
            f"the label file of FLICKR-AES has columns {list(table.columns)}, expected worker, imagePair, score"
        )
    scores = pd.to_numeric(table["score"], errors="coerce")
    if not scores.isin([1, 2, 3, 4, 5]).all():
        raise DataError("the label file of FLICKR-AES holds a score that is not one of 1, 2, 3, 4, 5")
    image = table["imagePair"].astype(str).str.strip()
    return pd.DataFrame(
        {"worker": table["worker"].astype(str).str.strip(), "image": image, "score": scores.astype(int)}
    )


def flickr_aes() -> FlickrAes:
    """Return the ratings and the folder of the photos; supplied by hand, see the registry's note."""
    content = store.read("flickr-aes", LABELS)
    path, _ = store.locate(LABELS)
    return FlickrAes(parse_ratings(content), path.parent / "40K")


def register() -> int:
    """Check the label file that lies in the data folder, record its checksum and return the number of ratings."""
    path = store.data_folder() / LABELS
    content = store.read_user_file(path)
    ratings = parse_ratings(content)
    store.record_derived(store.data_folder(), LABELS, hashlib.sha256(content).hexdigest())
    return len(ratings)


def _photo(path: Path, size: int) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: unpack the photos of FLICKR-AES there") from error
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} cannot be decoded ({error}): unpack it again") from error
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    return np.asarray(image).transpose(2, 0, 1)
