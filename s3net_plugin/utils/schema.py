"""Sections of an option file as pydantic models, and one line for what is wrong in one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import Self

from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.names import suggestion

_NUMBER = re.compile(r'\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?(\s*/\s*\d+\.?\d*)?\s*')
# An unknown name explains a missing one.
_ORDER = ('extra_forbidden', 'missing')


class Section(BaseModel):
    """Options with types and ranges; an int serves for a float, nothing else is converted.

    Unknown options are refused unless a subclass says ``extra='ignore'``. The description of a field completes
    ``value is not ...``; a choice needs none.

    Example:
        >>> from pydantic import Field
        >>> class Speed(Section):
        ...     accumulate: int = Field(1, ge=1, description='a number of slices, at least 1')
        >>> Speed.parse({'accumulate': 0}, 'train')
        Traceback (most recent call last):
        s3net_plugin.utils.errors.OptionError: train:accumulate: 0 is not a number of slices, at least 1
    """

    model_config = ConfigDict(extra='forbid', strict=True, frozen=True, protected_namespaces=())

    @classmethod
    def parse(cls, options: Any, place: str = '') -> Self:
        """Return the checked options of the section at ``place``.

        Raises:
            OptionError: they are no section, or one of them is unknown, missing or wrong.
        """
        check_section(options, place)
        try:
            return cls.model_validate({str(key): value for key, value in options.items()})
        except ValidationError as error:
            errors = sorted(error.errors(), key=lambda one: (*_ORDER, one['type']).index(one['type']))
            raise cls._complaint(errors[0], options).within(place) from None

    @classmethod
    def _complaint(cls, error: Any, options: Mapping[str, Any]) -> OptionError:
        kind, name = error['type'], str(error['loc'][0]) if error['loc'] else ''
        raised = error.get('ctx', {}).get('error')
        if isinstance(raised, OptionError):
            return raised.within(name)
        if kind == 'extra_forbidden':
            return unknown_option(name, cls.model_fields)
        if kind == 'missing':
            return OptionError('', f'the option {name!r} is missing', suggestion(name, options, or_all=False))
        value, words = options[name], cls.model_fields[name].description
        if looks_like_number(error['input']):
            return OptionError(name, *number_as_text(error['input']))
        if words is None:
            choices = re.findall(r"'(\w+)'", str(error['ctx']['expected']))
            return OptionError(name, f'{value!r} is unknown', suggestion(value, choices))
        return OptionError(name, f'{value!r} is not {words}')


class StockSection(Section):
    """The options of a section that one part reads, or BasicSR, which passes over what it does not know."""

    model_config = ConfigDict(extra='ignore')


def iterations(smallest: int, default: Any = ...) -> Any:
    """A field for a number of iterations; a float such as 5.0e+3 counts, as BasicSR's files write it."""
    return Field(default, ge=smallest, multiple_of=1, description=f'a number of iterations, at least {smallest}')


def flag(default: Any = ...) -> Any:
    """A field for true or false."""
    return Field(default, description='true or false')


def unknown_option(name: object, known: Any) -> OptionError:
    """Return the complaint about an option that is not among the ``known`` ones."""
    return OptionError('', f'unknown option {name!r}', suggestion(name, known))


def check_section(options: Any, place: str, needed: Any = ()) -> dict[str, Any]:
    """Return a section, which has to be one and to have all of ``needed``."""
    if not isinstance(options, Mapping):
        raise OptionError(place, f'expected a section of options, got {options!r}')
    for name in needed:
        if name not in options:
            raise OptionError(place, f'the option {name!r} is missing', suggestion(name, options, or_all=False))
    return dict(options)


def looks_like_number(value: Any) -> bool:
    """Whether ``value`` is text that was meant as a number: YAML reads ``1e-3`` and ``1/32`` so."""
    return isinstance(value, str) and bool(_NUMBER.fullmatch(value))


def number_as_text(value: str) -> tuple[str, str]:
    """Return the problem and the hint about a number that YAML has read as text."""
    return f'the text {value!r}, not a number', 'YAML wants 1.0e-3 for 1e-3, 0.03125 for 1/32'
