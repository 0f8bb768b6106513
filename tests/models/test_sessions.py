from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from models import PackDamaged, ProviderUnavailable, choose_providers, create_session, load_pack
from models.sessions import providers_in_use

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names = [CPU]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    return names


def test_sessions_have_one_thread_and_never_spin(cache: Path) -> None:
    session = create_session(cache / "open" / "centerface.onnx", [CPU])
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"
    assert options.log_severity_level == 3


def test_bytes_and_files_give_the_same_model(cache: Path) -> None:
    path = cache / "open" / "dlib_resnet.onnx"
    images = np.full((1, 3, 150, 150), 90, np.float32)
    results = [create_session(model, [CPU]).run(None, {"images": images})[0] for model in (path, path.read_bytes())]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_what_is_no_model_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    for model, name in ((path, "x.onnx"), (content or b"\0", "a model in memory")):
        with pytest.raises(PackDamaged, match=f"cannot load {name}") as caught:
            create_session(model, [CPU])
        assert "\n" not in str(caught.value)


def test_the_cpu_is_always_there() -> None:
    assert choose_providers("cpu") == (CPU,)


def test_auto_prefers_what_was_installed_on_purpose(offered: list[str]) -> None:
    assert choose_providers("auto") == (CPU,)
    offered.insert(0, "CoreMLExecutionProvider")
    assert choose_providers("auto") == (CPU,)
    assert choose_providers("coreml") == ("CoreMLExecutionProvider", CPU)
    offered.insert(0, "OpenVINOExecutionProvider")
    assert choose_providers("auto") == ("OpenVINOExecutionProvider", CPU)
    offered.append(CUDA)
    assert choose_providers("auto") == (CUDA, CPU)


@pytest.mark.parametrize("setting", ["cuda", "coreml", "openvino"])
def test_a_provider_that_is_not_offered_is_refused_with_those_that_are(setting: Any, offered: list[str]) -> None:
    with pytest.raises(ProviderUnavailable, match=f"(?i){setting}.*offers: CPUExecutionProvider; install"):
        choose_providers(setting)


def test_an_unknown_setting_is_refused_with_those_known() -> None:
    with pytest.raises(ProviderUnavailable, match="'tpu', expected one of: auto, cpu, cuda, coreml, openvino"):
        choose_providers("tpu")  # type: ignore[arg-type]


def test_what_runs_is_reported_and_not_what_was_asked() -> None:
    fast = SimpleNamespace(get_providers=lambda: [CUDA, CPU])
    slow = SimpleNamespace(get_providers=lambda: [CPU])
    assert providers_in_use("cuda", (CUDA, CPU), [fast, fast]) == (CUDA, CPU)
    assert providers_in_use("auto", (CUDA, CPU), [fast, slow]) == (CPU,)
    with pytest.raises(ProviderUnavailable, match="CUDAExecutionProvider did not start"):
        providers_in_use("cuda", (CUDA, CPU), [fast, slow])


def test_a_pack_says_what_it_runs_on(cache: Path, lines: list[str]) -> None:
    pack = load_pack("open", cache, "cpu", lines.append)
    assert pack.providers == (CPU,)
    assert lines == ["Pack open runs on CPUExecutionProvider"]


def test_a_provider_is_refused_before_anything_is_built(tmp_path: Path, offered: list[str]) -> None:
    with pytest.raises(ProviderUnavailable):
        load_pack("open", tmp_path, "cuda")
    assert list(tmp_path.iterdir()) == []
