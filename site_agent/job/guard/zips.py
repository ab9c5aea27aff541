"""Zip archives of which every byte is accounted for: nothing before, between or after the members.

Layout: APPNOTE.TXT of PKWARE, 4.3. Python's ``zipfile`` and numpy's ``savez`` write archives that pass.
"""

import re
import struct
from dataclasses import dataclass
from typing import Final

from site_agent.job.guard.spans import HeldBackError, Span, inflated, spooled

_END: Final = struct.Struct("<4s4H2IH")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_STORED, _DEFLATED = 0, 8
_MOST_MEMBERS: Final = 100_000
_NAME: Final = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_ZIP64: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. ``data``: as it is stored; ``size``: bytes when it is unpacked."""

    name: str
    data: Span
    size: int
    deflated: bool

    def unpacked(self) -> Span:
        """Its bytes; raises :class:`HeldBackError` when they are not what the archive says."""
        if not self.deflated:
            return self.data
        found = spooled(inflated(self.data, self.size, window_bits=-15), self.size)
        if found.length != self.size:
            raise HeldBackError("a member of the archive is shorter than it says")
        return found


def members(archive: Span, *, most: int) -> list[Member]:
    """The members in order; raises :class:`HeldBackError` for anything that a plain archive does not have.

    ``most``: bytes that all members may have together when they are unpacked.
    """
    count, start, length = _end_of(archive)
    directory = archive.part(start, length).read()
    found: list[Member] = []
    at = expected = 0
    for _ in range(count):
        entry, at = _central_entry(directory, at)
        if entry.offset != expected:
            raise HeldBackError("the archive has bytes that belong to no member")
        member, expected = _member(archive, entry, start)
        found.append(member)
    if at != len(directory) or expected != start:
        raise HeldBackError("the archive has bytes that belong to no member")
    if len({member.name for member in found}) != len(found):
        raise HeldBackError("two members of the archive have one name")
    if sum(member.size for member in found) > most:
        raise HeldBackError(f"it unpacks to more than {most} bytes")
    return found


def _end_of(archive: Span) -> tuple[int, int, int]:
    if archive.length < _END.size:
        raise HeldBackError("the archive is cut")
    end = _END.unpack(archive.read(archive.length - _END.size))
    signature, disk, central_disk, here, count, length, start, comment = end
    if signature != b"PK\x05\x06" or comment:
        raise HeldBackError("bytes follow the end of the archive, or it is cut")
    if disk or central_disk or here != count or count > _MOST_MEMBERS or _ZIP64 in (length, start):
        raise HeldBackError("the archive has several parts, or too many members")
    if start + length != archive.length - _END.size:
        raise HeldBackError("the archive has bytes that belong to no member")
    return count, start, length


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    method: int
    flags: int
    crc: int
    stored: int
    size: int
    offset: int


def _central_entry(directory: bytes, at: int) -> tuple[_Entry, int]:
    if at + _CENTRAL.size > len(directory):
        raise HeldBackError("the list of the archive's members is cut")
    fields = _CENTRAL.unpack_from(directory, at)
    signature, flags, method, crc, stored, size = fields[0], *fields[3:5], *fields[7:10]
    name_length, extra, comment, disk, offset = *fields[10:14], fields[16]
    at += _CENTRAL.size
    name = directory[at : at + name_length]
    if signature != b"PK\x01\x02" or extra or comment or disk:
        raise HeldBackError("a member of the archive has a comment or other additions")
    return _Entry(name, method, flags, crc, stored, size, offset), at + name_length


def _member(archive: Span, entry: _Entry, directory_start: int) -> tuple[Member, int]:
    header = archive.part(entry.offset, _LOCAL.size).read()
    signature, _, flags, method, _, _, crc, stored, size, name_length, extra_length = _LOCAL.unpack(header)
    named = entry.offset + _LOCAL.size
    rest = archive.part(named, name_length + extra_length).read()
    name, extra = rest[:name_length], rest[name_length:]
    stored, size = _sizes(stored, size, extra)
    if (signature, flags, method, name, crc) != (b"PK\x03\x04", entry.flags, entry.method, entry.name, entry.crc):
        raise HeldBackError("the archive says two things about one member")
    if (stored, size) != (entry.stored, entry.size) or flags & ~0x800 or method not in (_STORED, _DEFLATED):
        raise HeldBackError("a member of the archive is packed in a way that is not read here")
    if not _NAME.fullmatch(name):
        raise HeldBackError("a member of the archive has a name that is not plain")
    if method == _STORED and stored != size:
        raise HeldBackError("the archive says two things about one member")
    start = named + name_length + extra_length
    if start + stored > directory_start:
        raise HeldBackError("two parts of the archive overlap")
    data = archive.part(start, stored)
    return Member(name.decode("ascii"), data, size, method == _DEFLATED), start + stored


def _sizes(stored: int, size: int, extra: bytes) -> tuple[int, int]:
    """The sizes of a local header; numpy always writes them in the form for large files (4.5.3).

    Python before 3.11.4 writes them in both forms then.
    """
    if not extra:
        return stored, size
    if len(extra) != 20 or extra[:4] != b"\x01\x00\x10\x00":
        raise HeldBackError("a member of the archive has additions")
    large_size, large_stored = struct.unpack("<2Q", extra[4:])
    if (stored, size) not in ((_ZIP64, _ZIP64), (large_stored, large_size)):
        raise HeldBackError("the archive says two things about one member")
    return large_stored, large_size
