"""Which of PyTorch's modes is the fastest for a network: tried once, remembered on disk."""

import json
import os
import platform

__all__ = ["close_to_best", "forget", "recall", "remember"]

# Modes within this factor of the fastest take part in every round; the others lost for good.
CLOSE = 1.15


def _path():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "flambeau-benchmarks", "modes.json")


def _all():
    try:
        with open(_path()) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _key(network, torch_version, threads):
    return f"{network}, PyTorch {torch_version}, {threads} threads, {platform.machine()}"


def recall(network, torch_version, threads):
    """Seconds of a step by mode, as tried before (None: failed); {} if never."""
    return _all().get(_key(network, torch_version, threads), {})


def remember(network, torch_version, threads, seconds):
    """Keep what was tried, seconds by mode, for the next run of the comparison."""
    found = _all()
    found.setdefault(_key(network, torch_version, threads), {}).update(seconds)
    path = _path()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w") as file:
        json.dump(found, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def forget():
    """Try all modes again."""
    if os.path.exists(_path()):
        os.remove(_path())


def close_to_best(seconds, allowed):
    """The allowed modes whose time is within `CLOSE` of the fastest, fastest first."""
    usable = {mode: time for mode, time in seconds.items() if mode in allowed and time}
    if not usable:
        return []
    best = min(usable.values())
    return sorted((mode for mode, time in usable.items() if time <= CLOSE * best),
                  key=usable.__getitem__)
