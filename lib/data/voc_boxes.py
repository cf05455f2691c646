"""VOC 2012 annotation XML to one compact text file, and back to arrays."""

import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from lib.data.errors import DataError
from lib.files import write_text

# The official alphabetical order; an object's class index is its position here.
CLASSES = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]


def parse_annotation(xml: bytes) -> str:
    """Return ``x1,y1,x2,y2,class ...`` of one annotation file, objects marked difficult left out.

    Coordinates are 1-based pixels as in the file; the few non-integer ones are cut to integers. Raises DataError on
    malformed XML or an unknown class.
    """
    try:
        root = ElementTree.fromstring(xml)
        boxes = []
        for item in root.iter("object"):
            if int(item.findtext("difficult") or 0):
                continue
            box = item.find("bndbox")
            corners = [int(float(box.findtext(tag))) for tag in ("xmin", "ymin", "xmax", "ymax")]
            boxes.append(",".join(map(str, [*corners, CLASSES.index(item.findtext("name").strip())])))
    except (ElementTree.ParseError, AttributeError, TypeError, ValueError) as error:
        raise DataError(f"not a PASCAL VOC annotation: {error}") from error
    return " ".join(boxes)


def convert(archive: Path, target: Path) -> int:
    """Write the boxes of the trainval images of the official tar `archive` to `target`; return the number of images.

    Members are read one after another and nothing is unpacked. The file appears under its name only when it is
    complete. Raises DataError if the archive is truncated or lacks the image list or an annotation.
    """
    lines: dict[str, str] = {}
    wanted: list[str] = []
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name.startswith("VOCdevkit/VOC2012/Annotations/") and name.endswith(".xml"):
                    lines[Path(name).stem] = parse_annotation(tar.extractfile(member).read())
                elif name == "VOCdevkit/VOC2012/ImageSets/Main/trainval.txt":
                    wanted = tar.extractfile(member).read().decode("ascii").split()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{archive} cannot be read to its end ({error}): delete it and fetch it again") from error
    absent = [name for name in wanted if name not in lines]
    if not wanted or absent:
        what = f"the annotations of {len(absent)} images" if wanted else "ImageSets/Main/trainval.txt"
        raise DataError(f"{archive} lacks {what}: delete it and fetch it again")
    write_text(target, "".join(f"{name} {lines[name]}".rstrip() + "\n" for name in sorted(wanted)))
    return len(wanted)


def parse_boxes(text: str) -> tuple[list[str], np.ndarray]:
    """Return image ids and the boxes as an integer array ``(n, 6)``: row of the id, x1, y1, x2, y2, class index."""
    ids, boxes = [], []
    for row, line in enumerate(text.splitlines()):
        name, *objects = line.split()
        ids.append(name)
        boxes.extend([row, *map(int, item.split(","))] for item in objects)
    table = np.array(boxes, dtype=np.int64).reshape(-1, 6)
    if len(set(ids)) != len(ids) or (table[:, 5] >= len(CLASSES)).any() or (table[:, 1] > table[:, 3]).any():
        raise DataError("the box file holds a repeated id, an unknown class or an empty box: fetch it again")
    return ids, table
