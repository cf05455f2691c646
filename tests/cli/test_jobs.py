import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_notebook import write_notebook

from lib import jobs
from lib.report.paths import ROOT


def test_defaults_preset_and_overrides_in_that_order(toy):
    assert jobs.make_job("toy").parameters == {"seeds": 3, "scale": 1.0, "ks": [1, 2]}
    assert jobs.make_job("toy", "real").parameters["seeds"] == 5
    job = jobs.make_job("toy", "real", {"seeds": 7, "scale": 2})
    assert job.changed == {"seeds": 7, "scale": 2.0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("toi",), "did you mean 'toy'"),
        (("toy", "quik"), "did you mean 'quick'"),
        (("toy", "quick", {"seed": 3}), "did you mean 'seeds'"),
        (("toy", "quick", {"zzz": 3}), "known: seeds, scale, ks"),
        (("toy", "quick", {"seeds": "three"}), "expected int"),
        (("toy", "quick", {"seeds": 1.5}), "expected int"),
        (("toy", "quick", {"seeds": True}), "expected int"),
        (("toy", "quick", {"ks": [1, "x"]}), r"ks\[1\]"),
        (("toy", "quick", {"scale": float("nan")}), "finite"),
        (("toy", "quick", {"ks": []}), r"ks=\[\]: expected at least one value, like \[1, 2\]"),
        (("toy", "quick", {"seeds": 0}), "seeds=0: expected at least 1, like 3"),
        (("toy", "quick", {"seeds": -2}), "seeds=-2: expected at least 1"),
    ],
)
def test_wrong_names_and_types_name_the_way_out(toy, words, message):
    with pytest.raises(ValueError, match=message):
        jobs.make_job(*words)


def test_an_unknown_name_in_a_preset_is_an_error(toy):
    (toy / "notebooks" / "presets" / "toy.yaml").write_text("quick: {sedes: 1}\n")
    with pytest.raises(ValueError, match="did you mean 'seeds'"):
        jobs.make_job("toy")


@given(seeds=st.integers(), scale=st.floats(allow_nan=False, allow_infinity=False))
def test_same_type_is_the_identity_on_values_of_the_right_type(seeds, scale):
    assert jobs.same_type("seeds", seeds, 1) == seeds
    assert jobs.same_type("scale", scale, 1.0) == scale


def test_hash_follows_code_and_parameters_but_not_text(toy):
    import nbformat

    path = toy / "notebooks" / "toy.ipynb"
    before = jobs.make_job("toy").hash
    notebook = nbformat.read(path, 4)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("words"))
    notebook.cells[1].outputs = []
    nbformat.write(notebook, path)
    assert jobs.make_job("toy").hash == before
    assert jobs.make_job("toy", overrides={"seeds": 4}).hash != before
    assert jobs.make_job("toy", overrides={"seeds": 3}).hash == before
    notebook.cells[-1].source += "\n1 + 1"
    nbformat.write(notebook, path)
    assert jobs.make_job("toy").hash != before


def test_hash_follows_the_content_of_a_file_named_by_a_parameter(tmp_path):
    features = tmp_path / "features.npz"
    features.write_bytes(b"one")
    first = jobs.content_hash("bslb", "quick", [], {"features": str(features)})
    features.write_bytes(b"two")
    assert jobs.content_hash("bslb", "quick", [], {"features": str(features)}) != first


def test_a_file_is_sought_from_the_callers_folder(toy, tmp_path, monkeypatch):
    path = toy / "notebooks" / "toy.ipynb"
    write_notebook(path, 'features = ""\nseeds = 0\nks = []', "print(features)")
    here = tmp_path / "here"
    here.mkdir()
    (here / "feat.npz").write_bytes(b"one")
    monkeypatch.chdir(here)
    near = jobs.make_job("toy", overrides={"features": "feat.npz"})
    assert near.parameters["features"] == str((here / "feat.npz").resolve())
    monkeypatch.chdir(tmp_path)
    far = jobs.make_job("toy", overrides={"features": "here/feat.npz"})
    assert far == near == jobs.make_job("toy", overrides={"features": str(here / "feat.npz")})
    assert jobs.make_job("toy", overrides={"features": "feat.npz"}).parameters["features"] == "feat.npz"
    (here / "feat.npz").write_bytes(b"two")
    assert jobs.make_job("toy", overrides={"features": "here/feat.npz"}).hash != near.hash


def test_zero_and_empty_are_fine_where_the_default_is(toy):
    write_notebook(toy / "notebooks" / "toy.ipynb", "seed = 0\nks = []", "print(seed)")
    assert jobs.make_job("toy", overrides={"seed": 0, "ks": []}).changed == {}


def test_import_closure_reaches_lazy_imports_and_data_files():
    names = {str(path.relative_to(ROOT)) for path in jobs.import_closure("from lib import bslb, report")}
    assert {"lib/report/claims.py", "lib/bslb/published.yaml", "lib/bslb/subset.py", "lib/bslb/design_sdp.py"} <= names
    assert not any(name.startswith(("lib/cli", "lib/batch", "lib/book")) for name in names)
    assert jobs.import_closure("import numpy") == []


@pytest.mark.parametrize("paper", jobs.papers())
def test_import_closure_reaches_what_a_package_loads_by_name(paper):
    names = {str(path.relative_to(ROOT)) for path in jobs.import_closure(f"from lib import {paper}, report")}
    assert {f"lib/{paper}/claims.py", "lib/report/page.py", "lib/report/style.py", "lib/report/claims.py"} <= names
    assert any(name.startswith(f"lib/{paper}/experiments") for name in names)
    assert any(name.startswith(f"lib/{paper}/figures") for name in names)


def test_a_record_of_the_same_preset_does_not_change_the_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "RESULTS", tmp_path)
    for preset in ("real", "paper"):
        (tmp_path / "p" / preset / "tables").mkdir(parents=True)
        (tmp_path / "p" / preset / "result.json").write_text("{}")
    assert [path.parent.name for path in jobs.recorded_files("p", "real")] == ["paper"]
    assert len(jobs.recorded_files("p", "quick")) == 2
