"""The converter of the official VOC 2012 archive, on a small tar in the official layout."""

import io
import tarfile

import numpy as np
import pytest

import lib.data as data
from lib.data import download, registry, store
from lib.data.voc_boxes import CLASSES, convert, parse_annotation, parse_boxes

XML = """<annotation>
	<folder>VOC2012</folder>
	<filename>2008_000002.jpg</filename>
	<source><database>The VOC2008 Database</database></source>
	<size><width>500</width><height>375</height><depth>3</depth></size>
	<segmented>0</segmented>
{objects}</annotation>
"""
OBJECT = """	<object>
		<name>{name}</name>
		<pose>Unspecified</pose>
		<truncated>1</truncated>
		<difficult>{difficult}</difficult>
		<bndbox>
			<xmin>{0}</xmin>
			<ymin>{1}</ymin>
			<xmax>{2}</xmax>
			<ymax>{3}</ymax>
		</bndbox>{part}
	</object>
"""
# A person's head is a part with a box of its own that must not be counted.
PART = "\n<part><name>head</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></part>"


def annotation(*objects):
    return XML.format(
        objects="".join(
            OBJECT.format(*box, name=n, difficult=d, part=PART if n == "person" else "") for n, d, box in objects
        )
    ).encode()


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(f"VOCdevkit/VOC2012/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


MEMBERS = {
    "Annotations/2008_000003.xml": annotation(
        ("train", 0, ("46", "11", "500", "333")), ("person", 0, ("62.70000076293945", "190", "83", "243"))
    ),
    "Annotations/2008_000002.xml": annotation(("tvmonitor", 0, ("34", "11", "448", "293"))),
    "Annotations/2008_000005.xml": annotation(("dog", 1, ("1", "1", "9", "9"))),
    "Annotations/2007_000027.xml": annotation(("cat", 0, ("1", "1", "9", "9"))),  # not in the main trainval list
    "ImageSets/Main/trainval.txt": b"2008_000002\n2008_000003\n2008_000005\n",
    "JPEGImages/2008_000002.jpg": b"\xff\xd8 not read",
}
EXPECTED = "2008_000002 34,11,448,293,19\n2008_000003 46,11,500,333,18 62,190,83,243,14\n2008_000005\n"


def test_archive_becomes_the_compact_form(tmp_path):
    write_tar(tmp_path / "voc.tar", MEMBERS)
    assert convert(tmp_path / "voc.tar", tmp_path / "out/boxes.txt") == 3
    assert (tmp_path / "out/boxes.txt").read_text() == EXPECTED
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["boxes.txt"]


def test_compact_form_reads_back(tmp_path):
    ids, boxes = parse_boxes(EXPECTED)
    assert ids == ["2008_000002", "2008_000003", "2008_000005"]
    assert boxes.tolist() == [[0, 34, 11, 448, 293, 19], [1, 46, 11, 500, 333, 18], [1, 62, 190, 83, 243, 14]]
    assert parse_boxes("a\nb\n")[1].shape == (0, 6)


@pytest.mark.parametrize("text", ["a 1,1,2,2,20\n", "a 5,1,2,2,0\n", "a\na\n"])
def test_impossible_boxes_are_refused(text):
    with pytest.raises(data.DataError):
        parse_boxes(text)


@pytest.mark.parametrize(
    "members",
    [
        {k: v for k, v in MEMBERS.items() if "trainval" not in k},
        {k: v for k, v in MEMBERS.items() if "000003" not in k},
        MEMBERS | {"Annotations/2008_000003.xml": b"<annotation><object>"},
        MEMBERS | {"Annotations/2008_000003.xml": annotation(("unicorn", 0, ("1", "1", "2", "2")))},
    ],
)
def test_incomplete_or_malformed_archive_is_refused_and_writes_nothing(tmp_path, members):
    write_tar(tmp_path / "voc.tar", members)
    with pytest.raises(data.DataError):
        convert(tmp_path / "voc.tar", tmp_path / "out/boxes.txt")
    assert not (tmp_path / "out/boxes.txt").exists()


def test_truncated_archive_is_refused(tmp_path):
    write_tar(tmp_path / "voc.tar", MEMBERS)
    whole = (tmp_path / "voc.tar").read_bytes()
    (tmp_path / "voc.tar").write_bytes(whole[:2000])
    with pytest.raises(data.DataError):
        convert(tmp_path / "voc.tar", tmp_path / "boxes.txt")
    (tmp_path / "voc.tar").write_bytes(b"")
    with pytest.raises(data.DataError, match="cannot be read"):
        convert(tmp_path / "voc.tar", tmp_path / "boxes.txt")


def test_converted_file_is_accepted_by_verification(tmp_path, monkeypatch):
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SCARCE_DATA_MIRROR", raising=False)
    write_tar(tmp_path / "voc.tar", MEMBERS)
    download.install_boxes(tmp_path / "voc.tar")
    assert store.read("voc2012", "voc2012/boxes_trainval.txt").decode() == EXPECTED
    file = next(item for item in registry.VOC2012.files if item.derived)
    assert store.state_of(file)[0] == "derived"
    scores = tmp_path / "scores.csv"
    scores.write_text("name,score\n2008_000002.jpg,3.5\n2008_000003.jpg,2.75\n2008_000005.jpg,9\n")
    voc = data.load("voc2012", scores=scores)
    np.testing.assert_array_equal(voc.difficulty, [3.5, 2.75, 9.0])
    assert voc.classes[voc.boxes[0, 5]] == "tvmonitor" and len(CLASSES) == 20


def test_objects_without_the_difficult_tag_count_as_not_difficult():
    xml = annotation(("dog", 0, ("1", "2", "3", "4"))).replace(b"<difficult>0</difficult>", b"")
    assert parse_annotation(xml) == "1,2,3,4,11"
