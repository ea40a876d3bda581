/* SPDX-License-Identifier: MIT */
/*
 * One scan finds line ends; each line is taken apart where it lies. All positions are offsets from
 * the event's first byte, because that byte is either the first of the caller's bytes (the usual
 * case) or, after a cut, the first of `carry`:
 *
 *     call 1:  [event][event][ev         the rest goes to carry
 *     call 2:  ent][event]...            up to its empty line appended to carry, then zero-copy
 */
#include "http/sse.h"

#include "http/scan.h"

enum {
    KEEP_MAX = 4096, /* a carry that grew beyond this is given back after its event */
    LINE_END_MAX = 4 /* bytes of line ends that the buffers may hold beyond the limit */
};

void lh_sse_init(struct lh_sse *sse, const struct lb_host *host, size_t limit)
{
    *sse = (struct lh_sse){.limit = limit};
    lb_buf_init(&sse->carry, host, limit + LINE_END_MAX);
    lb_buf_init(&sse->joined, host, limit + LINE_END_MAX);
}

void lh_sse_free(struct lh_sse *sse)
{
    lb_buf_free(&sse->carry);
    lb_buf_free(&sse->joined);
}

static void empty(struct lb_buf *buf)
{
    if (buf->capacity > KEEP_MAX)
        lb_buf_free(buf);
    else if (buf->size != 0)
        lb_buf_reset(buf);
}

/* The event handed out last is no longer needed: make room for the next. */
static void begin_event(struct lh_sse *sse)
{
    empty(&sse->carry);
    empty(&sse->joined);
    sse->delivered = false;
    sse->lead = 0;
    sse->line = 0;
    sse->data_lines = 0;
    sse->data = (struct lh_sse_span){0};
    sse->type = (struct lh_sse_span){0};
    sse->id = (struct lh_sse_span){0};
}

static enum lh_result fail(struct lh_sse *sse, enum lh_error error)
{
    if (sse->error == LH_ERR_OK)
        sse->error = error;
    return LH_FAILED;
}

/* "name: value" at [from, to): where the value starts, after at most one space. */
static size_t value_start(const char *text, size_t from, size_t to, size_t name_size)
{
    size_t at = from + name_size;

    if (at < to)
        at++; /* the colon */
    return at < to && text[at] == ' ' ? at + 1 : at;
}

static bool named(const char *text, size_t from, size_t to, struct lb_str name)
{
    return to - from >= name.size && memcmp(text + from, name.p, name.size) == 0 &&
           (to - from == name.size || text[from + name.size] == ':');
}

static struct lh_sse_span value_of(const char *text, size_t from, size_t to, size_t name_size)
{
    size_t at = value_start(text, from, to, name_size);
    return (struct lh_sse_span){at, to - at};
}

static const struct lb_str data_name = {"data", 4};
static const struct lb_str event_name = {"event", 5};
static const struct lb_str id_name = {"id", 2};

static void note_line(struct lh_sse *sse, const char *text, size_t from, size_t to)
{
    if (named(text, from, to, data_name)) {
        if (sse->data_lines++ == 0)
            sse->data = value_of(text, from, to, data_name.size);
    } else if (named(text, from, to, event_name)) {
        sse->type = value_of(text, from, to, event_name.size);
    } else if (named(text, from, to, id_name)) {
        struct lh_sse_span id = value_of(text, from, to, id_name.size);
        if (id.size == 0 || memchr(text + id.at, 0, id.size) == NULL) /* a NUL voids it */
            sse->id = id;
    }
}

/* Data of several lines: walk the event's lines behind the first one again and join. */
static bool join(struct lh_sse *sse, const char *text, size_t size)
{
    size_t at = sse->data.at + sse->data.size; /* where the first data line ends */

    lb_buf_add(&sse->joined, text + sse->data.at, sse->data.size);
    for (size_t left = sse->data_lines - 1; left != 0 && at < size;) {
        size_t from = at + 1; /* the LF of CRLF reads as an empty line, which is no data line */
        at = lh_find_eol(text, from, size);
        if (!named(text, from, at, data_name))
            continue;
        struct lh_sse_span value = value_of(text, from, at, data_name.size);
        lb_buf_add_byte(&sse->joined, '\n');
        lb_buf_add(&sse->joined, text + value.at, value.size);
        left--;
    }
    return sse->joined.failed == LLMGR_OK;
}

