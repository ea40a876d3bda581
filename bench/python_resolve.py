# SPDX-License-Identifier: MIT
"""What get_user_llm costs before LangChain's constructor: the package beside SQLAlchemy.

    python_resolve.py [USERS]

Both have the same rows: USERS users (1000) with a choice and an own key each. `package` is
AIManager.resolve: everything get_user_llm needs, the key included, as Python values. `sqlalchemy`
re-enacts the Python original on the four tables: a session, the user's row, the model, the
platform, the key, a commit, and the objects read again, since a commit expires them. In turns, 15
rounds; medians, and the median of the ratios within a round. Then get_user_llm whole.
"""
import logging
import os
import random
import statistics
import sys
import tempfile
import time

from sqlalchemy import ForeignKey, String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, sessionmaker

import llmgr

ROUNDS = 15
WANTED_PERCENT = 1.0
URL = 'https://api.example.com/v1'


class Base(DeclarativeBase):
    """The four tables, with the columns that the original gave them."""


class Platform(Base):
    __tablename__ = 'llm_platforms'
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), index=True)
    user_id: Mapped[str] = mapped_column(String(255), index=True)
    base_url: Mapped[str] = mapped_column(String(255))
    api_key: Mapped[str | None] = mapped_column(String(512))
    is_sys: Mapped[int] = mapped_column(default=0)
    hide: Mapped[int] = mapped_column(default=0)
    models: Mapped[list['Model']] = relationship()


class Model(Base):
    __tablename__ = 'llm_platform_models'
    id: Mapped[int] = mapped_column(primary_key=True)
    platform_id: Mapped[int] = mapped_column(ForeignKey('llm_platforms.id'), index=True)
    model_name: Mapped[str] = mapped_column(String(120), index=True)
    display_name: Mapped[str] = mapped_column(String(120))
    extra_body: Mapped[str | None] = mapped_column(String(1024))


class Key(Base):
    __tablename__ = 'llm_sys_platform_keys'
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(String(255), index=True)
    platform_id: Mapped[int] = mapped_column(ForeignKey('llm_platforms.id'), index=True)
    api_key: Mapped[str | None] = mapped_column(String(512))
    hide: Mapped[int] = mapped_column(default=0)


class Choice(Base):
    __tablename__ = 'user_ai_configs'
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(String(255), unique=True, index=True)
    selected_platform_id: Mapped[int] = mapped_column(ForeignKey('llm_platforms.id'), index=True)
    selected_model_id: Mapped[int] = mapped_column(ForeignKey('llm_platform_models.id'))


class Original:
    """The way of the original's get_user_llm, up to the constructor."""

    def __init__(self, path, users):
        engine = create_engine(f'sqlite:///{path}')
        Base.metadata.create_all(engine)
        self.session = sessionmaker(bind=engine)
        self.statements = 0
        with self.session() as session:
            session.add(Platform(id=1, name='P', user_id='-1', base_url=URL, is_sys=1))
            session.add(Model(id=1, platform_id=1, model_name='m', display_name='M'))
            for user in users:
                session.add(Key(user_id=user, platform_id=1, api_key=f'sk-{user}'))
                session.add(Choice(user_id=user, selected_platform_id=1, selected_model_id=1))
            session.commit()
        for name in ('before_cursor_execute', 'begin', 'commit'):
            event.listen(engine, name, self.count)

    def count(self, *_):
        self.statements += 1

    def resolve(self, user):
        with self.session() as session:
            choice = session.query(Choice).filter_by(user_id=user).first()
            model = session.query(Model).filter_by(id=choice.selected_model_id).first()
            platform = session.query(Platform).filter_by(id=choice.selected_platform_id).first()
            own = session.query(Key).filter_by(user_id=user, platform_id=platform.id).first()
            key, base_url = own.api_key, platform.base_url
            session.commit()
            return base_url, key, model.model_name, model.extra_body, platform.name


def package(path, users):
    manager = llmgr.AIManager(path, {'platforms': {'P': {'base_url': URL, 'models': {'M': 'm'}}}})
    for user in users:
        manager.update_platform_config(user, 1, f'sk-{user}')
        manager.save_user_selection(user, 1, 1)
    return manager


def timed(work, users):
    begun = time.perf_counter()
    for user in users:
        work(user)
    return (time.perf_counter() - begun) / len(users) * 1e6


def main():
    logging.disable(logging.WARNING)
    users = [f'user-{i}' for i in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ['HOME'] = folder
        original = Original(f'{folder}/original.db', users)
        manager = package(f'{folder}/package.db', users)
        assert original.resolve(users[1])[1] == manager.resolve(users[1]).key == 'sk-user-1'
        statements, original.statements = original.statements, 0
        rows = []
        for _ in range(ROUNDS):
            drawn = random.sample(users, min(200, len(users)))
            rows.append((timed(manager.resolve, drawn * 5), timed(original.resolve, drawn)))
        ours, theirs = (statistics.median(column) for column in zip(*rows))
        ratio = statistics.median(mine / other for mine, other in rows) * 100
        whole = statistics.median(timed(manager.get_user_llm, users[:20]) for _ in range(5))
        manager.close()
    print(f'python_resolve: {len(users)} users, {ROUNDS} rounds in turns')
    print(f'  package resolve          {ours:8.1f} us    {ratio:.2f} % of sqlalchemy, '
          f'wanted at most {WANTED_PERCENT:.0f} %')
    print(f'  sqlalchemy resolve       {theirs:8.1f} us    {statements} statements')
    print(f'  get_user_llm, whole      {whole:8.1f} us    the constructor dominates')
    return 0


if __name__ == '__main__':
    sys.exit(main())
