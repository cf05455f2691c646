"""Online Shoppers: a table written here in the official form, its refusals, and the field that leaks the outcome."""

import zipfile

import numpy as np
import pytest

from lib import data
from lib.data import needed, online_shoppers
from lib.data.online_shoppers import COLUMNS, FILE, parse_sessions


def table(rows=4, seed=0, **spoilt):
    rng, lines = np.random.default_rng(seed), [",".join(COLUMNS)]
    for place in range(rows):
        buys = place % 4 == 0
        row = dict.fromkeys(COLUMNS, "0") | {
            "Administrative": str(rng.integers(9)), "ProductRelated": str(rng.integers(40)), "Month": "Nov",
            "ProductRelated_Duration": f"{rng.random() * 900:.6f}", "BounceRates": "0.02", "OperatingSystems": "2",
            "Browser": "1", "Region": "3", "TrafficType": "4", "PageValues": "32.5" if buys else "0",
            "VisitorType": "Returning_Visitor", "Weekend": "FALSE", "Revenue": "TRUE" if buys else "FALSE",
        }  # fmt: skip
        lines.append(",".join((row | spoilt).values()))
    return ("\n".join(lines) + "\n").encode()


def test_the_official_table_and_what_it_leaks(tmp_path, monkeypatch):
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    monkeypatch.delenv("SCARCE_DATA_MIRROR", raising=False)
    monkeypatch.setattr(online_shoppers, "ROWS", 8)
    with pytest.raises(data.DataError, match=r"data_scripts/online_shoppers\.py"):
        data.load("online-shoppers")
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("online_shoppers_intention.csv", table(8))
    online_shoppers.install(archive)
    with pytest.raises(data.DataError, match="checksum mismatch"):  # nobody has looked at it yet
        data.load("online-shoppers")
    assert online_shoppers.register() == 2 and needed.absent("online-shoppers") == []
    found = data.load("online-shoppers")
    assert found.outcome.tolist() == [1, 0, 0, 0, 1, 0, 0, 0]
    assert list(found.static) == ["OperatingSystems", "Browser", "Region"] and found.static.iloc[0].tolist() == [
        2,
        1,
        3,
    ]
    assert (
        "PageValues" not in found.behaviour and "Revenue" not in found.behaviour and len(found.behaviour.columns) == 13
    )
    leaked = data.load("online-shoppers", leaking=True).behaviour["PageValues"] > 0
    assert (leaked == (found.outcome == 1)).all()
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes().replace(b"TRUE", b"FALSE", 1))
    with pytest.raises(data.DataError, match="checksum mismatch"):
        data.load("online-shoppers")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no CSV"),
        (b"a,b\n1,2\n", "expected any number of"),
        (table(4, Administrative="-1"), "Administrative .* whole number"),
        (table(4, Region="1.5"), "Region .* whole number"),
        (table(4, ExitRates="many"), "ExitRates .* number"),
        (table(4, BounceRates=""), "BounceRates .* number"),
        (table(4, Revenue="yes"), "Revenue .* neither TRUE nor FALSE"),
        (table(4).replace(b"Weekend", b"weekend"), "found 4 rows"),
    ],
)
def test_other_tables_are_refused(content, message):
    with pytest.raises(data.DataError, match=message):
        parse_sessions(content)


def test_a_wrong_archive_installs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SCARCE_DATA", str(tmp_path))
    archive = tmp_path / "a.zip"
    for content in (b"not a zip", None):
        if content is None:
            with zipfile.ZipFile(archive, "w") as opened:
                opened.writestr("online_shoppers_intention.csv", table(5))
        else:
            archive.write_bytes(content)
        with pytest.raises(data.DataError, match="expected"):
            online_shoppers.install(archive)
        assert not (tmp_path / FILE).exists()
