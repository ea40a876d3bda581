/* SPDX-License-Identifier: MIT */
/*
 * Delimiters are found by searching for "--" and the boundary; a part's head is read line by line
 * and only its Content-Disposition looked at. What we take for the field `model` is what any parser
 * takes: other spellings of the same part are refused.
 */
#include "dialect/form.h"

#include <string.h>

#include "base/buf.h"
#include "dialect/form_int.h"

llmgr_status ld_form_bad(struct llmgr_error *err, const char *why)
{
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("the request body is not a form (multipart/form-data: %s)"), why);
}

/* ---- The media type -------------------------------------------------------------------------- */

bool ld_is_form(struct lb_str content_type)
{
    size_t end = lb_str_find(content_type, ';');

    return lb_str_eq_nocase(lb_str_trim(lb_str_sub(content_type, 0, end)),
                            LB_STR("multipart/form-data"));
}

/* One "; name=value" or "; name="value"" off the front of *rest; false: none is left, or none. */
static bool next_parameter(struct lb_str *rest, struct lb_str *name, struct lb_str *value)
{
    struct lb_str s = lb_str_trim(*rest);

    if (s.size == 0 || s.p[0] != ';')
        return false;
    s = lb_str_trim(lb_str_sub(s, 1, s.size));
    size_t equals = lb_str_find(s, '=');
    if (equals == s.size)
        return false;
    *name = lb_str_trim(lb_str_sub(s, 0, equals));
    s = lb_str_trim(lb_str_sub(s, equals + 1, s.size));
    bool quoted = s.size > 0 && s.p[0] == '"';
    s = lb_str_sub(s, quoted, s.size);
    size_t end = 0;
    while (end < s.size && (quoted ? s.p[end] != '"' : s.p[end] != ';')) {
        if (quoted && s.p[end] == '\\')
            end++; /* the next one is taken as it is */
        end++;
    }
    if (end > s.size || (quoted && end == s.size))
        return false;
    *value = quoted ? lb_str_sub(s, 0, end) : lb_str_trim(lb_str_sub(s, 0, end));
    *rest = lb_str_sub(s, end + quoted, s.size);
    return true;
}

/* bchars of RFC 2046 section 5.1.1, without the space. */
static bool is_boundary(struct lb_str s)
{
    static const char OTHERS[] = "'()+_,-./:=?";

    if (s.size == 0 || s.size > LD_FORM_BOUNDARY_MAX)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        char c = s.p[i];
        bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && memchr(OTHERS, c, sizeof OTHERS - 1) == NULL)
            return false;
    }
    return true;
}

bool ld_form_boundary(struct lb_str content_type, struct lb_str *boundary)
{
    struct lb_str rest =
        lb_str_sub(content_type, lb_str_find(content_type, ';'), content_type.size);
    struct lb_str name, value;
    bool found = false;

    while (next_parameter(&rest, &name, &value)) {
        if (!lb_str_eq_nocase(name, LB_STR("boundary")))
            continue;
        if (found)
            return false;
        found = true;
        *boundary = value;
    }
    return found && lb_str_trim(rest).size == 0 && is_boundary(*boundary);
}

/* ---- Parts ----------------------------------------------------------------------------------- */

static llmgr_status read_disposition(struct lb_str value, struct ld_form_part *part,
                                     struct llmgr_error *err)
{
    struct lb_str rest = lb_str_sub(value, lb_str_find(value, ';'), value.size);
    struct lb_str name, text;

    if (part->name.p != NULL)
        return ld_form_bad(err, "a part with two names");
    while (next_parameter(&rest, &name, &text)) {
        if (lb_str_eq_nocase(name, LB_STR("filename")) ||
            lb_str_eq_nocase(name, LB_STR("filename*")))
            part->file = true;
        if (lb_str_eq_nocase(name, LB_STR("name*")))
            return ld_form_bad(err, "a name in an extended form");
        if (!lb_str_eq_nocase(name, LB_STR("name")))
            continue;
        if (part->name.p != NULL || memchr(text.p, '\\', text.size) != NULL)
            return ld_form_bad(err, "a part's name is not clear");
        part->name = text;
    }
    if (lb_str_trim(rest).size > 0)
        return ld_form_bad(err, "a part's head is malformed");
    return LLMGR_OK;
}

