"""Rows of a database: a query's result, streamed, through SQLAlchemy."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
import sqlalchemy.event

from sluice.data.outcomes import Reject
from sluice.data.reading.rows import Limits, RawRow
from sluice.data.reading.values import row_of
from sluice.errors import BatchError

FETCHED_ROWS = 1000  # rows that the driver sends at once, where it can stream

events: Any = sqlalchemy.event  # not typed

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LOGIN = re.compile(r"(?<=://)[^/\s]*@")


def read_query(
    query: str,
    database: str,
    source: str,
    limits: Limits,
    bound: Mapping[str, Any] | None = None,
) -> Iterator[RawRow | Reject]:
    """The rows of a query by column name. `line` counts them; add ORDER BY for a stable count.

    `database` is a SQLAlchemy URL in which `${NAME}` stands for an environment variable. `bound`
    holds the values of `:name` in the query; without any, the query is sent as it is written.
    Nothing is ever committed. What the variables hold, and the password, are in no message.

    Raises:
        BatchError: a variable is not set, the database cannot be reached, the query fails, or two
            of its columns have one name.
    """
    url = _filled_in(database, source)
    with _explaining(database, url, source):
        engine = sqlalchemy.create_engine(url)
        if engine.dialect.name == "sqlite":
            _refuse_to_create(engine.url.database, source)
            events.listen(engine, "connect", _read_texts_as_bytes)
    try:
        with _explaining(database, url, source), _streamed(engine).connect() as connection:
            result = _answer(connection, query, bound)
            names = list(result.keys())
            _refuse_repeated_names(names, source)
            for number, cells in enumerate(result, 1):
                yield row_of(dict(zip(names, cells, strict=True)), source, number, limits)
    finally:
        engine.dispose()


def _streamed(engine: sqlalchemy.Engine) -> sqlalchemy.Engine:
    return engine.execution_options(stream_results=True, yield_per=FETCHED_ROWS)


def _answer(
    connection: sqlalchemy.Connection, query: str, bound: Mapping[str, Any] | None
) -> sqlalchemy.CursorResult[Any]:
    if bound:
        return connection.execute(sqlalchemy.text(query), dict(bound))
    # So that neither ":name" nor "%" in the query means anything to anyone but the database.
    return connection.exec_driver_sql(query, execution_options={"no_parameters": True})


def _filled_in(database: str, source: str) -> str:
    missing = sorted({name for name in _VARIABLE.findall(database) if name not in os.environ})
    if missing:
        raise BatchError(
            f"The database of source {source!r} needs {len(missing)} environment variables that "
            f"are not set: {', '.join(missing)}. Set them and run again."
        )
    return _VARIABLE.sub(lambda found: os.environ[found[1]], database)


def _refuse_repeated_names(names: list[str], source: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BatchError(
            f"The query of source {source!r} has {len(repeated)} column names more than once: "
            f"{', '.join(repeated[:5])}. Name each with AS."
        )


def _refuse_to_create(file: str | None, source: str) -> None:
    """SQLite would make an empty database of a misspelled path."""
    if file and file != ":memory:" and not file.startswith("file:") and not Path(file).is_file():
        raise BatchError(
            f"The SQLite file of source {source!r} does not exist. Check `database`: a relative "
            f"path starts at the working directory, {Path.cwd()}."
        )


def _read_texts_as_bytes(connection: Any, _record: object) -> None:
    # SQLite stores any bytes as text, and its driver gives up on the whole result at the first
    # that is no UTF-8. As bytes, that row is rejected and the others are read.
    connection.text_factory = bytes


@contextmanager
def _explaining(database: str, url: str, source: str) -> Generator[None]:
    try:
        yield
    except BatchError:
        raise
    except ImportError as error:
        raise BatchError(
            f"The database of source {source!r} needs a driver that is not installed: {error.name}."
            " Install it with pip and run again."
        ) from None
    except Exception as error:  # each driver has errors of its own
        # Not chained: the text of the original error may hold the password.
        raise BatchError(
            f"The query of source {source!r} failed: {_without_secrets(error, database, url)}. "
            "Check `database` and `query` in the recipe, and that the database can be reached."
        ) from None


def _without_secrets(error: Exception, database: str, url: str) -> str:
    cause = getattr(error, "orig", None) or error
    text = f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0]}"
    for secret in sorted(_secrets(database, url), key=len, reverse=True):
        text = text.replace(secret, "***")
    return _LOGIN.sub("***@", text)[:300]


def _secrets(database: str, url: str) -> set[str]:
    secrets = {url, *(os.environ[name] for name in _VARIABLE.findall(database))}
    try:
        parsed = sqlalchemy.make_url(url)
    except Exception:  # not a URL: then it is in no part of a message but as a whole
        return secrets - {""}
    secrets |= {parsed.password or "", parsed.render_as_string(hide_password=False)}
    for key, value in parsed.query.items():
        if "pass" in key.lower() or "token" in key.lower() or "secret" in key.lower():
            secrets |= {value} if isinstance(value, str) else set(value)
    return secrets - {""}
