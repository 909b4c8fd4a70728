"""The benchmark of models of the paper's sizes, on a tiny one, its stages run in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from dkn.decoder.loading import load
from dkn.study.inputs import Shape
from dkn.study.names import TUNED_SETS
from tests.unit.stage_runs import status_of

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
GPT2 = {"architecture": "gpt2", "layers": 2, "width": 32, "heads": 4, "kv_heads": 4, "neurons": 48, "context": 32}
TEXTS = ["The capital of France is", "St. John's, the place."]


@pytest.fixture
def random_folder(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import random_folder

    return random_folder


@pytest.mark.parametrize("tied", [True, False], ids=["gpt2", "llama"])
def test_a_random_folder_is_a_model_that_its_seed_decides(
    tied: bool, random_folder: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(random_folder, "SHARD", 4_000)  # bytes, so that there are several files
    shape = Shape(**GPT2 | {"architecture": "gpt2" if tied else "llama"}, vocabulary=60, tied=tied)
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        random_folder.write_folder(tmp_path / name, shape, TEXTS, torch.bfloat16, seed)
        assert len(list((tmp_path / name).glob("*.safetensors"))) > 2
        weights.append(load(tmp_path / name, "cpu", "bfloat16").adapter.model.state_dict())
    for part in weights[0]:
        assert torch.equal(weights[0][part], weights[1][part]), part
    assert not torch.equal(weights[0]["lm_head.weight"], weights[2]["lm_head.weight"])
    spread = weights[0]["lm_head.weight"].float().std()
    assert spread == pytest.approx(4 / 32**0.5, rel=0.1)


def test_whatever_a_random_model_says_reads_as_the_same_tokens(random_folder: Any) -> None:
    tokenizer = random_folder.tokenizer_of(TEXTS, 60)
    assert len(tokenizer) == 60
    known = tokenizer("The place of St. John's is")["input_ids"]
    assert tokenizer.unk_token_id not in known
    made_up = tokenizer.convert_tokens_to_ids([f"{random_folder.MADE_UP}{number}" for number in (0, 30)])
    assert tokenizer(f"The place is {tokenizer.decode(made_up)}")["input_ids"][-2:] == made_up


def in_this_process(took: Callable[..., Any]) -> Callable[[Sequence[str], Path], Any]:
    """A stand-in for ``timed`` that starts no process."""

    def timed(command: Sequence[str], log: Path) -> Any:
        assert status_of(list(command[3:])) == 0, command
        return took(1.5, 1.25, 10**9)

    return timed


def test_every_stage_runs_and_stands_beside_its_estimate(
    random_folder: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import paper_size

    monkeypatch.setattr(paper_size, "timed", in_this_process(paper_size.Took))
    monkeypatch.setattr(paper_size, "apart", lambda function, *arguments: function(*arguments))
    folder = tmp_path / "run"
    options: list[str] = [
        "--shape",
        "tiny",
        "--facts",
        "12",
        "--random-sets",
        "1",
        "--threads",
        "1",
        "--folder",
        str(folder),
    ]
    with pytest.raises(SystemExit, match="stopped before facts, for the minutes are spent"):
        paper_size.main([*options, "--minutes", "0"])
    paper_size.main([*options, "--keep"])
    printed = capsys.readouterr().out
    rows = {
        line.split(" | ")[0].removeprefix("| "): line.split(" | ")[1:] for line in printed.splitlines() if "|" in line
    }
    sites = [f"{setting}-{site}" for site in ("values", "weights") for setting in ("suppression", "enhancement")]
    stages = ["known", "attribution", "knowledge-neurons", "distances", "ntc", "components", *sites]
    assert list(rows)[2:] == ["facts", "model-folder", *stages]
    assert rows["known"][:2] == ["1.5", "1.2"]
    assert " – " in rows["known"][2]
    assert "(all 2 of suppression)" in rows["suppression-weights"][2]
    assert "12 of 12 facts known" in printed
    monkeypatch.setattr(paper_size, "timed", None)  # what is finished is not run again
    paper_size.main(options)
    assert not (folder / "raw").exists()
    assert {f"fine-tuning-{subset}" for subset in TUNED_SETS}.isdisjoint(rows)
