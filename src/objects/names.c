/* SPDX-License-Identifier: MIT */
/* Going through path, body and query for what they name. See the header. */
#include "objects/names.h"

#include <string.h>

#include "base/error.h"
#include "dialect/batch_line.h"
#include "dialect/endpoint.h"
#include "dialect/refs.h"
#include "http/url.h"
#include "objects/id_path.h"

llmgr_status lf_no_such(struct llmgr_error *err, const char *kind, struct lb_str id)
{
    return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no %s '%.*s'"), kind,
                   (int)lb_utf8_cut(id, 100), id.p);
}

/* ---- Gathering what is named ----------------------------------------------------------------- */

struct gather {
    const struct lf_naming *from;
    struct lf_names *names;
    struct llmgr_error *err;
    llmgr_status status;
};

static bool stop(struct gather *gather, llmgr_status status)
{
    gather->status = status;
    return false;
}

/* One object more; false: the request fails. */
static bool add(struct gather *gather, enum ld_ref_kind kind, struct lb_str id)
{
    struct lb_arena *arena = gather->from->arena;
    const char *called = ld_ref_kind_name(kind);

    if (id.size == 0 || lf_id_is_signed(kind))
        return stop(gather, lf_no_such(gather->err, called, id));
    const bool for_batch = kind == LD_REF_FILE && lf_native_makes_batch(gather->from->row);
    for (size_t i = gather->names->count; i > 0; i--) {
        struct lf_object *object = &gather->names->objects[i - 1];
        if (lb_str_eq(object->id, id) && object->exact == for_batch)
            return true;
    }
    if (gather->names->count == LF_NAMES_MAX)
        return stop(gather, lb_fail(gather->err, LLMGR_ERR_INVALID,
                                    N_("the request names more than %d things that are kept at "
                                       "the platform"),
                                    LF_NAMES_MAX));
    if (gather->names->objects == NULL)
        gather->names->objects =
            lb_arena_calloc(arena, LF_NAMES_MAX, sizeof *gather->names->objects);
    struct lb_str kept = lb_arena_str(arena, id);
    if (gather->names->objects == NULL || kept.p == NULL)
        return stop(gather, lb_fail_memory(gather->err));
    gather->names->objects[gather->names->count++] =
        (struct lf_object){.id = kept,
                           .kind = for_batch ? LB_STR(LF_BATCH_FILE) : lb_cstr(called),
                           .exact = for_batch};
    return true;
}

/* Which of what is told is another's business: our own replacement, and what is opened later. */
static bool passes_over(const struct gather *gather, const struct ld_ref *ref, bool is_body)
{
    const struct lf_naming *from = gather->from;

    if (!is_body)
        return false;
    return lf_id_is_signed(ref->kind) || (from->kind == LF_BODY_JSON && ref->kind == LD_REF_MODEL &&
                                          ref->at.at == from->model_at + 1);
}

static bool add_json(struct gather *gather, struct lb_str text, bool is_body)
{
    struct ld_refs refs;
    struct ld_ref ref;

    ld_refs_start(&refs, text);
    while (ld_refs_next(&refs, &ref)) {
        if (passes_over(gather, &ref, is_body))
            continue;
        if (!add(gather, ref.kind, ref.id.p != NULL ? ref.id : lb_str("", 0)))
            return false;
    }
    if (refs.why == NULL)
        return true;
    return stop(gather, lb_fail(gather->err, LLMGR_ERR_INVALID,
                                N_("the request body is not a JSON object (byte %zu: %s)"), refs.at,
                                refs.why));
}

static bool looks_like_json(struct lb_str text)
{
    static const struct lb_str MARK = {"\xef\xbb\xbf", 3};

    text = lb_str_sub(text, lb_str_starts(text, MARK) ? MARK.size : 0, text.size);
    for (size_t i = 0; i < text.size; i++) {
        if (text.p[i] == '{' || text.p[i] == '[')
            return true;
        if ((unsigned char)text.p[i] > ' ')
            return false;
    }
    return false;
}

/* "a=b&c=d" of a query or a form in that shape. */
static bool add_pairs(struct gather *gather, struct lb_str pairs)
{
    struct ld_ref ref;

    while (pairs.size > 0) {
        size_t end = 0;
        while (end < pairs.size && pairs.p[end] != '&' && pairs.p[end] != ';')
            end++;
        struct lb_str pair = lb_str_sub(pairs, 0, end);
        pairs = lb_str_sub(pairs, end + 1, pairs.size);
        char *plain = lb_arena_bytes(gather->from->arena, pair.size + 1);
        size_t cut = lb_str_find(pair, '='), name_size = 0, size = 0;
        if (plain == NULL)
            return stop(gather, lb_fail_memory(gather->err));
        if (!lh_percent_decode(lb_str_sub(pair, 0, cut), plain, &name_size) ||
            !lh_percent_decode(lb_str_sub(pair, cut + 1, pair.size), plain + name_size, &size))
            return stop(gather, lb_fail(gather->err, LLMGR_ERR_INVALID,
                                        N_("the path holds an invalid escape")));
        if (ld_ref_named(lb_str(plain, name_size), lb_str(plain + name_size, size), &ref) &&
            !add(gather, ref.kind, ref.id.p != NULL ? ref.id : lb_str("", 0)))
            return false;
    }
    return true;
}

/* ---- Forms and the lines of batch files ------------------------------------------------------ */

