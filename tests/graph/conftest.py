"""Makes the helpers of this folder importable, and the passes check what they make."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
os.environ["FLAMBEAU_CHECK"] = "1"
