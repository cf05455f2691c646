"""What is known of each data set: licence, official source, files with sizes and checksums. Data only, no code."""

from lib.data.entries import DataFile, DataSet
from lib.data.errors import DataError
from lib.data.registry_by_client import BY_CLIENT
from lib.data.registry_images import IMAGES
from lib.data.registry_texts import TEXTS
from lib.data.registry_visits import VISITS

__all__ = ["REGISTRY", "DataFile", "DataSet", "entry"]


DIGITS = DataSet(
    name="digits",
    title="Optical recognition of handwritten digits, 1,797 images of 8 x 8 pixels",
    licence="CC BY 4.0 (UCI); bundled with scikit-learn",
    page="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
)

VOC2012 = DataSet(
    name="voc2012",
    title="PASCAL VOC 2012 trainval object boxes with Visual Search Difficulty 1.0 scores, 11,540 images",
    licence="boxes: research use, images under Flickr terms (not kept); scores: GPL-3, supplied by the user",
    page="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
    archive="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    # The checksum as commonly published for this archive; not checked by us against a download.
    archive_hash="md5:6cd6e144f989b92b3379bac3b3de84fd",
    by_hand="voc2012/VSD_dataset.csv (GPL-3) comes with the Visual Search Difficulty package of arXiv 1705.08280: "
    "put the file there, or pass its path as load('voc2012', scores=PATH)",
    files=(
        DataFile(
            "voc2012/VSD_dataset.csv", 242_340, "2c7461e516459354488e76fb99f8937cb0967756f68e448da88d918d184e011b"
        ),
        DataFile(
            "voc2012/boxes_trainval.txt",
            615_281,
            "23d4fec6bc1be14b6665826f7c20061111b4b288b4076b3a4fdbcbf1d33eff15",
            derived=True,
        ),
    ),
)

MOVIELENS_SMALL = DataSet(
    name="movielens-small",
    title="MovieLens latest-small, 100,836 ratings by 610 users",
    licence="GroupLens: research use, redistribution under the same conditions, no commercial use",
    page="https://grouplens.org/datasets/movielens/latest/",
    archive="https://files.grouplens.org/datasets/movielens/ml-latest-small.zip",
    files=(
        DataFile(
            "ml-latest-small/ratings.csv",
            2_483_723,
            "aa289ca83157595d0df6aea1be6a4ded676ddc4385472e8313a8ed9805352646",
            member="ml-latest-small/ratings.csv",
        ),
        DataFile(
            "ml-latest-small/movies.csv",
            494_431,
            "5a5f32dd9bb3797b8e728a1b98958789d2b13f294a69fdfbc5727f8a9611aa07",
            member="ml-latest-small/movies.csv",
        ),
    ),
)

SST2 = DataSet(
    name="sst2",
    title="SST-2 in GLUE's form, 67,349 training and 872 development sentences",
    licence="no explicit licence; customary research use (GLUE, Stanford Sentiment Treebank)",
    page="https://gluebenchmark.com/tasks",
    archive="https://dl.fbaipublicfiles.com/glue/data/SST-2.zip",
    files=(
        DataFile(
            "glue_data/SST-2/train.tsv",
            3_806_081,
            "48eac26399f8456935f81dd9e3a745c1430adb6c62e233ccfe22db4a0d15d1d1",
            member="SST-2/train.tsv",
        ),
        DataFile(
            "glue_data/SST-2/dev.tsv",
            94_931,
            "54a9c12c77e402fc14d6a66a506f24d999f596b0176eb777c972cccc2f9cc4b0",
            member="SST-2/dev.tsv",
        ),
    ),
)

REGISTRY: dict[str, DataSet] = {
    entry.name: entry for entry in (DIGITS, VOC2012, MOVIELENS_SMALL, SST2, *TEXTS, *IMAGES, *BY_CLIENT, *VISITS)
}


def entry(name: str) -> DataSet:
    """Return the registry entry of data set `name`; an unknown name is refused with the list of known ones."""
    if name not in REGISTRY:
        raise DataError(f"unknown data set {name!r}; known: {', '.join(REGISTRY)}")
    return REGISTRY[name]