llmgr_status ld_form_read_head(struct lb_str body, size_t *at, struct ld_form_part *part,
                               struct llmgr_error *err)
{
    body = lb_str_sub(body, 0, *at + LD_FORM_HEAD_MAX);
    for (;;) {
        struct lb_str rest = lb_str_sub(body, *at, body.size);
        const char *end = rest.size > 0 ? memmem(rest.p, rest.size, "\r\n", 2) : NULL;
        if (end == NULL)
            return ld_form_bad(err, "a part's head does not end");
        struct lb_str line = lb_str(rest.p, (size_t)(end - rest.p));
        *at += line.size + 2;
        if (line.size == 0)
            return LLMGR_OK;
        size_t colon = lb_str_find(line, ':');
        bool folded = line.p[0] == ' ' || line.p[0] == '\t';
        if (folded || colon == line.size || memchr(line.p, '\n', line.size) != NULL ||
            memchr(line.p, '\r', line.size) != NULL || memchr(line.p, 0, line.size) != NULL)
            return ld_form_bad(err, "a part's head is malformed");
        struct lb_str name = lb_str_trim(lb_str_sub(line, 0, colon));
        if (!lb_str_eq_nocase(name, LB_STR("content-disposition")))
            continue;
        llmgr_status status = read_disposition(lb_str_sub(line, colon + 1, line.size), part, err);
        if (status != LLMGR_OK)
            return status;
    }
}

size_t ld_form_padding(struct lb_str text)
{
    size_t size = 0;

    while (size < text.size && (text.p[size] == ' ' || text.p[size] == '\t'))
        size++;
    return size;
}

/*
 * What follows a delimiter at body.p[*at]: padding and CRLF. The last one's two dashes may be the
 * body's end as well, padded or not.
 */
static bool after_delimiter(struct lb_str body, size_t *at, bool *last)
{
    struct lb_str rest = lb_str_sub(body, *at, body.size);

    *last = lb_str_starts(rest, LB_STR("--"));
    *at += *last ? 2 : 0;
    *at += ld_form_padding(lb_str_sub(body, *at, body.size));
    rest = lb_str_sub(body, *at, body.size);
    *at += 2;
    if (*last)
        return rest.size == 0 || lb_str_eq_c(rest, "\r\n");
    return lb_str_starts(rest, LB_STR("\r\n"));
}

/*
 * The value at body.p[*at], up to CRLF and the boundary. The boundary anywhere else (behind a bare
 * LF, or right behind the head) is an end to some parsers, so it is refused.
 */
static llmgr_status find_value(struct lb_str body, struct lb_str dashed, size_t *at,
                               struct ld_form_part *part, struct llmgr_error *err)
{
    const char *start = body.p + *at;
    const char *end = memmem(start, body.size - *at, dashed.p, dashed.size);

    if (end == NULL)
        return ld_form_bad(err, "it does not end with its boundary");
    if (end - start < 2 || end[-2] != '\r' || end[-1] != '\n')
        return ld_form_bad(err, "the boundary stands within a part");
    part->value = (struct lj_span){*at, (size_t)(end - start) - 2};
    *at = (size_t)(end - body.p) + dashed.size;
    return LLMGR_OK;
}

llmgr_status ld_form_is_model(const struct ld_form_part *part, bool again, bool *is,
                              struct llmgr_error *err)
{
    if (part->name.p == NULL)
        return ld_form_bad(err, "a part without a name");
    *is = lb_str_eq_nocase(part->name, LB_STR("model"));
    if (*is && (again || part->file || !lb_str_eq(part->name, LB_STR("model"))))
        return ld_form_bad(err, "the field 'model' must stand there once, as text");
    return LLMGR_OK;
}

static llmgr_status take_part(struct lb_str body, const struct ld_form_part *part,
                              struct ld_form *form, struct llmgr_error *err)
{
    struct lb_str value = lb_str(body.p + part->value.at, part->value.size);
    bool is_model = false;

    llmgr_status status = ld_form_is_model(part, form->model.p != NULL, &is_model, err);
    if (status != LLMGR_OK)
        return status;
    if (lb_str_eq_nocase(part->name, LB_STR("stream")))
        form->stream = lb_str_eq_nocase(value, LB_STR("true")) || lb_str_eq_c(value, "1");
    if (!is_model)
        return LLMGR_OK;
    if (!lb_utf8_name(value, LD_MODEL_NAME_MAX))
        return ld_form_bad(err, "the field 'model' is no name");
    form->model = value;
    form->model_at = part->value;
    return LLMGR_OK;
}

