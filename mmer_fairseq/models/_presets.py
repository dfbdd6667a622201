"""What the model files share: flags, and sizes under names of their own."""

from dataclasses import field, fields, make_dataclass
from typing import Any, Dict, Mapping

from fairseq.models import register_model


def flag(default: Any, text: str) -> Any:
    """A field of a configuration: its default, and what ``--help`` says of it."""
    return field(default=default, metadata={"help": text})


def register_presets(
    module: str, names: Dict[str, Any], model: type, config: type, presets: Mapping[str, Mapping[str, int]]
) -> None:
    """Register each preset as a model of its own, because YAML (``_name: …``) reaches no other defaults.

    Args:
        module: name of the module that the model is in.
        names: its ``globals()``: spawned processes look a configuration up by name.
        model: the model class.
        config: its configuration.
        presets: architecture → the numbers in which it differs.
    """
    described = {f.name: f for f in fields(config)}
    for arch, numbers in presets.items():
        changed = [(name, int, flag(n, described[name].metadata["help"])) for name, n in numbers.items()]
        where = {"__module__": module}
        own = make_dataclass(f"{arch}_config", changed, bases=(config,), namespace=where)
        names[own.__name__] = own
        register_model(arch, dataclass=own)(type(arch, (model,), where))
