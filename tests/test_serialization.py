"""Checkpoints: what is saved comes back; damaged and hostile files are refused in words."""

import collections
import io
import json
import os
import pickle
import struct
import warnings
import zipfile

import numpy as np
import pytest

import flambeau as torch
from flambeau import serialization


def saved(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    file.seek(0)
    return file


def round_trip(value, legacy=False, **options):
    return torch.load(saved(value, _use_new_zipfile_serialization=not legacy), **options)


DTYPES = [
    "float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8",
    "bool", "complex64", "complex128",
]  # fmt: skip


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(name, legacy, weights_only):
    tensor = torch.tensor([[0, 1, 2], [3, 0, 5]]).to(getattr(torch, name))
    found = round_trip(tensor, legacy, weights_only=weights_only)
    assert type(found) is torch.Tensor and found.dtype is tensor.dtype
    assert found.shape == (2, 3) and (found == tensor).all()
    found[0] = 1  # writable
    assert found[0].tolist() == torch.ones(3, dtype=tensor.dtype).tolist()


VALUES = [
    None,
    {"epoch": 3, "loss": 0.25, "name": "é", "flags": [True, False], "nested": {"a": (1, 2, 3, 4)}},
    {1: 2**70, -5: b"bytes", (1, "a"): 3 + 4j},
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.Counter("abca"),
    {1, 2, 3},
    bytearray(b"xy"),
    [float("inf"), -0.0, 2**31, -(2**40), ""],
]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_values(value, legacy):
    found = round_trip(value, legacy)
    assert found == value and type(found) is type(value)


def test_constants_of_the_framework():
    value = [torch.float32, torch.bfloat16, torch.Size([2, 3]), torch.device("cpu"), torch.strided]
    assert round_trip(value) == value


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,), (3, 1, 2)])
def test_shapes(shape):
    found = round_trip(torch.ones(shape))
    assert found.shape == shape and found.sum().item() == torch.ones(shape).sum().item()


def test_requires_grad_parameters_and_attributes():
    leaf = torch.ones(2, requires_grad=True)
    parameter = torch.nn.Parameter(torch.ones(3), requires_grad=False)
    found = round_trip([leaf, parameter, torch.nn.Parameter(torch.zeros(1))])
    assert found[0].requires_grad and not found[1].requires_grad and found[2].requires_grad
    assert type(found[1]) is torch.nn.Parameter and found[1].tolist() == [1, 1, 1]
    named = torch.ones(2)
    named.note = "kept"
    assert round_trip(named).note == "kept"
    marked = torch.nn.Parameter(torch.ones(2))
    marked.note = "kept"
    assert round_trip(marked).note == "kept"


def test_sharing_is_kept():
    base = torch.arange(12.0)
    views = {"base": base, "rows": base.view(3, 4), "part": base[2:5], "columns": base[::3]}
    found = round_trip(views)
    assert found["columns"].tolist() == [0, 3, 6, 9]
    found["base"][3] = -1
    assert found["rows"][0, 3].item() == -1 and found["part"][1].item() == -1
    assert found["columns"][1].item() == -1
    same = round_trip([base, base])
    assert same[0] is same[1]


def test_permuted_views():
    base = torch.arange(24.0).view(2, 3, 4)
    found = round_trip([base, base.permute(2, 0, 1), base[:, 1]])
    assert (found[1] == base.permute(2, 0, 1)).all() and (found[2] == base[:, 1]).all()


@pytest.mark.parametrize(
    "take, stored", [(lambda t: t[100:110], 40), (lambda t: t.view(100, 100)[:, 3], 400),
                     (lambda t: [t[10:20], t[12:30]], 80), (lambda t: t[:6000], 40000)],
)  # fmt: skip
def test_slices_do_not_bring_everything(take, stored):
    part = take(torch.arange(10000.0))
    file = saved(part)
    with zipfile.ZipFile(file) as archive:
        assert archive.getinfo("archive/data/0").file_size == stored
    file.seek(0)
    found = torch.load(file)
    parts, founds = (part, found) if isinstance(part, list) else ([part], [found])
    assert all((a == b).all() for a, b in zip(parts, founds))


