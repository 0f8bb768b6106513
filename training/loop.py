"""Training that can be stopped at any moment and gone on with: the same weights come out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

STATE = "state.npz"


class Interrupted(Exception):
    """The folder holds a run that does not fit this one, in words for the person who started it."""


class Keeper(keras.callbacks.Callback):
    """Saves every variable after each epoch, remembers the best weights, and stops when nothing improves.

    Weights, the optimiser's moments and the counters of random layers are kept, in one file that is replaced as a
    whole.
    """

    def __init__(self, folder: Path, monitor: str, patience: int) -> None:
        super().__init__()
        self._file, self._monitor, self._patience = folder / STATE, monitor, patience
        self.history: list[dict[str, float]] = []
        self._best: list[Any] | None = None

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest monitored value, from 0; −1 before the first."""
        values = [epoch[self._monitor] for epoch in self.history]
        return int(np.argmin(values)) if values else -1

    @property
    def finished(self) -> bool:
        """Whether the last ``patience`` epochs brought nothing."""
        return bool(self.history) and len(self.history) - 1 - self.best_epoch >= self._patience

    def restore(self) -> int:
        """Take up the run kept in the folder; returns how many epochs it has done (0: there is none).

        Raises :class:`Interrupted` if the file is of another network.
        """
        if not self._file.exists():
            return 0
        with np.load(self._file) as kept:
            state = json.loads(str(kept["state"]))
            now, best = ([kept[f"{kind}_{i}"] for i in range(state[kind])] for kind in ("now", "best"))
        variables = self._variables()
        if [v.shape for v in now] != [tuple(v.shape) for v in variables]:
            raise Interrupted(f"{self._file} is of another network; name another folder, or delete it")
        for variable, value in zip(variables, now, strict=True):
            variable.assign(value)
        self.history, self._best = state["history"], best
        return len(self.history)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """See the class."""
        self.history.append({name: float(value) for name, value in (logs or {}).items()})
        if self.best_epoch == len(self.history) - 1:
            self._best = [keras.ops.convert_to_numpy(v).copy() for v in self.model.variables]
        self._save()
        if self.finished:
            self.model.stop_training = True

    def take_best(self) -> None:
        """Give the model its best weights."""
        for variable, value in zip(self.model.variables, self._best or [], strict=True):
            variable.assign(value)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def _save(self) -> None:
        now, best = [keras.ops.convert_to_numpy(v).copy() for v in self._variables()], self._best or []
        arrays = {f"{kind}_{i}": v for kind, values in (("now", now), ("best", best)) for i, v in enumerate(values)}
        state = json.dumps({"now": len(now), "best": len(best), "history": self.history})
        part = self._file.with_suffix(".part.npz")
        with part.open("wb") as file:
            np.savez(file, state=np.array(state), **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)


def fit(
    model: Any,
    batches: Any,
    validation: Any,
    *,
    epochs: int,
    folder: Path,
    patience: int,
    monitor: str = "val_loss",
    verbose: int | str = "auto",
) -> list[dict[str, float]]:
    """Train a compiled Keras model, going on with what ``folder`` holds; returns the figures of every epoch.

    The model has its best weights afterwards. TensorBoard reads ``folder/logs``. ``batches`` with an ``epoch``
    attribute get the number of the epoch to begin with. Raises :class:`Interrupted`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.optimizer.build(model.trainable_variables)
    keeper = Keeper(folder, monitor, patience)
    keeper.set_model(model)
    done = keeper.restore()
    if hasattr(batches, "epoch"):
        batches.epoch = done
    if done < epochs and not keeper.finished:
        callbacks = [keras.callbacks.TensorBoard(folder / "logs", write_graph=False), keeper]
        model.fit(
            batches,
            validation_data=validation,
            epochs=epochs,
            initial_epoch=done,
            callbacks=callbacks,
            shuffle=False,
            verbose=verbose,
        )
    keeper.take_best()
    return keeper.history
