"""The main program of a spawned process: the alias, then the parent's program.

``multiprocessing`` runs this module under the name ``__mp_main__``, so that the functions and
classes of the parent's program can be found; its ``__name__ == "__main__"`` part does not run.
"""

import os as _os

from flambeau.compat import alias as _alias
from flambeau.compat import runner as _runner

if __name__ == "__mp_main__":
    _alias.install()
    _kind, _, _target = _os.environ.get(_runner.ENVIRONMENT, "").partition(":")
    if _kind in ("script", "module"):
        import sys as _sys
        _saved = list(_sys.path), list(_sys.argv)
        _runner.execute(_kind, _target, globals())
        _sys.path[:], _sys.argv[:] = _saved
