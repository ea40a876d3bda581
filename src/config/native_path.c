/* SPDX-License-Identifier: MIT */
/* The text of a native path that the operator opens: a method and a path, nothing that could be
 * read in two ways. */
#include "config/native_path.h"

#include <string.h>

/* One {name}, or plain letters as they stand in a path; no escapes. */
static bool is_segment(struct lb_str segment)
{
    bool named = segment.size > 2 && segment.p[0] == '{' && segment.p[segment.size - 1] == '}';

    if (named)
        segment = lb_str_sub(segment, 1, segment.size - 1);
    for (size_t i = 0; i < segment.size; i++) {
        char c = lb_ascii_lower(segment.p[i]);
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && memchr("-_.~:@", c, named ? 2 : 6) == NULL)
            return false;
    }
    return segment.size > 0 && segment.p[0] != '.';
}

static bool is_path(struct lb_str path)
{
    if (path.size < 2 || path.p[0] != '/')
        return false;
    while (path.size > 0) {
        struct lb_str rest = lb_str_sub(path, 1, path.size);
        struct lb_str segment = lb_str_sub(rest, 0, lb_str_find(rest, '/'));
        if (!is_segment(segment))
            return false;
        path = lb_str_sub(rest, segment.size, rest.size);
    }
    return true;
}

bool lc_native_path_add(struct lb_str text, struct lb_buf *out)
{
    static const char *const METHODS[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    struct lb_str word = lb_str_trim(text), path = word;
    size_t space = lb_str_find(word, ' ');
    const char *method = "POST";

    if (space < word.size) {
        method = NULL;
        for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++) {
            if (lb_str_eq_c(lb_str_sub(word, 0, space), METHODS[i]))
                method = METHODS[i];
        }
        path = lb_str_trim(lb_str_sub(word, space, word.size));
    }
    if (method == NULL || !is_path(path))
        return false;
    lb_buf_addf(out, "%s%s %.*s", out->size > 0 ? ", " : "", method, (int)path.size, path.p);
    return true;
}
