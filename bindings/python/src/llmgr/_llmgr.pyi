# SPDX-License-Identifier: MIT
# What cffi makes of include/llmgr.h; its own types have no static form.
from typing import Any

ffi: Any
lib: Any
