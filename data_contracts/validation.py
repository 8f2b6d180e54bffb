"""Run one suite over one frame with Great Expectations, and leave its Data Docs in a folder."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from data_contracts.frame import PLACE_COLUMNS
from data_contracts.offline_docs import make_offline

logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it tells of each folder

# COMPLETE with these columns lists every failing row by position, id and origin.
_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": list(PLACE_COLUMNS),
    "include_unexpected_rows": False,
    "return_unexpected_index_query": False,
}


def run_suite(
    frame: pd.DataFrame, suite: gx.ExpectationSuite, docs_folder: Path
) -> list[dict[str, Any]]:
    """The result of each expectation, as Great Expectations serialises it.

    `docs_folder` receives the Data Docs; they open with `index.html`.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = (
        context.data_sources.add_pandas("lake")
        .add_dataframe_asset("rows")
        .add_batch_definition_whole_dataframe("batch")
    )
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=suite.name, data=batch, suite=context.suites.add(suite))
    )
    result = definition.run(
        batch_parameters={"dataframe": frame}, result_format=dict(_RESULT_FORMAT)
    )
    _build_docs(context, docs_folder)
    return [one.to_json_dict() for one in result.results]


def _build_docs(context: Any, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as built:
        context.add_data_docs_site(
            site_name="sluice",
            site_config={
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": {
                    "class_name": "TupleFilesystemStoreBackend",
                    "base_directory": built,
                },
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            },
        )
        context.build_data_docs(site_names=["sluice"])
        make_offline(Path(built))
        shutil.copytree(built, folder, dirs_exist_ok=True)
