# SPDX-License-Identifier: MIT
"""What the documents say exists, exists; the two readmes say the same."""
import pathlib
import re

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*TOP.glob('*.md'), *TOP.glob('docs/*.md'), *TOP.glob('bench/*.md')])
FENCED = re.compile(r'^```(\w*)\n(.*?)^```', re.M | re.S)


def blocks(path, language):
    """The fenced blocks of one language, without remarks and the values that are translated."""
    text = (TOP / path).read_text(encoding='utf-8')
    return [re.sub(r'\s*#.*', '', body) for name, body in FENCED.findall(text) if name == language]


@pytest.mark.parametrize('document', DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_links_inside_the_tree_lead_somewhere(document):
    for target in re.findall(r'\]\(([^)#]+)', document.read_text(encoding='utf-8')):
        if '://' not in target:
            assert (document.parent / target).exists(), target


def test_the_documents_that_the_sources_cite_exist():
    cited = re.compile(r'(?<![\w./-])(?:docs/[A-Za-z][\w.-]*\w|[A-Z][A-Z-]{3,}\.md)')
    for folder in ('include', 'src', 'tests/unit', 'fuzz'):
        for source in (TOP / folder).rglob('*.[chd]*'):
            for name in cited.findall(source.read_text(encoding='utf-8')):
                found = (TOP / name).exists() or (TOP / 'docs' / name).exists()
                assert found, f'{source.relative_to(TOP)} cites {name}'


def test_the_readmes_show_the_same_commands():
    assert blocks('README.md', 'sh') == blocks('README.zh-CN.md', 'sh')


def test_the_readmes_name_only_make_targets_that_exist():
    targets = set(re.findall(r'^([a-z-]+):', (TOP / 'Makefile').read_text(encoding='utf-8'), re.M))
    for document in DOCUMENTS:
        text = document.read_text(encoding='utf-8')
        named = set(re.findall(r'`make ([a-z-]+)', text)) | set(re.findall(r'^make ([a-z-]+)', text,
                                                                            re.M))
        assert named <= targets, document.name


def test_the_tables_that_the_architecture_names_exist():
    text = (TOP / 'docs' / 'ARCHITECTURE.md').read_text(encoding='utf-8')
    section = text.split('## Tables')[1].split('\n## ')[0]
    named = re.findall(r'`([\w./-]+/[\w.-]+)`', section)
    assert named
    for path in named:
        assert (TOP / path).exists(), path


def test_every_folder_of_the_sources_stands_in_both_tables_of_the_architecture():
    text = (TOP / 'docs' / 'ARCHITECTURE.md').read_text(encoding='utf-8')
    floors = {line.split()[1] for line in text.split('```floors\n')[1].split('```')[0].splitlines()}
    described = set(re.findall(r'^\| `(\w+)` \|', text, re.M))
    folders = {path.parent.name for path in (TOP / 'src').glob('*/meson.build')}
    assert folders <= floors == described


@pytest.mark.parametrize('document', ['API.md', 'API.zh-CN.md'])
def test_the_guide_to_the_api_has_every_route_and_no_other(document):
    text = (TOP / 'src' / 'paths' / 'routes.def').read_text(encoding='utf-8')
    # "{name...}" takes slashes too; to readers, as in OpenAPI, it is a parameter like another.
    routes = {f'{method} {path}'.replace('...}', '}') for method, path in
              re.findall(r'^LY_ROUTE\((\w+), "(/api/[^"]*)"', text, re.M)}
    guide = (TOP / 'docs' / document).read_text(encoding='utf-8')
    assert set(re.findall(r'^\| `([A-Z]+ /api/[^`]*)` \|', guide, re.M)) == routes
