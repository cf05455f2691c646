"""Features of an image computed from its list of annotated objects alone, for the difficulty bandit on VOC 2012.

They stand in for image embeddings, which need the images and a network; neither is part of this project's data.
"""

import numpy as np

CLASS_COUNT = 20
SIDE = 500.0  # the longer side of a VOC image in pixels
SIZE_EDGES = (0.003, 0.01, 0.03, 0.1, 0.3)  # box areas as fractions of SIDE squared
GRID = 4


def layout_features(images: int, boxes: np.ndarray) -> np.ndarray:
    """Return what the boxes say without their classes, shape ``(images, 53)``: counts, sizes, places, overlaps.

    `boxes` (b, 6) int as in `lib.data.loaders.Voc2012`: row of the image, x1, y1, x2, y2 in pixels, class. An image
    without boxes gets zeros.
    """
    image, box = boxes[:, 0], boxes[:, 1:5] / SIDE
    width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
    area, x, y = width * height, (box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2
    count = _sum(images, image, np.ones(len(image)))
    mean = np.maximum(count, 1)
    moments = []
    for value in (
        area,
        np.sqrt(area),
        width,
        height,
        x,
        y,
        np.log(np.maximum(width, 0.002) / np.maximum(height, 0.002)),
    ):
        middle = _sum(images, image, value) / mean
        moments += [middle, np.sqrt(np.maximum(_sum(images, image, value**2) / mean - middle**2, 0.0))]
    smallest, largest = _extremes(images, image, area)
    total, worst = _overlaps(images, image, box, area)
    bins = np.searchsorted(SIZE_EDGES, area)
    sizes = [_sum(images, image, bins == index) for index in range(len(SIZE_EDGES) + 1)]
    cell = np.clip((y * GRID).astype(int), 0, GRID - 1) * GRID + np.clip((x * GRID).astype(int), 0, GRID - 1)
    places = [_sum(images, image, cell == index) for index in range(GRID * GRID)]
    amounts = [count, np.log1p(count), np.sqrt(count), count == 0, count == 1, count > 4]
    extents = [_sum(images, image, area), smallest, np.log(smallest + 1e-3), largest, np.log(largest + 1e-3)]
    shares = [smallest / np.maximum(largest, 1e-9), 1 / mean, _sum(images, image, area) / mean - smallest]
    return np.column_stack([*amounts, *extents, *shares, *moments, total, worst, worst > 0.3, *sizes, *places])


def object_features(images: int, boxes: np.ndarray, *, pairs: int = 20) -> np.ndarray:
    """Return layout and classes of the boxes, shape ``(images, 53 + 62 + pairs)``.

    Beside `layout_features`: object count and presence of each of the 20 classes, the area each class covers, the
    number of classes and its square, and the products of presence for the `pairs` pairs of classes that share most
    images.
    """
    image, kind = boxes[:, 0], boxes[:, 5]
    area = (boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2]) / SIDE**2
    counts = _sum(images * CLASS_COUNT, image * CLASS_COUNT + kind, np.ones(len(kind))).reshape(images, CLASS_COUNT)
    covered = _sum(images * CLASS_COUNT, image * CLASS_COUNT + kind, area).reshape(images, CLASS_COUNT)
    present = (counts > 0).astype(float)
    first, second = np.triu_indices(CLASS_COUNT, 1)
    often = np.argsort(-(present.T @ present)[first, second], kind="stable")[:pairs]
    together = present[:, first[often]] * present[:, second[often]]
    kinds = present.sum(axis=1)
    layout = layout_features(images, boxes)
    return np.column_stack([layout, counts, present, covered, kinds, kinds**2, together])


def _sum(images: int, image: np.ndarray, value: np.ndarray) -> np.ndarray:
    return np.bincount(image, weights=value, minlength=images)


def _extremes(images: int, image: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    smallest, largest = np.full(images, np.inf), np.zeros(images)
    np.minimum.at(smallest, image, value)
    np.maximum.at(largest, image, value)
    return np.where(np.isfinite(smallest), smallest, 0.0), largest


def _overlaps(images: int, image: np.ndarray, box: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the maximum over pairs of boxes of intersection over union, one entry an image."""
    total, worst = np.zeros(images), np.zeros(images)
    # Boxes are sorted by image, so partners of the same image are at most max(count) - 1 places apart.
    for shift in range(1, int(np.bincount(image, minlength=1).max())):
        same = np.flatnonzero(image[shift:] == image[:-shift])
        a, b = box[same], box[same + shift]
        sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
        common = np.prod(np.maximum(sides, 0.0), axis=1)
        union = np.maximum(area[same] + area[same + shift] - common, 1e-12)
        np.add.at(total, image[same], common / union)
        np.maximum.at(worst, image[same], common / union)
    return total, worst