def test_numpy_values():
    value = {
        "best": np.float64(0.75),
        "count": np.int32(3),
        "flag": np.bool_(True),
        "array": np.arange(6, dtype=np.float32).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
        "text": np.array(["ab", "c"]),
        "scalar": np.array(5),
    }
    found = round_trip(value)
    assert type(found["best"]) is np.float64 and found["best"] == 0.75
    assert type(found["count"]) is np.int32 and found["flag"]
    for name in ("array", "fortran", "big", "text", "scalar"):
        assert (found[name] == value[name]).all() and found[name].shape == value[name].shape
    found["array"][0] = 1
    with pytest.raises(pickle.UnpicklingError, match="NumPy array of type 'O8' is not allowed"):
        round_trip(np.array([object], dtype=object))
    with pytest.raises(pickle.UnpicklingError, match="records|not allowed"):
        round_trip(np.zeros(2, [("a", "i4")]))


def test_state_dict_with_metadata():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    found = round_trip(model.state_dict())
    assert list(found) == list(model.state_dict()) and type(found) is collections.OrderedDict
    assert found._metadata[""] == {"version": 1} and found._metadata["1"] == {"version": 2}
    fresh = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    fresh.load_state_dict(found)
    assert (fresh[0].weight == model[0].weight).all()


def test_whole_module():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    file = saved(model)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed") as caught:
        torch.load(file)
    assert "torch.nn.modules.container.Sequential" in str(caught.value)
    file.seek(0)
    found = torch.load(file, weights_only=False)
    x = torch.randn(4, 3)
    assert (found(x) == model(x)).all()
    file.seek(0)
    kinds = [torch.nn.Sequential, torch.nn.Linear, torch.nn.ReLU, set]
    with torch.serialization.safe_globals(kinds):
        assert (torch.load(file)(x) == model(x)).all()


def test_optimizer_state():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    weight.sum().backward()
    optimizer.step()
    found = round_trip(optimizer.state_dict())
    assert found["param_groups"][0]["lr"] == 0.1
    assert found["state"][0]["momentum_buffer"].tolist() == [1, 1]


# ---- files ---------------------------------------------------------------------------------------


def test_paths(tmp_path):
    path = tmp_path / "linear.pth"
    torch.save({"a": torch.ones(3)}, path)
    assert os.listdir(tmp_path) == ["linear.pth"]
    assert torch.load(str(path))["a"].tolist() == [1, 1, 1]
    names = zipfile.ZipFile(path).namelist()
    assert names == [f"linear/{n}" for n in ("data.pkl", "byteorder", "data/0", "version")]
    with pytest.raises(RuntimeError, match="Parent directory .* does not exist"):
        torch.save(1, tmp_path / "no" / "x.pth")
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "absent.pth")
    with pytest.raises(AttributeError, match="with a 'write' attribute"):
        torch.save(1, 5)
    with pytest.raises(AttributeError, match="from a file that is seekable"):
        torch.load(5)


def test_failed_save_keeps_the_old_file(tmp_path):
    path = tmp_path / "x.pth"
    torch.save(1, path)
    with pytest.raises((AttributeError, pickle.PicklingError), match="top level of a module"):
        torch.save(lambda: 0, path)
    assert torch.load(path) == 1 and os.listdir(tmp_path) == ["x.pth"]


def test_an_interrupt_within_an_entry_is_the_error_that_arrives(monkeypatch, tmp_path):
    def interrupted(self, data):
        raise KeyboardInterrupt

    path = tmp_path / "weights.pth"
    torch.save(1, path)
    monkeypatch.setattr(zipfile._ZipWriteFile, "write", interrupted)
    # as if it came while the entry is closed, too
    monkeypatch.setattr(zipfile._ZipWriteFile, "close", lambda self: None)
    with pytest.raises(KeyboardInterrupt):
        torch.save(torch.ones(3), path)
    monkeypatch.undo()
    assert torch.load(path) == 1 and os.listdir(tmp_path) == ["weights.pth"]


def test_links_and_modes_stay(tmp_path):
    target, link = tmp_path / "target.pth", tmp_path / "link.pth"
    torch.save(1, target)
    target.chmod(0o640)
    link.symlink_to(target)
    torch.save(2, link)
    assert link.is_symlink() and torch.load(target) == 2
    assert target.stat().st_mode & 0o777 == 0o640


