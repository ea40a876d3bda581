/* SPDX-License-Identifier: MIT */
/*
 * One row per idempotency key. It is written before the work begins and completed after it, so two
 * requests with one key never both do it. An answer that holds a secret (a new token) is sealed
 * like an API key; a rotation of the data keys does not reseal it, it merely lasts no longer.
 */
#include "accounts/replays.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"
#include "keys/ring.h"
#include "manager/access.h"
#include "manager/manager.h"
#include "store/store.h"
#include "vault/vault.h"

struct asking {
    struct lm_manager *manager;
    const struct lw_answer_key *key;
    struct lb_arena *arena;
    enum lw_answer_state state;
    struct lw_answer answer;
};

/* Bound to the row and to the key's owner, as text: "answers of 17". */
static struct lk_key_place place_of(int64_t token_id, int64_t row, char owner[40])
{
    int size = snprintf(owner, 40, "answers of %lld", (long long)token_id);

    return (struct lk_key_place){.column = LK_KEY_OF_ANSWER,
                                 .owner = lb_str(owner, (size_t)size),
                                 .platform_id = row,
                                 .origin = LB_STR("")};
}

static bool keep_text(struct lb_arena *arena, struct lb_str text, struct lb_str *out)
{
    *out = lb_arena_str(arena, text);
    return out->p != NULL;
}

static llmgr_status open_answer(struct asking *asking, struct ls_tx *tx, struct lb_str record,
                                struct llmgr_error *err)
{
    struct lv_secret secret;
    char owner[40];
    const struct lk_key_place place = place_of(asking->key->token_id, asking->answer.id, owner);

    llmgr_status status = lk_key_open(lm_keys(asking->manager), tx, &place, record, &secret, err);
    if (status != LLMGR_OK)
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("the answer kept for this idempotency key can no longer be opened; look "
                          "at what is there and use a new key"));
    bool kept = keep_text(asking->arena, lv_secret_str(&secret), &asking->answer.body);
    lv_secret_clear(&secret);
    return kept ? LLMGR_OK : lb_fail_memory(err);
}

/* The row under the key, if it is there. */
static llmgr_status read_row(struct asking *asking, struct ls_tx *tx, const struct ls_rows *rows,
                             struct llmgr_error *err)
{
    struct lw_answer *answer = &asking->answer;
    const struct lw_answer_key *key = asking->key;

    answer->id = ls_column_int(rows, 0);
    answer->status = (int)ls_column_int(rows, 2);
    answer->secret = ls_column_int(rows, 3) != 0;
    if (!lb_str_eq(ls_column_blob(rows, 1), lb_str((const char *)key->digest, sizeof key->digest)))
        asking->state = LW_ANSWER_OTHER;
    else
        asking->state = answer->status == 0 ? LW_ANSWER_RUNNING : LW_ANSWER_DONE;
    if (asking->state != LW_ANSWER_DONE)
        return LLMGR_OK;
    if (!keep_text(asking->arena, ls_column_text(rows, 4), &answer->location))
        return lb_fail_memory(err);
    if (answer->secret)
        return open_answer(asking, tx, ls_column_blob(rows, 5), err);
    return keep_text(asking->arena, ls_column_blob(rows, 5), &answer->body) ? LLMGR_OK
                                                                            : lb_fail_memory(err);
}

/* Makes room for one more under the token. */
static llmgr_status make_room(const struct asking *asking, struct ls_tx *tx,
                              struct llmgr_error *err)
{
    struct ls_rows rows;
    const int64_t token_id = asking->key->token_id;
    int64_t dropped = 1;

