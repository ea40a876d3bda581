/* SPDX-License-Identifier: MIT */
/*
 * One record holds all lines of a platform, so a change opens it, puts the others and the new line
 * together, and seals that. A record that does not open (its data key is lost) is replaced.
 */
#include "manager/headers.h"

#include "base/error.h"
#include "config/fixed_headers.h"
#include "config/header_name.h"
#include "config/meant.h"
#include "keys/ring.h"
#include "manager/access.h"
#include "store/store.h"
#include "vault/secret.h"
#include "vault/vault.h"

/* ---- Rules ----------------------------------------------------------------------------------- */

static llmgr_status rule_name(struct lb_str name, struct llmgr_error *err)
{
    if (lc_header_may_pass(name))
        return LLMGR_OK;
    if (!lb_utf8_name(name, LC_HEADER_NAME_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("that is no name of a header field: it is empty, longer than %d bytes or "
                          "holds control characters"),
                       LC_HEADER_NAME_MAX);
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("the header field '%.*s' cannot be set: names are letters, digits and "
                      "hyphens, and none that says who asks, holds cookies or is the connection's"),
                   (int)name.size, name.p);
}

llmgr_status lm_rule_header(struct lb_str name, struct lb_str value, struct llmgr_error *err)
{
    struct lb_str variable;
    llmgr_status status = rule_name(name, err);

    if (status != LLMGR_OK)
        return status;
    if (!lc_header_value_is_good(value))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the header field '%.*s' cannot have this value: give 1 to %d bytes of "
                          "UTF-8 without line ends, other control characters, or blanks at the "
                          "ends"),
                       (int)name.size, name.p, LC_HEADER_VALUE_MAX);
    if (lc_meant_placeholder(value, &variable) || lc_meant_variable(value, &variable))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the header field '%.*s' cannot have this value: it names a variable, "
                          "and those are filled in in the configuration file only; give the value "
                          "itself"),
                       (int)name.size, name.p);
    return LLMGR_OK;
}

/* ---- Storing --------------------------------------------------------------------------------- */

static struct lk_key_place sealed_at(const struct lm_headers_place *place)
{
    return (struct lk_key_place){.column = LK_KEY_OF_HEADERS,
                                 .owner = place->owner,
                                 .platform_id = place->platform_id,
                                 .origin = place->origin};
}

static llmgr_status seal_lines(struct lm_manager *manager, struct ls_tx *tx,
                               const struct lm_headers_place *place, struct lb_str lines,
                               struct lb_buf *names, struct llmgr_error *err)
{
    const struct lk_key_place sealed = sealed_at(place);
    struct lb_buf record;
    uint32_t data_key = 0;

    lc_fixed_names(lines, names);
    if (names->failed != LLMGR_OK)
        return lb_fail_memory(err);
    lb_buf_init(&record, lm_host(manager), LV_RECORD_MAX);
    llmgr_status status = lk_key_seal(lm_keys(manager), tx, &sealed, lines, &record, err);
    (void)lv_record_key_id(lb_buf_str(&record), &data_key);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_PLATFORM_SET_HEADERS,
                         LS_ARGS(ls_int(place->platform_id), ls_text(place->owner),
                                 ls_text(lb_buf_str(names)), ls_blob(record.data, record.size),
                                 ls_int(data_key)),
                         NULL, err);
    lb_buf_free(&record);
    return status;
}

llmgr_status lm_headers_store(struct lm_manager *manager, struct ls_tx *tx,
                              const struct lm_headers_place *place, struct lb_str lines,
                              struct llmgr_error *err)
{
    struct lb_buf names;

    if (lines.size == 0)
        return ls_exec(tx, LS_PLATFORM_SET_HEADERS,
                       LS_ARGS(ls_int(place->platform_id), ls_text(place->owner), ls_null(),
                               ls_null(), ls_int(0)),
                       NULL, err);
    lb_buf_init(&names, lm_host(manager), LC_FIXED_SIZE_MAX);
    llmgr_status status = seal_lines(manager, tx, place, lines, &names, err);
    lb_buf_free(&names);
    return status;
}

/* ---- Of a platform that calls have made
 * ---------------------------------------------------------------- */

struct change {
    struct lm_manager *manager;
    struct lm_actor actor;
    int64_t platform_id;
    struct lb_str name;
    struct lb_str value;
};

