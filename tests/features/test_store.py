"""Feature stores: what goes in comes out, and nothing broken or foreign is believed."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import struct

import numpy as np
import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.features.store import FeatureStore, write_store
from mmer_fairseq.features.write import SHARD_CLIPS

CLIPS = SHARD_CLIPS * 2 + 5


def arrays(dim=6):
    random = np.random.default_rng(1)
    return {
        f"clip/{i} ä": random.normal(size=(int(random.integers(1, 9)), dim)).astype("f4")
        for i in range(CLIPS)
    }


@pytest.fixture
def store(tmp_path):
    return FeatureStore.open(
        write_store(
            tmp_path / "store",
            arrays().items(),
            modality="audio",
            rate=50.0,
            encoder="wav2vec",
            fingerprint="ab",
        )
    )


def opening(path) -> str:
    with pytest.raises(InputError) as error:
        FeatureStore.open(path)
    return str(error.value)


def test_what_goes_in_comes_out(store):
    assert (store.name, store.modality, store.dim, store.rate, len(store)) == (
        "store",
        "audio",
        6,
        50.0,
        CLIPS,
    )
    assert (store.meta["encoder"], store.meta["fingerprint"], store.meta["skipped"]) == ("wav2vec", "ab", {})
    assert set(store.ids()) == set(arrays())
    for clip_id, array in arrays().items():
        assert clip_id in store
        assert store.length(clip_id) == len(array)
        assert torch.equal(store.get(clip_id), torch.from_numpy(array))
    assert "other" not in store


def test_half_precision_is_half_the_size_and_single_when_read(tmp_path):
    half = FeatureStore.open(write_store(tmp_path / "h", arrays().items(), modality="audio", dtype="float16"))
    for clip_id, array in arrays().items():
        assert half.get(clip_id).dtype == torch.float32
        assert torch.equal(half.get(clip_id), torch.from_numpy(array.astype("f2")).float())
    assert half.meta["dtype"] == "float16"


def test_one_clip_is_read_without_its_shard(tmp_path):
    big = {f"c{i}": np.full((500, 256), i, "f4") for i in range(SHARD_CLIPS)}
    store = FeatureStore.open(write_store(tmp_path / "big", big.items(), modality="audio"))
    shard = tmp_path / "big" / "shard-00000.safetensors"
    # spoil another clip: whoever reads the whole shard would notice, c3 alone is whole
    content = bytearray(shard.read_bytes())
    content[-10] ^= 1
    shard.write_bytes(content)
    assert store.get("c3")[0, 0] == 3
    assert store.get("c3").untyped_storage().nbytes() == 500 * 256 * 4


def read_some(store, ids, answers):
    answers.put([float(store.get(clip_id).sum()) for clip_id in ids])


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_one_store_in_several_processes(store, method):
    ids = list(store.ids())[:40]
    expected = [float(store.get(clip_id).sum()) for clip_id in ids]  # opened here first
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    readers = [context.Process(target=read_some, args=(store, ids, answers)) for _ in range(2)]
    for reader in readers:
        reader.start()
    assert [answers.get(timeout=60) for _ in readers] == [expected, expected]
    for reader in readers:
        reader.join()
    assert len(pickle.dumps(store)) < 20000


def test_equal_content_is_equal_files(tmp_path):
    for name in "ab":
        write_store(tmp_path / name, arrays().items(), modality="audio", options={"b": 1, "a": 2})
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_unknown_clip(store):
    with pytest.raises(
        InputError, match="expected audio features of clip 'nobody'; found none among its 69 clips"
    ):
        store.get("nobody")


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.array([[1.0, np.nan]]), "found nan at step 0. Repair or leave out the clip"),
        (np.array([[1.0, 2.0], [np.inf, 0.0]]), "found inf at step 1. Repair"),
        (
            np.zeros((0, 2)),
            r"expected vectors \[T, 2\] of clip 'bad', T at least 1; found an array of shape \[0, 2\]",
        ),
        (np.zeros((3, 4)), r"found an array of shape \[3, 4\]. Give every clip"),
        (np.zeros(2), r"found an array of shape \[2\]"),
        (np.array([["a", "b"]]), "found values of type <U1. Give numbers"),
    ],
)
def test_arrays_that_cannot_be_stored(tmp_path, array, found):
    items = [("good", np.ones((2, 2))), ("bad", array)]
    with pytest.raises(InputError, match=found) as error:
        write_store(tmp_path / "s", items, modality="audio")
    assert str(error.value).startswith(str(tmp_path / "s"))
    assert "'bad'" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_too_large_for_half_precision(tmp_path):
    with pytest.raises(InputError, match=r"expected finite float16 values .*100000.* Store single precision"):
        write_store(tmp_path / "s", [("a", np.full((1, 2), 1e5))], modality="audio", dtype="float16")


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([], "expected one clip at least; found none"),
        ([("a", np.ones((1, 1))), ("a", np.ones((1, 1)))], "found 'a' twice. Rename the clip"),
        ([("__metadata__", np.ones((1, 1)))], "not '__metadata__'; found '__metadata__'. Rename"),
    ],
)
def test_bad_ids(tmp_path, items, found):
    with pytest.raises(InputError, match=found):
        write_store(tmp_path / "s", items, modality="audio")
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_is_kept_unless_told_otherwise(store):
    with pytest.raises(
        InputError, match=r"expected nothing there yet; found a store or another folder. Choose"
    ):
        write_store(store.path, [("x", np.ones((1, 1)))], modality="text")
    write_store(store.path, [("x", np.ones((1, 1)))], modality="text", overwrite=True)
    assert list(FeatureStore.open(store.path).ids()) == ["x"]


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"expected room on the disk and permission to write; found Not a dir.* Mend"
    ):
        write_store(tmp_path / "file" / "s", arrays().items(), modality="audio")


def test_unknown_type(tmp_path):
    with pytest.raises(InputError, match="--dtype: expected float16 or float32; found 'int8'"):
        write_store(tmp_path / "s", arrays().items(), modality="audio", dtype="int8")


def test_nothing_there(tmp_path, store):
    text = opening(tmp_path / "no")
    assert "no: expected a feature store; found nothing there. Run mmer extract, or correct the path" in text
    (tmp_path / "empty").mkdir()
    assert "found a folder without store.json" in opening(tmp_path / "empty")
    assert "found a file" in opening(store.path / "store.json")


def test_missing_truncated_and_foreign_shards(store):
    shard = store.path / "shard-00001.safetensors"
    content = shard.read_bytes()
    shard.write_bytes(content[:-7])
    assert f"{shard}: expected {len(content)} bytes, as its header says; found {len(content) - 7}" in opening(
        store.path
    )
    for broken in (b"", b"abc", content[:100], b"RIFF" * 100, struct.pack("<Q", 5) + b"[1,2]", bytes(2000)):
        shard.write_bytes(broken)
        text = opening(store.path)
        assert f"{shard}: expected a shard of a feature store; found a damaged or foreign file" in text
        assert "Make it again with mmer extract or mmer import, or restore the file." in text
    shard.unlink()
    assert f"{shard}: expected a shard of the store; found no such file" in opening(store.path)


def test_shards_of_another_store(tmp_path, store):
    other = write_store(tmp_path / "other", arrays().items(), modality="audio", rate=50.0, encoder="hubert")
    shard = store.path / "shard-00001.safetensors"
    shard.write_bytes((other / shard.name).read_bytes())
    assert f"{shard}: expected vectors made as the rest of the store" in opening(store.path)
    # the right kind with the wrong clips
    shard.write_bytes((store.path / "shard-00000.safetensors").read_bytes())
    assert f"{shard}: expected the shard that the store's index describes" in opening(store.path)


def test_damaged_bytes_are_found_when_read(store):
    shard = store.path / "shard-00002.safetensors"
    content = bytearray(shard.read_bytes())
    for at in range(len(content) - 100, len(content)):
        content[at] ^= 1
    shard.write_bytes(content)
    store = FeatureStore.open(store.path)
    faults = []
    for clip_id in store.ids():
        try:
            assert torch.equal(store.get(clip_id), torch.from_numpy(arrays()[clip_id]))
        except InputError as error:
            faults.append(str(error))
    assert 1 <= len(faults) <= 5
    for fault in faults:
        assert f"{shard}: expected the vectors of clip 'clip/" in fault
        assert "found other bytes than were written. Restore the file, or make the store again." in fault


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.update(version=2),
        lambda index: index.update(format="something"),
        lambda index: index.pop("shards"),
        lambda index: index["made"].update(dim=-1),
        lambda index: index["made"].update(dtype="int8"),
        lambda index: index["made"].update(more=1),
        lambda index: index["shards"][0].update(file="../../etc/passwd"),
        lambda index: index["shards"][0].update(clips={"a": 3}),
        lambda index: index.update(shards=[[]]),
    ],
)
def test_damaged_index(store, change):
    path = store.path / "store.json"
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))
    text = opening(store.path)
    assert f"{path}: expected the index of a feature store" in text
    assert "found a damaged or foreign file" in text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100000])
def test_index_that_is_no_json(store, content):
    (store.path / "store.json").write_bytes(content)
    assert "store.json: expected the index of a feature store" in opening(store.path)


def test_nan_is_found_when_read_though_its_checksum_is_right(tmp_path, monkeypatch):
    monkeypatch.setattr("numpy.isfinite", lambda values: np.ones(np.shape(values), dtype=bool))
    path = write_store(tmp_path / "nan", [("a", np.full((2, 3), np.nan, "f4"))], modality="audio")
    monkeypatch.undo()
    with pytest.raises(
        InputError, match="expected the vectors of clip 'a' as they were stored; found NaN or infinity"
    ):
        FeatureStore.open(path).get("a")


def test_folders_and_locked_files_in_place_of_files(store, monkeypatch):
    shard = store.path / "shard-00001.safetensors"
    shard.unlink()
    shard.mkdir()
    assert f"{shard}: expected a shard of the store; found a folder. Make it again" in opening(store.path)

    def refuse(*args, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    assert opening(store.path) == (
        f"{store.path / 'store.json'}: expected the index of a feature store; found Permission denied. "
        "Make the file and its folder readable."
    )


def test_a_shard_made_otherwise_is_told_by_what_differs(tmp_path, store):
    other = write_store(tmp_path / "other", arrays(5).items(), modality="audio", rate=50.0, encoder="wav2vec",
                        fingerprint="ab")  # fmt: skip
    shard = store.path / "shard-00001.safetensors"
    shard.write_bytes((other / shard.name).read_bytes())
    expected = "expected vectors made as the rest of the store: dim 6; found dim 5."
    assert f"{shard}: {expected}" in opening(store.path)
