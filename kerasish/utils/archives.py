"""Unpacks tar and zip archives without letting a member out of the folder it belongs into."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from ..engine.errors import invalid

FORMATS = ("tar", "zip")


def extract_archive(path: str | os.PathLike, folder: str | os.PathLike, archive_format: str | list | None) -> bool:
    """Unpacks an archive into a folder, all of it or nothing.

    Args:
        path: the archive.
        folder: where its members go; what was there under their names is replaced.
        archive_format: `"tar"` (also compressed), `"zip"`, a list of these, `"auto"` for both, or None for none.

    Returns:
        Whether the file is an archive of a format that was asked for.

    Raises:
        ValueError: an unknown format, or a member that would land (or a link that points) outside the folder.
    """
    formats = FORMATS if archive_format == "auto" else archive_format or ()
    for name in [formats] if isinstance(formats, str) else formats:
        if name not in FORMATS:
            raise invalid("extract_archive", f'archive_format must be "auto", {", ".join(FORMATS)}', format=name)
        if name == "tar" and tarfile.is_tarfile(path):
            _unpack_beside(Path(folder), lambda target: _untar(path, target))
            return True
        if name == "zip" and zipfile.is_zipfile(path):
            _unpack_beside(Path(folder), lambda target: _unzip(path, target))
            return True
    return False


def _unpack_beside(folder: Path, unpack) -> None:
    """Unpacks into a temporary neighbour first, so that a broken archive leaves nothing half done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        unpack(temporary)
        if folder.exists():
            shutil.copytree(temporary, folder, symlinks=True, dirs_exist_ok=True)
        else:
            temporary.chmod(0o755)
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _inside(folder: Path, *parts: str) -> bool:
    root = os.path.realpath(folder)
    return os.path.commonpath([root, os.path.realpath(os.path.join(root, *parts))]) == root


def _refuse(path: str | os.PathLike, member: str) -> ValueError:
    return invalid("extract_archive", "a member must stay inside the folder", archive=os.fspath(path), member=member)


def _untar(path: str | os.PathLike, folder: Path) -> None:
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        for member in members:
            if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                raise invalid("extract_archive", "a member must be a file, folder or link", member=member.name)
            # a symbolic link counts from its own folder, a hard link from the root of the archive
            target = [os.path.dirname(member.name), member.linkname] if member.issym() else [member.linkname]
            if not _inside(folder, member.name) or not _inside(folder, *target):
                raise _refuse(path, member.name)
        # the filter looks at each member again when those before it are in place (a link may lead out by two steps)
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, members, filter="data")
        elif any(member.issym() or member.islnk() for member in members):
            rule = "this Python is too old to unpack links safely"
            raise invalid("extract_archive", rule, archive=os.fspath(path))
        else:
            archive.extractall(folder, members)


def _unzip(path: str | os.PathLike, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not _inside(folder, name):
                raise _refuse(path, name)
        archive.extractall(folder)
