"""Files, folders, globs and URLs; packed or not; here, in memory, and on a real S3 server."""

from __future__ import annotations

import gzip
import pickle
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

import sluice.data.reading.sharding as sharding
from sluice.data.reading import Place, find_places, shards
from sluice.errors import BatchError
from tests.unit.data.reading_files import LIMITS, alpaca, limits, read, read_uri

LINES = "\n".join(alpaca(f"{i} 有帐篷吗？", "有。") for i in range(300)).encode()
PACKS: list[tuple[str, Callable[[bytes], bytes]]] = [
    (".gz", gzip.compress),
    (".zst", zstandard.compress),
]


def lay_out(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LINES)


# ---- which files


def test_a_file_is_one_place_whose_rows_carry_its_name(tmp_path: Path) -> None:
    lay_out(tmp_path, "jan.jsonl.gz")
    assert find_places("jan.jsonl.gz", None, tmp_path) == [
        Place(str(tmp_path / "jan.jsonl.gz"), "jan.jsonl.gz", "jsonl")
    ]
    assert find_places("jan.jsonl.gz", "faq", tmp_path)[0].name == "faq"


def test_a_folder_gives_its_finished_files_of_known_formats_by_name(tmp_path: Path) -> None:
    kept = ["a.csv", "b.JSONL", "c.json.zst", "d/e.parquet", "d/f.arrow", "g.tsv.gz"]
    left = [".h.jsonl", "i.jsonl.part", "j.tmp", "k.md", ".git/l.json", "_delta_log/m.json", "n"]
    lay_out(tmp_path, *kept, *left)
    assert [place.name for place in find_places(str(tmp_path), None, Path())] == kept
    assert [p.name for p in find_places(str(tmp_path), "faq", Path())] == [f"faq/{n}" for n in kept]
    assert [p.kind for p in find_places(str(tmp_path), None, Path())] == [
        *("csv", "jsonl", "json", "parquet", "arrow", "tsv")
    ]


def test_a_glob_gives_what_matches_named_below_its_fixed_part(tmp_path: Path) -> None:
    lay_out(tmp_path, "2026/01/a.jsonl", "2026/02/b.jsonl", "2026/02/c.csv", "2025/d.jsonl")
    found = find_places("2026/**/*.jsonl", None, tmp_path)
    assert [place.name for place in found] == ["01/a.jsonl", "02/b.jsonl"]
    assert find_places("2026/*.xyz", None, tmp_path) == []


def test_a_name_with_brackets_is_a_file_where_there_is_one(tmp_path: Path) -> None:
    lay_out(tmp_path, "jan[1].jsonl")
    assert len(find_places("jan[1].jsonl", None, tmp_path)) == 1


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("gone.jsonl", "does not exist"),
        ("gone/*.jsonl", "matches nothing"),
        ("notes.md", r"Known are .*\.parquet"),
        ("memory://gone/a.jsonl", "does not exist"),
        ("memory://gone/*.jsonl", "matches nothing"),
        ("nosuch://a.jsonl", "nosuch"),
    ],
)
def test_a_place_that_is_not_there_is_an_error(tmp_path: Path, uri: str, told: str) -> None:
    lay_out(tmp_path, "notes.md")
    with pytest.raises(BatchError, match=told):
        find_places(uri, None, tmp_path)


def test_messages_show_no_login_and_no_signature() -> None:
    place = Place("https://ann:secret-4711@host/a.jsonl?sig=secret-4711", "a", "jsonl")
    assert place.shown == "https://host/a.jsonl"
    assert place.compression is None


# ---- packed


