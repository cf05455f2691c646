"""A job list as a Snakefile: for sites with Slurm, or another batch system that Snakemake knows, and no Ray."""

import math
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from lib.files import write_text
from lib.jobs import Job, make_job
from lib.pool import UNKNOWN_MIB, estimate

SPARE = 1.5  # asked of the batch system: so many times the time and memory that earlier runs took
HEAD = """# Runs of the sweep {name}, made by "scarce sweep {name}.yaml --export THIS". One rule a run. A run is named
# by the hash of its code, parameters, data and versions, so after a change of any of them export again.
# Try: snakemake --snakefile THIS --cores 2. With Slurm: snakemake --snakefile THIS --executor slurm --jobs 20.
SCARCE = {scarce}

rule all:
    input:
{inputs}
"""
RULE = """
rule {rule}:
    output:
        {output}
    threads: 1
    resources:
{resources}
    shell:
        {command}
"""


def snakefile(name: str, jobs: Iterable[Job]) -> str:
    """Return the text of a Snakefile with one rule for each of `jobs`, the runs of the sweep `name`.

    The output of a rule is the ``result.json`` of the run, at its absolute place, so the runs folder must lie on a file
    system that all machines share. Memory and time are those of earlier runs of the same paper and preset with some to
    spare; without any, the memory is a guess and the time is left to the site.
    """
    jobs = list(jobs)
    parts = [HEAD.format(name=name, scarce=repr(shlex.join([sys.executable, "-m", "lib.cli"])), inputs=_inputs(jobs))]
    for job in jobs:
        seconds, peak = estimate(job)
        resources = {"mem_mb": math.ceil(SPARE * (peak or UNKNOWN_MIB) * 2**20 / 10**6)}
        resources |= {"runtime": math.ceil(SPARE * seconds / 60)} if seconds is not None else {}
        parts.append(
            RULE.format(
                rule=f"{job.paper}_{job.preset}_{job.hash}",
                output=repr(_result(job)),
                resources=",\n".join(f"        {key}={value}" for key, value in resources.items()),
                command=repr("{SCARCE} " + _escaped(shlex.join(words(job)))),
            )
        )
    return "".join(parts)


def words(job: Job) -> list[str]:
    """Return the words of the command that runs `job`: ``run PAPER --preset PRESET -p NAME=VALUE ...``.

    Only parameters that differ from the preset's are named; each value is YAML, as the command reads it.
    """
    preset = make_job(job.paper, job.preset).parameters
    overrides = {name: value for name, value in job.parameters.items() if value != preset[name]}
    pairs = [f"{name}={as_yaml(value)}" for name, value in overrides.items()]
    return ["run", job.paper, "--preset", job.preset, *(word for pair in pairs for word in ("-p", pair))]


def as_yaml(value: object) -> str:
    """Return `value` as YAML on one line."""
    text = yaml.dump(value, Dumper=_OneLine, default_flow_style=True, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...")


class _OneLine(yaml.SafeDumper):
    """YAML without references, and with every text in double quotes, where nothing is folded."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_OneLine.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def write_snakefile(path: Path, name: str, jobs: Iterable[Job]) -> Path:
    """Write the Snakefile of `jobs` to `path`, through another name, and return it."""
    return write_text(path, snakefile(name, jobs))


def _result(job: Job) -> str:
    return str((job.folder / "result.json").absolute())


def _inputs(jobs: Iterable[Job]) -> str:
    return "\n".join(f"        {_result(job)!r}," for job in jobs)


def _escaped(text: str) -> str:
    """Return `text` so that Snakemake, which fills in names between braces, leaves its braces alone."""
    return text.replace("{", "{{").replace("}", "}}")
