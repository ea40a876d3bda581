# SPDX-License-Identifier: MIT
"""Makes a database as the Python original leaves it.

    python3 make_original.py FILE         a SQLite file
    python3 make_original.py --postgres   prints the SQL for PostgreSQL

The tables are those that SQLAlchemy 2 makes of the original's models; keys are in clear text, and
the rows have every looseness that the original allowed.
"""
import re
import sqlite3
import sys

DDL = """
CREATE TABLE llm_platforms (
\tid INTEGER NOT NULL,
\tname VARCHAR(80) NOT NULL,
\tuser_id VARCHAR(80) NOT NULL,
\tbase_url VARCHAR(255) NOT NULL,
\tapi_key VARCHAR(512),
\tis_sys INTEGER,
\thide INTEGER,
\tPRIMARY KEY (id)
);
CREATE INDEX ix_llm_platforms_name ON llm_platforms (name);
CREATE INDEX ix_llm_platforms_user_id ON llm_platforms (user_id);
CREATE TABLE llm_platform_models (
\tid INTEGER NOT NULL,
\tplatform_id INTEGER NOT NULL,
\tmodel_name VARCHAR(120) NOT NULL,
\tdisplay_name VARCHAR(120),
\textra_body JSON,
\tPRIMARY KEY (id),
\tFOREIGN KEY(platform_id) REFERENCES llm_platforms (id)
);
CREATE INDEX ix_llm_platform_models_platform_id ON llm_platform_models (platform_id);
CREATE TABLE llm_sys_platform_keys (
\tid INTEGER NOT NULL,
\tuser_id VARCHAR(80) NOT NULL,
\tplatform_id INTEGER NOT NULL,
\tapi_key VARCHAR(512),
\thide INTEGER,
\tPRIMARY KEY (id),
\tCONSTRAINT uq_sys_platform_key_user_platform UNIQUE (user_id, platform_id),
\tFOREIGN KEY(platform_id) REFERENCES llm_platforms (id)
);
CREATE INDEX ix_llm_sys_platform_keys_user_id ON llm_sys_platform_keys (user_id);
CREATE TABLE user_ai_configs (
\tid INTEGER NOT NULL,
\tuser_id VARCHAR(80) NOT NULL,
\tselected_platform_id INTEGER,
\tselected_model_id INTEGER,
\tPRIMARY KEY (id),
\tUNIQUE (user_id),
\tFOREIGN KEY(selected_platform_id) REFERENCES llm_platforms (id),
\tFOREIGN KEY(selected_model_id) REFERENCES llm_platform_models (id)
);
CREATE TABLE a_table_of_the_host (id INTEGER PRIMARY KEY, note TEXT);
"""

PLATFORMS = [
    (1, "OpenRouter", "-1", "https://openrouter.ai/api/v1", "sk-clear-server-1", 1, 0),
    (2, "魔搭ModelScope", "-1", "https://api-inference.modelscope.cn/v1", None, 1, None),
    (5, "mine", "alice", "https://a.example/v1", "sk-clear-alice-5", 0, 1),
    (6, "mine", "alice", "https://b.example/v1", "", None, 0),
    (9, "mine", "bob", "https://c.example/v1", "sk-clear-bob-9", 0, None),
]
MODELS = [
    (1, 1, "openai/gpt-4o", "GPT-4o", None),
    (2, 1, "openai/gpt-4o-mini", None, "null"),
    (3, 2, "Qwen/Qwen3", "千问", '{"enable_thinking": false}'),
    (4, 2, "Qwen/Qwen3-b", "千问", "{not json"),
    (7, 5, "a-model", "A", "[1, 2]"),
    (8, 77, "orphan", "orphan", None),
]
KEYS = [
    (1, "alice", 1, "sk-clear-own-alice", 0),
    (2, "bob", 1, None, 1),
    (3, "bob", 2, "sk-clear-own-bob", None),
    (4, "carol", 77, "sk-clear-orphan", 0),
]
CONFIGS = [(1, "alice", 5, 7), (2, "bob", 1, 2), (3, "carol", 77, 8), (11, "-1", None, None)]


TABLES = {
    "llm_platforms": PLATFORMS,
    "llm_platform_models": MODELS,
    "llm_sys_platform_keys": KEYS,
    "user_ai_configs": CONFIGS,
}


def literal(value):
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def postgres():
    """The same tables and rows; SQLite's loose types and unchecked references are not possible."""
    ddl = re.sub(r"(\(\n\t)id INTEGER NOT NULL", r"\1id SERIAL NOT NULL", DDL)
    ddl = re.sub(r",\n\tFOREIGN KEY[^\n]*?\)(?=,|\n\))", "", ddl).replace(" JSON", " TEXT")
    print(ddl)
    for table, rows in TABLES.items():
        for row in rows:
            print(f"INSERT INTO {table} VALUES ({', '.join(map(literal, row))});")


def sqlite(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA secure_delete = OFF")
    db.executescript(DDL)
    for table, rows in TABLES.items():
        marks = ", ".join("?" * len(rows[0]))
        db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    db.execute("INSERT INTO a_table_of_the_host VALUES (1, 'kept')")
    # A key long enough to need pages of its own, then deleted: clear text in unused pages.
    gone = (50, "gone", "dave", "https://d.example", "sk-clear-deleted-" * 20000, 0, 0)
    db.execute("INSERT INTO llm_platforms VALUES (?, ?, ?, ?, ?, ?, ?)", gone)
    db.commit()
    db.execute("DELETE FROM llm_platforms WHERE id = 50")
    db.commit()
    db.close()


if sys.argv[1] == "--postgres":
    postgres()
else:
    sqlite(sys.argv[1])
