"""What all checks are made of: known names, constructors that take what is given, one line for what is wrong."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

import torch
from basicsr.utils.registry import Registry

from s3net_plugin.config.stock_keys import PUBLISHED
from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.names import edit_distance, suggestion
from s3net_plugin.utils.schema import check_section, unknown_option

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


def has_own(model: type, *methods: str) -> bool:
    """Whether one of these methods of a model is of another package, so that it may build things in any way."""
    return any(is_third_party(getattr(model, name, model)) for name in methods)


def uses_gpu(opt: Mapping[str, Any]) -> bool:
    """Whether a run with these options will compute on a GPU of this machine."""
    return opt['num_gpu'] != 0 and torch.cuda.is_available()


def admit(names: Iterable[Any], known: set[str], place: str) -> list[str]:
    """Return the places of unknown names in a section of BasicSR's, which passes over what it does not know.

    Raises:
        OptionError: a name is one slip away from a known one that is not there, and no published option file has it.
    """
    given = {str(name) for name in names}
    unread = sorted(given - known)
    for name in unread:
        near = sorted(other for other in known - given if edit_distance(name, other) <= 2)
        if near and name not in PUBLISHED:
            raise OptionError(place, f'unknown option {name!r}', suggestion(name, near))
    return [f'{place}:{name}' if place else name for name in unread]


def handles_itself(model: type, section: Any, registry: Registry, *methods: str) -> bool:
    """Whether a model of another package builds what a section describes in a way of its own.

    So it is where there is no ``type``; and where ``registry`` does not know it, if one of ``methods``, in which models
    build such things, is of that package (or none is named).
    """
    if not is_third_party(model):
        return False
    kind = section.get('type') if isinstance(section, Mapping) else None
    return not kind or (not _keys_of(registry, kind) and (not methods or has_own(model, *methods)))


def _keys_of(registry: Registry, name: Any) -> list[Any]:
    """BasicSR looks a name up in two ways."""
    return [key for key in (name, f'{name}_basicsr') if key in registry]


def registered(registry: Registry, name: Any, place: str) -> Any:
    """Return what ``registry`` knows under ``name``."""
    for key in _keys_of(registry, name):
        return registry.get(key)
    hint = suggestion(name, registry.keys())
    raise OptionError(place, f'no {registry._name} named {name!r} is registered', hint)


def build(registry: Registry, section: Any, place: str) -> Any:
    """Build what a section with a ``type`` describes."""
    arguments = check_section(section, place, ['type'])
    cls = registered(registry, arguments.pop('type'), f'{place}:type')
    check_signature(cls, arguments, place)
    with error_context(place):
        return cls(**arguments)


@contextmanager
def error_context(place: str, said: str = '') -> Iterator[None]:
    """Turn what code says of bad options into one line, after what is ``said`` first; its warnings are said when the
    run itself calls it."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    except OptionError as error:
        raise error.within(place) from None
    except KeyError as error:
        raise OptionError(place, f'{error} is missing or unknown') from None
    except Exception as error:  # foreign code says anything in any way
        message = ' '.join(str(error).split()) or type(error).__name__
        raise OptionError(place, f'{said}: {message}' if said else message) from None
    finally:
        logging.disable(disabled)


def check_signature(
    function: Callable, arguments: Mapping[str, Any], place: str, given: Iterable[str] = ()
) -> set[str] | None:
    """Check names and, as far as annotations tell, types; ``given`` are parameters that an option file cannot set.

    Returns:
        The names that it knows where it takes any other as well; None where all are known.
    """
    parameters = inspect.signature(function).parameters
    for name, value in arguments.items():
        if name in parameters and (not is_third_party(function) or function.__module__.startswith('torch.')):
            _check_kind(parameters[name].annotation, value, f'{place}:{name}')
    named = {name: p for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD and name not in given}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in sorted(set(arguments) - set(named), key=str):
        if not takes_any:
            raise unknown_option(name, named).within(place)
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    check_section(arguments, place, [n for n, p in named.items() if p.default is p.empty and p.kind not in optional])
    return set(named) if takes_any else None


def _check_kind(annotation: Any, value: Any, place: str) -> None:
    text = annotation if isinstance(annotation, str) else getattr(annotation, '__name__', str(annotation))
    if text == 'Optional':  # of the object typing.Optional[...], this is the name
        text = str(annotation)
    text = re.sub(r'^(?:typing\.)?Optional\[(.*)\]$', r'\1 | None', text)
    names = [part.split('[')[0].lower() for part in text.split(' | ')]
    if value is None or not all(name in _KINDS or name == 'none' for name in names):
        return
    kinds = [_KINDS[name] for name in names if name != 'none']
    if not any(isinstance(value, types) and (bool in types or not isinstance(value, bool)) for types, _ in kinds):
        raise OptionError(place, f'{value!r} is not {" or ".join(words for _, words in kinds)}')


def check_label(value: Any, place: str, *, nested: bool = False) -> None:
    """Check what becomes the name of a folder, or, ``nested``, of a folder in another one."""
    if not isinstance(value, str):
        raise OptionError(place, f'{value!r} is not text', 'put it in quotes')
    parts = PurePath(value).parts
    plain = value.strip() and parts and '..' not in parts and not PurePath(value).is_absolute()
    if not plain or len(value) > 200 or (PurePath(value).name != value and not nested):
        raise OptionError(place, f'{value!r} cannot be the name of a folder')