def test_records_are_aligned(tmp_path):
    path = tmp_path / "é.pth"
    torch.save([torch.ones(n) for n in (1, 7, 100)], path)
    with open(path, "rb") as file:
        reader = serialization.ZipReader(file, "")
        assert all(reader.data_start(f"data/{key}") % 64 == 0 for key in range(3))


def test_mmap(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.arange(5.0), "b": torch.ones(2, dtype=torch.bfloat16)}, path)
    before = path.read_bytes()
    found = torch.load(path, mmap=True)
    found["a"] += 1
    assert found["a"].tolist() == [1, 2, 3, 4, 5] and found["b"].float().tolist() == [1, 1]
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="must be a file path"):
        torch.load(saved(1), mmap=True)
    torch.save(1, path, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used"):
        torch.load(path, mmap=True)


def test_reading_from_the_middle_and_in_sequence():
    file = io.BytesIO()
    file.write(b"header")
    torch.save([1, 2], file)
    file.seek(6)
    assert torch.load(file) == [1, 2]
    file = io.BytesIO()
    for value in (torch.arange(3.0), {"a": 1}, torch.ones(2)):
        torch.save(value, file, _use_new_zipfile_serialization=False)
    file.seek(0)
    assert torch.load(file).tolist() == [0, 1, 2]
    assert torch.load(file, weights_only=False) == {"a": 1}
    assert torch.load(file).tolist() == [1, 1] and file.read() == b""


def on_cuda(value):
    """A checkpoint as if saved from a GPU."""
    data = saved(value, _use_new_zipfile_serialization=False).getvalue()
    return io.BytesIO(data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"))


def test_map_location():
    tensor = torch.arange(3.0)
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
        torch.load(on_cuda(tensor))
    locations = ["cpu", torch.device("cpu"), {"cuda:0": "cpu"}, lambda storage, place: storage,
                 lambda storage, place: storage.cpu()]  # fmt: skip
    for location in locations:
        assert torch.load(on_cuda(tensor), map_location=location).tolist() == [0, 1, 2]
    seen = []
    torch.load(saved(tensor), lambda storage, place: seen.append((place, storage.nbytes())))
    assert seen == [("cpu", 12)]
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(saved(tensor), map_location="cuda")
    with pytest.raises(TypeError, match="map_location should be"):
        torch.load(saved(tensor), map_location=5)


def test_environment(monkeypatch):
    file = saved(collections.defaultdict(int))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.warns(UserWarning, match="TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected"):
        torch.load(file)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(RuntimeError, match="Only one of"):
        torch.load(file)
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(file, weights_only=False)
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        torch.load(file, weights_only=True, pickle_module=pickle)


# ---- what weights-only loading refuses -----------------------------------------------------------


class Exploit:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


class Config:
    def __init__(self):
        self.rate = 0.1


def test_refused_objects_are_placed():
    with pytest.raises(pickle.UnpicklingError) as caught:
        round_trip({"epoch": 1, "extra": {"ok": 2, "configs": [1, Config()]}, "z": 3})
    text = str(caught.value)
    assert text.startswith("Weights only load failed.")
    assert f"add_safe_globals([{__name__}.Config])" in text
    assert "['extra']['configs'][1]" in text


def test_safe_globals():
    file = saved(Config())
    with serialization.safe_globals([Config]):
        assert torch.load(file).rate == 0.1
    assert serialization.get_safe_globals() == []
    file.seek(0)
    serialization.add_safe_globals([(Config, f"{__name__}.Config")])
    assert torch.load(file).rate == 0.1
    serialization.clear_safe_globals()
    file.seek(0)
    assert serialization.get_unsafe_globals_in_checkpoint(file) == [f"{__name__}.Config"]
    with pytest.raises(ValueError, match="Expected input to be a checkpoint"):
        serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(b"nothing"))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "call", [(os.system, ("touch {}",)), (eval, ("open('{}', 'w')",)), (exec, ("1",)),
             (getattr, ({}, "keys")), (io.BytesIO, (b"x",))],
)  # fmt: skip
def test_nothing_is_executed(call, legacy, tmp_path):
    function, arguments = call
    mark = tmp_path / "mark"
    arguments = tuple(a.format(mark) if isinstance(a, str) else a for a in arguments)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        round_trip(Exploit(function, arguments), legacy)
    assert not mark.exists()


