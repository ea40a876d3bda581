/* SPDX-License-Identifier: MIT */
/*
 * A line is written in one piece: one reservation, a few copies. Nothing of a line that is refused
 * becomes part of the buffer.
 */
#include "http/write.h"

#include "http/scan.h"

enum { CODE_FIRST = 100, CODE_END = 600 };

const char *lh_status_reason(int status)
{
    static const char *const reasons[CODE_END - CODE_FIRST] = {
#define XX(status, reason) [status - CODE_FIRST] = reason,
#include "http/reasons.def"
#undef XX
    };
    const char *reason =
        status >= CODE_FIRST && status < CODE_END ? reasons[status - CODE_FIRST] : NULL;

    return reason != NULL ? reason : "Unknown";
}

static void refuse(struct lb_buf *buf)
{
    if (buf->failed == LLMGR_OK)
        buf->failed = LLMGR_ERR_INVALID;
}

static char *put(char *at, struct lb_str s)
{
    if (s.size != 0)
        memcpy(at, s.p, s.size);
    return at + s.size;
}

/* Would the sum of these sizes wrap? No slice in memory is near this, but length comes first. */
static bool sane(struct lb_str a, struct lb_str b, struct lb_str c)
{
    return a.size < SIZE_MAX / 8 && b.size < SIZE_MAX / 8 && c.size < SIZE_MAX / 8;
}

/* No space or control character: what stands between the spaces of a request line. */
static bool is_word(struct lb_str s)
{
    for (size_t i = 0; i < s.size; i++) {
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    }
    return s.size != 0;
}

void lh_write_request(struct lb_buf *buf, struct lb_str method, struct lb_str target,
                      struct lb_str host)
{
    const struct lb_str tail = LB_STR(" HTTP/1.1\r\nHost: ");

    if (!lh_is_token(method) || !is_word(target) || !is_word(host) || !sane(method, target, host)) {
        refuse(buf);
        return;
    }
    size_t size = method.size + 1 + target.size + tail.size + host.size + 2;
    char *start = lb_buf_reserve(buf, size);
    if (start == NULL)
        return;
    char *at = put(start, method);
    *at++ = ' ';
    at = put(put(put(at, target), tail), host);
    put(at, LB_STR("\r\n"));
    lb_buf_grow(buf, size);
}

void lh_write_status(struct lb_buf *buf, int status)
{
    if (status < CODE_FIRST || status >= CODE_END) {
        refuse(buf);
        return;
    }
    const struct lb_str version = LB_STR("HTTP/1.1 ");
    const struct lb_str reason = lb_cstr(lh_status_reason(status));
    const char code[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                          (char)('0' + status % 10), ' '};
    size_t size = version.size + sizeof code + reason.size + 2;
    char *at = lb_buf_reserve(buf, size);
    if (at == NULL)
        return;
    at = put(put(put(at, version), lb_str(code, sizeof code)), reason);
    put(at, LB_STR("\r\n"));
    lb_buf_grow(buf, size);
}

/*
 * Is the line a field of that name, and its CR the first control character? Looked at where it was
 * written, since a whole line is run over in blocks, which its parts are too short for.
 */
static bool is_field(const char *line, size_t size, struct lb_str name)
{
    if (name.size == 0 || (lh_plain_name(line, size) != name.size && !lh_is_token(name)))
        return false;
    return lh_find_control(line, name.size + 2, size) == size - 2;
}

/* The line written at `start`, the buffer's end, becomes part of it, or nothing of it does. */
static void finish_line(struct lb_buf *buf, char *start, size_t size, bool good)
{
    if (good) {
        lb_buf_grow(buf, size);
    } else {
        *start = '\0'; /* what ended the buffer before */
        refuse(buf);
    }
}

void lh_write_field2(struct lb_buf *buf, struct lb_str name, struct lb_str value,
                     struct lb_str rest)
{
    if (!sane(name, value, rest)) {
        refuse(buf);
        return;
    }
    size_t size = name.size + 2 + value.size + rest.size + 2;
    char *start = lb_buf_reserve(buf, size);
    if (start == NULL)
        return;
    char *at = put(put(start, name), LB_STR(": "));
    at = put(put(at, value), rest);
    put(at, LB_STR("\r\n"));
    finish_line(buf, start, size, is_field(start, size, name));
}

void lh_write_field(struct lb_buf *buf, struct lb_str name, struct lb_str value)
{
    lh_write_field2(buf, name, value, LB_STR(""));
}

/* The search for the CR begins with the name, with which most lines are longer than a block. */
void lh_write_named(struct lb_buf *buf, struct lh_name name, struct lb_str value)
{
    if (!sane(name.start, value, LB_STR(""))) {
        refuse(buf);
        return;
    }
    size_t size = name.start.size + value.size + 2;
    char *start = lb_buf_reserve(buf, size);
    if (start == NULL)
        return;
    put(put(put(start, name.start), value), LB_STR("\r\n"));
    finish_line(buf, start, size, lh_find_control(start, 0, size) == size - 2);
}

void lh_write_named_u64(struct lb_buf *buf, struct lh_name name, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    lh_write_named(buf, name, lb_str(digits + at, sizeof(digits) - at));
}

void lh_write_end(struct lb_buf *buf)
{
    lb_buf_add_str(buf, LB_STR("\r\n"));
}
