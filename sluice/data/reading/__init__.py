"""Read rows from files, databases and data sets: each becomes a raw row, or a reject with a reason.

Reading is strict and bounded: one rule book decides (`sluice.data.strict_json`), no file is held in
memory, and content never raises. Only a place that cannot be opened, or that is refused as a whole,
is an error.

rows          what is read, and the limits
places        which files a path, folder, glob or URL means
bytes_of      the bytes of a file here or elsewhere, unpacked and counted
lines         JSON Lines, also a part of a file
document      one JSON document, cut into its elements
delimited     CSV and TSV
columnar      Parquet and Arrow
values        cells of columns, held to the rules of a line of JSON
queries       a database
prepared      a folder or a hub id of the `datasets` library
sharding      which reader a file has, and how large files are divided
"""

from __future__ import annotations

from sluice.data.reading.places import Place, find_places
from sluice.data.reading.prepared import read_dataset
from sluice.data.reading.queries import read_query
from sluice.data.reading.rows import Limits, RawRow, describe_rejects
from sluice.data.reading.sharding import Shard, read_shard, shards

__all__ = [
    "Limits",
    "Place",
    "RawRow",
    "Shard",
    "describe_rejects",
    "find_places",
    "read_dataset",
    "read_query",
    "read_shard",
    "shards",
]
