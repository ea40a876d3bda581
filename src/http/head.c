/* SPDX-License-Identifier: MIT */
/*
 * A head is read line by line. A line is taken apart when its CRLF is there, and not before; while
 * it is incomplete only the offset up to which it was searched is kept. So a byte is searched once
 * and taken apart once, however the bytes arrive, and the verdict never depends on that.
 */
#include "http/head.h"

#include "http/framing.h"
#include "http/scan.h"

enum state { START_LINE, FIELD_LINES, COMPLETE, BROKEN };

enum { FIELD_CAP_MAX = 254 }; /* 1 + index fits a byte of `known` */

const struct lh_limits lh_limits_default = {.start_line = 8192, .head = 32768};

static void restart(struct lh_head *head, uintptr_t base)
{
    head->state = START_LINE;
    head->base = base;
    head->line = 0;
    head->scan = 0;
    head->field_count = 0;
    memset(head->known, 0, sizeof(head->known));
}

static void init(struct lh_head *head, struct lh_field *fields, size_t cap,
                 const struct lh_limits *limits)
{
    *head = (struct lh_head){
        .fields = fields,
        .field_cap = cap < FIELD_CAP_MAX ? cap : FIELD_CAP_MAX,
        .limits = limits,
    };
}

void lh_head_init_request(struct lh_head *head, struct lh_field *fields, size_t cap,
                          const struct lh_limits *limits)
{
    init(head, fields, cap, limits);
}

void lh_head_init_response(struct lh_head *head, struct lh_field *fields, size_t cap,
                           const struct lh_limits *limits, enum lh_reply_to reply_to)
{
    init(head, fields, cap, limits);
    head->is_response = true;
    head->reply_to = reply_to;
}

static enum lh_result fail(struct lh_head *head, enum lh_error error)
{
    head->state = BROKEN;
    head->error = error;
    return LH_FAILED;
}

/*
 * Finds the next line and its end. The search stops where the limit is, not where the bytes are,
 * or an over-long line would be judged differently when it arrives in one piece.
 */
static enum lh_result next_line(struct lh_head *head, const char *data, size_t size,
                                struct lb_str *line)
{
    enum lh_error too_long = LH_ERR_HEAD_LONG;
    size_t cap = head->limits->head;

    if (head->state == START_LINE && head->line + head->limits->start_line + 2 < cap) {
        cap = head->line + head->limits->start_line + 2;
        too_long = head->is_response ? LH_ERR_HEAD_LONG : LH_ERR_TARGET_LONG;
    }
    size_t end = size < cap ? size : cap;
    size_t at = lh_find_control(data, head->scan, end);
    head->scan = at;
    if (at == end || (data[at] == '\r' && at + 1 == end))
        return end == cap ? fail(head, too_long) : LH_MORE;
    if (data[at] != '\r')
        return fail(head, data[at] == '\n' ? LH_ERR_BARE_LF : LH_ERR_CONTROL);
    if (data[at + 1] != '\n')
        return fail(head, LH_ERR_BARE_CR);
    *line = lb_str(data + head->line, at - head->line);
    head->line = at + 2;
    head->scan = at + 2;
    return LH_DONE;
}

