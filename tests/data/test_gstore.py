"""The Google Merchandise Store's visits: files written here in the exact published forms, and every kind of damage."""

import ast
import csv
import gzip
import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.visit_files import csv_bytes, hit, json_lines, made_visits, visit
from lib import data
from lib.data import gstore_rows, store
from lib.data.gstore import gstore
from lib.data.gstore_rows import NEEDED, OFFICIAL, cut_official, normalised, read_hits, split_csv

FORMS = {
    "csv": csv_bytes,
    "first": lambda visits: csv_bytes(visits, first=True),
    "json": json_lines,
    "lean": lambda visits: json_lines(visits, lean=True),
}


def read(content, **options):
    return gstore(path=io.BytesIO(content), **options)


def visits():
    bought = [hit("/home"), hit("/basket.html?id=7", 2), hit("/checkout", 3, kind="EVENT"),
              hit("/ordercompleted.html", 4, action="6")]  # fmt: skip
    return [
        visit("0012345678901234567", [hit("/google+redesign/Bags/", title="Men's \"Bags\"", products=7)]),
        visit("12345678901234567", bought, start=1_508_300_000, number=2, transactions=1, revenue=37_860_000,
              device="mobile", system="iOS", browser="Safari", country="Côte d’Ivoire", domain="net.example"),
        visit("0012345678901234567", [], start=1_508_400_000, number=2, browser='Odd "browser", really'),
    ]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_published_form(form):
    found = read(FORMS[form](visits()))
    assert found.visitors.tolist() == [b"0012345678901234567", b"12345678901234567"]  # text: zeros in front count
    assert found.visitor.tolist() == [0, 1, 0] and found.number.tolist() == [1, 2, 2] and len(found) == 3
    assert found.start.tolist() == found.visit.tolist() == [1_508_198_450, 1_508_300_000, 1_508_400_000]
    assert found.transactions.tolist() == [0, 1, 0] and found.revenue.tolist() == [0, 37_860_000, 0]
    assert [found.devices[place] for place in found.device] == [
        ("desktop", "Windows", "Firefox"), ("mobile", "iOS", "Safari"), ("desktop", "Windows", 'Odd "browser", really')
    ]  # fmt: skip
    assert [found.places[place][2] for place in found.place] == ["Germany", "Côte d’Ivoire", "Germany"]
    assert found.broken == 0
    if form == "first":
        assert found.offset.tolist() == [0, 0, 0, 0] and found.pages == ()
    else:  # the event is no page
        assert found.offset.tolist() == [0, 1, 4, 4]
        pages = [found.pages[page] for page in found.page]
        assert pages == ["/google+redesign/bags", "/home", "/basket.html", "/ordercompleted.html"]
        assert found.bought.tolist() == [False, False, False, True]


def test_plain_zipped_several_and_by_name(tmp_path, monkeypatch):
    whole = csv_bytes(visits())
    plain, zipped, archive = tmp_path / "train_v2.csv", tmp_path / "a.csv.gz", tmp_path / "b.zip"
    plain.write_bytes(whole.replace(b"\n", b"\r\n"))
    zipped.write_bytes(gzip.compress(whole))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("train_v2.csv", whole)
    for path in (plain, str(zipped), archive):
        found = data.load("gstore", path=path)
        assert found.visitor.tolist() == [0, 1, 0] and len(found.page) == 4
    shards = [tmp_path / f"ga_sessions_{place:012d}.json" for place in range(2)]
    for shard, part in zip(shards, (visits()[:1], visits()[1:]), strict=True):
        shard.write_bytes(json_lines(part))
    both, seen = data.load("gstore", path=shards), []
    assert both.visitor.tolist() == [0, 1, 0] and both.offset.tolist() == [0, 1, 4, 4]
    monkeypatch.setattr("lib.data.gstore.REPORT", 2)
    data.load("gstore", path=shards, progress=seen.append)
    assert seen == [2]
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    assert len(data.load("gstore", path=plain, sha256=digest.upper())) == 3 and store.used()["train_v2.csv"] == digest
    for wrong, options, message in (
        (plain, {"sha256": "0" * 64}, "checksum mismatch"),
        (shards, {"sha256": digest}, "one file"),
        (tmp_path / "no.csv", {}, "does not exist"),
        (tmp_path / "no.csv", {"sha256": digest}, "does not exist"),
        (None, {}, "ga-customer-revenue-prediction"),
    ):
        with pytest.raises(data.DataError, match=message):
            data.load("gstore", path=wrong, **options)
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("test_v2.csv", whole)
    with pytest.raises(data.DataError, match="holds 2 files"):
        data.load("gstore", path=archive)
    with pytest.raises(data.DataError, match="damaged"):
        archive.write_bytes(archive.read_bytes()[:200])
        data.load("gstore", path=archive)
    whole = zipped.read_bytes()
    for spoilt in (whole[:-20], whole[:300] + bytes(40) + whole[340:]):
        zipped.write_bytes(spoilt)
        with pytest.raises(data.DataError, match="damaged"):
            data.load("gstore", path=zipped)


