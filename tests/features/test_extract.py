"""Extraction: the encoder's own output, whoever computes it and however often it is killed."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
import yaml

from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.check import check
from mmer_fairseq.corpus.streams import RawOptions, read_stream
from mmer_fairseq.encoders import StreamEncoders, StreamSpec
from mmer_fairseq.errors import InputError
from mmer_fairseq.features import local_engine
from mmer_fairseq.features.extract import extract
from mmer_fairseq.features.plan import alone
from mmer_fairseq.features.store import FeatureStore


def run(corpus: Corpus, wav2vec: Path, **changes) -> Path:
    settings = {
        "modality": "audio",
        "encoder": f"wav2vec:{wav2vec}",
        "name": "w2v",
        "progress": False,
        **changes,
    }
    return extract(corpus, **settings)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("[ps]*"))}


def test_store_holds_every_clip_with_sound(tmp_path, speech, wav2vec):
    corpus = speech(tmp_path / "c", 40)
    store = FeatureStore.open(run(corpus, wav2vec))
    clips = [clip for split in corpus.splits for clip in corpus.clips(split) if clip.has("audio")]
    assert set(store.ids()) == {clip.id for clip in clips}
    assert len(clips) == 36
    assert (store.modality, store.dim, store.rate) == ("audio", 24, 16000 / 40)
    assert store.meta["encoder"] == "wav2vec"
    assert len(store.meta["fingerprint"]) == 64
    assert store.meta["options"] == {"sample_rate": 16000}


def test_through_the_encoder_and_through_the_store_is_the_same(tmp_path, speech, wav2vec):
    corpus = speech(tmp_path / "c", 12)
    store = FeatureStore.open(run(corpus, wav2vec))
    clips = [clip for clip in corpus.clips("train") if clip.has("audio")]
    torch.manual_seed(0)
    raw = StreamEncoders(
        {"audio": StreamSpec("audio", "samples", f"wav2vec:{wav2vec}", rate=16000.0)}, {"audio": 8}
    )
    stored = StreamEncoders({"audio": StreamSpec("audio", "features", dim=store.dim)}, {"audio": 8})
    stored.projection.load_state_dict(raw.projection.state_dict())

    def encode(encoders, items):
        lengths = torch.tensor([len(item) for item in items])
        padded = torch.nn.utils.rnn.pad_sequence(items, batch_first=True)
        features, steps = encoders({"audio": padded}, {"audio": lengths})
        return features["audio"], steps["audio"]

    one, steps = encode(raw, [read_stream(clip, "audio", RawOptions()) for clip in clips])
    other, stored_steps = encode(stored, [store.get(clip.id) for clip in clips])
    assert steps.tolist() == stored_steps.tolist()
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    assert other.std() > 0.01


def test_registered_in_the_corpus(tmp_path, speech, wav2vec):
    corpus = speech(tmp_path / "c", 8)
    path = run(corpus, wav2vec)
    run(corpus, wav2vec, name="second", splits=["valid"])
    entries = yaml.safe_load((tmp_path / "c" / "corpus.yaml").read_text())["features"]
    assert entries["w2v"] == {"path": "features/w2v", "modality": "audio"}
    assert Corpus.load(tmp_path / "c").features["w2v"].path == path
    assert list(FeatureStore.open(path.parent / "second").ids()) == ["clip4"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_make_no_difference(tmp_path, speech, wav2vec, monkeypatch, method):
    monkeypatch.setattr(local_engine, "start_method", lambda device: method)  # spawn is for GPUs
    corpus = speech(tmp_path / "c", 80)
    one = run(corpus, wav2vec, name="one")
    two = run(corpus, wav2vec, name="two", workers=2)
    assert len(contents(one)) == 5  # three shards, store.json, plan.json
    assert contents(one) == contents(two)


def identity(file: Path) -> tuple[int, int]:
    """Another inode or time: the file was written again."""
    return file.stat().st_ino, file.stat().st_mtime_ns


COMMAND = """
import sys
from mmer_fairseq.cli.main import main
sys.exit(main(["extract", sys.argv[1], "--modality", "audio", "--encoder", "wav2vec:" + sys.argv[2],
               "--name", "w2v", "--workers", sys.argv[3]]))
