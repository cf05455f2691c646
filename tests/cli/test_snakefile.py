"""A sweep as a Snakefile: one rule a run, whose command makes exactly the file that the rule promises."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_notebook import CLAIMS, FIGURE, SETUP, write_notebook

from lib import batch, jobs, snakefile
from lib.report.paths import ROOT
from lib.sweep import read_sweep

RULE = re.compile(
    r"rule (\w+):\n    output:\n        (.+)\n    threads: 1\n"
    r"    resources:\n((?:        \w+=\d+,?\n)+)    shell:\n        (.+)\n"
)
PARAMETERS = "seeds = 3\nscale = 1.0\nks = [1, 2]\nplan = {'lr': 0.1}\nname = 'a'"


@pytest.fixture
def spec(toy):
    """The path of a sweep of two presets and values that a shell, YAML or Snakemake could take for something else."""
    write_notebook(toy / "notebooks" / "toy.ipynb", PARAMETERS, SETUP, FIGURE, CLAIMS)
    (toy / "notebooks" / "presets" / "toy.yaml").write_text("quick: {}\nreal: {seeds: 5, ks: [5]}\n")
    path = toy / "odd.yaml"
    grid = """{seeds: [3, 4], scale: [1.0e-5], plan: [{lr: 0.2}], name: ["it's {a}: $HOME"]}"""
    path.write_text(f"papers: [toy]\npresets: [quick, real]\ngrid: {{toy: {grid}}}\n")
    return path


def exported(scarce, spec, toy):
    """Return the text of the Snakefile and its rules: name, output, resources and the command in the shell."""
    code, out, err = scarce("sweep", str(spec), "--export", str(toy / "Snakefile"))
    assert code == 0, err
    assert "4 runs" in out
    text = (toy / "Snakefile").read_text()
    program = ast.literal_eval(re.search(r"^SCARCE = (.+)$", text, re.MULTILINE)[1])
    return text, [
        (name, ast.literal_eval(output), resources.split(), ast.literal_eval(command).format(SCARCE=program))
        for name, output, resources, command in RULE.findall(text)
    ]


def test_every_run_is_one_rule_and_all_are_asked_for(spec, toy, scarce):
    text, rules = exported(scarce, spec, toy)
    plan = read_sweep(spec).jobs
    assert [output for _, output, _, _ in rules] == [str(job.folder / "result.json") for job in plan]
    assert len({name for name, *_ in rules}) == len(plan) == 4
    asked = re.search(r"rule all:\n    input:\n((?:        .+,\n)+)", text)[1]
    assert list(ast.literal_eval(f"[{asked}]")) == [output for _, output, _, _ in rules]
    assert not (toy / "runs").exists()


def test_the_command_of_a_rule_describes_exactly_its_run(spec, toy, scarce):
    _, rules = exported(scarce, spec, toy)
    for _, output, _, command in rules:
        words = shlex.split(command)[3:]
        assert words[:3] == ["run", "toy", "--preset"]
        pairs = [pair for flag, pair in zip(words[4::2], words[5::2], strict=True) if flag == "-p"]
        job = jobs.make_job("toy", words[3], jobs.parse_overrides(pairs))
        assert str(job.folder / "result.json") == output


def test_a_value_that_equals_the_notebooks_but_not_the_presets_is_named(toy):
    assert snakefile.words(jobs.make_job("toy", "real", {"seeds": 3})) == [
        *("run", "toy", "--preset", "real"),
        *("-p", "seeds=3"),
    ]
    assert snakefile.words(jobs.make_job("toy", "real")) == ["run", "toy", "--preset", "real"]


def test_memory_and_time_come_from_earlier_runs(spec, toy, scarce):
    _, rules = exported(scarce, spec, toy)
    assert all(resources == [f"mem_mb={-(-2048 * 1.5 * 2**20 // 10**6):.0f}"] for _, _, resources, _ in rules)
    job = jobs.make_job("toy", "real")
    job.folder.mkdir(parents=True)
    (job.folder / "result.json").write_text('{"status": "ok", "seconds": 121, "peak_mib": 1000}')
    _, rules = exported(scarce, spec, toy)
    found = {name.split("_")[1]: resources for name, _, resources, _ in rules}
    assert found["real"] == ["mem_mb=1573,", "runtime=4"] and len(found["quick"]) == 1


def test_the_shell_command_makes_the_promised_file(spec, toy, scarce):
    _, rules = exported(scarce, spec, toy)
    _, output, _, command = rules[0]
    # Snakemake makes the folder of an output before it starts a rule.
    Path(output).parent.mkdir(parents=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, shell=True, cwd=toy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert batch.read_result(Path(output).parent)["parameters"]["name"] == "it's {a}: $HOME"
    assert not list(Path(output).parent.parent.glob(".*"))


@settings(deadline=None)
@given(
    st.recursive(
        st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
)
def test_values_survive_the_way_through_yaml_and_the_shell(value):
    text = shlex.join([f"name={snakefile.as_yaml(value)}"])
    assert "\n" not in text and jobs.parse_overrides(shlex.split(text)) == {"name": value}


@pytest.mark.skipif(
    shutil.which("snakemake") is None, reason="snakemake is not installed: its own reading is not tested"
)
def test_snakemake_plans_and_runs_it(spec, toy, scarce):
    exported(scarce, spec, toy)
    command = ["snakemake", "--snakefile", str(toy / "Snakefile"), "--cores", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(toy / "cache")}
    done = subprocess.run(command, cwd=toy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(job.done for job in read_sweep(spec).jobs)


def test_the_program_is_this_installations(spec, toy, scarce):
    text, _ = exported(scarce, spec, toy)
    assert shlex.split(ast.literal_eval(re.search(r"^SCARCE = (.+)$", text, re.MULTILINE)[1]))[0] == sys.executable
