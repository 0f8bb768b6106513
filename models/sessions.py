"""ONNX Runtime sessions that leave the processor alone when idle, and the choice of where they run.

ONNX Runtime's threads spin while they wait for work. Under a steady video load that costs far more than it saves
(two spinning threads burn 64 % of a core for a detector at 15 frames a second; one that sleeps, 9 %), so every
session here has one thread and never spins. Many sessions on many threads share the machine instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import onnxruntime

from models.errors import PackDamaged, ProviderUnavailable

ProviderSetting = Literal["auto", "cpu", "cuda", "coreml", "openvino"]

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
# CUDA and OpenVINO are only offered by builds of ONNX Runtime somebody installed on purpose. CoreML comes with every
# build for macOS and compiles anew for each input size, of which a detector has several: by request only.
_AUTO = ("cuda", "openvino", "cpu")

# On Windows, official builds report usage to Microsoft unless told not to. Nothing leaves this machine.
onnxruntime.disable_telemetry_events()


def choose_providers(setting: ProviderSetting) -> tuple[str, ...]:
    """ONNX Runtime's execution providers for a setting, the preferred one first and the CPU last.

    ``auto`` is CUDA or OpenVINO where this ONNX Runtime offers it, else the CPU. Raises
    :class:`ProviderUnavailable` for an unknown setting and for a provider that is not offered, naming those that
    are.
    """
    offered = onnxruntime.get_available_providers()
    if setting not in get_args(ProviderSetting):
        raise ProviderUnavailable(f"provider is {setting!r}, expected one of: {', '.join(get_args(ProviderSetting))}")
    wanted = _AUTO if setting == "auto" else (setting,)
    chosen = next((_PROVIDERS[name] for name in wanted if _PROVIDERS[name] in offered), None)
    if chosen is None:
        raise ProviderUnavailable(
            f"{_PROVIDERS[setting]} is not in this ONNX Runtime, which offers: {', '.join(offered)}; "
            f"install a build that has it, or set the provider to auto"
        )
    return tuple(dict.fromkeys((chosen, _PROVIDERS["cpu"])))


def session_options() -> onnxruntime.SessionOptions:
    """One thread, no spinning, errors only."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def create_session(model: Path | bytes, providers: Sequence[str]) -> onnxruntime.InferenceSession:
    """A session for a model's file or bytes. It may be called from many threads at once.

    ``session.get_providers()`` says what it really runs on. Raises :class:`PackDamaged` if the model cannot be loaded.
    """
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, session_options(), providers=list(providers))
    except Exception as error:  # ONNX Runtime's errors have no common base
        name = "a model in memory" if isinstance(model, bytes) else model.name
        raise PackDamaged(f"ONNX Runtime cannot load {name}: {_first_line(error)}") from None


def providers_in_use(setting: ProviderSetting, asked: Sequence[str], sessions: Sequence[Any]) -> tuple[str, ...]:
    """What all ``sessions`` run on, the preferred provider first.

    ONNX Runtime goes on with the CPU if another provider does not start. With ``auto`` that is accepted; a provider
    that was asked for by name raises :class:`ProviderUnavailable`.
    """
    common = tuple(provider for provider in asked if all(provider in session.get_providers() for session in sessions))
    if setting != "auto" and asked[0] not in common:
        raise ProviderUnavailable(
            f"{asked[0]} did not start; check its driver and libraries, or set the provider to auto or cpu"
        )
    return common


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
