"""get_file: cache, hashes, archives, and what goes wrong; without a network."""

import hashlib
import http.server
import io
import os
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from kerasish.utils import get_file
from kerasish.utils.archives import extract_archive


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source" / "data.txt"
    path.parent.mkdir()
    path.write_bytes(b"hello")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASISH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "datasets"


SHA256 = hashlib.sha256(b"hello").hexdigest()
MD5 = hashlib.md5(b"hello").hexdigest()


def test_download_into_the_cache(source, cache, capsys):
    path = get_file(origin=source.as_uri())
    assert path == str(cache / "data.txt")
    assert (cache / "data.txt").read_bytes() == b"hello"
    assert "Downloading data from file:" in capsys.readouterr().out
    source.unlink()
    assert get_file(origin=source.as_uri()) == path
    assert capsys.readouterr().out == ""


def test_names_and_folders(source, tmp_path):
    assert get_file("b.txt", source.as_uri(), cache_subdir="x") == str(tmp_path / "home/x/b.txt")
    assert get_file("b.txt", source.as_uri(), cache_dir=tmp_path / "c") == str(tmp_path / "c/datasets/b.txt")


@pytest.mark.parametrize(
    "options",
    [
        {"file_hash": SHA256},
        {"file_hash": SHA256.upper()},
        {"file_hash": MD5},
        {"md5_hash": MD5},
        {"file_hash": SHA256, "hash_algorithm": "sha256"},
    ],
)
def test_hashes(source, options):
    assert Path(get_file(origin=source.as_uri(), **options)).read_bytes() == b"hello"


def test_a_wrong_hash_leaves_nothing_behind(source, cache):
    with pytest.raises(
        ValueError, match=f"get_file: the file that was downloaded is incomplete or not .*hash='{SHA256}"
    ):
        get_file(origin=source.as_uri(), file_hash="0" * 64)
    assert os.listdir(cache) == []


def test_an_outdated_file_is_downloaded_again(source, cache, capsys):
    cache.mkdir(parents=True)
    (cache / "data.txt").write_text("old")
    get_file(origin=source.as_uri())
    assert (cache / "data.txt").read_text() == "old"
    get_file(origin=source.as_uri(), file_hash=SHA256)
    assert (cache / "data.txt").read_text() == "hello"
    assert "is incomplete or outdated" in capsys.readouterr().out


def test_a_failed_download_keeps_the_old_file(source, cache):
    get_file(origin=source.as_uri())
    with pytest.raises(OSError, match=r"get_file: the address cannot be reached"):
        get_file(origin=source.as_uri() + ".missing", fname="data.txt", force_download=True)
    assert (cache / "data.txt").read_text() == "hello"
    assert os.listdir(cache) == ["data.txt"]


def test_force_download(source, cache):
    get_file(origin=source.as_uri())
    source.write_bytes(b"new")
    get_file(origin=source.as_uri(), force_download=True)
    assert (cache / "data.txt").read_text() == "new"


