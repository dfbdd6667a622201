"""Tiny real fairseq models, saved in the forms in which the big ones are published, Hugging Face's too."""

from __future__ import annotations

import argparse
import ast
import json
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

CONV = "[(16, 10, 5)] + [(16, 4, 2)] * 2"
SOUND = ("wav2vec", "wav2vec2", "wav2vec2-layer", "hubert")


def nontrivial(model: nn.Module) -> nn.Module:
    """Norms with weights other than 1 and biases other than 0, so that forgetting them shows."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def wav2vec_model(**changes) -> tuple[nn.Module, dict]:
    from fairseq.models.wav2vec.wav2vec import Wav2VecConfig, Wav2VecModel

    settings = {
        "conv_feature_layers": "[(16, 10, 5), (16, 8, 4), (16, 4, 2), (16, 1, 1)]",
        "conv_aggregator_layers": "[(16, 2, 1), (24, 3, 1), (24, 4, 1)]",
        "skip_connections_feat": True,
        "skip_connections_agg": True,
        "log_compression": True,
        "residual_scale": 0.5,
        "prediction_steps": 2,
        "infonce": False,
        **changes,
    }
    config = Wav2VecConfig()
    for name, value in settings.items():
        setattr(config, name, value)
    return nontrivial(Wav2VecModel(config)), settings


def wav2vec2_model(**changes) -> tuple[nn.Module, dict]:
    from fairseq.models.wav2vec.wav2vec2 import Wav2Vec2Config, Wav2Vec2Model

    settings = {
        "conv_feature_layers": CONV,
        "encoder_layers": 2,
        "encoder_embed_dim": 32,
        "encoder_ffn_embed_dim": 48,
        "encoder_attention_heads": 4,
        "conv_pos": 8,
        "conv_pos_groups": 4,
        "quantize_targets": True,
        "latent_vars": 4,
        "final_dim": 16,
        "encoder_layerdrop": 0.05,
        **changes,
    }
    config = Wav2Vec2Config()
    for name, value in settings.items():
        setattr(config, name, value)
    return nontrivial(Wav2Vec2Model(config)), settings


def hubert_model() -> tuple[nn.Module, dict]:
    from fairseq.data import Dictionary
    from fairseq.models.hubert.hubert import HubertConfig, HubertModel
    from fairseq.tasks.hubert_pretraining import HubertPretrainingConfig

    config, settings = HubertConfig(), wav2vec2_model()[1]
    settings = {k: v for k, v in settings.items() if k not in ("quantize_targets", "latent_vars")}
    settings["label_rate"] = 50.0
    for name, value in settings.items():
        setattr(config, name, value)
    return nontrivial(HubertModel(config, HubertPretrainingConfig(), [Dictionary()])), settings


def roberta_model(tokens: int = 25) -> tuple[nn.Module, dict]:
    from fairseq.data import Dictionary
    from fairseq.models.roberta.model import RobertaModel

    dictionary = Dictionary()
    for number in range(tokens - 5):
        dictionary.add_symbol(str(number))
    dictionary.add_symbol("<mask>")
    settings = {
        "arch": "roberta_large",
        "encoder_layers": 2,
        "encoder_embed_dim": 32,
        "encoder_ffn_embed_dim": 48,
        "encoder_attention_heads": 4,
        "max_positions": 40,
        "dropout": 0.1,
    }
    task = argparse.Namespace(source_dictionary=dictionary)
    return nontrivial(RobertaModel.build_model(argparse.Namespace(**settings), task)), settings


def as_of_2019(model: nn.Module) -> dict[str, torch.Tensor]:
    """The names that RoBERTa was published with."""
    state = {k.replace("layernorm_embedding", "emb_layer_norm"): v for k, v in model.state_dict().items()}
    for name in [k for k in state if ".self_attn.q_proj." in k]:
        parts = [state.pop(name.replace("q_proj", f"{x}_proj")) for x in "qkv"]
        state[name.replace("q_proj.", "in_proj_")] = torch.cat(parts)
    del state["encoder.sentence_encoder.version"]
    copies = re.compile(r".*layers\.\d+\.(in_proj|out_proj|fc1|fc2)_(weight|bias)")  # of fairseq 0.12.2
    return {"decoder" + k[len("encoder") :]: v for k, v in state.items() if not copies.fullmatch(k)}


def huggingface_state(model: nn.Module, *, layer_norm: bool, newer: bool = True) -> dict[str, torch.Tensor]:
    """Tensors of the encoder; ``newer``: the positional weight as torch's parametrizations name it."""
    state = {"masked_spec_embed": torch.randn(4)}
    for index, block in enumerate(model.feature_extractor.conv_layers):
        name = f"feature_extractor.conv_layers.{index}"
        state[f"{name}.conv.weight"] = block[0].weight
        if block[0].bias is not None:
            state[f"{name}.conv.bias"] = block[0].bias
        if layer_norm or index == 0:
            norm = block[2][1] if layer_norm else block[2]
            state |= {f"{name}.layer_norm.weight": norm.weight, f"{name}.layer_norm.bias": norm.bias}
    encoder = model.encoder
    position = encoder.pos_conv[0]
    names = ("parametrizations.weight.original0", "parametrizations.weight.original1")
    g, v = names if newer else ("weight_g", "weight_v")
    prefix = "encoder.pos_conv_embed.conv."
    state |= {prefix + g: position.weight_g, prefix + v: position.weight_v, prefix + "bias": position.bias}
    modules = {
        "feature_projection.layer_norm": model.layer_norm,
        "feature_projection.projection": model.post_extract_proj,
        "encoder.layer_norm": encoder.layer_norm,
    }
    for index, layer in enumerate(encoder.layers):
        name = f"encoder.layers.{index}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            modules[f"{name}.attention.{part}"] = getattr(layer.self_attn, part)
        modules[f"{name}.layer_norm"] = layer.self_attn_layer_norm
        modules[f"{name}.feed_forward.intermediate_dense"] = layer.fc1
        modules[f"{name}.feed_forward.output_dense"] = layer.fc2
        modules[f"{name}.final_layer_norm"] = layer.final_layer_norm
    for name, module in modules.items():
        state |= {f"{name}.weight": module.weight, f"{name}.bias": module.bias}
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}