/* May a line of a batch, or a batch as a whole, ask for this? What leaves nothing behind. */
static bool is_work(const struct gather *gather, struct lb_str method, struct lb_str url)
{
    const struct lb_str v1 = LB_STR("/v1/");
    const struct lf_native *row;
    struct lb_str id;

    if (method.size > 0 && !lb_str_eq_c(method, "POST"))
        return false;
    if (lb_str_starts(url, v1))
        url = lb_str_sub(url, 3, url.size);
    for (unsigned i = 0; i < LD_ENDPOINT_COUNT; i++) {
        const struct lb_str path = ld_endpoint((enum ld_endpoint_id)i)->path;
        if (path.size > 0 && lb_str_eq(path, url))
            return true;
    }
    return lf_native_judge(LH_METHOD_POST, url, gather->from->opened, &row, &id) ==
               LF_NATIVE_OPEN &&
           (row == NULL || row->kind_of_work == LF_NATIVE_FREE);
}

/* `number`: of the line; 0: it is the request that makes a batch. */
static bool check_line(struct gather *gather, struct lb_str text, size_t number)
{
    struct ld_batch_line line;
    struct llmgr_error why = {0};
    struct lb_arena arena;
    char room[512];

    lb_arena_init(&arena, gather->from->host, room, sizeof room, 1 << 16);
    llmgr_status status = ld_batch_line(text, &arena, &line, &why);
    lb_arena_free(&arena);
    if (status != LLMGR_OK)
        return stop(gather, lb_fail(gather->err, LLMGR_ERR_INVALID, N_("line %zu of the batch: %s"),
                                    number, why.message));
    struct lb_str method = ld_batch_text(&line.method), url = ld_batch_text(&line.url);
    struct lb_str endpoint = ld_batch_text(&line.endpoint);
    if ((url.size > 0 || line.method.is_there) && !is_work(gather, method, url))
        endpoint = url;
    else if (endpoint.size == 0 || is_work(gather, lb_str("", 0), endpoint))
        return true;
    return stop(gather, lb_fail(gather->err, LLMGR_ERR_NOT_FOUND,
                                N_("line %zu of the batch: '%.*s' is not served with the server's "
                                   "key"),
                                number, (int)lb_utf8_cut(endpoint, 100), endpoint.p));
}

/* Each line is a request; what is none would be read by the platform, and not by us. */
static bool add_lines(struct gather *gather, struct lb_str file)
{
    static const struct lb_str MARK = {"\xef\xbb\xbf", 3};
    size_t number = 0;

    file = lb_str_sub(file, lb_str_starts(file, MARK) ? MARK.size : 0, file.size);
    while (file.size > 0) {
        struct lb_str line = lb_str_sub(file, 0, lb_str_find(file, '\n'));
        file = lb_str_sub(file, line.size + 1, file.size);
        number++;
        while (line.size > 0 && (unsigned char)line.p[line.size - 1] <= ' ')
            line.size--;
        if (line.size > 0 && !(check_line(gather, line, number) && add_json(gather, line, false)))
            return false;
    }
    return true;
}

/* Does the form say that its file is for a batch? */
static bool is_for_batch(struct lb_str body, const struct ld_form *form)
{
    struct ld_form_walk walk;
    struct ld_form_field field;

    ld_form_walk_start(&walk, body, form);
    while (ld_form_walk_next(&walk, &field)) {
        if (lb_str_eq_nocase(field.name, LB_STR("purpose")) &&
            lb_str_eq_nocase(lb_str_trim(field.value), LB_STR("batch")))
            return true;
    }
    return false;
}

static bool add_form(struct gather *gather, struct lb_str body, const struct ld_form *form)
{
    bool batch = is_for_batch(body, form);
    struct ld_form_walk walk;
    struct ld_form_field field;
    struct ld_ref ref;

    gather->names->batch_file = batch;
    ld_form_walk_start(&walk, body, form);
    while (ld_form_walk_next(&walk, &field)) {
        if (batch && field.file && !add_lines(gather, field.value))
            return false;
        if (lb_str_eq_nocase(field.name, LB_STR("model")))
            continue; /* becomes the one that was resolved */
        if (ld_ref_named(field.name, field.value, &ref) &&
            !add(gather, ref.kind, ref.id.p != NULL ? ref.id : lb_str("", 0)))
            return false;
        if (!field.file && looks_like_json(field.value) && !add_json(gather, field.value, false))
            return false;
    }
    return true;
}

/* ---- The whole request ----------------------------------------------------------------------- */

static bool add_body(struct gather *gather)
{
    const struct lf_naming *from = gather->from;

    switch (from->kind) {
    case LF_BODY_JSON:
        return (!lf_native_makes_batch(from->row) || check_line(gather, from->body, 0)) &&
               add_json(gather, from->body, true);
    case LF_BODY_FORM:
        return add_form(gather, from->body, from->form);
    case LF_BODY_PAIRS:
        return add_pairs(gather, from->body);
    case LF_BODY_OTHER:
        return !looks_like_json(from->body) || add_json(gather, from->body, false);
    case LF_BODY_NONE:
    default:
        return true;
    }
}

llmgr_status lf_names_find(const struct lf_naming *from, struct lf_names *names,
                           struct llmgr_error *err)
{
    struct gather gather = {.from = from, .names = names, .err = err, .status = LLMGR_OK};

    *names = (struct lf_names){.count = 0};
    if (from->path_id.size > 0 && !lf_id_is_signed(from->row->kind) &&
        !add(&gather, from->row->kind, from->path_id))
        return gather.status;
    if (add_body(&gather))
        (void)add_pairs(&gather, from->query);
    return gather.status;
}
