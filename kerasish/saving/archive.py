"""The zip archive of a `.keras` file: written plainly, and read only where every member is what it should be."""

from __future__ import annotations

import os
import stat
from typing import Any

from .errors import bad_file, reading
from .limits import Limits, MiB

CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets"
_HEADER = 30  # bytes of a local file header before name and data


class Archive:
    """A `.keras` file opened for reading; all members are checked before any is read.

    Args:
        source: path or binary file object.
        file: its name, for errors.
        limits: caps.

    Raises:
        BadFileError: not a zip archive, or a member that is not expected, not a regular file, encrypted, there twice,
            overlapping another, too large or too strongly compressed.
    """

    def __init__(self, source: Any, file: str, limits: Limits):
        import zipfile  # here, because it takes long to import and not every program has files

        self.file, self.limits, self._methods = file, limits, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        with reading(file, None, "the file is a zip archive"):
            self._zip = zipfile.ZipFile(source)
        try:
            self.members = self._check()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exc: Any) -> None:
        self._zip.close()

    def _check(self) -> dict[str, Any]:
        infos = self._zip.infolist()
        if len(infos) > self.limits.members:
            raise bad_file(self.file, None, f"an archive has at most {self.limits.members} members", members=len(infos))
        members: dict[str, Any] = {}
        for info in infos:
            name = info.orig_filename
            self._check_name(name)
            if name in members:
                raise bad_file(
                    self.file, name, "a member is there once", times=[i.orig_filename for i in infos].count(name)
                )
            members[name] = info
            kind, is_folder = stat.S_IFMT(info.external_attr >> 16), name.endswith("/")
            if kind not in (0, stat.S_IFDIR if is_folder else stat.S_IFREG) or (is_folder and info.file_size):
                raise bad_file(self.file, name, "a member is a regular file", mode=oct(info.external_attr >> 16))
            if info.flag_bits & 0x1:
                raise bad_file(self.file, name, "a member is not encrypted", flags=hex(info.flag_bits))
            if info.compress_type not in self._methods:
                raise bad_file(self.file, name, "a member is stored or deflated", method=info.compress_type)
            self._check_size(name, info)
        end = 0
        for info in sorted(infos, key=lambda i: i.header_offset):
            # Also refuses what stands before the archive, and entries that share their data.
            if info.header_offset < end or (end == 0 and info.header_offset != 0):
                raise bad_file(
                    self.file, info.orig_filename, "members follow one another", offset=info.header_offset, end=end
                )
            end = info.header_offset + _HEADER + info.compress_size
        for name in (CONFIG, METADATA):
            if name not in members:
                raise bad_file(self.file, name, "the archive has this member", members=sorted(members)[:10])
        return members

    def _check_name(self, name: str) -> None:
        parts = name.rstrip("/").split("/")
        good = name in (CONFIG, METADATA, WEIGHTS) or (
            parts[0] == ASSETS and all(p not in ("", ".", "..") for p in parts) and not any(c in name for c in "\\\0:")
        )
        if not good:
            raise bad_file(
                self.file, name, f"a member is {CONFIG}, {METADATA}, {WEIGHTS} or lies in {ASSETS}/", member_name=name
            )

    def _check_size(self, name: str, info: Any) -> None:
        if name in (CONFIG, METADATA):
            cap = self.limits.config_bytes
        else:
            cap = self.limits.weights_bytes if name == WEIGHTS else self.limits.asset_bytes
        if info.file_size > cap:
            raise bad_file(self.file, name, f"the member has at most {cap} bytes", bytes=info.file_size)
        if info.file_size > MiB and info.file_size > self.limits.expansion * info.compress_size:
            raise bad_file(
                self.file, name, f"a member expands at most {self.limits.expansion} times",
                bytes=info.file_size, compressed=info.compress_size,
            )  # fmt: skip

    def read(self, name: str) -> bytes:
        """A member's content; its checksum has been compared."""
        if name not in self.members:
            raise bad_file(self.file, name, "the archive has this member", members=sorted(self.members)[:10])
        with reading(self.file, name, "the member can be read and its checksum fits"):
            return self._zip.read(self.members[name])

    def extract_assets(self, folder: str) -> None:
        """Writes all assets into a folder.

        Raises:
            BadFileError: they are larger together than the cap.
        """
        names = [n for n in self.members if n.split("/")[0] == ASSETS and not n.endswith("/")]
        total = sum(self.members[n].file_size for n in names)
        if total > self.limits.asset_bytes:
            raise bad_file(self.file, ASSETS, f"assets have at most {self.limits.asset_bytes} bytes", bytes=total)
        for name in names:
            path = os.path.join(folder, *name.split("/")[1:])
            with reading(self.file, name, "assets are files in folders"):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "xb") as f:
                    f.write(self.read(name))


def check_assets(folder: str, file: str, limits: Limits) -> None:
    """Looks through the assets of a model that is a folder, which may be missing: files in folders and no links.

    Raises:
        BadFileError: a link or something else that is no file, too many files, or too large ones together.
    """
    if not os.path.lexists(folder):
        return
    todo, members, total = [(folder, ASSETS)], 0, 0
    while todo:
        path, name = todo.pop()
        status = os.lstat(path)
        members += 1
        if members > limits.members:
            raise bad_file(file, ASSETS, f"assets have at most {limits.members} files", files=members)
        if stat.S_ISDIR(status.st_mode):
            todo += [(e.path, f"{name}/{e.name}") for e in os.scandir(path)]
            continue
        if not stat.S_ISREG(status.st_mode) or path == folder:
            raise bad_file(file, name, "assets are files in folders", mode=oct(status.st_mode))
        total += status.st_size
        if total > limits.asset_bytes:
            raise bad_file(file, ASSETS, f"assets have at most {limits.asset_bytes} bytes", bytes=total)


def add_folder(archive: Any, folder: str, name: str) -> None:
    """Puts the files of a folder into an archive, below a name."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(root, file)
            inside = os.path.relpath(path, folder).replace(os.sep, "/")
            archive.write(path, f"{name}/{inside}")
