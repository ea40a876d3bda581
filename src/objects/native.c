/* SPDX-License-Identifier: MIT */
/*
 * A path is compared segment by segment, byte by byte. Nothing is decoded or folded: of a path that
 * a platform could read otherwise than we do, nothing is sent.
 */
#include "objects/native.h"

#include <string.h>

static const struct lf_native ROWS[] = {
#define LF_NATIVE(METHOD, path, CLASS, KIND)                                                       \
    {LH_METHOD_##METHOD, path, LF_NATIVE_##CLASS, LD_REF_##KIND},
#include "objects/native.def"
};

static const struct lb_str ACCOUNT[] = {
#define LF_NATIVE_ACCOUNT(word) {word, sizeof(word) - 1},
#include "objects/native.def"
};

/*
 * Letters, digits and what stands in ids and names. No escapes: what they hide is compared nowhere.
 * No ';' (some servers cut a segment there) and no other byte that one reader gives a meaning.
 */
static bool is_plain(struct lb_str path)
{
    for (size_t i = 0; i < path.size; i++) {
        char c = lb_ascii_lower(path.p[i]);
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && memchr("/-_.~:@", c, 7) == NULL)
            return false;
    }
    return path.size > 0 && path.p[0] == '/';
}

/* The segment at the front of *rest, which begins with a slash; false at the end. */
static bool next_segment(struct lb_str *rest, struct lb_str *segment)
{
    if (rest->size == 0)
        return false;
    struct lb_str s = lb_str_sub(*rest, 1, rest->size);
    *segment = lb_str_sub(s, 0, lb_str_find(s, '/'));
    *rest = lb_str_sub(s, segment->size, s.size);
    return true;
}

/* The account's own, or what a server could take for it or for nothing. */
static bool is_closed(struct lb_str path)
{
    struct lb_str segment;

    while (next_segment(&path, &segment)) {
        if (segment.size == 0 || segment.p[0] == '.')
            return true;
        for (size_t i = 0; i < sizeof ACCOUNT / sizeof ACCOUNT[0]; i++) {
            if (lb_str_eq_nocase(segment, ACCOUNT[i]))
                return true;
        }
    }
    return false;
}

static bool fits(struct lb_str pattern, struct lb_str path, struct lb_str *id)
{
    struct lb_str wanted = {0}, segment = {0};
    bool more, there;

    *id = lb_str(NULL, 0);
    for (;;) {
        more = next_segment(&pattern, &wanted);
        there = next_segment(&path, &segment);
        if (!more || !there)
            return more == there;
        if (wanted.size > 0 && wanted.p[0] == '{') {
            if (id->p == NULL)
                *id = segment;
        } else if (!lb_str_eq(wanted, segment)) {
            return false;
        }
    }
}

static const char *method_name(enum lh_method method)
{
    static const char *const NAMES[] = {[LH_METHOD_OTHER] = "",
#define LG_METHOD_NAME(name) [LH_METHOD_##name] = #name,
                                        LH_METHOD_MAP(LG_METHOD_NAME)
#undef LG_METHOD_NAME
    };

    return NAMES[method];
}

/* "POST /a, GET /b/{id}". */
static bool is_opened(enum lh_method method, struct lb_str path, struct lb_str opened)
{
    struct lb_str id;

    while (opened.size > 0) {
        struct lb_str one = lb_str_sub(opened, 0, lb_str_find(opened, ','));
        opened = lb_str_sub(opened, one.size + 1, opened.size);
        one = lb_str_trim(one);
        size_t space = lb_str_find(one, ' ');
        struct lb_str pattern = lb_str_sub(one, space + 1, one.size);
        if (lb_str_eq_c(lb_str_sub(one, 0, space), method_name(method)) && pattern.size > 0 &&
            fits(pattern, path, &id))
            return true;
    }
    return false;
}

enum lf_native_verdict lf_native_judge(enum lh_method method, struct lb_str path,
                                       struct lb_str opened, const struct lf_native **row,
                                       struct lb_str *id)
{
    *row = NULL;
    *id = lb_str(NULL, 0);
    if (!is_plain(path) || is_closed(path))
        return LF_NATIVE_CLOSED;
    if (method == LH_METHOD_HEAD)
        method = LH_METHOD_GET;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (ROWS[i].method != method || !fits(lb_cstr(ROWS[i].path), path, id))
            continue;
        *row = &ROWS[i];
        return LF_NATIVE_OPEN;
    }
    *id = lb_str(NULL, 0);
    return is_opened(method, path, opened) ? LF_NATIVE_OPEN : LF_NATIVE_UNKNOWN;
}
