"""``--text-lr-factor`` and its siblings: what moves at a rate of its own, and what stays as it was."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.optim.encoder_lr import EncoderRates, at_their_rates, mark

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1),
}


class Model(nn.Module):
    def __init__(self, head: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoders = nn.Module()
        self.encoders.encoder = nn.ModuleDict({m: nn.Linear(3, 2) for m in ("text", "audio")})
        self.network = nn.Module()
        self.network.heads = nn.ModuleDict({m: nn.Linear(2, 1) for m in ("text", "audio")[not head :]})

    def slow(self) -> set[str]:
        return {name for name, _ in self.named_parameters() if ".text." in name}


def update(model: Model, optimizer, factor: float, times: int = 1) -> None:
    for _ in range(times):
        for i, p in enumerate(model.parameters()):
            p.grad = torch.full_like(p, 0.5 + i)
        with at_their_rates(SimpleNamespace(optimizer=optimizer), EncoderRates(factor)):
            optimizer.step()


def moved(model: Model) -> dict[str, torch.Tensor]:
    start = dict(Model().named_parameters())
    return {name: (p - start[name]).detach() for name, p in model.named_parameters()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_text_moves_by_its_share_and_the_rest_as_before(name):
    found = []
    for factor in (1.0, 8.0):
        model = Model()
        mark(model, EncoderRates(factor))
        update(model, OPTIMIZERS[name](model.parameters()), factor)
        found.append(moved(model))
    plain, slowed = found
    for parameter in plain:
        share = 1 / 8 if parameter in Model().slow() else 1
        assert torch.allclose(slowed[parameter], plain[parameter] * share, atol=1e-7)
        assert plain[parameter].abs().min() > 0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_groups_and_state_are_those_of_an_optimiser_without_it(name):
    model = Model()
    mark(model, EncoderRates(8.0))
    optimizer = OPTIMIZERS[name](model.parameters())
    before = optimizer.param_groups[0]
    update(model, optimizer, 8.0)
    assert optimizer.param_groups == [before]
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.param_groups[0]["params"] == list(model.parameters())
    other = OPTIMIZERS[name](Model().parameters())
    other.load_state_dict(optimizer.state_dict())  # a checkpoint of another factor


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_resumed_updates_are_those_of_one_run(name):
    whole, model = Model(), Model()
    for each in (whole, model):
        mark(each, EncoderRates(4.0))
    update(whole, OPTIMIZERS[name](whole.parameters()), 4.0, times=4)
    first = OPTIMIZERS[name](model.parameters())
    update(model, first, 4.0, times=2)
    second = OPTIMIZERS[name](model.parameters())
    second.load_state_dict(first.state_dict())
    update(model, second, 4.0, times=2)
    for a, b in zip(whole.parameters(), model.parameters()):
        assert torch.equal(a, b)


def test_the_groups_come_back_after_an_error():
    model = Model()
    mark(model, EncoderRates(2.0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def overflow() -> None:
        with at_their_rates(SimpleNamespace(optimizer=optimizer), EncoderRates(2.0)):
            assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.05]
            raise OverflowError

    with pytest.raises(OverflowError):
        overflow()
    assert [len(group["params"]) for group in optimizer.param_groups] == [8]


def test_what_an_optimiser_counts_in_its_group_goes_on():
    model = Model()
    mark(model, EncoderRates(2.0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with at_their_rates(SimpleNamespace(optimizer=optimizer), EncoderRates(2.0)):
        for group in optimizer.param_groups:
            group["step"] = 7
    assert optimizer.param_groups[0]["step"] == 7


@pytest.mark.parametrize("wrapper", ["FP16Optimizer", "MemoryEfficientFP16Optimizer"])
def test_the_mark_survives_half_precision(wrapper):
    from fairseq import optim
    from fairseq.optim.adam import FairseqAdamConfig
    from omegaconf import OmegaConf

    adam = OmegaConf.create({**vars(FairseqAdamConfig(tpu=False, lr=[0.5])), "_name": "adam"})
    common = {"bf16": True, "fp16_scale_window": 1, "model_parallel_size": 1}
    cfg = OmegaConf.create({"common": common, "optimizer": adam, "optimization": {"update_freq": [1]}})
    found = []
    for factor in (1.0, 4.0):
        model = Model().to(torch.bfloat16)
        mark(model, EncoderRates(factor))
        optimizer = getattr(optim, wrapper).build_optimizer(cfg, list(model.parameters()))
        start = [p.detach().clone() for p in model.parameters()]
        optimizer.backward(sum(p.sum() for p in model.parameters()))
        with at_their_rates(optimizer, EncoderRates(factor)):
            optimizer.step()
        found.append([(p - q).abs().mean().item() for p, q in zip(model.parameters(), start)])
    names = [name for name, _ in Model().named_parameters()]
    for name, plain, slowed in zip(names, *found):
        assert slowed == pytest.approx(plain / (4 if ".text." in name else 1), rel=0.05), name


def test_a_network_without_heads_is_marked_too(caplog):
    caplog.set_level(logging.INFO)
    mark(Model(head=False), EncoderRates(10.0))
    assert "8 parameters of the text encoder learn at --lr / 10" in caplog.text


def test_nothing_to_slow_down():
    model = Model()
    model.encoders.encoder["text"].requires_grad_(False)
    with pytest.raises(InputError) as error:
        mark(model, EncoderRates(10.0))
    assert str(error.value) == (
        "--text-lr-factor 10: expected a text encoder that is trained; found none: the text is not used, is stored "
        "features, or its encoder is frozen. Leave the flag out, or train the encoder with --finetune text."
    )
    mark(model, EncoderRates(1.0))


def test_parameters_joined_into_one():
    flat = torch.optim.SGD([nn.Parameter(torch.zeros(9))], lr=0.1)
    holder = SimpleNamespace(optimizer=flat)
    with pytest.raises(InputError) as error, at_their_rates(holder, EncoderRates(10.0)):
        pass
    assert str(error.value) == (
        "--text-lr-factor 10: expected an optimiser that holds the encoders' parameters one by one; found "
        "SimpleNamespace, which joins all parameters into one. Add --fp16-no-flatten-grads, or use "
        "--memory-efficient-fp16 or --amp in place of --fp16."
    )


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("flag", "name", "encoder"), [("text", "text", "text"), ("video", "video", "picture")]
)
def test_wrong_factors(factor, flag, name, encoder):
    with pytest.raises(InputError) as error:
        EncoderRates(**{name: factor})
    assert str(error.value) == (
        f"--{flag}-lr-factor: expected a number above 0: the {encoder} encoder learns at --lr divided by it; "
        f"found {factor}. Give 10, or leave the flag out."
    )


@pytest.mark.parametrize("decay", [0.0, 1.5, float("nan")])
def test_wrong_decays(decay):
    with pytest.raises(InputError) as error:
        EncoderRates(layer_decay=decay)
    assert str(error.value) == (
        "--text-layer-decay: expected a number above 0, at most 1: a layer's learning rate is that of the one above "
        f"it, times this; found {decay}. Give 0.9, or leave the flag out."
    )


class Layered(nn.Module):
    """Parameters named as those of a text encoder."""

    def __init__(self, names: tuple[str, ...], frozen: str = "nothing") -> None:
        super().__init__()
        self.names = names
        for name in (*(f"encoders.encoder.text.{n}" for n in names), "encoders.encoder.video.w", "network.w"):
            module: nn.Module = self
            for part in name.split(".")[:-1]:
                if part not in dict(module.named_children()):
                    module.add_module(part, nn.Module())
                module = getattr(module, part)
            leaf = nn.Parameter(
                torch.zeros(2), requires_grad=not name.startswith(f"encoders.encoder.{frozen}")
            )
            module.register_parameter(name.split(".")[-1], leaf)


HUGGING_FACE = (
    "model.embeddings.word_embeddings.weight",
    "model.embeddings.LayerNorm.bias",
    *(f"model.encoder.layer.{k}.attention.self.query.weight" for k in range(3)),
)
FAIRSEQ = (
    "sentence_encoder.embed_tokens.weight",
    "sentence_encoder.layernorm_embedding.bias",
    *(f"sentence_encoder.layers.{k}.fc1.weight" for k in range(3)),
)
SMALL = (
    "embedding.weight",
    "position_scale",
    "norm.weight",
    "layer.linear1.weight",
    "out_norm.weight",
    "project.bias",
)
DEPTHS = {HUGGING_FACE: (3, 3, 2, 1, 0), FAIRSEQ: (3, 3, 2, 1, 0), SMALL: (1, 1, 1, 0, 0, 0)}


def step(model: nn.Module, rates: EncoderRates, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """One update at a gradient of 1 and a learning rate of 1; how far each parameter went."""
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.ones_like(p) if p.requires_grad else None
    with at_their_rates(SimpleNamespace(optimizer=optimizer), rates):
        optimizer.step()
    return {name: float((start[name] - p.detach())[0]) for name, p in model.named_parameters()}


@pytest.mark.parametrize("names", DEPTHS)
def test_a_layer_moves_by_the_decay_times_the_one_above(names, caplog):
    caplog.set_level(logging.INFO)
    model, rates = Layered(names), EncoderRates(text=2, video=0.25, layer_decay=0.5)
    mark(model, rates)
    found = step(model, rates, torch.optim.SGD(model.parameters(), lr=1.0))
    expected = {f"encoders.encoder.text.{n}": 0.5 * 0.5**depth for n, depth in zip(names, DEPTHS[names])}
    assert found == {**expected, "encoders.encoder.video.w": 4.0, "network.w": 1.0}
    lowest = 0.5 ** max(DEPTHS[names])
    assert f"of the text encoder learn at --lr / 2, its lowest layer at that times {lowest:g}" in caplog.text
    assert "2 parameters of the picture encoder learn at --lr / 0.25" in caplog.text


def test_layers_of_the_encoders_that_are_built(tmp_path):
    from mmer_fairseq.encoders import StreamSpec, build_encoder

    found = {}
    for name in ("embedding", *(("bert", "roberta", "albert") if transformers_folders(tmp_path) else ())):
        path = "" if name == "embedding" else f":{tmp_path / name}"
        model = Model()
        spec = StreamSpec("text", "tokens", name + path, vocab_size=30, frozen=False)
        model.encoders.encoder["text"] = build_encoder(spec, 8)
        if name == "albert":
            with pytest.raises(InputError) as error:
                mark(model, EncoderRates(layer_decay=0.5))
            assert str(error.value) == (
                "--text-layer-decay 0.5: expected a text encoder whose layers are known: bert, roberta or embedding; "
                "found ALBERT, whose layers share their weights. Use --text-lr-factor alone."
            )
            continue
        mark(model, EncoderRates(layer_decay=0.5))
        found[name] = {p.param_group for p in model.encoders.encoder["text"].parameters()}
    assert found.pop("embedding") == {1.0, 0.5}
    assert all(shares == {1.0, 0.5, 0.25} for shares in found.values())


def transformers_folders(path) -> bool:
    """BERT, RoBERTa and ALBERT of two layers; False where transformers is not installed."""
    try:
        import transformers
    except ImportError:
        return False
    sizes = {"vocab_size": 30, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2}
    sizes.update(intermediate_size=8, max_position_embeddings=12, pad_token_id=1)
    for kind in ("Bert", "Roberta", "Albert"):
        config = getattr(transformers, f"{kind}Config")(**sizes)
        getattr(transformers, f"{kind}Model")(config, add_pooling_layer=False).save_pretrained(
            path / kind.lower()
        )
    return True


def test_layers_of_fairseqs_roberta():
    from fairseq.models.transformer import TransformerConfig, TransformerEncoderBase

    cfg = TransformerConfig(layernorm_embedding=True, max_source_positions=8)
    cfg.encoder.embed_dim, cfg.encoder.ffn_embed_dim, cfg.encoder.layers, cfg.encoder.attention_heads = (
        8,
        8,
        2,
        2,
    )
    cfg.encoder.learned_pos = True
    dictionary = SimpleNamespace(pad=lambda: 1)
    model = Model()
    model.encoders.encoder["text"] = nn.ModuleDict(
        {"sentence_encoder": TransformerEncoderBase(cfg, dictionary, nn.Embedding(9, 8, 1))}
    )
    mark(model, EncoderRates(layer_decay=0.5))
    assert {p.param_group for p in model.encoders.encoder["text"].parameters()} == {1.0, 0.5, 0.25}


def test_unknown_layers():
    with pytest.raises(InputError) as error:
        mark(Layered(("blocks.0.weight",)), EncoderRates(text=10, layer_decay=0.9))
    assert str(error.value) == (
        "--text-lr-factor 10 --text-layer-decay 0.9: expected a text encoder whose layers are known: bert, roberta or "
        "embedding; found one with the weights blocks.0.weight. Use --text-lr-factor alone."
    )


def test_a_frozen_picture_encoder():
    with pytest.raises(InputError) as error:
        mark(Layered(HUGGING_FACE, frozen="video"), EncoderRates(video=0.14))
    assert str(error.value) == (
        "--video-lr-factor 0.14: expected a picture encoder that is trained; found none: pictures are not used, are "
        "stored features, or its encoder is frozen. Leave the flag out, or train the encoder with --finetune video."
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_layered_updates_can_be_resumed_with_other_rates(name):
    rates = EncoderRates(video=0.5, layer_decay=0.5)
    whole, model = Layered(FAIRSEQ), Layered(FAIRSEQ)
    runs = [(each, OPTIMIZERS[name](each.parameters())) for each in (whole, model)]
    for each, optimizer in runs:
        mark(each, rates)
        for _ in range(2):
            step(each, rates, optimizer)
    again = OPTIMIZERS[name](model.parameters())
    again.load_state_dict(runs[1][1].state_dict())
    assert step(model, rates, again) == step(whole, rates, runs[0][1])
    plain = OPTIMIZERS[name](model.parameters())
    plain.load_state_dict(again.state_dict())
    assert step(model, EncoderRates(), plain)["network.w"] > 0
