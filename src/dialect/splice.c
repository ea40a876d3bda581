/* SPDX-License-Identifier: MIT */
/*
 * What changes is gathered as a short list of edits (this span becomes that text), put in order,
 * and read out as slices around them. Members that are added go into one piece before the closing
 * brace. The body is walked a second time only if the model has an extra_body.
 */
#include "dialect/splice.h"

#include "base/buf.h"
#include "json/scan.h"
#include "json/write.h"

enum {
    EXTRAS_MAX = 256, /* members of an extra_body */
    OWN_EDITS = 3,    /* model, stream_options, the additions */
    NAME_BUF = 256,   /* an escaped name of the body that is longer matches nothing */
};

static const struct lb_str ASK = {"{\"include_usage\":true}", 22};

struct edit {
    struct lj_span from; /* of the body */
    struct lb_str to;
};

struct extra {
    struct lb_str name; /* decoded */
    struct lb_str quoted;
    struct lb_str value;
    bool used; /* it replaces a member that is there */
};

struct job {
    struct lb_str body;
    const struct ld_peek *peek;
    const struct ld_edit *wish;
    struct lb_arena *arena;
    struct llmgr_error *err;
    struct extra *extras;
    size_t extra_count;
    struct lb_str options; /* stream_options of the extra_body */
    struct edit *edits;
    size_t edit_count;
    struct lb_str added; /* members for the end, joined by commas */
    bool emptied;        /* the only member was taken out */
};

/* ---- Pieces ---------------------------------------------------------------------------------- */

/* Several texts as one in the arena; .p NULL: memory is short. */
static struct lb_str join_texts(struct lb_arena *arena, const struct lb_str *parts, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    char *to = lb_arena_bytes(arena, size + 1);
    if (to == NULL)
        return lb_str(NULL, 0);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0)
            memcpy(to + at, parts[i].p, parts[i].size);
        at += parts[i].size;
    }
    return lb_str(to, size);
}

static bool is_plain(struct lb_str s)
{
    for (size_t i = 0; i < s.size; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == '"' || s.p[i] == '\\')
            return false;
    }
    return true;
}

/* A JSON string in the arena; .p NULL: memory is short. */
static struct lb_str quote_text(struct lb_arena *arena, struct lb_str s)
{
    struct lb_buf buf;

    if (is_plain(s)) {
        const struct lb_str parts[] = {LB_STR("\""), s, LB_STR("\"")};
        return join_texts(arena, parts, 3);
    }
    lb_buf_init(&buf, arena->host, 6 * s.size + 2);
    lj_json_write_str(s, &buf);
    struct lb_str written = lb_buf_str(&buf);
    struct lb_str quoted =
        buf.failed == LLMGR_OK ? join_texts(arena, &written, 1) : lb_str(NULL, 0);
    lb_buf_free(&buf);
    return quoted;
}

static llmgr_status add_edit(struct job *job, struct lj_span from, struct lb_str to)
{
    size_t at = job->edit_count++;

    if (to.p == NULL)
        return lb_fail_memory(job->err);
    for (; at > 0 && job->edits[at - 1].from.at > from.at; at--)
        job->edits[at] = job->edits[at - 1];
    job->edits[at] = (struct edit){from, to};
    return LLMGR_OK;
}

static llmgr_status add_member(struct job *job, struct lb_str quoted, struct lb_str value)
{
    const struct lb_str comma = job->added.size > 0 ? LB_STR(",") : LB_STR("");
    const struct lb_str parts[] = {job->added, comma, quoted, LB_STR(":"), value};

    job->added = join_texts(job->arena, parts, 5);
    return job->added.p != NULL ? LLMGR_OK : lb_fail_memory(job->err);
}

/* ---- extra_body ------------------------------------------------------------------------------ */

static llmgr_status bad_extra(struct job *job, const char *why)
{
    return lb_fail(job->err, LLMGR_ERR_INVALID,
                   N_("the model's extra_body is not a JSON object (%s); correct the model"), why);
}

/* These say who answers what, and are the caller's or ours alone. */
static bool is_protected(struct lb_str name)
{
    static const char *const NAMES[] = {"model", "stream", "messages", "input", "prompt"};

    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (lb_str_eq_nocase(name, lb_cstr(NAMES[i])))
            return true;
    }
    return false;
}

/* Later members of the same name win, as in most parsers. */
static llmgr_status keep_extra(struct job *job, const struct extra *extra)
{
    size_t at = 0;

    if (is_protected(extra->name))
        return LLMGR_OK;
    if (lb_str_eq_nocase(extra->name, LB_STR("stream_options"))) {
        if (lb_str_eq(extra->name, LB_STR("stream_options")))
            job->options = extra->value;
        return LLMGR_OK;
    }
    while (at < job->extra_count && !lb_str_eq(job->extras[at].name, extra->name))
        at++;
    if (at == EXTRAS_MAX)
        return bad_extra(job, "too many members");
    job->extras[at] = *extra;
    job->extra_count += at == job->extra_count;
    return LLMGR_OK;
}

