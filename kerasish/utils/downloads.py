"""Downloads files into a cache folder and checks their hashes."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import warnings
from pathlib import Path

from ..engine import config
from ..engine.errors import invalid
from .archives import extract_archive
from .messages import print_msg
from .progbar import Progbar

_CHUNK = 1 << 18
_TIMEOUT = 30  # seconds without any data


def get_file(
    fname: str | os.PathLike | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | list | None = "auto",
    cache_dir: str | os.PathLike | None = None,
    force_download: bool = False,
) -> str:
    """Downloads a file unless the cache folder has it already.

    A file appears in the cache folder only when it is complete and its hash is right. An archive is unpacked whole or
    not at all, and never outside its folder.

    Args:
        fname: name in the cache folder; by default that of the origin.
        origin: address (http, https, ftp or file).
        untar: older form of `extract`, for tar archives.
        md5_hash: older form of `file_hash`, for MD5.
        file_hash: expected SHA-256 or MD5 in hexadecimal.
        cache_subdir: folder inside the cache folder, or an absolute path.
        hash_algorithm: `"sha256"`, `"md5"` or `"auto"` to tell by the length of the hash.
        extract: whether to unpack the file, a tar or zip archive.
        archive_format: `"tar"`, `"zip"`, a list of these, `"auto"` or None.
        cache_dir: the cache folder; by default `KERASISH_HOME` or `~/.kerasish`.
        force_download: whether to download also what is there.

    Returns:
        Path of the file, or of the folder that it was unpacked into.

    Raises:
        OSError: the address cannot be reached.
        ValueError: the hash of what was downloaded is wrong, or an argument is.

    Example:

    >>> source = Path(tempfile.mkdtemp(), "a.txt")
    >>> _ = source.write_text("hello")
    >>> path = get_file(origin=source.as_uri(), cache_dir=tempfile.mkdtemp())  # doctest: +ELLIPSIS
    Downloading data from file:...
    >>> Path(path).read_text()
    'hello'
    """
    if origin is None:
        raise invalid("get_file", "origin, the address of the file, must be given", origin=origin)
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name:
        raise invalid("get_file", "the address ends in no file name, so fname must be given", origin=origin)
    if os.path.basename(name) != name or name in (os.curdir, os.pardir):
        raise invalid("get_file", "fname must be a name without folders (see cache_dir)", fname=name)
    folder = Path(cache_dir or config.home()).expanduser() / cache_subdir
    target, unpacked = folder / name, folder / name
    if extract or untar:
        if fname and "." in name:
            unpacked = folder / f"{name[: name.find('.')]}_extracted"
        else:
            target = folder / f"{name}_archive"
    fresh = force_download or not _is_cached(target, file_hash, hash_algorithm)
    if fresh:
        download(origin, target, file_hash, hash_algorithm)
    if extract or untar:
        # a folder that is there is whole, so an archive is not unpacked again
        unpack = fresh or not unpacked.is_dir()
        if unpack and not extract_archive(target, unpacked, "tar" if untar else archive_format):
            warnings.warn(f"get_file: {target} could not be unpacked: no archive of the format wanted.", stacklevel=2)
        return str(unpacked)
    return str(target)


def _is_cached(path: Path, file_hash: str | None, algorithm: str) -> bool:
    if not path.exists():
        return False
    if file_hash is None or validate_file(path, file_hash, algorithm):
        return True
    print_msg(f"{path} is incomplete or outdated (its hash is not {file_hash}), downloading it again.")
    return False


def download(origin: str, target: Path, file_hash: str | None = None, algorithm: str = "auto") -> None:
    """Downloads to a temporary neighbour of `target`, checks the hash, and renames.

    Raises:
        OSError: the address cannot be reached.
        ValueError: the hash is wrong; nothing is left behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            _fetch(origin, file)
            file.flush()
            os.fsync(file.fileno())
        if file_hash is not None and not validate_file(temporary, file_hash, algorithm):
            rule = "the file that was downloaded is incomplete or not the one expected"
            received = hash_file(temporary, _algorithm(algorithm, file_hash))
            raise invalid("get_file", rule, origin=origin, expected=file_hash, hash=received)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _fetch(origin: str, file) -> None:
    print_msg(f"Downloading data from {origin}")
    try:
        with urllib.request.urlopen(origin, timeout=_TIMEOUT) as response:
            size = int(response.headers.get("Content-Length") or 0) or None
            bar, received = Progbar(size, unit_name="byte"), 0
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                received += len(chunk)
                bar.update(received, finalize=False)
            bar.target = received
            bar.update(received, finalize=True)
    except urllib.error.HTTPError as e:
        e.close()
        raise OSError(f"get_file: the server answered {e.code} {e.reason}. Received: origin={origin!r}") from None
    except OSError as e:
        reason = getattr(e, "reason", e)
        raise OSError(f"get_file: the address cannot be reached ({reason}). Received: origin={origin!r}") from e
    except ValueError as e:
        raise invalid("get_file", "origin must be an address", origin=origin) from e
    if size is not None and received < size:
        raise OSError(f"get_file: the connection broke off. Received: {received} of {size} bytes of {origin!r}")


def _algorithm(algorithm: str, file_hash: str) -> str:
    """The name of the hash function: `auto` takes SHA-256 for 64 digits, else MD5."""
    if algorithm == "auto":
        return "sha256" if len(file_hash) == 64 else "md5"
    if algorithm not in ("sha256", "md5"):
        raise invalid("get_file", 'hash_algorithm must be "auto", "sha256" or "md5"', hash_algorithm=algorithm)
    return algorithm


def hash_file(path: str | os.PathLike, algorithm: str = "sha256") -> str:
    """The SHA-256 or MD5 of a file, in hexadecimal."""
    digest = hashlib.sha256() if algorithm == "sha256" else hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def validate_file(path: str | os.PathLike, file_hash: str, algorithm: str = "auto") -> bool:
    """Whether the file has this hash."""
    return hash_file(path, _algorithm(algorithm, file_hash)) == file_hash.lower()
