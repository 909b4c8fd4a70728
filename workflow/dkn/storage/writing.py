"""Atomic writing: a file or folder is written beside its final path and renamed when it is complete.

So nobody reads half of it, and a machine that fails keeps either what was there or what is new. A temporary file is
locked while its process lives. What a killed process left behind is told by that and removed by the next one that
writes the same path.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dkn.errors import UserError

MARK = ".tmp-"  # in the names of temporary files, followed by digits
SECONDS = 1.0  # the time between two attempts to own a folder
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
NO_ROOM_IN_WORDS = re.compile(r"No space left on device|Disk quota exceeded|File too large|Read-only file system")


def cannot_write(path: Path, error: Exception) -> UserError:
    """Return an error of one line about a path that the file system does not take."""
    reason = getattr(error, "strerror", None) or str(error)
    found = NO_ROOM_IN_WORDS.search(str(error))
    what = found.group() if found else " ".join(reason.split())
    return UserError(f"{path}: cannot be written ({what}); free space, or mend the permissions, and run it again")


def _no_room(error: BaseException) -> bool:
    """Tell whether an error of any library says that the file system is full, over its quota or read only."""
    return getattr(error, "errno", None) in NO_ROOM or bool(NO_ROOM_IN_WORDS.search(str(error)))


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk; some file systems cannot, which is no error."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if _no_room(error) or error.errno == errno.EIO:
                raise cannot_write(path, error) from None
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _lock(path: Path) -> int | None:
    """Open and lock a temporary file or folder; return None where a living process has it, or it is gone.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except (BlockingIOError, FileNotFoundError):  # a living process has it, or it was swept away before it was locked
        pass
    except OSError:
        os.close(handle)
        raise
    os.close(handle)
    return None


@contextmanager
def owned(folder: Path, waiting: Callable[[str], None]) -> Iterator[bool]:
    """Make a folder and own it within the block; wait where a living process owns it, on whatever machine.

    The folder may be removed within the block; whoever waits for it then makes it again. On a file system without locks
    nobody waits.

    Args:
        folder: the folder, in which a file is locked.
        waiting: called once before waiting, with the process and the machine of the owner.
    Yields:
        Whether there was a wait.
    Raises:
        UserError: the folder cannot be made.
    """
    path, waited = folder / "owner", False
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        except FileNotFoundError:  # its owner removes it right now
            continue
        except OSError as error:
            raise cannot_write(folder, error) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), path.stat()):
                break
        except BlockingIOError:
            if not waited:
                waiting(os.read(handle, 200).decode(errors="replace") or "another process")
            waited = True
            time.sleep(SECONDS)
        except FileNotFoundError:
            pass
        except OSError:  # a file system without locks
            break
        os.close(handle)
    try:
        os.truncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
        yield waited
    finally:
        os.close(handle)


def sweep(path: Path) -> None:
    """Remove the temporary files and folders that killed processes left of a path."""
    pattern = re.compile(rf"\.{re.escape(path.name)}{re.escape(MARK)}[0-9a-f]+{re.escape(path.suffix)}")
    with suppress(OSError):  # a folder that cannot be listed, a file system without locks
        for other in list(path.parent.iterdir()):
            handle = _lock(other) if pattern.fullmatch(other.name) else None
            if handle is not None:
                _remove(other)
                os.close(handle)


def _begin(path: Path, *, folder: bool) -> tuple[Path, int | None]:
    """Make an empty temporary file or folder beside a path, whose mode is what the umask makes it, and lock it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        while True:
            temporary = path.parent / f".{path.name}{MARK}{secrets.token_hex(4)}{path.suffix}"
            if folder:
                temporary.mkdir()
            else:
                os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            try:
                handle = _lock(temporary)
            except OSError:  # a file system without locks, where nothing is ever swept away
                return temporary, None
            if handle is not None:
                return temporary, handle
    except OSError as error:
        raise cannot_write(path, error) from None


@contextmanager
def _temporary(path: Path, *, folder: bool) -> Iterator[Path]:
    """Give a locked temporary file or folder beside a path, which is removed at the end of the block if still there."""
    temporary, handle = _begin(path, folder=folder)
    try:
        yield temporary
    except Exception as error:
        if isinstance(error, UserError) or not _no_room(error):
            raise
        raise cannot_write(path, error) from None
    finally:
        _remove(temporary)
        if handle is not None:
            os.close(handle)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, which replaces ``path`` at the end of the block.

    Where the block raises, the temporary file is deleted and ``path`` stays as it was. The file's mode is what the
    umask makes it.

    Raises:
        UserError: the file system is full, over its quota or read only, or the folder takes no file.
    """
    with _temporary(path, folder=False) as temporary:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``, which replaces ``path`` and all that is in it at the end of the block.

    Where the block raises, the temporary folder is deleted and ``path`` stays as it was. The folder's mode is what the
    umask makes it.

    Raises:
        UserError: the file system is full, over its quota or read only, or the folder above takes none.
    """
    with _temporary(path, folder=True) as temporary:
        yield temporary
        for place, _, names in os.walk(temporary):
            for name in names:
                if not Path(place, name).is_symlink():
                    _flush(Path(place, name))
            _flush(Path(place))
        older = path.parent / f".{path.name}{MARK}{secrets.token_hex(4)}{path.suffix}"
        if path.exists() or path.is_symlink():
            path.rename(older)
        temporary.replace(path)
        _flush(path.parent)
        _remove(older)
