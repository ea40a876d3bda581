# SPDX-License-Identifier: MIT
"""Makes the C source of the extension module out of the library's public header.

    python ffi.py HEADER OUTPUT COMPILER...

The header is what a compiler sees of it: COMPILER -E expands its tables (LLMGR_STATUS_MAP and the
others), with no system header and no compiler's own macros, so that only plain C is left, which
cffi reads. Nothing is written down twice; tests/test_header.py holds the result to the header.
"""
import pathlib
import re
import subprocess
import sys

from cffi import FFI

CALLBACKS = '''
extern "Python" const char *llmgr_py_env(const char *name, void *context);
extern "Python" void llmgr_py_log(llmgr_log_level level, const char *text, void *context);
'''


def declarations(header: pathlib.Path, compiler: list[str]) -> str:
    """The header's declarations as cffi reads them: C without preprocessor lines."""
    text = header.read_text(encoding='utf-8')
    code = re.sub(r'^#\s*include\b.*$', '', text, flags=re.M)
    plain = subprocess.run([*compiler, '-E', '-P', '-undef', '-nostdinc', '-x', 'c', '-'],
                           input=code, capture_output=True, text=True, check=True).stdout
    numbers = re.findall(r'^#define (LLMGR_VERSION_M\w+|LLMGR_VERSION_PATCH|LLMGR_UNSET)\s', text,
                         flags=re.M)
    texts = re.findall(r'^#define (LLMGR_\w+)\s+"', text, flags=re.M)
    return '\n'.join([plain, *(f'#define {name} ...' for name in numbers),
                      *(f'static char *const {name};' for name in texts)])


def main() -> None:
    header, output, *compiler = sys.argv[1:]
    ffi = FFI()
    ffi.cdef(declarations(pathlib.Path(header), compiler) + CALLBACKS)
    ffi.set_source('llmgr._llmgr', '#include "llmgr.h"\n')
    ffi.emit_c_code(output)


if __name__ == '__main__':
    main()