def broken_json(**changes):
    def spoil(made):
        record = json.loads(json_lines([made])) | changes
        return json.dumps({name: value for name, value in record.items() if value is not ...}).encode() + b"\n"

    return spoil


def broken_csv(old, new):
    return lambda made: csv_bytes([made], header=False).replace(old, new)


BROKEN = {
    "csv": [
        lambda made: csv_bytes([made], header=False)[:700] + b"\n",  # cut inside a cell
        lambda made: csv_bytes([made], header=False).rsplit(b",", 1)[0] + b"\n",  # a column too few
        lambda made: csv_bytes([made], header=False).replace(b"\n", b",1\n"),  # one too many
        broken_csv(b"0012345678901234567", b"1.2345678901234567e+16"),  # saved by a spreadsheet
        broken_csv(b',"{""browser""', b',"x{""browser""'),
        broken_csv(b'""deviceCategory"": ""desktop""}"', b'""deviceCategory"": ""desktop"""'),
        broken_csv(b"[{'hitNumber'", b"[{'hitNumber"),
        broken_csv(b"'publisher_infos': []}]", b"'publisher_infos': []}"),
        broken_csv(b",1508198450\n", b",-5\n"),
        broken_csv(b",1508198450\n", b",99999999999999999999999\n"),
        broken_csv(b",1508198450\n", b",\n"),
        lambda made: b"\n",
        lambda made: b"\xff\xfe\x00garbage,,,\n",
    ],
    "json": [
        lambda made: json_lines([made])[:500] + b"\n",
        lambda made: b"[1, 2]\n",
        lambda made: b"\n",
        broken_json(fullVisitorId=...),
        broken_json(fullVisitorId=1.2e17),
        broken_json(visitStartTime="soon"),
        broken_json(visitStartTime=None),
        broken_json(visitNumber=-1),
        broken_json(hits={"page": 1}),
        broken_json(hits=[{"page": {"pagePath": 5}}]),
        broken_json(device="desktop"),
        broken_json(totals={"transactions": "many"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("form", "place"), [(form, place) for form, cases in BROKEN.items() for place in range(len(cases))]
)
def test_a_broken_row_is_refused_or_left_out_alone(form, place):
    good = visits()
    lines = FORMS[form](good).splitlines(keepends=True)
    spoilt = BROKEN[form][place](visit("0012345678901234567"))
    assert spoilt != FORMS[form]([visit("0012345678901234567")]).splitlines(keepends=True)[-1]
    content = b"".join([*lines[:-1], spoilt, lines[-1]])
    with pytest.raises(data.DataError, match=r"row 3: .*broken_share"):
        read(content)
    found, whole = read(content, broken_share=0.3), read(b"".join(lines))
    assert found.broken == 1 and "row 3" in found.reasons[0]
    for name in ("visitor", "visit", "start", "device", "place", "page", "bought", "offset", "revenue"):
        assert np.array_equal(getattr(found, name), getattr(whole, name))
    assert (found.visitors == whole.visitors).all() and found.pages == whole.pages
    with pytest.raises(data.DataError, match=r"1 of 4 rows are broken, more than the share 0\.2"):
        read(content, broken_share=0.2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "header lacks fullVisitorId"),
        (b"a,b\n1,2\n", "header lacks fullVisitorId, visitId"),
        (csv_bytes([]), "no visit"),
        (b"\x89PNG\r\n", "neither the competition's CSV"),
    ],
)
def test_other_files_are_refused(content, message):
    with pytest.raises(data.DataError, match=message):
        read(content)


def test_a_line_without_end_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("lib.data.gstore.LONGEST", 2000)
    with pytest.raises(data.DataError, match="line of over"):
        read(csv_bytes(visits()))


PIECES = [*"""ab'"\\,{}[]:/ \n\té""", "'page': {'pagePath': '", "'type': 'PAGE'", "{'hitNumber': '"]
TEXT = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
PATHS = st.builds(lambda text: "/" + text, TEXT)
HITS = st.lists(
    st.builds(
        lambda path, title, kind, action: hit(path, kind=kind, action=action, title=title, products=1),
        PATHS, TEXT, st.sampled_from(["PAGE", "EVENT"]), st.sampled_from(["0", "6"]),
    ),
    max_size=4,
)  # fmt: skip


@given(HITS, st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_cutting_pages_out_is_parsing_the_literal(hits, told):
    text, totals = repr(hits), b'{""hits"": ""%d""}' % len(hits) if told else b""
    assert ast.literal_eval(text) == hits
    expected = [
        (normalised(one["page"]["pagePath"]), one["eCommerceAction"]["action_type"] == "6")
        for one in hits
        if one["type"] == "PAGE"
    ]
    found = read_hits(text.replace('"', '""').encode(), totals)
    assert list(zip(*found, strict=True)) == expected
    as_json = read_hits(json.dumps(hits).replace('"', '""').encode(), totals)
    assert list(zip(*as_json, strict=True)) == expected


@given(
    st.lists(st.text(alphabet=st.sampled_from(list('ab",{}[]: ')), max_size=10), min_size=1, max_size=6), st.booleans()
)
@settings(max_examples=300, deadline=None)
def test_cells_are_those_of_the_standard_library(cells, quoted):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator="\n").writerow(cells)
    line = text.getvalue().encode()
    assert [cell.replace(b'""', b'"').decode() for cell in split_csv(line)] == next(csv.reader([line.decode()]))


@given(TEXT, TEXT, TEXT)
@settings(max_examples=100, deadline=None)
def test_rows_with_any_text_are_read_alike_in_both_forms(browser, country, source):
    made = visit(browser=browser, country=country, hits=[hit("/a", title=source)])
    made["trafficSource"]["source"] = source
    made["socialEngagementType"] = "".join(source.split("\n"))
    first, second = read(csv_bytes([made])), read(json_lines([made]))
    assert first.devices == second.devices == (("desktop", "Windows", browser or "(not set)"),)
    assert first.places == second.places and first.pages == second.pages == ("/a",)


def test_cells_around_a_long_one():
    line = csv_bytes(visits()[:1], header=False)
    cells, cut = split_csv(line), cut_official(line)
    assert [cells[OFFICIAL.index(name)] for name in NEEDED] == list(cut[:7])
    assert line[slice(*cut[7:])] == cells[6] and cells[6].startswith(b"[{'hitNumber'")
    for wrong in (
        line.replace(b"\"[{'hit", b"\"{'hit"),
        line.replace(b"Not Socially Engaged", b'"Not, Engaged"'),
        line.replace(b"Organic Search", b"Organic Search,1"),
        line.replace(b"Organic Search,", b""),
        line.replace(b",1508198450\n", b",1,1508198450\n"),
        line.replace(b',"{""campaign""', b',1,"{""campaign""'),
        line.replace(b',"{""continent""', b',1"{""continent""'),
    ):
        assert wrong != line
        with pytest.raises(ValueError, match=r"cannot be told|number of columns|digits"):
            gstore_rows._row(wrong, cut_official(wrong))
    engaged = csv_bytes([visits()[0] | {"socialEngagementType": "Engaged, socially"}])
    assert len(read(engaged)) == 1


def test_a_page_without_a_path_is_left_out_in_both_forms():
    hits = [hit("/a"), hit(None, 2), hit("/b", 3)]
    first, second = read(csv_bytes([visit(hits=hits)])), read(json_lines([visit(hits=hits)]))
    assert first.pages == second.pages == ("/a", "/b")


def test_paths_are_normalised():
    assert normalised("/Google+Redesign//Bags/?utm=1#top") == "/google+redesign/bags"
    assert normalised("") == normalised("/") == normalised("?q") == "/"


def test_reading_streams_and_caches_stay_small(monkeypatch):
    """The stream is asked for lines only, and no cache outlives the reading."""
    content = csv_bytes(made_visits(300))

    class Lines(io.BytesIO):
        def read(self, *_):
            raise AssertionError("read as a whole")

    found = gstore(path=Lines(content))
    assert len(found) == 300 and 3 < len(found.page) / 300 < 5
    caches = [one for one in vars(gstore_rows).values() if hasattr(one, "cache_info")]
    assert len(caches) >= 5 and all(one.cache_info().currsize == 0 for one in caches)
