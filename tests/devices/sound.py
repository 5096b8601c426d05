"""Two sounds that can't be mistaken for each other, and telling which of them is in a recording."""

import array
import math
import operator
import pathlib
import struct

RATE = 48_000
PERIOD = 1.0
"""Seconds from sweep to sweep."""

_SWEPT = 0.9
_LOW, _HIGH = 300.0, 1_500.0
_LEVEL = 0.4
_HEADER = 44
_COARSE = 4_000
"""Rate sounds are compared at, in Hz: it holds the sweep, and pure Python gets through it."""
_PIECE = _COARSE // 4
_PIECES = 16


def sweep(rising):
    """One period at 48 kHz: a tone that rises (or falls) over two octaves, then a short rest."""
    samples = []
    for index in range(int(RATE * PERIOD)):
        at = index / RATE
        if at >= _SWEPT:
            samples.append(0.0)
            continue
        along = at if rising else _SWEPT - at
        ratio = math.log(_HIGH / _LOW)
        phase = math.tau * _LOW * _SWEPT / ratio * (math.exp(along / _SWEPT * ratio) - 1)
        edge = min(1.0, at / 0.01, (_SWEPT - at) / 0.01)
        samples.append(_LEVEL * edge * math.sin(phase))
    return samples


def write(path, samples):
    """Writes the samples as 16-bit stereo at 48 kHz."""
    data = array.array("h")
    for sample in samples:
        value = round(sample * 32_767)
        data.extend((value, value))
    with open(path, "wb") as file:
        file.write(_header(len(data) * 2) + data.tobytes())


def repeat(source, target, times):
    """Writes what `write` wrote, so many times over."""
    data = pathlib.Path(source).read_bytes()[_HEADER:]
    with open(target, "wb") as file:
        file.write(_header(len(data) * times))
        for _ in range(times):
            file.write(data)


def _header(size):
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, RATE, RATE * 4, 4, 16)
    return b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE" + form + b"data" + struct.pack("<I", size)


def read(path):
    """The samples of a WAV file at 48 kHz, mixed to one channel. What a killed recorder left open counts up to its end."""
    data = pathlib.Path(path).read_bytes()
    at, form, body = 12, None, b""
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if name == b"fmt ":
            form = struct.unpack_from("<HHIIHH", data, at + 8)
        if name == b"data":
            body = data[at + 8 : at + 8 + size] if 0 < size <= len(data) - at - 8 else data[at + 8 :]
            break
        at += 8 + size + size % 2
    if form is None:
        raise ValueError(f"{path} is no WAV file")
    _, channels, rate, _, _, bits = form
    if rate != RATE or bits not in (16, 32):
        raise ValueError(f"{path} has {bits} bits at {rate} Hz")
    body = body[: len(body) // (channels * bits // 8) * (channels * bits // 8)]
    samples = array.array("h" if bits == 16 else "f", body)
    scale = (32_768.0 if bits == 16 else 1.0) * channels
    return [sum(samples[at : at + channels]) / scale for at in range(0, len(samples), channels)]


def _coarse(samples):
    """At the rate of comparison; each sample is the mean of those it stands for."""
    step = RATE // _COARSE
    return [sum(samples[at : at + step]) / step for at in range(0, len(samples) - step + 1, step)]


def _dot(one, other):
    return sum(map(operator.mul, one, other))


def pieces(samples, loud):
    """The last pieces of a recording that are loud all through, a quarter of a second each, and the loudness of each.

    Loudness is the root mean square, of full scale.
    """
    coarse, found = _coarse(samples), []
    for end in range(len(coarse), _PIECE - 1, -_PIECE):
        piece = coarse[end - _PIECE : end]
        loudness = math.sqrt(_dot(piece, piece) / _PIECE)
        if loudness >= loud:
            found.append((loudness, piece))
    return found[:_PIECES]


def likeness(piece, period):
    """How well a piece fits into an endless repetition of `period` at its best place: 1 is the same wave, 0 has nothing in common."""
    coarse = _coarse(period)
    endless = coarse + coarse[:_PIECE]
    own = _dot(piece, piece)
    if own == 0:
        return 0.0
    energy = [0.0]
    for sample in endless:
        energy.append(energy[-1] + sample * sample)
    best = 0.0
    for at in range(len(coarse)):
        there = energy[at + _PIECE] - energy[at]
        if there > 1e-9:
            best = max(best, abs(_dot(piece, endless[at : at + _PIECE])) / math.sqrt(own * there))
    return best