def test_blocked_modules_stay_blocked():
    with serialization.safe_globals([os.system]):
        with pytest.raises(pickle.UnpicklingError, match="is blocked"):
            round_trip(Exploit(os.system, ("true",)))


def archive(pickled, records=(), **names):
    """A checkpoint with a hand-made stream."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("archive/data.pkl", b"\x80\x02" + pickled + b".")
        made.writestr("archive/version", "3\n")
        for name, data in [*records, *names.items()]:
            made.writestr(f"archive/{name}", data)
    file.seek(0)
    return file


def text(word):
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def number(n):
    return b"J" + struct.pack("<i", n)


def storage(count, key="0", kind="FloatStorage"):
    return (
        b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu")
        + number(count) + b"tQ"
    )  # fmt: skip


def tensor(count, offset, size, stride, function="_rebuild_tensor_v2"):
    shape = b"(" + b"".join(map(number, size)) + b"t"
    steps = b"(" + b"".join(map(number, stride)) + b"t"
    return (
        f"ctorch._utils\n{function}\n".encode() + b"(" + storage(count) + number(offset) + shape
        + steps + b"\x89ccollections\nOrderedDict\n)RtR"
    )  # fmt: skip


DATA = [("data/0", np.arange(4, dtype=np.float32).tobytes())]


def test_handmade_tensor():
    assert torch.load(archive(tensor(4, 1, (3,), (1,)), DATA)).tolist() == [1, 2, 3]


HOSTILE = {
    "more elements than the record": (tensor(1000, 0, (1000,), (1,)), "its record has 16"),
    "size beyond the storage": (tensor(4, 0, (5,), (1,)), "needs 5 elements"),
    "offset beyond the storage": (tensor(4, 4, (1,), (1,)), "needs 5 elements"),
    "stride beyond the storage": (tensor(4, 0, (2, 2), (3, 1)), "needs 5 elements"),
    "a huge expanded tensor": (
        tensor(4, 0, (2**31 - 1, 2**31 - 1), (0, 0)), "more than 16 GiB"
    ),
    "negative size": (tensor(4, 0, (-1,), (1,)), "size should be natural"),
    "negative stride": (tensor(4, 3, (2,), (-1,)), "stride should be natural"),
    "negative offset": (tensor(4, -1, (1,), (1,)), "storage offset"),
    "sizes without strides": (tensor(4, 0, (2, 2), (1,)), "differ in length"),
    "too many dimensions": (tensor(4, 0, (1,) * 65, (1,) * 65), "65 dimensions"),
    "negative count": (tensor(-1, 0, (1,), (1,)), "number of elements"),
    "a missing record": (storage(4, "7"), "file not found: data/7"),
    "another path as key": (storage(4, "../version"), "file not found"),
    "a storage of no class": (b"(" + text("storage") + b"NNNNtQ", "class is None"),
    "a persistent id of another kind": (b"(" + text("module") + b"tQ", "Only persistent_load"),
    "a persistent id that is no tuple": (text("storage") + b"Q", "must be tuple"),
    "items of a list": (b"]" + number(0) + number(1) + b"s", "Can only SETITEM"),
    "items of a tensor": (tensor(4, 0, (4,), (1,)) + number(0) + number(9) + b"s", "SETITEM"),
    "append to a dict": (b"}" + number(1) + b"a", "Can only append"),
    "a key that is a list": (b"}" + b"]" + b"Ns", "key of the checkpoint is a list"),
    "an odd number of items": (b"}(" + number(1) + b"u", "key without a value"),
    "call of a number": (number(1) + b")R", "unrecognized function"),
    "call of a dtype": (b"ctorch\nfloat32\n)R", "unrecognized function"),
    "call of Tensor": (b"ctorch\nTensor\n" + b"(" + number(2**30) + b"tR", "unrecognized"),
    "a large bytearray": (b"cbuiltins\nbytearray\n(" + number(2**31 - 1) + b"tR", "bytearray"),
    "another codec": (b"c_codecs\nencode\n(" + text("x") + text("zip") + b"tR", "not allowed"),
    "state for a number": (number(1) + b"}b", "Can only build"),
    "attributes of a dict's dict": (b"ccollections\nOrderedDict\n)R]b", "should be a dict"),
    "a new object of any class": (b"cbuiltins\nset\n)\x81", "Can only create new object"),
    "protocol 4": (b"\x8c\x01a\x94", "Unsupported operand 140"),
    "an empty stack": (b"s", "malformed"),
    "a memo entry that is not there": (b"h\x05", "malformed"),
    "a mark that is not there": (b"t", "malformed"),
    "a name without end": (b"c" + b"a" * 5000, "does not end"),
    "text that is not there": (b"X\xff\xff\xff\x7fab", "ends early"),
    "deeply nested keys": (b"}" + b")" + b"\x85" * 100000 + b"Ns", "nested too deeply"),
    "an unknown metadata": (b"ctorch._utils\n_rebuild_tensor_v2\nNR", "arguments should be"),
    "too few arguments": (b"ctorch._utils\n_rebuild_tensor_v2\n)R", "malformed"),
    "a parameter of a number": (
        b"ctorch._utils\n_rebuild_parameter\n(" + number(1) + b"\x88}tR", "should hold a tensor"
    ),
    "a sparse tensor": (b"ctorch._utils\n_rebuild_sparse_tensor\n", "sparse tensor"),
    "a quantized storage": (storage(4, kind="QInt8Storage"), "Unsupported global"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_streams(name):
    pickled, words = HOSTILE[name]
    with pytest.raises((pickle.UnpicklingError, RuntimeError, EOFError)) as caught:
        torch.load(archive(pickled, DATA))
    assert words in str(caught.value)


def test_deep_nesting_is_no_crash():
    value = torch.load(archive(b"]" * 50000 + b"a" * 49999))
    assert isinstance(value, list)


def test_duplicate_and_foreign_records():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = archive(tensor(4, 0, (4,), (1,)), DATA * 2)
    with pytest.raises(RuntimeError, match="two records are called 'data/0'"):
        torch.load(file)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("data.pkl", b"N.")
    file.seek(0)
    with pytest.raises(RuntimeError, match="not in a subdirectory"):
        torch.load(file)
    file = archive(b"N", byteorder="middle")
    with pytest.raises(ValueError, match="Unknown endianness type: middle"):
        torch.load(file)
    with pytest.raises(RuntimeError, match="TorchScript"):
        torch.load(archive(b"N", [("constants.pkl", b"")]))


def test_missing_version():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("archive/data.pkl", b"\x80\x02N.")
    file.seek(0)
    with pytest.raises(RuntimeError, match="file not found: version"):
        torch.load(file)


def test_compressed_archives():
    def compressed(value):
        file = io.BytesIO()
        with zipfile.ZipFile(saved(value)) as source:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
                for name in source.namelist():
                    target.writestr(name, source.read(name))
        file.seek(0)
        return file

    assert torch.load(compressed(torch.arange(1000.0))).sum().item() == 499500
    bomb = compressed(torch.zeros(10_000_000))
    data = bomb.getvalue().replace(struct.pack("<I", 40_000_000), struct.pack("<I", 2**32 - 2))
    with pytest.raises(RuntimeError, match="expand|larger"):
        torch.load(io.BytesIO(data))
    with pytest.raises(RuntimeError, match="'data.pkl' is larger than it should be"):
        torch.load(compressed("a" * (70 << 20)))


def test_big_endian_files():
    data = np.arange(4, dtype=">f4").tobytes()
    file = archive(tensor(4, 0, (4,), (1,)), [("data/0", data)], byteorder="big")
    assert torch.load(file).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("legacy", [False, True])
def test_every_truncation_is_an_error(legacy):
    data = saved(
        {"a": torch.arange(5.0), "b": [1, "x"]}, _use_new_zipfile_serialization=not legacy
    ).getvalue()
    for end in range(0, len(data), 7):
        with pytest.raises((RuntimeError, EOFError, pickle.UnpicklingError)):
            torch.load(io.BytesIO(data[:end]))
    with pytest.raises(Exception, match="cut short|ends early|truncated"):
        torch.load(io.BytesIO(data[: len(data) * 2 // 3]))


@pytest.mark.parametrize("legacy", [False, True])
def test_damaged_bytes_never_crash(legacy):
    data = saved(
        {"a": torch.arange(5.0), "b": [1, "x"]}, _use_new_zipfile_serialization=not legacy
    ).getvalue()
    rng = np.random.default_rng(0)
    allowed = (RuntimeError, EOFError, pickle.UnpicklingError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for attempt in range(1000):
            damaged = bytearray(data)
            first = len(data) * 2 // 3 if attempt % 2 else 0  # where a zip file's directory is
            for place in rng.integers(first, len(data), 3):
                damaged[place] = rng.integers(256)
            try:
                torch.load(io.BytesIO(bytes(damaged)))
            except allowed:
                pass


def test_checksums():
    data = bytearray(saved(torch.full((64,), 1.5)).getvalue())
    place = data.index(struct.pack("<f", 1.5) * 4)
    data[place] ^= 1
    with pytest.raises(RuntimeError, match="checksum"):
        torch.load(io.BytesIO(bytes(data)))


def test_other_files():
    with pytest.raises(EOFError, match="Ran out of input"):
        torch.load(io.BytesIO(b""))
    with pytest.raises(pickle.UnpicklingError, match="looks like a web page"):
        torch.load(io.BytesIO(b"<!DOCTYPE html><html>"))
    with pytest.raises(pickle.UnpicklingError, match="is no checkpoint"):
        torch.load(io.BytesIO(b"hello"))
    with pytest.raises(RuntimeError, match="Invalid magic number"):
        torch.load(io.BytesIO(pickle.dumps(5, 2)))
    with pytest.raises(pickle.UnpicklingError, match="legacy .tar format"):
        torch.load(io.BytesIO(b"storages" + b"\0" * 249 + b"ustar" + b"\0" * 300))


def test_unknown_names_of_the_family():
    file = saved(Exploit(len, ([],)))
    data = file.getvalue().replace(b"c__builtin__\nlen\n", b"ctorch.nn\nNoSuch\n")
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        pickled = source.open("archive/data.pkl")
        pickled._expected_crc = None
        stream = pickled.read()
    with pytest.raises(AttributeError, match="names torch.nn.NoSuch, which Flambeau does not"):
        torch.load(archive(stream[2:-1]), weights_only=False)
    with pytest.raises((ImportError, AttributeError), match="must be importable"):
        torch.load(archive(b"cno_such_module\nName\n"), weights_only=False)


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_safetensors(tmp_path):
    path = tmp_path / "x.safetensors"
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [16, 20]},
        "c": {"dtype": "I64", "shape": [], "data_offsets": [20, 28]},
    }
    data = np.arange(4, dtype="<f4").tobytes() + b"\x80\x3f\x00\x40" + struct.pack("<q", -7)
    path.write_bytes(safetensors(header, data))
    found = torch.load(path)
    assert found["a"].tolist() == [[0, 1], [2, 3]] and found["c"].item() == -7
    assert found["b"].dtype is torch.bfloat16 and found["b"].float().tolist() == [1, 2]
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(path, map_location="cuda")
    with pytest.raises(RuntimeError, match="with dict map_location is not supported"):
        torch.load(path, map_location={})
    damaged = [
        b"", safetensors(b"{"), safetensors(b"[]"), safetensors(header, data[:-1]),
        struct.pack("<Q", 2**60), safetensors({"a": 1}), safetensors(b"[" * 100000),
        safetensors({"a": {"dtype": "F9", "shape": [], "data_offsets": [0, 1]}}, b"x"),
        safetensors({"a": {"dtype": "U8", "shape": [-1], "data_offsets": [1, 0]}}, b"x"),
        safetensors({"a": {"dtype": "U8", "shape": [9], "data_offsets": [0, 1]}}, b"x"),
    ]  # fmt: skip
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(pickle.UnpicklingError):
            torch.load(path)


def test_pickle_and_copy():
    import copy

    base = torch.arange(4.0, requires_grad=True)
    for copied in (pickle.loads(pickle.dumps(base)), copy.deepcopy(base)):
        assert copied.tolist() == [0, 1, 2, 3] and copied.requires_grad and copied is not base
    parameter = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    views = copy.deepcopy([base.detach(), base.detach()[1:3]])
    views[0][1] = 9
    assert views[1].tolist() == [9, 2] and base[1].item() == 1
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(base * 2)
    found = pickle.loads(pickle.dumps(parameter))
    assert type(found) is torch.nn.Parameter and found.dtype is torch.bfloat16
