"""The peers that Sluice is measured against, each in an environment of its own.

Environments live in `SLUICE_BENCH_CACHE` (default `~/.cache/sluice-bench`), are made once, and
may be deleted at any time. Versions are pinned, so that two measurements compare the same things.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).parent / "peer_scripts"
COMPLETE = "complete.json"
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in THREADS} | {"POLARS_MAX_THREADS": "1"}
PIN = (
    "import os, sys; a = sys.argv[1:]; os.sched_setaffinity(0, {int(a[0])}); os.execv(a[1], a[1:])"
)


@dataclass(frozen=True)
class Peer:
    """What to install, and which script to run in it.

    `without_dependencies` is installed last, and nothing that it asks for comes with it.
    """

    requirements: tuple[str, ...]
    script: str
    arguments: tuple[str, ...] = ()
    without_dependencies: tuple[str, ...] = ()


# Peers that clean data; benchmarks/cleaning.py measures all of them.
PEERS: dict[str, Peer] = {
    "py-data-juicer": Peer(
        # It imports aiohttp, ftfy, ray and scipy without asking for them.
        ("py-data-juicer==1.6.1", "aiohttp==3.14.5", "ftfy==6.3.1", "ray==2.60.0", "scipy==1.17.1"),
        "run_data_juicer.py",
    ),
    "datatrove": Peer(
        # Its tokenizer for English is spaCy's blank one, which no extra of its own installs alone.
        ("datatrove[io,processing]==0.10.1", "spacy==3.8.18"),
        "run_datatrove.py",
    ),
}

# Peers that train; TRL is one of our own dependencies and needs no environment.
TRAINERS: dict[str, Peer] = {
    "llamafactory": Peer(
        # What its training needs; it would also ask for sound, images and its web page.
        (
            *("torch==2.13.0", "transformers==4.57.6", "trl==0.24.0", "peft==0.18.1"),
            *("datasets==4.0.0", "accelerate==1.11.0", "av==16.0.0", "einops==0.8.2"),
            *("omegaconf==2.4.0", "pandas==3.1.1", "protobuf==7.36.2", "scipy==1.17.1"),
            *("sentencepiece==0.2.3", "tiktoken==0.14.0", "tyro==0.8.14"),
        ),
        "train_llamafactory.py",
        without_dependencies=("llamafactory==0.9.5",),
    ),
}


@dataclass(frozen=True)
class SideResult:
    """What one side did with a corpus.

    `seconds` runs from the first byte read to the last one written; `cpu_seconds` leaves out the
    time in which other processes had the core. `before_near` and `kept` are
    row numbers: the rows that came to the search for near duplicates, and those that are left.
    """

    seconds: float
    cpu_seconds: float
    stages: dict[str, float]
    rows_in: int
    rows_out: int
    peak_rss_gb: float
    before_near: frozenset[int]
    kept: frozenset[int]


def cache() -> Path:
    """Where environments are kept."""
    return Path(os.environ.get("SLUICE_BENCH_CACHE") or Path.home() / ".cache/sluice-bench")


def environment(name: str) -> Path:
    """The Python of a peer's environment, which is made if it is not there."""
    peer = (PEERS | TRAINERS)[name]
    alone = peer.without_dependencies
    wanted = [sys.version, peer.requirements, *([alone] if alone else [])]
    digest = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:8]
    folder = cache() / f"{name}-{digest}"
    python = folder / "bin/python"
    if not (folder / COMPLETE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        # Without a path of ours: pip would count what lies there as installed.
        plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        install = [str(python), "-m", "pip", "install", "--quiet"]
        for arguments in (peer.requirements, ("--no-deps", *alone) if alone else ()):
            if arguments:
                command = [*install, *arguments]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=plain)
        (folder / COMPLETE).write_text(json.dumps(wanted[1:]))  # last: its existence says whole
    return python


def run_peer(name: str, corpus: Path, work: Path) -> SideResult:
    """Clean a corpus with a peer, on one core; `work` is an empty folder for its files.

    Raises:
        RuntimeError: it failed; the end of what it said is in the message.
    """
    peer, result = PEERS[name], work / "result.json"
    script = str(SCRIPTS / peer.script)
    command = [str(environment(name)), script, str(corpus), str(work), str(result)]
    ended = subprocess.run(
        on_one_core([*command, *peer.arguments]),
        env=os.environ | ONE_THREAD,
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"{name} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    told = json.loads(result.read_text())
    before_near, kept = frozenset(told.pop("before_near")), frozenset(told.pop("kept"))
    return SideResult(**told, before_near=before_near, kept=kept)


def on_one_core(command: Sequence[str]) -> list[str]:
    """A command that runs another on one core: the last that this process may use."""
    return [sys.executable, "-c", PIN, str(max(os.sched_getaffinity(0))), *command]
