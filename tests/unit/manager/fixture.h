/* SPDX-License-Identifier: MIT */
/*
 * A manager on a fresh database (tests/unit/db.h), and short forms of what tests do with it.
 * Functions end the test on what they do not expect; `status_of` forms hand the status back.
 */
#ifndef TESTS_MANAGER_FIXTURE_H
#define TESTS_MANAGER_FIXTURE_H

#include "base/arena.h"
#include "keys/ring.h"
#include "keys/ring_rows.h"
#include "library/open.h"
#include "manager/defaults.h"
#include "manager/manager.h"
#include "manager/models.h"
#include "manager/platforms.h"
#include "manager/selections.h"
#include "manager/sync.h"
#include "net/policy.h"
#include "vault/vault.h"

#include "../db.h"

#define S(literal) LB_STR(literal)

/* What is given of a model: texts or NULL, and nothing else. */
#define MODEL(model_name, display_name, extra_body)                                                \
    (&(struct lm_model_spec){lb_cstr(model_name), lb_cstr(display_name), lb_cstr(extra_body),      \
                             LLMGR_UNSET, LLMGR_UNSET, LLMGR_UNSET})
/* What is given of a model that has its name and display name; numbers or LLMGR_UNSET. */
#define MODEL_NUMBERS(name, kind, context, max_output)                                             \
    (&(struct lm_model_spec){lb_cstr(name), {0}, {0}, (int)(kind), (context), (max_output)})

struct fixture {
    struct db db;
    struct lb_host host; /* of the manager; tests may give it another allocator */
    struct ln_policy *policy;
    struct lv_master master;
    struct lm_options options;
    struct lm_manager *manager;
    struct llmgr_error err; /* of the last call */
    struct lb_arena arena;
};

static inline llmgr_status fixture_try_open(struct fixture *w)
{
    struct ls_store *store = db_open(&w->db);
    struct lv_vault *vault = NULL;

    w->err = (struct llmgr_error){0};
    assert_int_equal(lv_vault_new(&w->host, &w->master, &vault, &w->err), LLMGR_OK);
    return la_manager_open(&w->host, &w->options, store, vault, &w->manager, &w->err);
}

static inline void fixture_open(struct fixture *w)
{
    if (fixture_try_open(w) != LLMGR_OK)
        fail_msg("lm_open: %s", w->err.message);
}

static inline void fixture_close(struct fixture *w)
{
    la_manager_close(w->manager);
    w->manager = NULL;
}

/* The same database in another mode. */
static inline void fixture_mode(struct fixture *w, llmgr_mode mode)
{
    fixture_close(w);
    w->options.mode = mode;
    fixture_open(w);
}

static inline void fixture_setup(struct fixture *w)
{
    *w = (struct fixture){.options = {.mode = LLMGR_MODE_CUSTOM, .auto_key = true}};
    db_setup(&w->db);
    lb_host_init(&w->host);
    assert_int_equal(ln_policy_new(&w->host, NULL, &w->policy, &w->err), LLMGR_OK);
    w->options.policy = w->policy;
    lv_master_generate(&w->master);
    lb_arena_init(&w->arena, &w->host, NULL, 0, 64 << 20);
    fixture_open(w);
}

static inline void fixture_teardown(struct fixture *w)
{
    lb_arena_free(&w->arena);
    la_manager_close(w->manager);
    ln_policy_free(w->policy);
    db_teardown(&w->db);
}

#define WANT(status, call)                                                                         \
    do {                                                                                           \
        llmgr_status got_ = (call);                                                                \
        if (got_ != (status))                                                                      \
            fail_msg("%s: %s instead of %s: %s", #call, llmgr_status_name(got_),                   \
                     llmgr_status_name(status), w->err.message);                                   \
    } while (0)

/* ---- The configuration ----------------------------------------------------------------------- */

/* One row per model; a platform with several models repeats its name in consecutive rows. */
struct conf {
    const char *name;
    const char *base_url;
    const char *api_key;
    const char *display_name; /* NULL: the platform has no model */
    const char *model_name;
    const char *extra_body;
    llmgr_model_kind kind;
};

struct conf_list {
    struct lm_defaults defaults;
    struct lm_default_platform platforms[64];
    struct lm_default_model models[64][64];
    struct lm_default_key keys[64];
};

