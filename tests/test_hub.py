"""The cache of downloaded weights."""

import hashlib
import zipfile

import pytest

import flambeau as torch
from flambeau import hub


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder that stands for the network; the cache is another."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("FLAMBEAU_MIRROR", str(folder))
    monkeypatch.setattr(hub, "_hub_dir", str(tmp_path / "hub"))
    return folder


def test_folders(monkeypatch):
    monkeypatch.setattr(hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", "/somewhere")
    assert hub.get_dir() == "/somewhere/hub"
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert hub.get_dir() == "/caches/torch/hub"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert hub.get_dir() == "/home/me/.cache/torch/hub"
    hub.set_dir("~/weights")
    assert hub.get_dir() == "/home/me/weights"


def test_state_dicts(mirror, tmp_path, capsys):
    torch.save({"w": torch.arange(3.0)}, mirror / "x.pth")
    digest = hashlib.sha256((mirror / "x.pth").read_bytes()).hexdigest()
    name = f"x-{digest[:8]}.pth"
    (mirror / "x.pth").rename(mirror / name)
    url = f"https://host.invalid/{name}?version=3"
    for _ in range(2):
        state = hub.load_state_dict_from_url(url, check_hash=True, progress=False)
        assert state["w"].tolist() == [0.0, 1.0, 2.0]
    path = tmp_path / "hub" / "checkpoints" / name
    assert capsys.readouterr().out == f'Downloading: "{url}" to {path}\n'  # once
    assert path.read_bytes() == (mirror / name).read_bytes()
    hub.load_state_dict_from_url(url, model_dir=tmp_path / "own", file_name="y.pth", progress=False)
    assert (tmp_path / "own" / "y.pth").exists()


def test_a_wrong_hash_is_refused(mirror, tmp_path):
    torch.save({}, mirror / "x-00000000.pth")
    with pytest.raises(RuntimeError, match=r'invalid hash value \(expected "00000000", got "'):
        hub.load_state_dict_from_url(
            "https://host.invalid/x-00000000.pth", check_hash=True, progress=False
        )
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())


def test_a_zip_of_one_file(mirror):
    torch.save({"w": torch.ones(2)}, mirror / "inner.pth")
    with zipfile.ZipFile(mirror / "x.zip", "w") as archive:
        archive.write(mirror / "inner.pth", "inner.pth")
    with pytest.warns(UserWarning, match="Falling back to the old format < 1.6"):
        state = hub.load_state_dict_from_url("https://host.invalid/x.zip", progress=False)
    assert state["w"].tolist() == [1.0, 1.0]


def test_download_to_a_file(mirror, tmp_path):
    (mirror / "a.txt").write_text("hello")
    hub.download_url_to_file("https://host.invalid/a.txt", tmp_path / "b.txt", progress=False)
    assert (tmp_path / "b.txt").read_text() == "hello"


def test_entry_points_of_a_folder(tmp_path):
    (tmp_path / "hubconf.py").write_text(
        "dependencies = ['math']\ndef add(a, b=1):\n    'Adds.'\n    return a + b\ndef _p(): pass\n"
    )
    assert hub.load(tmp_path, "add", 3, source="local", b=4) == 7
    assert hub.list(tmp_path) == ["add"] and hub.help(tmp_path, "add") == "Adds."
    with pytest.raises(RuntimeError, match="Cannot find callable sub in hubconf"):
        hub.load(tmp_path, "sub", source="local")
    with pytest.raises(NotImplementedError, match="source='local'"):
        hub.load("someone/something", "resnet18")
    with pytest.raises(ValueError, match='Unknown source: "x". Allowed values: "github"'):
        hub.load(tmp_path, "add", source="x")
    (tmp_path / "hubconf.py").write_text("dependencies = ['no_such_package']\n")
    with pytest.raises(RuntimeError, match="Missing dependencies: no_such_package"):
        hub.load(tmp_path, "add", source="local")


def test_networks_of_torchvision_are_built_in():
    pytest.importorskip("PIL")
    model = hub.load("pytorch/vision:v0.10.0", "squeezenet1_1", weights=None, num_classes=3)
    assert model.num_classes == 3
    assert {"resnet18", "vgg16"} <= set(hub.list("pytorch/vision"))
    assert hub.help("pytorch/vision", "alexnet").startswith("AlexNet.")
