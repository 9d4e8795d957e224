"""What is remembered of files: until they change, in the user's cache folder, and never needed."""

import os
from pathlib import Path

import pytest

from robust_tickets.foundation import digests
from robust_tickets.foundation.digests import contents_digest
from robust_tickets.foundation.file_memory import FileMemory, stamp
from robust_tickets.foundation.user_cache import ENVIRONMENT, user_cache
from robust_tickets.runtime.machine import object_cache

OLD = 1_600_000_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that were read for their digest."""
    read: list[str] = []

    def counted(path: Path | str, real: object = digests.file_digest) -> str:
        read.append(Path(path).name)
        return real(path)  # pyright: ignore[reportCallIssue]

    monkeypatch.setattr(digests, "file_digest", counted)
    return read


def put(path: Path, content: bytes, time: int = OLD) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time, time))


def test_files_are_read_again_only_when_they_change(tmp_path: Path, reads: list[str]) -> None:
    root = tmp_path / "data"
    for name in ("a", "b", "deep/c"):
        put(root / name, name.encode())
    first = contents_digest(root)
    assert sorted(reads) == ["a", "b", "c"]
    reads.clear()
    assert contents_digest(root) == first
    assert not reads
    put(root / "b", b"B", OLD + 60)  # as long as before
    assert contents_digest(root) != first
    assert reads == ["b"]
    reads.clear()
    (root / "new").write_bytes(b"b")
    os.utime(root / "new", (OLD + 60, OLD + 60))
    (root / "new").replace(root / "b")  # as old as before, but another inode
    assert contents_digest(root) == first
    assert reads == ["b"]


def test_the_digest_moves_with_the_folder_and_follows_links(tmp_path: Path) -> None:
    put(tmp_path / "data" / "a", b"a")
    first = contents_digest(tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "moved")
    assert contents_digest(tmp_path / "moved") == first
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "folder").symlink_to(tmp_path / "moved", target_is_directory=True)
    (tmp_path / "links" / "circle").symlink_to(tmp_path / "links", target_is_directory=True)
    before = contents_digest(tmp_path / "links")
    put(tmp_path / "moved" / "a", b"b", OLD + 60)
    assert contents_digest(tmp_path / "links") != before


def test_a_file_that_changed_just_now_is_not_remembered(tmp_path: Path, cache: Path, reads: list[str]) -> None:
    (tmp_path / "data").write_bytes(b"x")
    assert contents_digest(tmp_path / "data") == contents_digest(tmp_path / "data")
    assert reads == ["data", "data"]
    assert not cache.exists()


@pytest.mark.parametrize("damage", [b"", b"no digest", b"\xff\x00\n{}", None])
def test_a_damaged_cache_is_no_cache(tmp_path: Path, cache: Path, reads: list[str], damage: bytes | None) -> None:
    put(tmp_path / "data", b"x")
    first = contents_digest(tmp_path / "data")
    (kept,) = (cache / "files").iterdir()
    content = kept.read_bytes()
    kept.write_bytes(content.replace(b"sha256:", b"sha256;") if damage is None else damage)
    assert contents_digest(tmp_path / "data") == first
    assert reads == ["data", "data"]
    assert kept.read_bytes() == content


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null", ""])
def test_a_cache_that_cannot_be_written_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str], place: str
) -> None:
    monkeypatch.setenv(ENVIRONMENT, place)
    put(tmp_path / "data", b"x")
    assert contents_digest(tmp_path / "data") == contents_digest(tmp_path / "data")
    assert len(reads) == 2


def test_facts_of_one_kind_are_not_taken_for_another(tmp_path: Path) -> None:
    put(tmp_path / "data" / "a", b"a")
    memory = FileMemory(tmp_path / "data", "images")
    memory.remember("a", stamp(tmp_path / "data" / "a"), [1, "two"])
    memory.save()
    assert FileMemory(tmp_path / "data", "images").known("a", stamp(tmp_path / "data" / "a")) == [1, "two"]
    assert FileMemory(tmp_path / "data", "labels").known("a", stamp(tmp_path / "data" / "a")) is None


@pytest.mark.parametrize("values", [{}, {ENVIRONMENT: ""}, {"XDG_CACHE_HOME": "/x"}, {ENVIRONMENT: "~/y"}])
def test_the_runtime_keeps_its_kernels_by_the_same_rule(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str]
) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert user_cache("kernels") == object_cache.folder()