@pytest.mark.parametrize(("suffix", "pack"), PACKS)
def test_a_packed_file_has_the_rows_and_offsets_of_what_it_holds(
    suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    assert read(pack(LINES), f"jan.jsonl{suffix}").rows == read(LINES, "jan.jsonl").rows
    two = pack(LINES + b"\n") + pack(LINES)
    assert len(read(two, f"jan.jsonl{suffix}").rows) == 600


@pytest.mark.parametrize(("suffix", "pack"), PACKS)
def test_a_cut_off_archive_is_refused_wherever_it_was_cut(
    suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(LINES)
    for length in (0, 1, 5, len(packed) // 2, len(packed) - 1):
        with pytest.raises(BatchError, match="is cut off"):
            read(packed[:length], f"jan.jsonl{suffix}")


@pytest.mark.parametrize(("suffix", "pack"), PACKS)
@pytest.mark.parametrize("name", ["jan.jsonl", "jan.csv", "jan.json", "jan.parquet"])
def test_an_archive_that_unpacks_to_too_much_is_refused(
    name: str, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(BatchError, match="unpacks to more than 1000000 bytes"):
        read(pack(b"\n" * 3_000_000), name + suffix, limits(max_decompressed_bytes=1_000_000))


@pytest.mark.parametrize(("suffix", "pack"), PACKS)
def test_garbage_is_no_archive(suffix: str, pack: Callable[[bytes], bytes]) -> None:
    for content in (LINES, pack(LINES) + LINES):
        with pytest.raises(BatchError, match="is damaged or no"):
            read(content, f"jan.jsonl{suffix}")


# ---- elsewhere


def test_a_file_in_memory_is_divided_like_a_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "SHARD_BYTES", 1000)
    with fsspec.open("memory://box/jan.jsonl", "wb") as file:
        file.write(LINES)
    place = find_places("memory://box", None, Path())[0]
    assert (place.uri, place.name) == ("memory:///box/jan.jsonl", "jan.jsonl")
    parts = shards(place, LIMITS)
    assert len(parts) > 5
    assert pickle.loads(pickle.dumps(parts)) == parts
    assert read_uri("memory://box/*.jsonl") == read(LINES, "jan.jsonl")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A plain web server, which sends whole files only."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_files_of_a_plain_web_server_are_read_from_their_start(
    web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharding, "SHARD_BYTES", 1000)
    lay_out(tmp_path, "jan.jsonl")
    (tmp_path / "jan.jsonl.zst").write_bytes(zstandard.compress(LINES))
    pq.write_table(pa.table({"x": ["y" * 100] * 5000}), tmp_path / "jan.parquet")
    assert read_uri(f"{web}/jan.jsonl") == read(LINES)
    assert read_uri(f"{web}/jan.jsonl.zst").values == read(LINES).values
    assert len(read_uri(f"{web}/jan.parquet").rows) == 5000
    with pytest.raises(BatchError, match="does not exist"):
        read_uri(f"{web}/gone.jsonl")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket on an S3 server of its own, found by `AWS_ENDPOINT_URL` as a user would set it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.mkdir("store")
        store.pipe("store/2026/jan.jsonl", LINES)
        store.pipe("store/2026/feb.jsonl.gz", gzip.compress(LINES))
        store.pipe("store/2026/.hidden.jsonl", LINES)
        store.pipe("store/cut.jsonl.zst", zstandard.compress(LINES)[:-2])
        yield "s3://store"
        fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


def test_a_bucket_is_searched_and_read_like_a_folder(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharding, "SHARD_BYTES", 5000)
    for uri in (f"{bucket}/2026", f"{bucket}/2026/*.jsonl*"):
        places = find_places(uri, None, Path())
        assert [place.name for place in places] == ["feb.jsonl.gz", "jan.jsonl"]
    assert len(shards(places[1], LIMITS)) > 1
    assert read_uri(f"{bucket}/2026/jan.jsonl") == read(LINES, "jan.jsonl")
    assert read_uri(f"{bucket}/2026/feb.jsonl.gz").values == read(LINES).values


def test_what_a_bucket_does_not_have_or_has_in_part_is_an_error(bucket: str) -> None:
    with pytest.raises(BatchError, match=r"s3://store/gone\.jsonl does not exist"):
        find_places(f"{bucket}/gone.jsonl", None, Path())
    with pytest.raises(BatchError, match="is cut off"):
        read_uri(f"{bucket}/cut.jsonl.zst")
