"""A run that was stopped and gone on with gives the weights of one that was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from training.loop import STATE, Interrupted, fit


class _Batches(keras.utils.PyDataset):
    """Noise that depends on the epoch, as real batches do."""

    def __init__(self) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self.epoch = 0

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng([self.epoch, index])
        x = random.normal(size=(16, 5)).astype(np.float32)
        return x, x[:, :1] * 2 + x[:, 1:2]

    def on_epoch_end(self) -> None:
        self.epoch += 1


def _model(width: int = 7) -> Any:
    keras.utils.set_random_seed(3)
    layers = [keras.Input((5,)), keras.layers.Dense(width, "relu"), keras.layers.Dropout(0.2), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.01, 12)), loss="mse")
    return model


def _validation() -> tuple[np.ndarray, np.ndarray]:
    return _Batches()[0]


def test_going_on_gives_the_same_weights(tmp_path: Path) -> None:
    straight, stopped, resumed = _model(), _model(), _model()
    fit(straight, _Batches(), _validation(), epochs=4, folder=tmp_path / "a", patience=9, verbose=0)
    fit(stopped, _Batches(), _validation(), epochs=2, folder=tmp_path / "b", patience=9, verbose=0)
    history = fit(resumed, _Batches(), _validation(), epochs=4, folder=tmp_path / "b", patience=9, verbose=0)
    assert len(history) == 4
    for one, other in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-7)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(stopped.get_weights(), resumed.get_weights(), strict=True))


def test_the_best_weights_come_out_not_the_last(tmp_path: Path) -> None:
    model = _model()
    history = fit(model, _Batches(), _validation(), epochs=6, folder=tmp_path, patience=9, verbose=0)
    best = min(epoch["val_loss"] for epoch in history)
    assert model.evaluate(*_validation(), verbose=0) == pytest.approx(best, rel=1e-5)
    assert list((tmp_path / "logs").rglob("events.*")), "TensorBoard has nothing to read"


def test_it_stops_when_nothing_improves(tmp_path: Path) -> None:
    model = _model()
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    history = fit(model, _Batches(), _validation(), epochs=9, folder=tmp_path, patience=2, verbose=0)
    assert len(history) == 3
    assert len(fit(model, _Batches(), _validation(), epochs=9, folder=tmp_path, patience=2, verbose=0)) == 3


def test_another_networks_run_is_refused(tmp_path: Path) -> None:
    fit(_model(), _Batches(), _validation(), epochs=1, folder=tmp_path, patience=9, verbose=0)
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(Interrupted, match="another network"):
        fit(_model(width=9), _Batches(), _validation(), epochs=2, folder=tmp_path, patience=9, verbose=0)
    assert (tmp_path / STATE).read_bytes() == before
