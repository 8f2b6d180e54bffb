"""`sluice export VERSION`: a registered version as a folder that other programs load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TIMEOUT_SECONDS = 4 * 3600.0


def export(
    version: Annotated[str, typer.Argument(help="Number or alias of the registered version.")],
    output: Annotated[Path, typer.Option("--output", help="Folder to write; must not exist.")],
    merged: Annotated[
        bool, typer.Option("--merged", help="Make an adapter part of the base's weights.")
    ] = False,
) -> None:
    """Write a version as a model folder for transformers, vLLM and others."""
    import shutil

    from commands.console import console
    from commands.recorded_version import verified_version
    from sluice.child_process import run_module
    from sluice.errors import SluiceError
    from sluice.home import Home, cache_dir
    from sluice.training.artifact import TrainedModel

    home = Home.current()
    if output.exists():
        raise SluiceError(f"{output} exists. Name a folder that does not, or move that one away.")
    found, model = verified_version(home, version)
    folder = home.lake.path(model)
    request = {
        "folder": str(folder),
        "base_folder": str(TrainedModel.read(folder).find_base(cache_dir()).folder),
        "out": str(output.absolute()),
        "merge": merged,
        "threads": home.lake.manifest(model).get("training", {}).get("choices", {}).get("threads"),
    }
    output.absolute().parent.mkdir(parents=True, exist_ok=True)
    work = home.lake.work(f"export-{found.digest[:32]}")
    with console.status("loading, writing, and comparing what was written"):
        manifest = run_module(
            "sluice.training.exporting",
            request,
            work,
            on_event=lambda event: None,
            timeout_seconds=TIMEOUT_SECONDS,
        )
    shutil.rmtree(work, ignore_errors=True)
    console.print(
        f"[green]✓[/] version {found.version} ({manifest['method']}) is in {output}; its logits "
        f"differ from the trained model's by up to {manifest['largest_logit_difference']:.2g}"
    )
    if not merged and (output / "adapter_config.json").exists():
        console.print(f"It is an adapter: put it on {manifest['base']}.")