    llmgr_status status = ls_get(tx, LS_ANSWER_COUNT, LS_ARGS(ls_int(token_id)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    int64_t count = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    if (count < LW_ANSWERS_PER_TOKEN)
        return LLMGR_OK;
    status = ls_exec(tx, LS_ANSWER_DROP_OLDEST, LS_ARGS(ls_int(token_id)), &dropped, err);
    if (status == LLMGR_OK && dropped == 0)
        status = lb_fail(err, LLMGR_ERR_TOO_LARGE,
                         N_("%lld requests with idempotency keys of this token are under way, "
                            "which is the limit; wait for some of them"),
                         (long long)count);
    return status;
}

static llmgr_status begin(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct asking *asking = context;
    const struct lw_answer_key *key = asking->key;
    int64_t now = lb_now_ms(lm_host(asking->manager));
    struct ls_rows rows;
    bool found = false;

    asking->answer = (struct lw_answer){0};
    llmgr_status status =
        ls_exec(tx, LS_ANSWER_EXPIRE, LS_ARGS(ls_int(now - LW_ANSWER_MS)), NULL, err);
    if (status != LLMGR_OK)
        return status;
    status = ls_find(tx, LS_ANSWER_FIND, LS_ARGS(ls_int(key->token_id), ls_text(key->name)), &rows,
                     &found, err);
    if (status != LLMGR_OK)
        return status;
    if (found) {
        status = read_row(asking, tx, &rows, err);
        ls_rows_end(&rows);
        return status;
    }
    status = make_room(asking, tx, err);
    if (status != LLMGR_OK)
        return status;
    asking->state = LW_ANSWER_NEW;
    return ls_insert(tx, LS_ANSWER_ADD,
                     LS_ARGS(ls_int(key->token_id), ls_text(key->name),
                             ls_blob(key->digest, sizeof key->digest), ls_int(now)),
                     &asking->answer.id, err);
}

llmgr_status lw_answer_begin(struct lm_manager *manager, const struct lw_answer_key *key,
                             struct lb_arena *arena, enum lw_answer_state *state,
                             struct lw_answer *answer, struct llmgr_error *err)
{
    struct asking asking = {.manager = manager, .key = key, .arena = arena};

    if (key->name.size == 0 || key->name.size > LW_ANSWER_NAME_MAX || !lb_utf8_valid(key->name))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("an idempotency key is text of 1 to %d bytes"),
                       LW_ANSWER_NAME_MAX);
    llmgr_status status = ls_transact(lm_store(manager), LS_WRITE, begin, &asking, err);
    if (status != LLMGR_OK)
        return status;
    *state = asking.state;
    *answer = asking.answer;
    return LLMGR_OK;
}

/* ---- Afterwards ------------------------------------------------------------------------------ */

struct keeping {
    struct lm_manager *manager;
    const struct lw_answer_key *key;
    const struct lw_answer *answer;
};

static llmgr_status store(const struct keeping *keeping, struct ls_tx *tx, struct lb_str body,
                          struct llmgr_error *err)
{
    const struct lw_answer *answer = keeping->answer;

    return ls_exec(tx, LS_ANSWER_KEEP,
                   LS_ARGS(ls_int(answer->id), ls_int(answer->status), ls_int(answer->secret),
                           ls_text(answer->location), ls_blob(body.p, body.size)),
                   NULL, err);
}

static llmgr_status keep(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct keeping *keeping = context;
    const struct lw_answer *answer = keeping->answer;
    struct lb_buf record;
    char owner[40];

    if (!answer->secret)
        return store(keeping, tx, answer->body, err);
    const struct lk_key_place place = place_of(keeping->key->token_id, answer->id, owner);
    lb_buf_init(&record, lm_host(keeping->manager), LV_RECORD_MAX);
    llmgr_status status =
        lk_key_seal(lm_keys(keeping->manager), tx, &place, answer->body, &record, err);
    if (status == LLMGR_OK)
        status = store(keeping, tx, lb_buf_str(&record), err);
    lb_buf_free(&record);
    return status;
}

llmgr_status lw_answer_keep(struct lm_manager *manager, const struct lw_answer_key *key,
                            const struct lw_answer *answer, struct llmgr_error *err)
{
    struct keeping keeping = {manager, key, answer};

    if (answer->body.size > LW_ANSWER_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the answer is too long to be kept"));
    return ls_transact(lm_store(manager), LS_WRITE, keep, &keeping, err);
}

static llmgr_status forget(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const int64_t *id = context;

    return ls_exec(tx, LS_ANSWER_FORGET, LS_ARGS(ls_int(*id)), NULL, err);
}

llmgr_status lw_answer_forget(struct lm_manager *manager, int64_t id, struct llmgr_error *err)
{
    return ls_transact(lm_store(manager), LS_WRITE, forget, &id, err);
}
