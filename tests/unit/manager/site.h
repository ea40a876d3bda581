/* SPDX-License-Identifier: MIT */
/*
 * A manager over a fresh database (tests/unit/db.h), and short forms to plant rows below the
 * management operations and to resolve. What is not expected ends the test.
 */
#ifndef TESTS_MANAGER_SITE_H
#define TESTS_MANAGER_SITE_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/url.h"
#include "keys/ring.h"
#include "library/open.h"
#include "manager/manager.h"
#include "resolve/resolve.h"
#include "vault/vault.h"

#include "../db.h"

struct site {
    struct db db;
    struct lb_host host; /* of the manager; a test may give it another allocator */
    struct lv_master master;
    struct lm_options options;
    struct lm_manager *manager;
    struct lb_arena arena;
    struct lr_target target; /* of the last resolve */
    struct llmgr_error err;  /* of the last call */
};

#define OK(h, call)                                                                                \
    do {                                                                                           \
        (h)->err = (struct llmgr_error){0};                                                        \
        llmgr_status ok_ = (call);                                                                 \
        if (ok_ != LLMGR_OK)                                                                       \
            fail_msg("%s: %s: %s", #call, llmgr_status_name(ok_), (h)->err.message);               \
    } while (0)

static inline struct lm_manager *site_open_another(struct site *h)
{
    struct ls_store *store = db_open(&h->db);
    struct lv_vault *vault = NULL;
    struct lm_manager *manager = NULL;

    OK(h, lv_vault_new(&h->host, &h->master, &vault, &h->err));
    OK(h, la_manager_open(&h->host, &h->options, store, vault, &manager, &h->err));
    return manager;
}

static inline void site_setup(struct site *h)
{
    *h = (struct site){.options = {.mode = LLMGR_MODE_CUSTOM, .auto_key = true}};
    db_setup(&h->db);
    lb_host_init(&h->host);
    lv_master_generate(&h->master);
    lb_arena_init(&h->arena, &h->db.host, NULL, 0, 64 << 20);
    h->manager = site_open_another(h);
}

static inline void site_teardown(struct site *h)
{
    lb_arena_free(&h->arena);
    la_manager_close(h->manager);
    db_teardown(&h->db);
}

/* The same database with h->options as they are now. */
static inline void site_reopen(struct site *h)
{
    la_manager_close(h->manager);
    h->manager = site_open_another(h);
}

static inline void site_mode(struct site *h, llmgr_mode mode)
{
    h->options.mode = mode;
    site_reopen(h);
}

static inline void site_auto_key(struct site *h, bool auto_key)
{
    h->options.auto_key = auto_key;
    site_reopen(h);
}

/* ---- Planting -------------------------------------------------------------------------------- */

/* One statement in lm_write; `key` (if not NULL) is sealed for `place` into values[key_at]. */
struct act {
    struct lm_manager *manager;
    enum ls_statement statement;
    struct ls_value values[10];
    size_t count;
    int64_t *id; /* an INSERT … RETURNING */
    const char *key;
    struct lk_key_place place;
    size_t key_at;
};

static inline llmgr_status act_run(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct act *act = context;
    struct lb_buf record;
    struct lb_host host;
    llmgr_status status = LLMGR_OK;

    lb_host_init(&host);
    lb_buf_init(&record, &host, 8192);
    if (act->key != NULL) {
        status =
            lk_key_seal(lm_keys(act->manager), tx, &act->place, lb_cstr(act->key), &record, err);
        act->values[act->key_at] = ls_blob(record.data, record.size);
    }
    if (status == LLMGR_OK && act->id != NULL)
        status = ls_insert(tx, act->statement, act->values, act->count, act->id, err);
    else if (status == LLMGR_OK)
        status = ls_exec(tx, act->statement, act->values, act->count, NULL, err);
    lb_buf_free(&record);
    return status;
}

/* `user` NULL: a change of the catalogue. */
static inline void act(struct site *h, const char *user, struct act what)
{
    what.manager = what.manager != NULL ? what.manager : h->manager;
    OK(h, lm_write(what.manager, lb_cstr(user), act_run, &what, &h->err));
}

static inline struct lb_str origin_of(struct site *h, const char *base_url)
{
    struct lh_url url;
    char text[LH_ORIGIN_SIZE];

    if (lh_url_parse(lb_cstr(base_url), &url) != LH_URL_OK)
        return (struct lb_str){0};
    return lb_arena_str(&h->arena, lb_str(text, lh_url_origin(&url, text)));
}

static inline void server_key(struct site *h, int64_t platform, const char *base_url,
                              const char *key)
{
    act(h, NULL,
        (struct act){.statement = LS_PLATFORM_SET_KEY,
                     .values = {ls_int(platform), ls_cstr(LLMGR_SYSTEM_USER), ls_null()},
                     .count = 3,
                     .key = key,
                     .key_at = 2,
                     .place = {LK_KEY_OF_PLATFORM, LB_STR(LLMGR_SYSTEM_USER), platform,
                               origin_of(h, base_url)}});
}

/* `position` orders; `key` may be NULL. */
static inline int64_t sys_platform(struct site *h, const char *name, const char *base_url,
                                   int position, const char *key)
{
    int64_t id = 0;

    act(h, NULL,
        (struct act){.statement = LS_SYNC_PLATFORM_ADD,
                     .values = {ls_cstr(LLMGR_SYSTEM_USER), ls_cstr(name), ls_cstr(base_url),
                                ls_cstr("openai"), ls_int(position), ls_cstr("SOME_API_KEY"),
                                ls_null(), ls_null(), ls_null(), ls_cstr("file")},
                     .count = 10,
                     .id = &id});
    if (key != NULL)
        server_key(h, id, base_url, key);
    return id;
}

/* A private platform of `user`; `key` may be NULL. */
static inline int64_t own_platform(struct site *h, const char *user, const char *name,
                                   const char *base_url, const char *key)
{
    int64_t id = 0;

    act(h, user,
        (struct act){.statement = LS_PLATFORM_ADD,
                     .values = {ls_cstr(user), ls_cstr(name), ls_cstr(base_url)},
                     .count = 3,
                     .id = &id});
    if (key != NULL)
        act(h, user,
            (struct act){.statement = LS_PLATFORM_SET_KEY,
                         .values = {ls_int(id), ls_cstr(user), ls_null()},
                         .count = 3,
                         .key = key,
                         .key_at = 2,
                         .place = {LK_KEY_OF_PLATFORM, lb_cstr(user), id, origin_of(h, base_url)}});
    return id;
}

/* `user` NULL: of a system platform. */
static inline int64_t add_model(struct site *h, const char *user, int64_t platform,
                                const char *display, const char *name)
{
    int64_t id = 0;

    act(h, user,
        (struct act){.statement = LS_MODEL_ADD,
                     .values = {ls_int(platform), ls_cstr(name), ls_cstr(display), ls_null(),
                                ls_int(0), ls_null(), ls_cstr("file"), ls_int(0), ls_int(0)},
                     .count = 9,
                     .id = &id});
    return id;
}

static inline void set_kind(struct site *h, const char *user, int64_t model, const char *kind)
{
    act(h, user,
        (struct act){
            .statement = LS_MODEL_SET_KIND, .values = {ls_int(model), ls_cstr(kind)}, .count = 2});
}

static inline void own_key(struct site *h, const char *user, int64_t platform, const char *base_url,
                           const char *key)
{
    act(h, user,
        (struct act){.statement = LS_OWN_KEY_SET,
                     .values = {ls_cstr(user), ls_int(platform), ls_null()},
                     .count = 3,
                     .key = key,
                     .key_at = 2,
                     .place = {LK_KEY_OF_USER, lb_cstr(user), platform, origin_of(h, base_url)}});
}

static inline void pick(struct site *h, const char *user, const char *slot, int64_t platform,
                        int64_t model)
{
    act(h, user,
        (struct act){.statement = LS_SELECTION_SET,
                     .values = {ls_cstr(user), ls_cstr(slot), ls_int(platform), ls_int(model)},
                     .count = 4});
}

static inline void drop_model(struct site *h, const char *user, int64_t model)
{
    act(h, user, (struct act){.statement = LS_MODEL_DELETE, .values = {ls_int(model)}, .count = 1});
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static inline llmgr_status ask(struct site *h, const char *user, const char *slot,
                               const char *model)
{
    struct lr_request request = {
        .user = lb_cstr(user), .slot = lb_cstr(slot), .model = lb_cstr(model)};

    h->err = (struct llmgr_error){0};
    memset(&h->target, 0, sizeof h->target);
    return lr_resolve(h->manager, &request, &h->arena, &h->target, &h->err);
}

#define ASSERT_STATUS(h, want, call)                                                               \
    do {                                                                                           \
        llmgr_status status_ = (call);                                                             \
        if (status_ != (want))                                                                     \
            fail_msg("%s: %s instead of %s: %s", #call, llmgr_status_name(status_),                \
                     llmgr_status_name(want), (h)->err.message);                                   \
    } while (0)

/* The key of the last target in the open, "" if there is none; until the next call. */
static inline const char *key_of(struct site *h)
{
    static char text[LV_SECRET_MAX + 1];
    struct lv_secret key;

    text[0] = '\0';
    if (h->target.payer == LM_PAYER_NONE)
        return text;
    OK(h, lr_target_open_key(h->manager, &h->target, &key, &h->err));
    snprintf(text, sizeof text, "%s", key.bytes);
    lv_secret_clear(&key);
    return text;
}

#endif