static inline void conf_fill(struct conf_list *list, const struct conf *rows, size_t count)
{
    memset(list, 0, sizeof *list);
    list->defaults = (struct lm_defaults){
        .file = "llmgr.yaml", .has_platforms = true, .platforms = list->platforms};
    for (size_t i = 0; i < count; i++) {
        size_t at = list->defaults.count;
        if (at == 0 || strcmp(list->platforms[at - 1].name, rows[i].name) != 0) {
            list->platforms[at] = (struct lm_default_platform){.name = rows[i].name,
                                                               .base_url = rows[i].base_url,
                                                               .keys = &list->keys[at],
                                                               .key_count = 1,
                                                               .protocol = "openai",
                                                               .models = list->models[at],
                                                               .line = (unsigned)i + 1};
            list->keys[at] = (struct lm_default_key){.value = rows[i].api_key, .weight = 1};
            list->defaults.count++;
        }
        struct lm_default_platform *platform = &list->platforms[list->defaults.count - 1];
        if (rows[i].display_name != NULL)
            platform->models[platform->model_count++] =
                (struct lm_default_model){.display_name = rows[i].display_name,
                                          .model_name = rows[i].model_name,
                                          .extra_body = rows[i].extra_body,
                                          .kind = rows[i].kind,
                                          .line = (unsigned)i + 1};
    }
}

static inline llmgr_status fixture_try_sync(struct fixture *w, const struct conf *rows,
                                            size_t count, bool dry_run,
                                            struct llmgr_change **changes, size_t *change_count)
{
    static struct conf_list list;

    conf_fill(&list, rows, count);
    w->err = (struct llmgr_error){0};
    return lm_sync(w->manager, &list.defaults, dry_run, NULL, &w->arena, changes, change_count,
                   &w->err);
}

#define SYNC(w, rows) fixture_sync((w), (rows), sizeof(rows) / sizeof *(rows))
/* Returns how many changes were reported. */
static inline size_t fixture_sync(struct fixture *w, const struct conf *rows, size_t count)
{
    struct llmgr_change *changes = NULL;
    size_t change_count = 0;

    WANT(LLMGR_OK, fixture_try_sync(w, rows, count, false, &changes, &change_count));
    return change_count;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static inline int64_t platform_id(struct fixture *w, const char *name)
{
    char sql[300];

    snprintf(sql, sizeof sql, "SELECT id FROM llm_platforms WHERE name = '%s'", name);
    return db_number(&w->db, sql);
}

static inline int64_t model_id(struct fixture *w, const char *display_name)
{
    char sql[300];

    snprintf(sql, sizeof sql, "SELECT id FROM llm_platform_models WHERE display_name = '%s'",
             display_name);
    return db_number(&w->db, sql);
}

struct looking {
    struct fixture *w;
    enum lk_key_column column;
    int64_t platform_id;
    struct lb_str owner;
    struct lb_str want; /* empty: the key must not open, or not be there */
    bool found;
    bool opened;
};

static inline llmgr_status look_key(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct looking *looking = context;
    struct lk_sealed_row *rows;
    size_t count;
    llmgr_status status =
        lk_sealed_page(tx, looking->column, 0, 1000, &looking->w->arena, &rows, &count, err);
    for (size_t i = 0; status == LLMGR_OK && i < count; i++) {
        if (rows[i].platform_id != looking->platform_id ||
            !lb_str_eq(rows[i].owner, looking->owner))
            continue;
        const struct lk_key_place place = lk_sealed_place(looking->column, &rows[i]);
        struct lv_secret key;
        looking->found = true;
        looking->opened = lk_key_open(lm_keys(looking->w->manager), tx, &place, rows[i].record,
                                      &key, NULL) == LLMGR_OK &&
                          lb_str_eq(lv_secret_str(&key), looking->want);
        lv_secret_clear(&key);
    }
    return status;
}

/* Is this key stored there, and does it open there? */
static inline bool key_is(struct fixture *w, enum lk_key_column column, int64_t platform,
                          const char *owner, const char *want)
{
    struct looking looking = {.w = w,
                              .column = column,
                              .platform_id = platform,
                              .owner = lb_cstr(owner),
                              .want = lb_cstr(want)};

    WANT(LLMGR_OK, ls_transact(lm_store(w->manager), LS_READ, look_key, &looking, &w->err));
    return looking.opened;
}

#endif
