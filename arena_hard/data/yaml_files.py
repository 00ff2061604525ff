"""YAML files, read so that a mistake is named with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from arena_hard.data.records import UserError, is_object


def load_yaml(file: Path) -> dict[str, Any]:
    """A YAML file that holds keys. Raises UserError with the line of a mistake."""
    import yaml

    class Loader(yaml.SafeLoader):
        """A key written twice would win over the first one in silence; a bad date would be a traceback."""

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped stub
            except ValueError as error:
                line = node.start_mark.line + 1
                raise UserError(f"{file}:{line}: {error}. Put the value into quotes if it is meant as text.") from None

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key_node, _ in node.value:
                key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
                if key in seen and key != "<<":
                    line = key_node.start_mark.line + 1
                    raise UserError(f"{file}:{line}: the key {key!r} is there twice. Remove one of the two.")
                seen.add(key or str(id(key_node)))
            return super().construct_mapping(node, deep)

    try:
        with open(file, encoding="utf-8") as stream:
            values = yaml.load(stream, Loader)
    except FileNotFoundError:
        raise UserError(f"{file} does not exist. Name the right file, or run from the project's folder.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{_yaml_place(file, error)} Mend the line; indent with spaces, not tabs.") from None
    if not is_object(values):
        raise UserError(f"{file} is not a config: it should hold keys with values (name: value).")
    return values


def _yaml_place(file: Path, error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{file}:{mark.line + 1}" if mark else str(file)
    return f"{place}: not readable as YAML ({getattr(error, 'problem', None) or error})."