static llmgr_status read_lines(const struct change *change, struct ls_tx *tx,
                               const struct lm_headers_place *place, struct lv_secret *lines,
                               struct llmgr_error *err)
{
    const struct lk_key_place sealed = sealed_at(place);
    char record[LV_RECORD_MAX];
    size_t size = 0;
    struct ls_rows rows;
    bool found = false;

    llmgr_status status = ls_find(tx, LS_PLATFORM_HEADERS,
                                  LS_ARGS(ls_int(change->platform_id), ls_text(change->actor.user)),
                                  &rows, &found, err);
    if (found) {
        struct lb_str stored = ls_column_blob(&rows, 0);
        size = stored.size <= sizeof record ? stored.size : 0;
        if (size > 0)
            memcpy(record, stored.p, size);
        ls_rows_end(&rows);
    }
    if (status != LLMGR_OK || size == 0)
        return status;
    struct llmgr_error why = {0};
    status = lk_key_open(lm_keys(change->manager), tx, &sealed, lb_str(record, size), lines, &why);
    if (status != LLMGR_OK && status != LLMGR_ERR_VAULT && err != NULL)
        *err = why;
    return status == LLMGR_ERR_VAULT ? LLMGR_OK : status;
}

/* Puts the lines together as they will be. */
static llmgr_status change_lines(const struct change *change, struct lb_str before,
                                 struct lb_buf *lines, struct llmgr_error *err)
{
    bool had = lc_fixed_add_others(lines, before, change->name);

    if (change->value.size == 0 && !had)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       N_("platform %lld has no header field '%.*s' of its own"),
                       (long long)change->platform_id, (int)change->name.size, change->name.p);
    if (change->value.size > 0)
        lc_fixed_add(lines, change->name, change->value);
    if (lines->failed == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    if (lines->failed != LLMGR_OK || !lc_fixed_are_good(lb_buf_str(lines)))
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("with the header field '%.*s' platform %lld would have more than %d of "
                          "them, or more than %d bytes in all; remove one first"),
                       (int)change->name.size, change->name.p, (long long)change->platform_id,
                       LC_FIXED_COUNT_MAX, LC_FIXED_SIZE_MAX);
    return LLMGR_OK;
}

static llmgr_status write_lines(const struct change *change, struct ls_tx *tx,
                                const struct lm_headers_place *place, struct llmgr_error *err)
{
    struct lv_secret before;
    struct lb_buf lines;

    lv_secret_init(&before);
    lb_buf_init_secret(&lines, lm_host(change->manager), LC_FIXED_SIZE_MAX);
    llmgr_status status = read_lines(change, tx, place, &before, err);
    if (status == LLMGR_OK)
        status = change_lines(change, lv_secret_str(&before), &lines, err);
    if (status == LLMGR_OK)
        status = lm_headers_store(change->manager, tx, place, lb_buf_str(&lines), err);
    lv_secret_clear(&before);
    lb_buf_free(&lines);
    return status;
}

static llmgr_status set_header(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = lm_access_platform(change->manager, tx, change->actor,
                                             change->platform_id, LM_ACCESS_CHANGE, &row, err);
    if (status != LLMGR_OK)
        return status;
    if (row.origin[0] == '\0')
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("platform '%s' has no address yet, and a header field's value belongs to "
                          "an address; set the address first"),
                       row.name);
    const struct lm_headers_place place = {.owner = change->actor.user,
                                           .platform_id = change->platform_id,
                                           .origin = lb_cstr(row.origin)};
    return write_lines(change, tx, &place, err);
}

llmgr_status lm_platform_set_header(struct lm_manager *manager, struct lm_actor actor,
                                    int64_t platform_id, struct lb_str name, struct lb_str value,
                                    struct llmgr_error *err)
{
    struct change change = {.manager = manager,
                            .actor = actor,
                            .platform_id = platform_id,
                            .name = name,
                            .value = value};
    llmgr_status status = lm_access_user(manager, &change.actor.user, err);
    if (status == LLMGR_OK)
        status = value.size > 0 ? lm_rule_header(name, value, err) : rule_name(name, err);
    return status == LLMGR_OK ? lm_write(manager, lm_told(change.actor), set_header, &change, err)
                              : status;
}