static llmgr_status read_extras(struct job *job)
{
    struct lb_str text = job->wish->extra_body;
    struct lj_walk walk;
    struct lj_member member;

    job->extras = lb_arena_calloc(job->arena, EXTRAS_MAX, sizeof *job->extras);
    if (job->extras == NULL)
        return lb_fail_memory(job->err);
    lj_walk_start(&walk, text, lj_scan_space(text.p, 0, text.size), 1);
    while (lj_walk_next(&walk, &member)) {
        struct extra extra = {
            .name = member.name,
            .quoted = lb_str(member.name.p - 1, member.name.size + 2),
            .value = lj_span_of(text, member.value),
        };
        if (member.escaped) {
            char *plain = lb_arena_bytes(job->arena, member.name.size);
            if (plain == NULL)
                return lb_fail_memory(job->err);
            extra.name = lj_member_name(&member, plain, member.name.size);
        }
        if (extra.name.p == NULL)
            return bad_extra(job, "a name is no text");
        llmgr_status status = keep_extra(job, &extra);
        if (status != LLMGR_OK)
            return status;
    }
    if (walk.why == NULL && lj_scan_space(text.p, walk.at, text.size) != text.size)
        walk.why = "something follows it";
    return walk.why == NULL ? LLMGR_OK : bad_extra(job, walk.why);
}

bool ld_extra_sets(struct lb_str text, struct lb_str name)
{
    struct lj_walk walk;
    struct lj_member member;
    char buf[NAME_BUF];
    bool sets = false;

    if (text.size == 0)
        return false;
    lj_walk_start(&walk, text, lj_scan_space(text.p, 0, text.size), 1);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq(lj_member_name(&member, buf, sizeof buf), name))
            sets = text.p[member.value.at] != 'f' && text.p[member.value.at] != 'n';
    }
    return sets;
}

static llmgr_status refuse_twice(struct job *job, const struct extra *extra)
{
    return lb_fail(job->err, LLMGR_ERR_INVALID,
                   N_("the request body has the member '%.*s' twice; send it once"),
                   (int)extra->name.size, extra->name.p);
}

/* Where the body has a member that the extra_body sets, it is replaced. */
static llmgr_status replace_member(struct job *job, const struct lj_member *member)
{
    char buf[NAME_BUF];
    struct lb_str name = lj_member_name(member, buf, sizeof buf);

    if (name.p == NULL)
        return LLMGR_OK;
    for (size_t i = 0; i < job->extra_count; i++) {
        struct extra *extra = &job->extras[i];
        if (!lb_str_eq(extra->name, name))
            continue;
        if (extra->used)
            return refuse_twice(job, extra);
        extra->used = true;
        return add_edit(job, member->value, extra->value);
    }
    return LLMGR_OK;
}

