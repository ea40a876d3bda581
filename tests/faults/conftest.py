# SPDX-License-Identifier: MIT
"""The frame is that of the integration tests; their helpers import it under this name."""
import importlib.util
import pathlib
import sys

INTEGRATION = pathlib.Path(__file__).resolve().parents[1] / 'integration'
sys.path.append(str(INTEGRATION))
_spec = importlib.util.spec_from_file_location('integration_conftest', INTEGRATION / 'conftest.py')
_frame = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_frame)
globals().update({name: value for name, value in vars(_frame).items() if name[0] != '_'})
