"""Recognise a file of a model by its content. What is not recognised is held back."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from site_agent.job.guard.arrays import (
    NPY_MAGIC,
    looks_like_safetensors,
    recognise_npy,
    recognise_npz,
    recognise_safetensors,
)
from site_agent.job.guard.boosters import (
    LIGHTGBM_MAGIC,
    recognise_large_json,
    recognise_lightgbm,
    recognise_ubj,
)
from site_agent.job.guard.coefficients import MOST_BYTES, recognise_text
from site_agent.job.guard.onnx_files import recognise_onnx
from site_agent.job.guard.pickles import MAGICS, recognise_pickle
from site_agent.job.guard.pieces import Recognised
from site_agent.job.guard.skops_files import SCHEMA, recognise_skops
from site_agent.job.guard.spans import HeldBackError, NeededError, Span
from site_agent.job.guard.zips import members


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRules:
    """What order and policy say about formats. ``most``: bytes of a file, and of what it unpacks to."""

    most: int
    pickles: bool = False
    extra_types: Collection[str] = ()


def recognise(span: Span, rules: FormatRules) -> Recognised:
    """What a file is; raises :class:`HeldBackError` saying why it may not leave.

    Of a kind that models have it is :class:`NeededError`; notes and pictures beside a model are merely held back.
    """
    if span.length > rules.most:
        raise NeededError(f"it has more than {rules.most} bytes")
    head = span.read(0, 64)
    found = next((found for begins, found in _KINDS if begins(head, span.length)), None)
    if found is None:
        return _text(span)
    try:
        return found(span, rules)
    except HeldBackError as error:
        raise NeededError(str(error)) from None


def _archive(span: Span, rules: FormatRules) -> Recognised:
    if any(member.name == SCHEMA for member in members(span, most=rules.most)):
        return recognise_skops(span, extra_types=rules.extra_types, most=rules.most)
    return recognise_npz(span, most=rules.most)


def _pickle(span: Span, rules: FormatRules) -> Recognised:
    if not rules.pickles:
        raise HeldBackError("it is a pickle or a compressed file; pickles need both pipeline and site policy to say so")
    return recognise_pickle(span, extra_types=rules.extra_types, most=rules.most)


def _text(span: Span) -> Recognised:
    if span.length <= MOST_BYTES:
        return recognise_text(span)
    raise HeldBackError("it is of no kind that may leave")


def _begins(*magics: bytes) -> Callable[[bytes, int], bool]:
    return lambda head, _: head.startswith(magics)


_KINDS: Final[tuple[tuple[Callable[[bytes, int], bool], Callable[[Span, FormatRules], Recognised]], ...]] = (
    (_begins(b"PK\x03\x04"), _archive),
    (_begins(NPY_MAGIC), lambda span, _: recognise_npy(span)),
    (_begins(LIGHTGBM_MAGIC), lambda span, _: recognise_lightgbm(span)),
    (looks_like_safetensors, lambda span, _: recognise_safetensors(span)),
    (_begins(b"\x08"), lambda span, _: recognise_onnx(span)),  # the field ir_version, which ONNX writes first
    (_begins(*MAGICS), _pickle),
    (_begins(b"{i", b"{U", b"{I", b"{l", b"{L", b"{#"), lambda span, _: recognise_ubj(span)),
    (lambda head, size: head.startswith(b"{") and size > MOST_BYTES, lambda span, _: recognise_large_json(span)),
)
"""How a file of each kind that is no text begins, and what reads it to its end."""
