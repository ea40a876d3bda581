/* SPDX-License-Identifier: MIT */
/* Databases as earlier releases left them, made by their own steps. */
#ifndef TESTS_RELEASE_H
#define TESTS_RELEASE_H

#include "db.h"

/* A database, in which there is nothing yet, as the release of this schema made it. */
static inline void release_make(struct db *db, int version)
{
    static const struct {
        const char *sqlite;
        const char *postgres;
    } STEPS[] = {
#define LS_MIGRATION(version, name, sqlite, postgres) {sqlite, postgres},
#include "store/migrations.def"
    };

    db_sql(db, "CREATE TABLE llm_migrations"
               " (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)");
    for (int i = 0; i < version; i++) {
        char sql[128];
        db_sql(db, db->postgres ? STEPS[i].postgres : STEPS[i].sqlite);
        snprintf(sql, sizeof sql, "INSERT INTO llm_migrations VALUES (%d, 'then', 1)", i + 1);
        db_sql(db, sql);
    }
}

#endif
