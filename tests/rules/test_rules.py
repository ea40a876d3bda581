# SPDX-License-Identifier: MIT
"""The rule checkers catch what they are for: each test plants one fault in a small site."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
SPDX = '/* SPDX-License-Identifier: MIT */\n'
STORY = SPDX + '/* A story. */\n'
OWN_SECOND = '#include "llmgr.h"\n#include "base/str.h"\n'


def check(tool, root):
    done = subprocess.run([sys.executable, TOP / 'tools' / tool, root],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.fixture(name='site')
def site_fixture(tmp_path):
    """A clean tree with two folders of src/; returns a function that writes one more file."""
    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding='utf-8')
        return tmp_path
    write('docs/ARCHITECTURE.md', '```floors\n3 upstream -store\n3 keys\n1 store\n1 http\n0 base\n'
          'only keys http/origin.h\n```\n')
    write('include/llmgr.h', STORY)
    write('src/base/str.h', STORY)
    write('src/http/url.h', STORY + '#include "base/str.h"\n#include "llmgr.h"\n')
    write('src/http/url.c', STORY + '#include "http/url.h"\n')
    write('src/http/origin.h', STORY)
    write('src/keys/ring.c', STORY + '#include "http/origin.h"\n')
    write('src/store/store.h', STORY)
    return write


def test_a_clean_tree_passes(site):
    root = site('src/base/str.c', STORY + '#include "base/str.h"\n')
    assert check('check-includes', root) == (0, '8 files, 0 faults\n')
    assert check('check-banned', root)[0] == 0


@pytest.mark.parametrize('path, text, complaint', [
    ('src/base/up.c', '#include "http/url.h"\n', 'base may not include "http/url.h"'),
    ('src/http/side.c', '#include "store/store.h"\n', 'http may not include "store/store.h"'),
    ('src/upstream/sql.c', '#include "store/store.h"\n', 'upstream may not include'),
    ('src/upstream/origin.c', '#include "http/origin.h"\n', 'upstream may not include "http/ori'),
    ('src/http/dots.c', '#include "../base/str.h"\n', 'is not written from src/'),
    ('src/http/gone.c', '#include "base/gone.h"\n', 'or does not exist'),
    ('src/attic/a.c', '', 'src/attic has no row'),
    ('src/base/str.c', OWN_SECOND, 'first include is not its own'),
    ('src/base/wide.c', '/* ' + 'x' * 100 + ' */\n', 'columns, over 100'),
    ('src/base/tab.c', 'int\ta;\n', 'a tab'),
    ('src/base/blank.c', 'int a; \n', 'trailing blank'),
    ('src/base/long.c', 'int a;\n' * 599, 'a file has one story'),
    ('src/base/fn.c', 'int f(void)\n{\n' + '    f();\n' * 81 + '}\n', 'a function of 82 lines'),
])
def test_a_planted_fault_in_the_tree_is_named(site, path, text, complaint):
    status, output = check('check-includes', site(path, STORY + text))
    assert status == 1
    assert path in output and complaint in output


def test_a_file_without_licence_or_story_is_named(site):
    site('src/base/bare.c', 'int a;\n')
    status, output = check('check-includes', site('src/base/told.c', SPDX + 'int a;\n'))
    assert status == 1
    assert 'src/base/bare.c:1: does not open with' in output
    assert 'src/base/told.c:2: no story comment' in output


@pytest.mark.parametrize('path, text, complaint', [
    ('src/base/a.c', 'void f(char *d) { strcpy (d, "x"); }\n', 'strcpy may be used nowhere'),
    ('src/http/a.c', 'void *p = malloc(1);\n', 'malloc may be used only in src/base/host.c'),
    ('src/http/a.c', 'void *(*p)(size_t) = malloc;\n', 'malloc may be used only'),
    ('src/store/a.c', 'int f(void) { return socket(1, 2, 3); }\n', 'socket may be used only in'),
    ('src/store/a.c', 'int f(void) { return uv_tcp_connect(a, b, c, d); }\n', 'uv_tcp_connect may'),
    ('src/http/a.c', 'const char *s = "SELECT a FROM b";\n', 'SQL may stand only in src/store'),
    ('src/http/a.c', '#include <sqlite3.h>\n', '<sqlite3.h> may be included only in src/store'),
    ('src/http/a.c', 'void f(void) { exit(1); }\n', 'exit may be used only in src/cli'),
    ('src/store/a.c', 'char *f(void) { return getenv("A"); }\n', 'getenv may be used only in'),
    ('src/keys/a.c', 'int i = lb_fail(err, f(1, 2), "no %s", s);\n', 'a text for people'),
])
def test_a_planted_banned_use_is_named(site, path, text, complaint):
    status, output = check('check-banned', site(path, STORY + text))
    assert status == 1
    assert f'{path}:3: {complaint}' in output


MAGIC = 'enum { A_MAGIC = 0x1 };\nstruct a {\n    unsigned magic;\n};\n'
CAST = 'struct a *a = LB_CAST(struct a, context, A_MAGIC);'


@pytest.mark.parametrize('path, text, line, complaint', [
    ('src/upstream/a.c', 'void f(void *context)\n{\n    struct a *a = context;\n}\n', 5,
     'context is taken on trust'),
    ('src/upstream/a.c', 'void f(int i, void *opaque)\n{\n    const struct a *a = opaque;\n}\n', 5,
     'opaque is taken on trust'),
    ('src/upstream/a.c', 'void f(uv_timer_t *t)\n{\n    struct a *a = t->data, *b;\n}\n', 5,
     't->data is taken on trust'),
    ('src/upstream/a.c', 'void f(struct run *r)\n{\n    struct a *a = r->job.context;\n}\n', 5,
     'r->job.context is taken on trust'),
    ('src/keys/a.c', 'struct a {\n    int b;\n    unsigned magic;\n};\n', 5,
     'a magic word is the first member'),
    ('src/keys/a.c', 'enum { B_MAGIC = 0x2, A_MAGIC = 0x2 };\n', 3,
     'this magic word is that of src/keys/a.c: B_MAGIC'),
])
def test_a_planted_trust_in_a_context_is_named(site, path, text, line, complaint):
    status, output = check('check-casts', site(path, STORY + text))
    assert status == 1
    assert f'{path}:{line}: {complaint}' in output


@pytest.mark.parametrize('path, text', [
    ('src/upstream/a.c', MAGIC + 'void f(void *context)\n{\n    ' + CAST + '\n}\n'),
    ('src/upstream/a.c', 'int f(const void *left)\n{\n    const struct a *a = left;\n}\n'),
    ('src/upstream/a.c', '/* void *context: struct a *a = context; */\n'),
    ('src/keys/a.c', 'void f(void *context)\n{\n    struct a *a = context;\n}\n'),
])
def test_contexts_that_need_no_cast_or_have_one_pass(site, path, text):
    assert check('check-casts', site(path, STORY + text))[0] == 0


@pytest.mark.parametrize('text', [
    '/* never strcpy(a, b) here */ // nor malloc\n',
    'const char *s = "use strcpy(a, b)"; char c = \'"\'; const char *t = "/* malloc */";\n',
    'void f(struct a *a) { a->free(a); a->b.connect(a); }\n',
    'static int *\nbind(int a)\n{\n    return bind(a);\n}\n',
    'int my_socket(int a) { return lb_free(a) + my_socket(a); }\n',
    'int i = lb_fail(err, 1, N_("no %s"), "no") + lb_fail(err, 1, "%s: %lld", f("a"), n);\n',
])
def test_what_only_looks_banned_passes(site, text):
    assert check('check-banned', site('src/http/a.c', STORY + text))[0] == 0


@pytest.mark.parametrize('change, complaint', [
    (lambda test: test.update(name='vault/none'), 'there is no test vault/held'),
    (lambda test: test.update(cmd=['true']), 'pytest-gateway has no case named by'),
], ids=['no test', 'no case'])
def test_a_mutant_that_names_no_test_is_named(tmp_path, change, complaint):
    build = pathlib.Path(os.environ['LLMGR_BUILD'])
    tests = json.loads((build / 'meson-info/intro-tests.json').read_text(encoding='utf-8'))
    for test in tests:
        if test['name'] in complaint:
            change(test)
    (tmp_path / 'meson-info').mkdir()
    (tmp_path / 'meson-info/intro-tests.json').write_text(json.dumps(tests), encoding='utf-8')
    done = subprocess.run([sys.executable, TOP / 'tools/mutants', '--check', tmp_path],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and complaint in done.stdout


def ring(site, count, folder='http'):
    """Files that call one another in a ring."""
    for at in range(count):
        root = site(f'src/{folder}/r{at}.c', STORY + f'void r{at}_go(void)\n{{\n'
                     f'    r{(at + 1) % count}_go();\n}}\n')
    return root


def test_a_circle_of_three_files_passes_and_one_of_four_is_told_with_its_calls(site):
    assert check('check-circles', ring(site, 3))[0] == 0
    status, output = check('check-circles', ring(site, 4))
    assert status == 1
    assert 'a circle of 4 files' in output
    assert 'src/http/r3.c calls r0_go() of src/http/r0.c' in output


def test_a_permitted_circle_passes_until_it_is_smaller(site):
    site('tools/circles', '# why\nstore 5\n')
    assert check('check-circles', ring(site, 5, 'store'))[0] == 0
    (site('tools/circles', 'store 5\n') / 'src/store/r4.c').unlink()
    status, output = check('check-circles', ring(site, 4, 'store'))
    assert status == 1 and 'store needs 4, not 5' in output


@pytest.mark.parametrize('back', [
    'static const struct face FACE = {.go = r0_stop};\n',        # nobody defines that
    'void r3_go(void)\n{\n    face->r0_go();\n}\n',              # a member
    'void r3_go(void)\n{\n    struct r0_go *it;\n}\n',           # a type
    'void r3_go(void)\n{\n    /* r0_go(); */ say("r0_go");\n}\n',
])
def test_what_only_looks_like_a_call_closes_no_circle(site, back):
    ring(site, 4)
    assert check('check-circles', site('src/http/r3.c', STORY + back))[0] == 0


@pytest.fixture(name='catalogue')
def catalogue_fixture(tmp_path):
    """A tree with one message: returns what the check says of it and a given translation."""
    def check_with(source, translation):
        for folder in ('tools', 'po', 'include', 'src/base'):
            (tmp_path / folder).mkdir(parents=True)
        shutil.copy(TOP / 'tools' / 'pot', tmp_path / 'tools')
        shutil.copy(TOP / 'po' / 'keywords', tmp_path / 'po')
        (tmp_path / 'src/base/a.c').write_text(source, encoding='utf-8')
        head = (TOP / 'po' / 'zh_CN.po').read_text(encoding='utf-8').split('\n\n')[0]
        (tmp_path / 'po/zh_CN.po').write_text(head + '\n\n' + translation, encoding='utf-8')
        return subprocess.run([tmp_path / 'tools/pot', '--check'], capture_output=True, text=True,
                              check=False)
    return check_with


ONE_MESSAGE = 'int f(void) { return lb_fail(err, 1, N_("there is no platform %d"), id); }\n'
TRANSLATED = '#, c-format\nmsgid "there is no platform %d"\nmsgstr "没有平台 %d"\n'


def test_a_catalogue_in_step_passes(catalogue):
    done = catalogue(ONE_MESSAGE, TRANSLATED)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('translation', [
    '',
    '#, c-format\nmsgid "there is no platform %d"\nmsgstr ""\n',
    TRANSLATED.replace('平台 %d', '平台 %s'),
    '#, fuzzy' + TRANSLATED[1:],
    TRANSLATED + '\nmsgid "left over"\nmsgstr "多余"\n',
], ids=['missing', 'untranslated', 'other format', 'fuzzy', 'left over'])
def test_a_planted_fault_in_a_catalogue_is_named(catalogue, translation):
    assert catalogue(ONE_MESSAGE, translation).returncode == 1