def huggingface_config(settings: dict) -> dict:
    """``config.json`` of a model that was built with fairseq's settings."""
    layers = []
    for part in settings["conv_feature_layers"].split("+"):
        times = 1
        if "*" in part:
            part, number = part.split("*")
            times = int(number)
        layers += ast.literal_eval(part.strip()) * times
    dim, kernel, stride = (list(numbers) for numbers in zip(*layers))
    return {
        "model_type": "wav2vec2",
        "hidden_size": settings["encoder_embed_dim"],
        "num_hidden_layers": settings["encoder_layers"],
        "num_attention_heads": settings["encoder_attention_heads"],
        "intermediate_size": settings["encoder_ffn_embed_dim"],
        "feat_extract_norm": "layer" if settings.get("extractor_mode") == "layer_norm" else "group",
        "do_stable_layer_norm": settings.get("layer_norm_first", False),
        "conv_bias": settings.get("conv_bias", False),
        "conv_dim": dim,
        "conv_kernel": kernel,
        "conv_stride": stride,
        "num_conv_pos_embeddings": settings["conv_pos"],
        "num_conv_pos_embedding_groups": settings["conv_pos_groups"],
        "torch_dtype": "float32",
    }


def write_folder(folder: Path, state: dict, config: dict, *, binary: bool = False, **files: dict) -> Path:
    """A folder as Hugging Face's hub gives it; files: further JSON files by name without ending."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"config": config, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    if binary:
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def normalised(wave: torch.Tensor) -> torch.Tensor:
    """As Hugging Face's feature extractor does it, [1, samples]."""
    x = wave.numpy().astype(np.float64)
    return torch.from_numpy(((x - x.mean()) / np.sqrt(x.var() + 1e-7)).astype(np.float32))