"""


def test_killed_and_run_again(tmp_path, speech, wav2vec):
    corpus = speech(tmp_path / "c", 200, seconds=1.0)
    shutil.copytree(tmp_path / "c", tmp_path / "uninterrupted")
    expected = run(Corpus.load(tmp_path / "uninterrupted"), wav2vec)
    folder = tmp_path / "c" / "features" / "w2v"

    def words(workers: int) -> list[str]:
        return [sys.executable, "-c", COMMAND, str(tmp_path / "c"), str(wav2vec), str(workers)]

    for workers in (2, 1):  # killed twice, in the middle each time
        there = len(list(folder.glob("shard-*")))
        process = subprocess.Popen(words(workers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(list(folder.glob("shard-*"))) == there:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (folder / "store.json").exists()
        with pytest.raises(InputError, match=r"found an unfinished store\. Run the same mmer extract again"):
            FeatureStore.open(folder)
        with alone(folder):  # its workers have ended with it
            done = {file.name: identity(file) for file in folder.glob("shard-*")}
    assert 2 <= len(done) < 6
    finished = subprocess.run(words(2), capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert f"{32 * len(done)} of 180 clips are there already" in finished.stderr
    assert {name: identity(folder / name) for name in done} == done
    assert contents(folder) == contents(expected)
    assert [file.name for file in folder.iterdir() if file.name.startswith(".")] == [".lock"]
    assert "w2v" in Corpus.load(tmp_path / "c").features
    assert corpus.features == {}


def test_finished_store_is_left_as_it_is(tmp_path, speech, wav2vec):
    corpus = speech(tmp_path / "c", 5)
    path = run(corpus, wav2vec)
    before = {file.name: file.stat().st_mtime_ns for file in path.glob("s*")}
    assert run(corpus, wav2vec) == path
    assert {file.name: file.stat().st_mtime_ns for file in path.glob("s*")} == before


def test_damaged_finished_shard_is_made_again(tmp_path, speech, wav2vec, caplog):
    corpus = speech(tmp_path / "c", 40)
    path = run(corpus, wav2vec)
    expected = contents(path)
    (path / "store.json").unlink()
    (path / "shard-00001.safetensors").write_bytes(b"cut off")
    (path / ".shard-00001.safetensors.4711").write_bytes(b"left by a killed process")
    run(corpus, wav2vec)
    assert contents(path) == expected
    assert not (path / ".shard-00001.safetensors.4711").exists()
    assert "made again: " in caplog.text


def test_other_settings_do_not_mix(tmp_path, speech, wav2vec):
    corpus = speech(tmp_path / "c", 5)
    path = run(corpus, wav2vec)
    with pytest.raises(InputError) as error:
        run(corpus, wav2vec, dtype="float16")
    assert f"{path}: expected a store made with dtype 'float16'; found one made with dtype 'float32'" in str(
        error.value
    )
    assert "Choose another --name" in str(error.value)
    content = torch.load(wav2vec, weights_only=False)
    content["model"]["feature_aggregator.conv_layers.0.1.weight"] += 1
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(InputError, match="expected a store made with fingerprint '"):
        run(corpus, tmp_path / "other.pt")
    with pytest.raises(
        InputError, match=r"made with clips '4 clips, list .*found one made with clips '5 clips"
    ):
        run(corpus, wav2vec, splits=["train"])
    (path / "plan.json").write_text("{")
    with pytest.raises(
        InputError, match=r"plan\.json: expected the plan of an extraction; found a damaged file"
    ):
        run(corpus, wav2vec)


def test_stores_of_different_layers_do_not_mix(tmp_path, speech):
    from mmer_fairseq.encoders.fairseq_checkpoint import fairseq_module, quiet_fairseq

    module = fairseq_module("fairseq.models.wav2vec.wav2vec2")
    settings = {"conv_feature_layers": "[(8, 10, 40)]", "encoder_layers": 2, "encoder_embed_dim": 16}
    settings.update(encoder_ffn_embed_dim=16, encoder_attention_heads=2, conv_pos=4, conv_pos_groups=2)
    config = module.Wav2Vec2Config()
    for name, value in settings.items():
        setattr(config, name, value)
    with quiet_fairseq():
        state = module.Wav2Vec2Model(config).state_dict()
        torch.save(
            {"args": argparse.Namespace(arch="wav2vec2", **settings), "model": state}, tmp_path / "x.pt"
        )
    corpus, encoder = speech(tmp_path / "c", 5), f"wav2vec2:{tmp_path / 'x.pt'}"
    store = FeatureStore.open(run(corpus, tmp_path, encoder=f"{encoder}@1"))
    assert store.meta["fingerprint"].endswith("@1")
    assert run(corpus, tmp_path, encoder=f"{encoder}@1") == store.path
    with pytest.raises(InputError, match=r"made with fingerprint '\w{64}'; found one .* '\w{64}@1'"):
        run(corpus, tmp_path, encoder=encoder)


def test_an_encoder_that_is_no_file(tmp_path, speech, monkeypatch):
    class Smile:
        def __init__(self, feature_set, feature_level):
            self.width = feature_level

        def process_signal(self, wave, rate):
            values = np.ones((len(wave) // 160 - 4, self.width), dtype=np.float32)
            return SimpleNamespace(to_numpy=lambda: values)

    package = SimpleNamespace(__version__="2.6.0", Smile=Smile)
    package.FeatureSet = SimpleNamespace(ComParE_2016="compare", eGeMAPSv02="egemaps")
    package.FeatureLevel = SimpleNamespace(LowLevelDescriptors=65, LowLevelDescriptors_Deltas=65)
    monkeypatch.setitem(sys.modules, "opensmile", package)
    store = FeatureStore.open(run(speech(tmp_path / "c", 5), tmp_path, encoder="opensmile", name="lld"))
    assert (store.dim, store.rate, store.meta["encoder"]) == (130, 100.0, "opensmile")
    assert store.meta["fingerprint"] == "opensmile 2.6.0 ComParE_2016"


def test_folder_of_something_else(tmp_path, speech, wav2vec):
    corpus = speech(tmp_path / "c", 5)
    (tmp_path / "c/features/w2v").mkdir(parents=True)
    (tmp_path / "c/features/w2v/notes.txt").touch()
    with pytest.raises(InputError, match=r"expected an empty folder.*found \['notes.txt'\]\. Choose another"):
        run(corpus, wav2vec)


def test_folder_that_cannot_be_written(tmp_path, speech, wav2vec):
    corpus = speech(tmp_path / "c", 5)
    (tmp_path / "c/features").touch()
    with pytest.raises(
        InputError, match=r"features/w2v: expected room on the disk and permission to write; found"
    ):
        run(corpus, wav2vec)


def test_clips_of_every_label_space_are_stored(tmp_path, speech, wav2vec):
    folder = tmp_path / "c"
    speech(folder, 6)
    labels = "labels:\n  calm: {kind: classes, column: emotion, classes: [calm], ignore: [angry]}\n"
    text = (folder / "corpus.yaml").read_text().replace("labels:\n", labels)
    (folder / "corpus.yaml").write_text(text)
    corpus = Corpus.load(folder)
    assert len(corpus.clips("train")) == 2
    store = FeatureStore.open(run(corpus, wav2vec))
    assert len(store) == 6
    assert check(folder, open_store=FeatureStore.open, decode=True).faults == []


def test_one_extraction_at_a_time(tmp_path, speech, wav2vec, monkeypatch):
    monkeypatch.setattr("mmer_fairseq.corpus.lock.PATIENCE", 0.1)
    corpus = speech(tmp_path / "c", 5)
    with (
        alone(tmp_path / "c/features/w2v"),
        pytest.raises(InputError, match=r"found one that is running. Wait"),
    ):
        run(corpus, wav2vec)


def broken(corpus: Corpus, *ids: str) -> None:
    for clip_id in ids:
        (corpus.directory / "wav" / f"{clip_id}.wav").write_bytes(b"no sound")


@pytest.mark.parametrize("workers", [1, 2])
def test_broken_medium_names_file_and_line(tmp_path, speech, wav2vec, workers):
    corpus = speech(tmp_path / "c", 40)
    broken(corpus, "clip36")
    with pytest.raises(InputError) as error:
        run(corpus, wav2vec, workers=workers)
    assert "clip36.wav" in str(error.value)
    assert "train.tsv:31" in str(error.value)
    soundfile.write(corpus.directory / "wav" / "clip36.wav", torch.randn(4000).numpy() * 0.1, 16000)
    assert "clip36" in FeatureStore.open(run(corpus, wav2vec, workers=workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_skipped_clips_are_counted_and_named(tmp_path, speech, wav2vec, workers, caplog):
    corpus = speech(tmp_path / "c", 40)
    broken(corpus, "clip3", "clip36")
    with pytest.raises(InputError) as error:
        run(corpus, wav2vec, workers=workers, skip_bad=1, name="few")
    text = str(error.value)
    assert "expected at most 1 clips that cannot be read (--skip-bad); found 2:" in text
    assert "clip3.wav" in text
    assert "clip36.wav" in text
    store = FeatureStore.open(run(corpus, wav2vec, workers=workers, skip_bad=2))
    assert set(store.meta["skipped"]) == {"clip3", "clip36"}
    assert len(store) == 34
    assert "left out: " in caplog.text
    with pytest.raises(InputError, match=r"found none, it was left out: .*clip3.wav"):
        store.get("clip3")


def test_no_clip_can_be_read(tmp_path, speech, wav2vec):
    corpus = speech(tmp_path / "c", 5)
    broken(corpus, *(f"clip{i}" for i in range(5)))
    with pytest.raises(InputError, match="expected one clip at least that can be read; found none"):
        run(corpus, wav2vec, skip_bad=9)


def test_dead_worker_is_noticed(tmp_path, speech, wav2vec, monkeypatch):
    corpus = speech(tmp_path / "c", 40)
    monkeypatch.setattr(local_engine, "make_shard", _dies)
    with pytest.raises(
        InputError, match=r"expected all workers to live .*ended by signal 9 .*fewer --workers"
    ):
        run(corpus, wav2vec, workers=2)


def _dies(*_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modality": "smell"}, "--modality: expected one of text, audio, video.*found 'smell'"),
        ({"modality": "video"}, r"encoder of 'video': expected an encoder of frames|clips with video"),
        ({"encoder": "logmel"}, "expected an encoder with trained weights .*; found 'logmel'"),
        ({"encoder": "wav2vec"}, "--encoder: expected 'wav2vec:PATH'; found 'wav2vec'"),
        ({"encoder": "wav2vec:/no/such/file.pt"}, "found no such file"),
        ({"dtype": "int4"}, "--dtype: expected float16 or float32"),
        ({"name": "a/b"}, "--name: expected a name of letters"),
        ({"splits": ["tarin"]}, "tarin"),
        ({"device": "abacus"}, "--device: expected a device of this machine .*found 'abacus'"),
    ],
)
def test_bad_requests(tmp_path, speech, wav2vec, changes, message):
    corpus = speech(tmp_path / "c", 5)
    with pytest.raises(InputError, match=message):
        run(corpus, wav2vec, **changes)
    assert not (tmp_path / "c" / "features").exists()


def test_sse_ft_layout(tmp_path, speech, wav2vec):
    speech(tmp_path / "c", 6)
    folder = tmp_path / "old"
    folder.mkdir()
    ids = [f"clip{i}" for i in range(6)]
    for split in ("train", "valid", "test"):
        names = ids[:4] if split == "train" else ids[4:5] if split == "valid" else ids[5:]
        (folder / f"{split}_a.tsv").write_text(
            "\n".join([str(tmp_path / "c/wav"), *(f"{n}.wav" for n in names)]) + "\n"
        )
        (folder / f"label_file_{split}.csv").write_text("id,label\n" + "".join(f"{n},joy\n" for n in names))
    path = run(Corpus.load(folder), wav2vec)
    assert path == folder / "features" / "w2v"
    entry = Corpus.load(folder).features["w2v"]
    assert (entry.path, entry.modality) == (path, "audio")
    assert len(FeatureStore.open(path)) == 6
