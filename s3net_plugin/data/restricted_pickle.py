"""Read the one dictionary of arrays out of a pickle that may be hostile.

VIDIT keeps each depth map as a pickled dictionary, and unpickling runs whatever the file asks for. Here a pickle
reaches nothing but the stand-ins below: they keep shapes and bytes, and NumPy sees only what they have checked. (Its
own ``dtype.__setstate__`` is not safe on hostile state: its flags decide whether bytes are taken for pointers.)
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from typing import Any

import numpy as np


class _Stub:
    """Base of all stand-ins: takes any arguments and refuses state from the file."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        raise ValueError('unexpected state')


class _Dtype(_Stub):
    """Stands for ``numpy.dtype``: a type code such as ``f4`` and a byte order."""

    def __init__(self, code: str, *flags: object) -> None:
        self.code = code
        self.order = '='

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]

    def plain(self) -> np.dtype:
        if not re.fullmatch('[biuf][1248]', self.code) or self.order not in ('<', '>', '|', '='):
            raise ValueError(f'arrays of type {self.order}{self.code} are not plain numbers')
        return np.dtype(self.order + self.code)


class _Array(_Stub):
    """Stands for ``numpy.ndarray`` and the function that pickles rebuild one with."""

    value: np.ndarray | list | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self._fill(content, dtype, shape, 'F' if fortran else 'C')

    def _fill(self, content: Any, dtype: Any, shape: Any, order: Any) -> None:
        if dtype.code == 'O8' and isinstance(content, list):
            self.value = content
            return
        if isinstance(content, str):  # bytes of Python 2
            content = content.encode('latin1')
        numbers = np.frombuffer(content, dtype.plain())
        if math.prod(shape) != numbers.size:
            raise ValueError(f'an array of shape {shape} holds {numbers.size} numbers')
        self.value = numbers.reshape(shape, order='F' if order == 'F' else 'C')


class _BufferArray(_Array):
    """Stands for NumPy's ``_frombuffer``, which pickle protocol 5 uses."""

    def __init__(self, content: Any, dtype: Any, shape: Any, order: Any) -> None:
        self._fill(content, dtype, shape, order)


class _Latin1(_Stub):
    """Stands for ``_codecs.encode``, by which Python 3 writes bytes in pickle protocol 2."""

    def __new__(cls, text: str, encoding: str) -> bytes:  # type: ignore[misc]
        if encoding != 'latin1':
            raise ValueError(f'unexpected encoding {encoding!r}')
        return text.encode('latin1')


_ADMITTED = {
    ('numpy', 'ndarray'): _Array,
    ('numpy', 'dtype'): _Dtype,
    ('_codecs', 'encode'): _Latin1,
    # numpy.core until NumPy 1.26, numpy._core since 2.0
    **{(f'numpy.{core}.multiarray', '_reconstruct'): _Array for core in ('core', '_core')},
    **{(f'numpy.{core}.multiarray', 'scalar'): _Stub for core in ('core', '_core')},
    **{(f'numpy.{core}.numeric', '_frombuffer'): _BufferArray for core in ('core', '_core')},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            wanted = f'{module}.{name}'
            raise ValueError(f'it asks for {wanted!r}, which is neither a NumPy array nor a plain value') from None


def load_array_dict(content: bytes, name: str) -> dict[str, Any]:
    """Unpickle an object array that holds one dictionary, as ``numpy.save(path, {...})`` writes it after its header.

    Its NumPy arrays are arrays of numbers again (read-only), NumPy scalars are dropped.

    Raises:
        ValueError: If the pickle asks for anything but NumPy arrays and plain values, or holds no such dictionary. The
            message begins with ``name``.

    Example:
        >>> load_array_dict(pickle.dumps({'normalized_depth': np.ones((1, 2))}), 'Image001.npy')
        {'normalized_depth': array([[1., 1.]])}
    """
    try:
        for opcode, argument, _ in pickletools.genops(content):
            # the unpickler makes room for the highest memo number at once: a few bytes could claim all memory
            if opcode.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and (argument or 0) > len(content):
                raise ValueError(f'memo number {argument} in a pickle of {len(content)} bytes')
        record = _Unpickler(io.BytesIO(content), encoding='latin1').load()
    except Exception as error:  # a malformed pickle can raise anything; all of it means one thing here
        raise ValueError(f'{name}: refused to unpickle: {error or type(error).__name__}') from None
    if isinstance(record, _Array) and isinstance(record.value, list) and len(record.value) == 1:
        record = record.value[0]
    if not isinstance(record, dict):
        raise ValueError(f'{name}: the pickle holds no dictionary')
    unwrapped = {key: value.value if isinstance(value, _Array) else value for key, value in record.items()}
    return {key: value for key, value in unwrapped.items() if not isinstance(value, _Stub)}
