"""The workflows for a public repository cannot run here: linters read them, and what they call must exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LINTERS = {
    "zizmor": ("--offline", "--no-progress", "--color", "never"),
    "check-jsonschema": ("--builtin-schema", "vendor.github-workflows"),
}
WRONG = {
    "zizmor": "on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{uses: actions/checkout@v5}]}}\n",
    "check-jsonschema": "on: push\njobs: {a: {runs_on: ubuntu-24.04, steps: [{run: make}]}}\n",
}


def lint(name, *files):
    program = Path(sys.executable).with_name(name)
    if not program.is_file():
        pytest.skip(f"{name} is not installed (extra 'dev')")
    return subprocess.run([program, *LINTERS[name], *files], capture_output=True, text=True)


def workflow(path):
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # its key `on` is no boolean


@pytest.mark.parametrize("name", LINTERS)
def test_a_linter_finds_nothing(name):
    assert [path.stem for path in FILES] == ["site", "tests", "weekly"]
    done = lint(name, *FILES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", LINTERS)
def test_the_linter_would_find_a_fault(name, tmp_path):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "wrong.yml").write_text(WRONG[name])
    assert lint(name, folder / "wrong.yml").returncode != 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_least_rights_one_at_a_time_and_only_pinned_actions_of_the_host(path):
    content = workflow(path)
    assert content["permissions"] == {} and content["concurrency"]["group"]
    for name, job in content["jobs"].items():
        allowed = {"pages": "write", "id-token": "write"} if name == "publish" else {"contents": "read"}
        assert job["permissions"] == allowed and int(job["timeout-minutes"]) <= 360
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z/-]+@[0-9a-f]{40}", step["uses"])
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": "false"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_command_that_a_workflow_calls_exists(path):
    from typer.main import get_command

    from lib.cli import app

    targets = set(re.findall(r"^([\w./]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [step["run"] for job in workflow(path)["jobs"].values() for step in job["steps"] if "run" in step]
    called = [word for line in lines for word in re.findall(r"\bmake (\S+)", line)]
    assert called and set(called) <= targets
    commands = get_command(app).commands
    for line in lines:
        for word, options in re.findall(r"bin/scarce (\w+)(.*)", line):
            known = {option for parameter in commands[word].params for option in parameter.opts}
            assert set(re.findall(r"--[\w-]+", options)) <= known
        for script in re.findall(r"bin/python (\S+\.py)", line):
            assert (ROOT / script).is_file()


def test_when_each_workflow_runs():
    when = {path.stem: workflow(path)["on"] for path in FILES}
    assert when["tests"].keys() == {"push", "pull_request"}
    assert when["site"]["push"] == {"branches": ["main"]}
    assert re.fullmatch(r"\d+ \d+ \* \* \d", when["weekly"]["schedule"][0]["cron"])


def test_the_weekly_list_of_papers_is_that_of_the_notebooks(tmp_path):
    (step,) = (s for s in workflow(FILES[2])["jobs"]["everything"]["steps"] if s.get("id") == "papers")
    if subprocess.run(["which", "jq"], capture_output=True).returncode:
        pytest.skip("jq is not installed; the hosts of the workflows have it")
    output = tmp_path / "output"
    environment = {"PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(output)}
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=ROOT, env=environment, check=True)
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert yaml.safe_load(output.read_text().removeprefix("names=")) == names
