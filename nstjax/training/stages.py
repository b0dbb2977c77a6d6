"""Training in stages, each starting from the weights that the last one exported.

A config's `stages` names them in order, and an entry of each name holds its settings.
One command runs all stages; a stopped run continues in the stage that it had reached.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ml_collections import ConfigDict

from nstjax.errors import NstjaxError


class Stage(NamedTuple):
    """One part of a training.

    Attributes:
        name: the stage's name; "" for a training without stages.
        config: its settings, without the entries for stages.
        workdir: its folder.
        last: whether it is the last stage.
    """

    name: str
    config: ConfigDict
    workdir: Path
    last: bool = True

    @property
    def exported(self) -> Path:
        """The file that the stage exports."""
        return self.workdir / f"{self.config.name}.safetensors"


def stages_of(config: ConfigDict, workdir: Path) -> Iterator[Stage]:
    """The stages of a training, each of which starts where the one before ended.

    Args:
        config: the config of the whole training. Settings of a stage apply to it only;
            an option such as ``--config.begin.steps=100`` changes them.
        workdir: the folder of the whole training; every stage has a folder of its name
            in it, except the last, which uses the folder itself.

    Raises:
        NstjaxError: if a stage sets an entry that the config does not have.
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