llmgr_status ld_form_peek(struct lb_str body, struct lb_str content_type, struct ld_form *form,
                          struct llmgr_error *err)
{
    struct ld_form found = {0};
    char mark[2 + LD_FORM_BOUNDARY_MAX] = "--";
    llmgr_status status = LLMGR_OK;

    if (!ld_is_form(content_type) || !ld_form_boundary(content_type, &found.boundary))
        return ld_form_bad(err, "its media type names no valid boundary");
    memcpy(mark + 2, found.boundary.p, found.boundary.size);
    const struct lb_str dashed = {mark, 2 + found.boundary.size};
    /* Others may read text before the first boundary differently: there must be none. */
    found.first = lb_str_starts(body, LB_STR("\r\n")) ? 2 : 0;
    if (!lb_str_starts(lb_str_sub(body, found.first, body.size), dashed))
        return ld_form_bad(err, "it does not begin with its boundary");
    size_t at = found.first + dashed.size;
    for (size_t count = 0; status == LLMGR_OK; count++) {
        struct ld_form_part part = {0};
        bool last;
        if (!after_delimiter(body, &at, &last))
            return ld_form_bad(err, "something follows a boundary");
        if (last)
            break;
        if (count == LD_FORM_PARTS_MAX)
            return ld_form_bad(err, "too many parts");
        status = ld_form_read_head(body, &at, &part, err);
        if (status == LLMGR_OK)
            status = find_value(body, dashed, &at, &part, err);
        if (status == LLMGR_OK)
            status = take_part(body, &part, &found, err);
    }
    if (status == LLMGR_OK)
        *form = found;
    return status;
}

void ld_form_walk_start(struct ld_form_walk *walk, struct lb_str body, const struct ld_form *form)
{
    struct lb_str mark = lb_str_sub(body, form->first, form->first + 2 + form->boundary.size);

    *walk = (struct ld_form_walk){.body = body, .mark = mark, .at = form->first + mark.size};
}

bool ld_form_walk_next(struct ld_form_walk *walk, struct ld_form_field *field)
{
    struct ld_form_part part = {0};
    struct llmgr_error err = {0};
    bool last = true;

    if (walk->at == 0 || !after_delimiter(walk->body, &walk->at, &last) || last ||
        ld_form_read_head(walk->body, &walk->at, &part, &err) != LLMGR_OK ||
        find_value(walk->body, walk->mark, &walk->at, &part, &err) != LLMGR_OK) {
        walk->at = 0;
        return false;
    }
    *field = (struct ld_form_field){
        .name = part.name,
        .value = lb_str(walk->body.p + part.value.at, part.value.size),
        .file = part.file,
    };
    return true;
}

/* ---- Splicing -------------------------------------------------------------------------------- */

static void put_slice(struct ld_slices *out, struct lb_str slice)
{
    if (slice.size > 0)
        out->slice[out->count++] = slice;
    out->size += slice.size;
}

llmgr_status ld_form_splice(struct lb_str body, const struct ld_form *form, struct lb_str model,
                            struct lb_arena *arena, struct ld_slices *out, struct llmgr_error *err)
{
    if (!lb_utf8_name(model, LD_MODEL_NAME_MAX))
        return ld_form_bad(err, "the model's name does not fit into a form");
    out->count = 0;
    out->size = 0;
    if (form->model_at.size > 0) {
        put_slice(out, lb_str_sub(body, 0, form->model_at.at));
        put_slice(out, model);
        put_slice(out, lb_str_sub(body, form->model_at.at + form->model_at.size, body.size));
        return LLMGR_OK;
    }
    char *part = lb_arena_printf(
        arena, "--%.*s\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n%.*s\r\n",
        (int)form->boundary.size, form->boundary.p, (int)model.size, model.p);
    if (part == NULL)
        return lb_fail_memory(err);
    put_slice(out, lb_str_sub(body, 0, form->first));
    put_slice(out, lb_cstr(part));
    put_slice(out, lb_str_sub(body, form->first, body.size));
    return LLMGR_OK;
}