static enum lh_method find_method(struct lb_str name)
{
#define LH_METHOD_TEST(text)                                                                       \
    if (name.size == sizeof(#text) - 1 && memcmp(name.p, #text, sizeof(#text) - 1) == 0)           \
        return LH_METHOD_##text;
    LH_METHOD_MAP(LH_METHOD_TEST)
#undef LH_METHOD_TEST
    return LH_METHOD_OTHER;
}

/* "HTTP/1.0" or "HTTP/1.1" in eight bytes; another HTTP/d.d is an error of its own. */
static enum lh_error read_version(struct lh_head *head, const char *p, enum lh_error malformed)
{
    if (memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' || p[7] < '0' ||
        p[7] > '9')
        return malformed;
    if (p[5] != '1' || p[7] > '1')
        return LH_ERR_VERSION_UNKNOWN;
    head->minor = (uint8_t)(p[7] - '0');
    return LH_ERR_OK;
}

/* "METHOD target HTTP/1.x", single spaces (RFC 9112 section 3). */
static enum lh_error request_line(struct lh_head *head, struct lb_str line)
{
    enum { TAIL = 9 }; /* " HTTP/1.1" */
    size_t method = lh_token_size(line);

    if (method == 0 || method == line.size || line.p[method] != ' ')
        return LH_ERR_METHOD;
    if (line.size < method + 2 + TAIL || line.p[line.size - TAIL] != ' ')
        return LH_ERR_REQUEST_LINE;
    enum lh_error error = read_version(head, line.p + line.size - TAIL + 1, LH_ERR_REQUEST_LINE);
    if (error != LH_ERR_OK)
        return error;
    head->method_name = lb_str(line.p, method);
    head->method = find_method(head->method_name);
    head->target = lb_str_sub(line, method + 1, line.size - TAIL);
    return lh_target_split(head);
}

/* "HTTP/1.x code reason"; the space before an empty reason may be missing. */
static enum lh_error status_line(struct lh_head *head, struct lb_str line)
{
    enum { CODE = 9, END = 12 };

    if (line.size < END || line.p[CODE - 1] != ' ' || (line.size > END && line.p[END] != ' '))
        return LH_ERR_STATUS_LINE;
    enum lh_error error = read_version(head, line.p, LH_ERR_STATUS_LINE);
    uint64_t status;
    if (error != LH_ERR_OK)
        return error;
    if (!lb_str_to_u64(lb_str_sub(line, CODE, END), &status))
        return LH_ERR_STATUS_LINE;
    if (status < 100)
        return LH_ERR_STATUS;
    head->status = (uint16_t)status;
    head->reason = lb_str_sub(line, END + 1, line.size);
    return LH_ERR_OK;
}

/* A second field of a name: an error of those that may stand in a head only once. */
static enum lh_error repeated(const struct lh_head *head, enum lh_header id)
{
    switch (id) {
    case LH_HEADER_CONTENT_LENGTH:
        return LH_ERR_LENGTH_TWICE;
    case LH_HEADER_TRANSFER_ENCODING:
        return LH_ERR_CODING_TWICE;
    case LH_HEADER_HOST:
        return head->is_response ? LH_ERR_OK : LH_ERR_HOST_TWICE;
    default:
        return !head->is_response && lh_header_is_once(id) ? LH_ERR_FIELD_TWICE : LH_ERR_OK;
    }
}

/* Why the line, whose name ends at `size`, is no field. */
static enum lh_error not_a_field(struct lb_str line, size_t size)
{
    if (size == line.size)
        return LH_ERR_FIELD_COLON;
    if (line.p[size] != ' ' && line.p[size] != '\t')
        return LH_ERR_FIELD_NAME;
    return size == 0 ? LH_ERR_FOLD : LH_ERR_FIELD_SPACE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What follows the colon; nearly always one space and then text without blanks at its ends. */
static struct lb_str field_value(struct lb_str line, size_t colon)
{
    size_t from = colon + 1;

    if (from < line.size && line.p[from] == ' ')
        from++;
    struct lb_str value = lb_str(line.p + from, line.size - from);
    if (value.size != 0 && (is_blank(value.p[0]) || is_blank(value.p[value.size - 1])))
        return lb_str_trim(value);
    return value;
}

/*
 * Platforms send more fields than anybody reads. Of a response, what has no name here, or has been
 * seen, is passed over when the array is full; never what says where the body or the connection
 * ends.
 */
static bool may_be_left_out(const struct lh_head *head, enum lh_header id)
{
    if (!head->is_response || id == LH_HEADER_CONNECTION || id == LH_HEADER_CONTENT_LENGTH ||
        id == LH_HEADER_TRANSFER_ENCODING)
        return false;
    return id == LH_HEADER_OTHER || head->known[id] != 0;
}

/* How many fields may stand in front of this one: those that can be left out leave some room. */
static size_t room_for(const struct lh_head *head, enum lh_header id)
{
    bool spares = head->field_cap > 2 * LH_HEADER_COUNT && may_be_left_out(head, id);

    return spares ? head->field_cap - LH_HEADER_COUNT : head->field_cap;
}

/* `readable` bytes may be looked at from the line's first byte on, beyond its end. */
static enum lh_error field_line(struct lh_head *head, struct lb_str line, size_t readable)
{
    size_t size = lh_plain_name(line.p, readable);

    if (size == 0) {
        size = lh_token_size(line);
        if (size == 0 || size == line.size || line.p[size] != ':')
            return not_a_field(line, size);
    }
    const struct lb_str name = lb_str(line.p, size);
    const enum lh_header id = lh_header_find(name);
    if (head->field_count >= room_for(head, id))
        return may_be_left_out(head, id) ? LH_ERR_OK : LH_ERR_FIELDS;
    head->fields[head->field_count++] = (struct lh_field){name, field_value(line, size), id};
    if (id == LH_HEADER_OTHER)
        return LH_ERR_OK;
    if (head->known[id] != 0)
        return repeated(head, id);
    head->known[id] = (uint8_t)head->field_count;
    return LH_ERR_OK;
}

static enum lh_error start_line(struct lh_head *head, struct lb_str line)
{
    /* One empty line before a request is an old client's goodbye to its last body. */
    if (line.size == 0 && !head->is_response && head->line == 2)
        return LH_ERR_OK;
    enum lh_error error = head->is_response ? status_line(head, line) : request_line(head, line);
    head->state = FIELD_LINES;
    return error;
}

static enum lh_result complete(struct lh_head *head)
{
    enum lh_error error = head->is_response ? lh_framing_response(head) : lh_framing_request(head);

    if (error != LH_ERR_OK)
        return fail(head, error);
    head->size = head->line;
    head->state = COMPLETE;
    return LH_DONE;
}

enum lh_result lh_head_parse(struct lh_head *head, const char *data, size_t size)
{
    if (head->state >= COMPLETE)
        return head->state == COMPLETE ? LH_DONE : LH_FAILED;
    if (head->base != (uintptr_t)data || size < head->scan)
        restart(head, (uintptr_t)data);
    for (;;) {
        struct lb_str line;
        enum lh_result found = next_line(head, data, size, &line);
        if (found != LH_DONE)
            return found;
        if (line.size == 0 && head->state == FIELD_LINES)
            return complete(head);
        enum lh_error error = head->state == START_LINE
                                  ? start_line(head, line)
                                  : field_line(head, line, size - (size_t)(line.p - data));
        if (error != LH_ERR_OK)
            return fail(head, error);
    }
}

struct lb_str lh_head_get(const struct lh_head *head, enum lh_header id)
{
    unsigned at = (unsigned)id < LH_HEADER_COUNT ? head->known[id] : 0;
    return at != 0 ? head->fields[at - 1].value : lb_str(NULL, 0);
}

struct lb_str lh_head_get_named(const struct lh_head *head, struct lb_str name)
{
    enum lh_header id = lh_header_find(name);

    if (id != LH_HEADER_OTHER)
        return lh_head_get(head, id);
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id == LH_HEADER_OTHER && lb_str_eq_nocase(head->fields[i].name, name))
            return head->fields[i].value;
    }
    return lb_str(NULL, 0);
}

void lh_head_drop(struct lh_head *head, enum lh_header id)
{
    size_t kept = 0;

    memset(head->known, 0, sizeof(head->known));
    for (size_t i = 0; i < head->field_count; i++) {
        const struct lh_field field = head->fields[i];
        if (field.id == id)
            continue;
        head->fields[kept++] = field;
        if (field.id != LH_HEADER_OTHER && head->known[field.id] == 0)
            head->known[field.id] = (uint8_t)kept;
    }
    head->field_count = kept;
}