static llmgr_status merge_extras(struct job *job)
{
    struct lj_walk walk;
    struct lj_member member;

    if (job->extra_count == 0)
        return LLMGR_OK;
    lj_walk_start(&walk, job->body, job->peek->open, 1);
    while (lj_walk_next(&walk, &member)) {
        llmgr_status status = replace_member(job, &member);
        if (status != LLMGR_OK)
            return status;
    }
    for (size_t i = 0; i < job->extra_count; i++) {
        const struct extra *extra = &job->extras[i];
        if (extra->used)
            continue;
        llmgr_status status = add_member(job, extra->quoted, extra->value);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

/* ---- stream_options -------------------------------------------------------------------------- */

/* The member with the comma that goes with it. */
static llmgr_status drop_options(struct job *job)
{
    const struct ld_peek *peek = job->peek;
    size_t end = peek->options_at.at + peek->options_at.size;
    size_t from = peek->options_before;

    if (peek->options_at.size == 0)
        return LLMGR_OK;
    if (from == 0) { /* the first one: up to the next one's name */
        from = peek->options_name;
        size_t comma = lj_scan_space(job->body.p, end, job->body.size);
        job->emptied = job->body.p[comma] == '}';
        if (!job->emptied)
            end = lj_scan_space(job->body.p, comma + 1, job->body.size);
    }
    return add_edit(job, (struct lj_span){from, end - from}, LB_STR(""));
}

/* The extra_body's stream_options with include_usage set. */
static struct lb_str asking_options(const struct job *job)
{
    struct lb_str text = job->options;
    struct lj_walk walk;
    struct lj_member member;
    char buf[NAME_BUF];
    bool empty = true;

    if (text.p[0] != '{')
        return ASK;
    lj_walk_start(&walk, text, 0, 2);
    while (lj_walk_next(&walk, &member)) {
        empty = false;
        if (!lb_str_eq(lj_member_name(&member, buf, sizeof buf), LB_STR("include_usage")))
            continue;
        const struct lb_str parts[] = {
            lb_str_sub(text, 0, member.value.at), LB_STR("true"),
            lb_str_sub(text, member.value.at + member.value.size, text.size)};
        return join_texts(job->arena, parts, 3);
    }
    const struct lb_str parts[] = {LB_STR("{\"include_usage\":true"),
                                   empty ? LB_STR("") : LB_STR(","),
                                   lb_str_sub(text, 1, text.size)};
    return join_texts(job->arena, parts, 3);
}

/* The caller's own object: one value or one member changes within it. */
static llmgr_status ask_in_place(struct job *job)
{
    const struct ld_peek *peek = job->peek;

    if (peek->include_usage)
        return LLMGR_OK;
    if (peek->usage_at.size > 0)
        return add_edit(job, peek->usage_at, LB_STR("true"));
    return add_edit(job, (struct lj_span){peek->options_at.at + 1, 0},
                    peek->options_empty ? LB_STR("\"include_usage\":true")
                                        : LB_STR("\"include_usage\":true,"));
}

static llmgr_status merge_options(struct job *job)
{
    const struct ld_peek *peek = job->peek;
    struct lb_str value = ASK;

    if (job->wish->drop_stream_options)
        return drop_options(job);
    if (!job->wish->ask_usage && (job->options.size == 0 || !peek->stream))
        return LLMGR_OK; /* platforms refuse the member where nothing is streamed */
    if (job->options.size > 0)
        value = job->wish->ask_usage ? asking_options(job) : job->options;
    else if (peek->options_object)
        return ask_in_place(job);
    if (peek->options_at.size > 0)
        return add_edit(job, peek->options_at, value);
    if (value.p == NULL)
        return lb_fail_memory(job->err);
    return add_member(job, LB_STR("\"stream_options\""), value);
}

/* ---- The result ------------------------------------------------------------------------------ */

static llmgr_status merge_model(struct job *job)
{
    struct lb_str model = job->wish->model;

    if (model.size == 0 || lb_str_eq(model, job->peek->model))
        return LLMGR_OK;
    struct lb_str quoted = quote_text(job->arena, model);
    if (quoted.p == NULL)
        return lb_fail_memory(job->err);
    if (job->peek->model_at.size > 0)
        return add_edit(job, job->peek->model_at, quoted);
    return add_member(job, LB_STR("\"model\""), quoted);
}

/* What is added goes before the closing brace, behind a comma if something stands there. */
static llmgr_status place_added(struct job *job)
{
    struct lj_span here = {job->peek->close, 0};

    if (job->added.size == 0)
        return LLMGR_OK;
    const struct lb_str parts[] = {job->peek->empty || job->emptied ? LB_STR("") : LB_STR(","),
                                   job->added};
    return add_edit(job, here, join_texts(job->arena, parts, 2));
}

static void put_slice(struct ld_slices *out, struct lb_str slice)
{
    if (slice.size == 0)
        return;
    out->slice[out->count++] = slice;
    out->size += slice.size;
}

/* More edits than slices, which takes an extra_body of some thirty members: one copied piece. */
static llmgr_status flatten_slices(struct job *job, struct ld_slices *out)
{
    size_t count = 2 * job->edit_count + 1;
    struct lb_str *parts = lb_arena_calloc(job->arena, count, sizeof *parts);
    size_t at = 0;

    if (parts == NULL)
        return lb_fail_memory(job->err);
    for (size_t i = 0; i < job->edit_count; i++) {
        const struct edit *edit = &job->edits[i];
        parts[2 * i] = lb_str_sub(job->body, at, edit->from.at);
        parts[2 * i + 1] = edit->to;
        at = edit->from.at + edit->from.size;
    }
    parts[count - 1] = lb_str_sub(job->body, at, job->body.size);
    struct lb_str whole = join_texts(job->arena, parts, count);
    if (whole.p == NULL)
        return lb_fail_memory(job->err);
    put_slice(out, whole);
    return LLMGR_OK;
}

static llmgr_status read_out(struct job *job, struct ld_slices *out)
{
    size_t at = 0;

    out->count = 0;
    out->size = 0;
    if (2 * job->edit_count + 1 > LD_SLICES_MAX)
        return flatten_slices(job, out);
    for (size_t i = 0; i < job->edit_count; i++) {
        const struct edit *edit = &job->edits[i];
        put_slice(out, lb_str_sub(job->body, at, edit->from.at));
        put_slice(out, edit->to);
        at = edit->from.at + edit->from.size;
    }
    put_slice(out, lb_str_sub(job->body, at, job->body.size));
    return LLMGR_OK;
}

llmgr_status ld_splice(struct lb_str body, const struct ld_peek *peek, const struct ld_edit *edit,
                       struct lb_arena *arena, struct ld_slices *out, struct llmgr_error *err)
{
    struct job job = {.body = body, .peek = peek, .wish = edit, .arena = arena, .err = err};
    llmgr_status status = LLMGR_OK;

    if (edit->extra_body.size > 0)
        status = read_extras(&job);
    if (status != LLMGR_OK)
        return status;
    job.edits = lb_arena_calloc(arena, job.extra_count + OWN_EDITS, sizeof *job.edits);
    if (job.edits == NULL)
        return lb_fail_memory(err);
    status = merge_model(&job);
    if (status == LLMGR_OK)
        status = merge_options(&job);
    if (status == LLMGR_OK)
        status = merge_extras(&job);
    if (status == LLMGR_OK)
        status = place_added(&job);
    return status == LLMGR_OK ? read_out(&job, out) : status;
}