static struct lb_str slice(const char *text, struct lh_sse_span span)
{
    return lb_str(text + span.at, span.size);
}

/* The event is complete in text[0, size). */
static enum lh_result deliver(struct lh_sse *sse, const char *text, size_t size,
                              struct lh_sse_event *event)
{
    sse->delivered = true;
    if (sse->data_lines > 1 && !join(sse, text, size))
        return fail(sse, LH_ERR_NO_MEMORY);
    *event = (struct lh_sse_event){
        .raw = lb_str(text, size),
        .has_data = sse->data_lines != 0,
        .data = sse->data_lines > 1 ? lb_buf_str(&sse->joined) : slice(text, sse->data),
        .type = slice(text, sse->type),
        .id = slice(text, sse->id),
    };
    return LH_DONE;
}

/* Appends to the cut event; false when memory is short. The limit is checked line by line. */
static bool stash(struct lh_sse *sse, const char *bytes, size_t size)
{
    lb_buf_add(&sse->carry, bytes, size);
    return sse->carry.failed == LLMGR_OK;
}

static bool too_long(const struct lh_sse *sse, size_t size)
{
    return size - sse->lead > sse->limit;
}

/* The first line of the stream may open with a byte order mark. */
static void skip_bom(struct lh_sse *sse, const char *text, size_t end)
{
    if (!sse->started && end - sse->line >= 3 && memcmp(text + sse->line, "\xef\xbb\xbf", 3) == 0)
        sse->line += 3;
    sse->started = true;
}

/*
 * A whole line stands in text[sse->line, end), its end in text[end, next). True if it is the empty
 * line that ends the event.
 */
static bool take_line(struct lh_sse *sse, const char *text, size_t end, size_t next)
{
    skip_bom(sse, text, end);
    if (end == sse->line)
        return true;
    note_line(sse, text, sse->line, end);
    sse->line = next;
    return false;
}

/* The LF of a CRLF whose CR ended the bytes of an earlier call. Returns the bytes it takes. */
static size_t skip_lf(struct lh_sse *sse, char first)
{
    if (!sse->skip_lf)
        return 0;
    sse->skip_lf = false;
    if (first != '\n')
        return 0;
    if (sse->carry.size == 0)
        sse->lead = 1;
    sse->line++;
    return 1;
}

enum lh_result lh_sse_next(struct lh_sse *sse, const char *bytes, size_t size, size_t *used,
                           struct lh_sse_event *event)
{
    *used = 0;
    if (sse->error != LH_ERR_OK)
        return LH_FAILED;
    if (sse->delivered)
        begin_event(sse);
    if (size == 0)
        return LH_MORE;

    const bool cut = sse->carry.size != 0; /* then bytes[0] follows the carry */
    const size_t base = sse->carry.size;   /* offset of bytes[0] in the event */
    size_t at = skip_lf(sse, bytes[0]);
    size_t stashed = 0;
    for (;;) {
        size_t end = lh_find_eol(bytes, at, size);
        if (too_long(sse, base + end))
            return fail(sse, LH_ERR_EVENT_LONG);
        if (end == size)
            break;
        size_t next = end + 1;
        if (bytes[end] == '\r') {
            sse->skip_lf = next == size;
            next += next < size && bytes[next] == '\n';
        }
        if (cut && !stash(sse, bytes + stashed, next - stashed))
            return fail(sse, LH_ERR_NO_MEMORY);
        stashed = next;
        const char *text = cut ? sse->carry.data : bytes;
        if (take_line(sse, text, base + end, base + next)) {
            *used = next;
            return deliver(sse, text, base + next, event);
        }
        at = next;
    }
    if (!cut)
        stashed = 0;
    if (!stash(sse, bytes + stashed, size - stashed))
        return fail(sse, LH_ERR_NO_MEMORY);
    *used = size;
    return LH_MORE;
}

enum lh_result lh_sse_finish(struct lh_sse *sse, struct lh_sse_event *event)
{
    if (sse->error != LH_ERR_OK)
        return LH_FAILED;
    if (sse->delivered)
        begin_event(sse);
    const size_t size = sse->carry.size;
    if (size == 0)
        return LH_MORE;
    if (size > sse->line)
        (void)take_line(sse, sse->carry.data, size, size);
    return deliver(sse, sse->carry.data, size, event);
}
