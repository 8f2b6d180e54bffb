"""Data sets of the `datasets` library: a folder that it saved, or an id on a hub."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sluice.data.outcomes import Reject
from sluice.data.reading.columnar import BATCH_ROWS, read_batches
from sluice.data.reading.places import Place
from sluice.data.reading.rows import Limits, RawRow
from sluice.errors import BatchError


def read_dataset(
    dataset: str,
    split: str,
    revision: str | None,
    source: str,
    limits: Limits,
    base_dir: Path = Path(),
) -> Iterator[RawRow | Reject]:
    """The rows of a data set. `line` counts them.

    `dataset` is a folder, relative to `base_dir`, that `save_to_disk` wrote, or else the id of a
    data set on a hub, whose rows are streamed.

    Raises:
        BatchError: it cannot be loaded or reached, or has no such split.
    """
    place = Place(dataset, source, "arrow")
    folder = Path(base_dir, dataset)
    if folder.is_dir():
        rows = _saved(folder, split)
    else:
        _refuse_paths(dataset, folder)
        rows = _streamed(dataset, split, revision)
    yield from read_batches(_batches(rows, dataset), place, limits)


def _saved(folder: Path, split: str) -> Any:
    library = _library()
    try:
        loaded = library.load_from_disk(str(folder))
    except Exception as error:
        raise BatchError(
            f"{folder} is no folder that `datasets` saved ({_told(error)}). Write it with "
            "`save_to_disk`; for a folder of data files, name it under `uri` instead."
        ) from error
    if not isinstance(loaded, dict):
        return loaded  # one split, saved by itself
    splits = cast("dict[str, Any]", loaded)
    if split not in splits:
        raise BatchError(
            f"{folder} has no split {split!r}. It has: {', '.join(sorted(splits))}. "
            "Name one of them under `split`."
        )
    return splits[split]


def _streamed(dataset: str, split: str, revision: str | None) -> Any:
    library = _library()
    with _reaching(dataset):
        return library.load_dataset(dataset, split=split, revision=revision, streaming=True)


def _library() -> Any:
    # Imported late: it takes a second, and only this source needs it.
    import datasets  # pyright: ignore[reportMissingTypeStubs]

    return datasets


def _refuse_paths(dataset: str, folder: Path) -> None:
    if dataset.startswith((".", "/", "~")) or dataset.count("/") > 1:
        raise BatchError(f"{folder} does not exist. `dataset` is relative to the recipe.")


def _batches(rows: Any, dataset: str) -> Iterator[Any]:
    with _reaching(dataset):
        for table in rows.with_format("arrow").iter(batch_size=BATCH_ROWS):
            yield from table.combine_chunks().to_batches()


@contextmanager
def _reaching(dataset: str) -> Generator[None]:
    try:
        yield
    except BatchError:
        raise
    except Exception as error:
        raise BatchError(
            f"The data set {dataset!r} cannot be read: {_told(error)}. Check its id, `split` and "
            "`revision`, and that the hub can be reached. Without a network: on a connected "
            "machine run `datasets.load_dataset(...).save_to_disk(folder)`, bring the folder here, "
            "and name it under `dataset`."
        ) from error


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
