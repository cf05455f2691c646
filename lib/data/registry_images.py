"""Registry entries of the image data sets. Data only, no code."""

from lib.data.entries import DataFile, DataSet

_TORONTO = "https://www.cs.toronto.edu/~kriz"
_RESEARCH = "no explicit licence; customary research use with citation (Krizhevsky, 2009)"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"


def _batch(name: str, sha256: str = "") -> DataFile:
    path = f"cifar-10-batches-bin/{name}.bin"
    return DataFile(f"cifar10/{path}", 30_730_000, sha256, member=path, derived=True, optional=not sha256)


# The two registered checksums are those of rebuilt batches (a few records lossy); batches taken from the official
# archive, whose checksum is the one its page gives, are accepted beside them.
CIFAR10 = DataSet(
    name="cifar10",
    title="CIFAR-10, binary version: batches of 10,000 colour images of 32 x 32 pixels, 10 classes",
    licence=_RESEARCH,
    page=f"{_TORONTO}/cifar.html",
    archive=f"{_TORONTO}/cifar-10-binary.tar.gz",
    archive_hash="md5:c32a1d4ab5d03f1284b67883e8d87530",
    files=(
        _batch("data_batch_1", "0def081c410489f98b3935c2d405fc7436d23377894a5d6a710ce1fad8082588"),
        *(_batch(f"data_batch_{number}") for number in (2, 3, 4, 5)),
        _batch("test_batch", "12b72019dddc66aa680d9654ddcc864aa808e6540641e0887054d04d415d6427"),
    ),
)


def _cifar100(part: str, images: int, subset: int, sha256: str) -> tuple[DataFile, DataFile]:
    """Return the official file and the registered subset that serves in its place; a record has 3,074 bytes."""
    whole, few = f"cifar100/cifar-100-binary/{part}.bin", f"cifar100-subset/cifar-100-binary/{part}.bin"
    member = f"cifar-100-binary/{part}.bin"
    return (
        DataFile(whole, 3_074 * images, "", member=member, derived=True, instead=few),
        DataFile(few, 3_074 * subset, sha256, instead=whole),
    )


CIFAR100 = DataSet(
    name="cifar100",
    title="CIFAR-100, binary version: colour images of 32 x 32 pixels, 100 classes; a subset of 25 a class serves too",
    licence=_RESEARCH,
    page=f"{_TORONTO}/cifar.html",
    archive=f"{_TORONTO}/cifar-100-binary.tar.gz",
    # The checksum as commonly published for this archive; not checked by us against a download.
    archive_hash="md5:03b5dce01913d631647c71ecec9e9cb8",
    files=(
        *_cifar100("train", 50_000, 2_000, "4d63c55f9193c8977ffa894cb50759c081599b5ce3c4715dea165fb4d3554343"),
        *_cifar100("test", 10_000, 500, "f7184e3746c57a2d6beaa63ae3a5c054dc9a22b3a04ec08877b0c21bcd3b8ebb"),
    ),
)


def _idx(name: str, size: int, sha256: str) -> DataFile:
    return DataFile(f"mnist/{name}.gz", size, sha256, url=f"{_MNIST}/{name}.gz")


MNIST = DataSet(
    name="mnist",
    title="MNIST, 60,000 training and 10,000 test digits of 28 x 28 pixels",
    licence="CC BY-SA 3.0 as commonly stated",
    page="http://yann.lecun.com/exdb/mnist/",
    files=(
        _idx("train-images-idx3-ubyte", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        _idx("train-labels-idx1-ubyte", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        _idx("t10k-images-idx3-ubyte", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        _idx("t10k-labels-idx1-ubyte", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
)

FEMNIST_DIGITS = DataSet(
    name="femnist-digits",
    title="FEMNIST digits in LEAF's form, a sample: 5,997 digits of 28 x 28 pixels from 12 clients",
    licence="NIST Special Database 19: public domain; LEAF: BSD-2",
    page="https://github.com/TalwalkarLab/leaf/tree/master/data/femnist",
    by_hand="femnist-digits-sample/train/femnist_digits_train.json.gz and "
    "femnist-digits-sample/test/femnist_digits_test.json.gz are a sample without an official download (its clients are "
    "not official writers): make LEAF's own files with its femnist/preprocess.sh and pass them as "
    "load('femnist-digits', train=PATH, test=PATH)",
    files=(
        DataFile(
            "femnist-digits-sample/train/femnist_digits_train.json.gz",
            1_038_408,
            "5d84a741de6c7e64ba6e4be3a89a24b4a57ae1e5a9157c1518a91c5f28fd7bfa",
        ),
        DataFile(
            "femnist-digits-sample/test/femnist_digits_test.json.gz",
            115_083,
            "96dcc770d539c4def6ccc6486b210ddc30728c6eb5be6cb6c779e7fbbdd8b7e5",
        ),
    ),
)

FLICKR_AES = DataSet(
    name="flickr-aes",
    title="FLICKR-AES, 40,988 photos with the aesthetic scores of 210 raters",
    licence="photos under their own Creative Commons terms",
    page="https://github.com/alanspike/personalizedImageAesthetics",
    by_hand="flickr-aes/FLICKR-AES_image_labeled_by_each_worker.csv and the folder flickr-aes/40K come from the shared "
    "drive that the page links (the photos are 5.8 GB): unpack both there, then run data_scripts/flickr_aes.py",
    files=(
        # Its checksum is not known to us: the script checks the content and records what it found.
        DataFile("flickr-aes/FLICKR-AES_image_labeled_by_each_worker.csv", 0, "", derived=True),
    ),
)

IMAGES = (CIFAR10, CIFAR100, MNIST, FEMNIST_DIGITS, FLICKR_AES)