# -- over http -----------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404 if "missing" in self.path else 200)
            if "length" in self.path:
                self.send_header("Content-Length", "100" if "short" in self.path else "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *args):
            pass

    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_http(server, cache):
    for name in ("length", "unknown"):
        assert Path(get_file(origin=f"{server}/{name}?a=1")).read_bytes() == b"hello"
    assert sorted(os.listdir(cache)) == ["length", "unknown"]


def test_http_errors(server, cache):
    with pytest.raises(OSError, match=r"get_file: the server answered 404 Not Found. Received: origin="):
        get_file(origin=f"{server}/missing")
    with pytest.raises(OSError, match="connection broke off"):
        get_file(origin=f"{server}/short-length")
    with pytest.raises(OSError, match=r"get_file: the address cannot be reached \(.*refused"):
        get_file(origin="http://127.0.0.1:1/x")
    assert os.listdir(cache) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "get_file: origin, the address of the file, must be given"),
        ({"origin": "http://example.org/"}, "get_file: the address ends in no file name, so fname must be given"),
        ({"origin": "x", "fname": "a/b"}, "get_file: fname must be a name without folders"),
        ({"origin": "x", "fname": ".."}, "get_file: fname must be a name without folders"),
        ({"origin": "no-address", "fname": "a"}, "get_file: origin must be an address. Received: origin='no-address'"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        get_file(**options)


def test_unknown_algorithm(source):
    with pytest.raises(ValueError, match='get_file: hash_algorithm must be "auto", "sha256" or "md5"'):
        get_file(origin=source.as_uri(), file_hash="x", hash_algorithm="crc")


# -- archives ------------------------------------------------------------------------------------------------------


def make_tar(path, members, mode="w:gz"):
    """An archive of `(name, content)`, or `(name, (type, link target))`."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                archive.addfile(info)
    return path


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


MEMBERS = [("a.txt", b"A"), ("sub/b.txt", b"B")]


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_extract(make, tmp_path, cache):
    archive = make(tmp_path / "data.bin", MEMBERS)
    folder = get_file(origin=archive.as_uri(), extract=True)
    assert folder == str(cache / "data.bin")
    assert (cache / "data.bin/sub/b.txt").read_text() == "B"
    assert (cache / "data.bin_archive").exists()
    assert get_file("x.tar.gz", archive.as_uri(), extract=True) == str(cache / "x_extracted")
    assert get_file("plain", archive.as_uri(), extract=True) == str(cache / "plain")
    archive.unlink()
    assert get_file("plain", archive.as_uri(), extract=True) == str(cache / "plain")


def test_untar(tmp_path, cache):
    archive = make_tar(tmp_path / "data.tar", MEMBERS, "w")
    get_file("d", archive.as_uri(), untar=True)
    assert (cache / "d/a.txt").read_text() == "A"


def test_no_archive(source):
    with pytest.warns(UserWarning, match="could not be unpacked: no archive of the format wanted"):
        get_file(origin=source.as_uri(), extract=True)


def test_links_that_stay_inside(tmp_path):
    members = [
        *MEMBERS,
        ("sub/up.txt", (tarfile.SYMTYPE, "../a.txt")),
        ("hard.txt", (tarfile.LNKTYPE, "sub/b.txt")),
    ]
    archive = make_tar(tmp_path / "t.tgz", members)
    if not hasattr(tarfile, "data_filter"):  # before 3.11.4 and 3.10.12
        with pytest.raises(ValueError, match="this Python is too old to unpack links safely"):
            extract_archive(archive, tmp_path / "out", "auto")
        return
    assert extract_archive(archive, tmp_path / "out", "auto")
    assert (tmp_path / "out/sub/up.txt").read_text() == "A"
    assert (tmp_path / "out/hard.txt").read_text() == "B"


EVIL = [
    [("../evil.txt", b"x")],
    [("/tmp/kerasish-evil.txt", b"x")],
    [("sub/../../evil.txt", b"x")],
    [("link", (tarfile.SYMTYPE, "..")), ("link/evil.txt", b"x")],
    [("link", (tarfile.SYMTYPE, "/etc/passwd"))],
    [("hard", (tarfile.LNKTYPE, "../secret"))],
    [("pipe", (tarfile.FIFOTYPE, ""))],
]


@pytest.mark.parametrize("members", EVIL, ids=[str(m[-1][0]) + str(i) for i, m in enumerate(EVIL)])
def test_tar_members_that_would_leave(members, tmp_path):
    (tmp_path / "secret").write_text("s")
    archive = make_tar(tmp_path / "t.tgz", [("good.txt", b"g"), *members])
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(ValueError, match="extract_archive: a member must"):
        extract_archive(archive, tmp_path / "out", "auto")
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/kerasish-evil.txt", "a/../../evil.txt"])
def test_zip_members_that_would_leave(name, tmp_path):
    archive = make_zip(tmp_path / "t.zip", [("good.txt", b"g"), (name, b"x")])
    with pytest.raises(ValueError, match=r"extract_archive: a member must stay inside the folder. .*member="):
        extract_archive(archive, tmp_path / "out", "auto")
    assert os.listdir(tmp_path) == ["t.zip"]


def test_archive_formats(tmp_path):
    archive = make_tar(tmp_path / "t.tgz", MEMBERS)
    assert not extract_archive(archive, tmp_path / "out", "zip")
    assert not extract_archive(archive, tmp_path / "out", None)
    assert extract_archive(archive, tmp_path / "out", ["zip", "tar"])
    (tmp_path / "out/a.txt").write_text("changed")
    assert extract_archive(archive, tmp_path / "out", "tar")
    assert (tmp_path / "out/a.txt").read_text() == "A"
    with pytest.raises(ValueError, match=r'extract_archive: archive_format must be "auto", tar, zip. .*format=.rar'):
        extract_archive(archive, tmp_path / "out", "rar")