class Tiny:
    """Saves tiny checkpoints into a folder and remembers fairseq's own models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: dict[str, nn.Module] = {}
        self.settings: dict[str, dict] = {}

    def __call__(self, kind: str) -> str:
        """Path of the checkpoint of that kind."""
        path = self.folder / kind / "model.pt"
        if kind not in self.models:
            path.parent.mkdir(exist_ok=True)
            torch.manual_seed(1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                torch.save(getattr(self, "_" + kind.replace("-", "_"))(), path)
        return str(path)

    def _wav2vec(self):
        self.models["wav2vec"], settings = wav2vec_model()
        # 2019: one flat namespace, meters of a class that fairseq has moved since
        args = argparse.Namespace(arch="audio_cpc", task="speech_pretraining", sample_rate=16000, **settings)
        return {"args": args, "model": self.models["wav2vec"].state_dict(), "extra_state": {"epoch": 3}}

    def _wav2vec2(self):
        self.models["wav2vec2"], settings = wav2vec2_model()
        self.settings["wav2vec2"] = settings
        args = argparse.Namespace(arch="wav2vec2", normalize=False, latent_temp="(2,0.5,0.9)", **settings)
        return {"args": args, "model": self.models["wav2vec2"].state_dict()}

    def _wav2vec2_layer(self):
        model, settings = wav2vec2_model(extractor_mode="layer_norm", layer_norm_first=True, conv_bias=True)
        self.models["wav2vec2-layer"], self.settings["wav2vec2-layer"] = model, settings
        cfg = {"model": {"_name": "wav2vec2", **settings}, "task": {"normalize": True, "sample_rate": 16000}}
        return {"args": None, "cfg": cfg, "model": model.state_dict()}

    def _hubert(self):
        from fairseq.data import Dictionary
        from omegaconf import OmegaConf

        self.models["hubert"], settings = hubert_model()
        cfg = {"model": {"_name": "hubert", **settings}, "task": {"normalize": False, "labels": ["km"]}}
        state = self.models["hubert"].state_dict()
        return {"cfg": OmegaConf.create(cfg), "model": state, "task_state": {"dictionaries": [Dictionary()]}}

    def _roberta(self):
        self.models["roberta"], settings = roberta_model()
        (self.folder / "roberta" / "dict.txt").write_text("".join(f"{n} 1\n" for n in range(20)))
        return {"args": argparse.Namespace(**settings), "model": as_of_2019(self.models["roberta"])}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Tiny checkpoints, made when first asked for."""
    from mmer_fairseq.encoders.fairseq_checkpoint import fairseq_module

    fairseq_module("fairseq.models.wav2vec.wav2vec2")  # quietly, before the strict warnings of the tests
    return Tiny(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="session")
def hf() -> SimpleNamespace:
    """Tiny models of fairseq in the form of Hugging Face."""
    from mmer_fairseq.encoders.fairseq_checkpoint import quiet_fairseq

    def model(**changes):
        with quiet_fairseq():
            return wav2vec2_model(**changes)

    return SimpleNamespace(
        model=model,
        state=huggingface_state,
        config=huggingface_config,
        write=write_folder,
        normalised=normalised,
    )


def constant_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each tensor filled with a number of its own, which a file holds only once: big networks, small files."""
    return {
        name: torch.tensor(
            (index + 1) / 1024 if tensor.is_floating_point() else index, dtype=tensor.dtype
        ).expand(tensor.shape)
        for index, (name, tensor) in enumerate(state.items())
    }


@pytest.fixture(scope="session")
def constant():
    """:func:`constant_state`."""
    return constant_state
