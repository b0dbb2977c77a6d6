"""A training in stages, each begun from what the last one exported.

A config's `stages` names them in order, and a leaf of each name holds what it sets.
One command goes through all; a run that was stopped goes on in the stage that it had
reached.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ml_collections import ConfigDict

from nstjax.errors import NstjaxError


class Stage(NamedTuple):
    """One part of a training.

    Attributes:
        name: of the stage; "" for a training without any.
        config: its settings, without those of stages.
        workdir: its folder.
        last: whether none follows.
    """

    name: str
    config: ConfigDict
    workdir: Path
    last: bool = True

    @property
    def exported(self) -> Path:
        """The file that it ends with."""
        return self.workdir / f"{self.config.name}.safetensors"


def stages_of(config: ConfigDict, workdir: Path) -> Iterator[Stage]:
    """The stages of a training, which begin where those before them ended.

    Args:
        config: of the whole. Leaves that a stage sets are its own; an option such as
            ``--config.begin.steps=100`` changes one.
        workdir: of the whole; every stage has a folder of its name there, and the last
            one has the folder itself.

    Raises:
        NstjaxError: for a stage that sets a leaf which the config does not have.
    """
    if not config.get("stages"):
        yield Stage("", config, workdir)
        return
    whole = ConfigDict(config.to_dict(), type_safe=False)
    stages = {name: whole[name].to_dict() for name in config.stages}
    for name in ("stages", *stages):
        del whole[name]
    previous = whole.initial
    for number, (name, leaves) in enumerate(stages.items(), start=1):
        if unknown := sorted(set(leaves) - set(whole)):
            raise NstjaxError(
                f"the stage {name} sets {', '.join(unknown)}, which the config does "
                "not have"
            )
        part = ConfigDict(whole, type_safe=False)
        part.update(leaves)
        part.initial = previous
        last = number == len(stages)
        stage = Stage(name, part.lock(), workdir if last else workdir / name, last)
        yield stage
        previous = str(stage.exported)
