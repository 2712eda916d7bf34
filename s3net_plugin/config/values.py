"""What all checks are made of: known names, values of the right kind, constructors that take them."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from basicsr.utils.registry import Registry

from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.names import did_you_mean

# The name in an annotation: (types that a value may have, in words)
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    'bool': ((bool,), 'true or false'),
    'int': ((int,), 'a whole number'),
    'float': ((int, float), 'a number'),
    'str': ((str,), 'text'),
    'tuple': ((list, tuple), 'a list'),
    'sequence': ((list, tuple), 'a list'),
}


def is_third_party(thing: type | Callable) -> bool:
    """Whether neither BasicSR nor this package defines it, so that nothing is known of what it reads or costs."""
    return thing.__module__.split('.')[0] not in ('basicsr', 's3net_plugin')


def uses_gpu(opt: Mapping[str, Any]) -> bool:
    """Whether a run with these options will compute on a GPU of this machine."""
    return opt['num_gpu'] != 0 and torch.cuda.is_available()


def is_number(value: Any, kind: type | tuple[type, ...] = (int, float)) -> bool:
    """Whether ``value`` is a finite number; true and false are none."""
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(cast(float, value))


def registered(registry: Registry, name: Any, place: str) -> Any:
    """Return what ``registry`` knows under ``name``, which BasicSR looks up in the same two ways."""
    for key in (name, f'{name}_basicsr'):
        if key in registry:
            return registry.get(key)
    raise OptionError(f'{place}: no {registry._name} named {name!r} is registered{did_you_mean(name, registry.keys())}')


def build(registry: Registry, section: Any, place: str) -> Any:
    """Build what a section with a ``type`` describes."""
    if not isinstance(section, dict):
        raise OptionError(f'{place}: expected options with a type, got {section!r}')
    require(section, ['type'], place)
    cls = registered(registry, section['type'], f'{place}:type')
    arguments = {key: value for key, value in section.items() if key != 'type'}
    fits(cls, arguments, place)
    with named(place):
        return cls(**arguments)


@contextmanager
def named(place: str) -> Iterator[None]:
    """Turn what code says of bad options into one line; its warnings are said when the run itself calls it."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    except OptionError:
        raise
    except KeyError as error:
        raise OptionError(f'{place}: {error} is missing or unknown') from None
    except Exception as error:  # foreign code says anything in any way
        message = ' '.join(str(error).split()) or type(error).__name__
        raise OptionError(f'{place}: {message}') from None
    finally:
        logging.disable(disabled)


def fits(function: Callable, arguments: Mapping[str, Any], place: str, given: Iterable[str] = ()) -> None:
    """Check names and, as far as annotations tell, types; ``given`` are parameters that an option file cannot set."""
    parameters = inspect.signature(function).parameters
    for name, value in arguments.items():
        if name in parameters:
            _check_kind(parameters[name].annotation, value, f'{place}:{name}')
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    known(set(arguments), set(parameters) - set(given), place)
    required = [n for n, p in parameters.items() if p.default is p.empty and n not in given]
    require(arguments, required, place)


def _check_kind(annotation: Any, value: Any, place: str) -> None:
    text = annotation if isinstance(annotation, str) else getattr(annotation, '__name__', str(annotation))
    names = [part.split('[')[0].lower() for part in text.split(' | ')]
    if value is None or not all(name in _KINDS or name == 'none' for name in names):
        return
    kinds = [_KINDS[name] for name in names if name != 'none']
    if not any(isinstance(value, types) and (bool in types or not isinstance(value, bool)) for types, _ in kinds):
        raise OptionError(f'{place}: {value!r} is not {" or ".join(words for _, words in kinds)}')


def known(names: Iterable[str], known_names: set[str], place: str, *also: str) -> None:
    """Check that every one of ``names`` is known; ``also`` are further names to suggest."""
    for name in sorted(set(names) - known_names, key=str):
        prefix = f'{place}: ' if place else ''
        raise OptionError(f'{prefix}unknown option {name!r}{did_you_mean(name, known_names | set(also))}')


def reject_typos(names: Iterable[str], known_names: set[str], place: str) -> None:
    """Refuse unknown names that are near to known ones: where options that nothing reads have always been passed over,
    in BasicSR's own option files too."""
    for name in sorted(set(names) - known_names, key=str):
        near = did_you_mean(name, known_names, or_all=False)
        if near:
            raise OptionError(f'{place}: unknown option {name!r}{near}')


def require(section: Any, names: Iterable[str], place: str) -> None:
    """Check that a section is one and has all of ``names``."""
    if not isinstance(section, dict):
        raise OptionError(f'{place}: expected a section of options, got {section!r}')
    for name in names:
        if name not in section:
            prefix = f'{place}: ' if place else ''
            near = did_you_mean(name, section, or_all=False)
            raise OptionError(f'{prefix}the option {name!r} is missing{near}')


def subsection(opt: dict[str, Any], name: str, place: str = '') -> dict[str, Any]:
    """Return a section that is there; ``place`` begins the message."""
    if not isinstance(opt[name], dict):
        raise OptionError(f'{place}{name}: expected a section of options, got {opt[name]!r}')
    return opt[name]


def source_of(cls: type) -> str:
    """Return the source of a class and of what it inherits from BasicSR and this package: it tells what is read."""
    return ''.join(inspect.getsource(base) for base in cls.__mro__ if not is_third_party(base))


def check_label(value: Any, place: str) -> None:
    """Check what becomes the name of a folder."""
    if not isinstance(value, str):
        raise OptionError(f'{place}: {value!r} is not text; put it in quotes')
    if not value.strip() or value in ('.', '..') or Path(value).name != value or len(value) > 200:
        raise OptionError(f'{place}: {value!r} cannot be the name of a folder')


def check_at_least(
    section: dict[str, Any], name: str, smallest: int, what: str, place: str, *, needed: bool = False
) -> None:
    """Check a whole number, which may be left out, or have no value (``~``), unless it is ``needed``."""
    value = section.get(name)
    if value is None and not needed:
        return
    if value is None or not is_number(value) or value < smallest or value != int(value):
        raise OptionError(f'{place}{name}: {value!r} is not {what}, at least {smallest}')


def check_flags(section: dict[str, Any], names: Iterable[str], place: str) -> None:
    """Check options that are true or false, and may be left out: any text would count as true."""
    for name in names:
        if not isinstance(section.get(name, False), bool):
            raise OptionError(f'{place}:{name}: {section[name]!r} is not true or false')
