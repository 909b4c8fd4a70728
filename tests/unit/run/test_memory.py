"""What a job that loads a model asks for, from the model's folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dkn.run.memory import bytes_of_weights, megabytes_of_job
from dkn.study.memory import Work, job_bytes
from dkn.study.operations import shape_of

CONFIG = {
    "model_type": "llama",
    "hidden_size": 576,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "num_hidden_layers": 30,
    "intermediate_size": 1536,
    "vocab_size": 49152,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards of weights, of 3 MB together, one of them a link, and a link that leads nowhere."""
    stored = tmp_path / "stored"
    stored.write_bytes(b"0" * 2_000_000)
    made = tmp_path / "model"
    made.mkdir()
    (made / "1.safetensors").write_bytes(b"0" * 1_000_000)
    (made / "2.safetensors").symlink_to(stored)
    (made / "3.safetensors").symlink_to(tmp_path / "nowhere")
    (made / "tokenizer.json").write_text("{}" * 1000)
    (made / "config.json").write_text(json.dumps(CONFIG))
    return made


def test_the_weights_are_counted_where_links_lead(folder: Path) -> None:
    assert bytes_of_weights(folder) == 3_000_000


@pytest.mark.parametrize("work", Work, ids=lambda work: work.value)
def test_a_job_asks_for_what_its_models_sizes_say(work: Work, folder: Path) -> None:
    exact = job_bytes(shape_of(CONFIG), "bfloat16", 3_000_000, work) / 1e6
    assert exact <= megabytes_of_job(folder, "bfloat16", work) < exact + 1


@pytest.mark.parametrize("config", [None, "[]", "{", '{"model_type": "mixtral"}', '{"model_type": ["llama"]}'])
def test_a_model_of_unknown_sizes_asks_for_many_times_its_weights(config: str | None, folder: Path) -> None:
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(config)
    assert megabytes_of_job(folder, "float32", Work.PASSES) == 8030


def test_before_the_folder_exists_snakemake_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        megabytes_of_job(tmp_path / "model", "float32", Work.PASSES)
