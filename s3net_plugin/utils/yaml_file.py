"""Reading a BasicSR option file without trusting it: plain YAML values only, and what `--force_yml` may change."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.logger import announce
from s3net_plugin.utils.names import suggestion


class _PlainLoader(getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that notes the keys given twice, of which the last one counts, as for BasicSR.

    A mapping is looked at as it is written: merge keys (``<<``) put in what the mapping may give anew. The parser is
    the one that BasicSR takes where it is there, libyaml, which knows tabs between values and before comments.
    """

    given_twice: tuple[yaml.ScalarNode, ...] = ()

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        self.given_twice = tuple(_keys_given_twice(node, set()))
        return node


def _keys_given_twice(node: yaml.Node | None, visited: set[int]) -> Iterator[yaml.ScalarNode]:
    if not isinstance(node, yaml.CollectionNode) or id(node) in visited:
        return
    visited.add(id(node))
    seen = set()
    for item in node.value:
        key, value = item if isinstance(item, tuple) else (None, item)
        if isinstance(key, yaml.ScalarNode) and key.tag != 'tag:yaml.org,2002:merge':
            if key.value in seen:
                yield key
            seen.add(key.value)
        yield from _keys_given_twice(value, visited)


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, 'problem_mark', None)
    where = f', line {mark.line + 1}' if mark else ''
    problem = str(getattr(error, 'problem', None) or error).splitlines()[0]
    if 'could not determine a constructor for the tag' in problem:
        tag = problem.rsplit(' ', 1)[-1]
        problem = f'the tag {tag} is refused: an option file holds plain values only'
    return f'{where}: {problem}'


def read_option_file(path: str | Path, force_yml: list[str] | None = None) -> dict[str, Any]:
    """Return the options in a YAML file, with the changes of ``--force_yml`` (``train:total_iter=100``) applied.

    A key that is given twice is said, in a line of output.

    Raises:
        OptionError: the file is missing, is no YAML mapping, holds tags that build Python objects, or a forced entry
            is not of the form ``key:key=value`` with existing keys.
    """
    try:
        text = Path(path).read_text(encoding='utf-8')
    except FileNotFoundError:
        raise OptionError(f'{path}: no such option file') from None
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f'{path}: cannot be read as an option file ({error})') from None
    try:
        loader = _PlainLoader(text)
        opt = _unshared(loader.get_single_data())
    except yaml.YAMLError as error:
        raise OptionError(f'{path}{_one_line(error)}') from None
    except RecursionError:
        raise OptionError(f'{path}: a section holds itself, by an alias') from None
    if not isinstance(opt, dict):
        raise OptionError(f'{path}: an option file is a mapping of names to values, got {type(opt).__name__}')
    for key in loader.given_twice:
        announce(f'{path}, line {key.start_mark.line + 1}: {key.value!r} is given twice; the last one counts')
    for entry in force_yml or ():
        _force(opt, entry)
    return opt


def texts(section: Any, place: str = '') -> Iterator[tuple[str, str]]:
    """Yield ``(place, text)`` for every text in a section.

    Example:
        >>> list(texts({'name': 'a', 'train': {'lr': 1, 'betas': ['1e-3']}}))
        [('name', 'a'), ('train:betas:0', '1e-3')]
    """
    items = section.items() if isinstance(section, dict) else enumerate(section) if isinstance(section, list) else ()
    for key, value in items:
        where = f'{place}:{key}' if place else str(key)
        if isinstance(value, str):
            yield where, value
        yield from texts(value, where)


def _unshared(value: Any) -> Any:
    """Copy a section for every alias of it (``*name``), since BasicSR writes to sections."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


def _force(opt: dict[str, Any], entry: str) -> None:
    """Apply one ``--force_yml`` entry, whose value is read as BasicSR reads it, which evaluates lists."""
    from basicsr.utils.options import _postprocess_yml_value

    place = f'--force_yml {entry!r}'
    keys, equals, value = entry.partition('=')
    *parents, last = (key.strip() for key in keys.split(':'))
    value = value.strip()
    if not all((*parents, last, equals)) or '=' in value:
        raise OptionError(place, 'expected key:key=value, as in train:total_iter=100')
    if value.startswith('['):
        try:
            ast.literal_eval(value)
        except (ValueError, SyntaxError):
            raise OptionError(place, f'{value} is not a list of plain values') from None
    target = opt
    for key in parents:
        if not isinstance(target.get(key), dict):
            raise OptionError(place, f'the option file has no section {key!r}', suggestion(key, target))
        target = target[key]
    try:
        target[last] = _postprocess_yml_value(value)
    except ValueError:
        raise OptionError(place, f'{value!r} is not a number') from None
