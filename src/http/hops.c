/* SPDX-License-Identifier: MIT */
/* Lists whose members have parameters and quoted strings, member by member. See the header. */
#include "http/hops.h"

/*
 * A quoted string (RFC 9110 section 5.6.4) at the front of `s`; its size with both quotes, or 0.
 * That it holds no control characters was seen when the head was read.
 */
static size_t quoted_size(struct lb_str s)
{
    for (size_t i = 1; i < s.size; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    }
    return 0;
}

static void skip_blanks(struct lb_str *s)
{
    while (s->size > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
        *s = lb_str_sub(*s, 1, s->size);
}

/* Takes `mark`, with blanks around it, from the front of *s. */
static bool take(struct lb_str *s, char mark)
{
    struct lb_str rest = *s;

    skip_blanks(&rest);
    if (rest.size == 0 || rest.p[0] != mark)
        return false;
    *s = lb_str_sub(rest, 1, rest.size);
    skip_blanks(s);
    return true;
}

/* "name=value" at the front of *s, the value a token or a quoted string (kept with its quotes). */
static bool take_pair(struct lb_str *s, struct lb_str *name, struct lb_str *value)
{
    size_t size = lh_token_size(*s);

    *name = lb_str_sub(*s, 0, size);
    if (size == 0 || size == s->size || s->p[size] != '=')
        return false;
    *s = lb_str_sub(*s, size + 1, s->size);
    size = s->size > 0 && s->p[0] == '"' ? quoted_size(*s) : lh_token_size(*s);
    *value = lb_str_sub(*s, 0, size);
    *s = lb_str_sub(*s, size, s->size);
    return size > 0;
}

/* ---- CDN-Loop -------------------------------------------------------------------------------- */

/* Of a cdn-id: a host with a port perhaps, or a pseudonym, which is a token. */
static size_t id_size(struct lb_str s)
{
    size_t size = 0;

    while (size < s.size && (lh_token_size(lb_str_sub(s, size, size + 1)) == 1 ||
                             s.p[size] == ':' || s.p[size] == '[' || s.p[size] == ']'))
        size++;
    return size;
}

/* One field's members; false if it is malformed. Empty members are nobody's hop. */
static bool read_loop(struct lb_str line, struct lb_str ours, struct lh_loop *loop)
{
    do {
        struct lb_str name, value;
        skip_blanks(&line);
        size_t size = id_size(line);
        struct lb_str id = lb_str_sub(line, 0, size);
        line = lb_str_sub(line, size, line.size);
        if (size == 0)
            continue;
        loop->count++;
        loop->met |= lb_str_eq_nocase(id, ours);
        while (take(&line, ';')) {
            if (!take_pair(&line, &name, &value))
                return false;
        }
    } while (take(&line, ','));
    skip_blanks(&line);
    return line.size == 0;
}

bool lh_loop_read(const struct lh_head *head, struct lb_str name, struct lh_loop *loop)
{
    *loop = (struct lh_loop){.size = name.size};
    if (lh_head_get(head, LH_HEADER_CDN_LOOP).p == NULL)
        return true;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct lh_field *field = &head->fields[i];
        if (field->id != LH_HEADER_CDN_LOOP)
            continue;
        loop->size += field->value.size + 2;
        if (loop->size - name.size > LH_LOOP_SIZE || !read_loop(field->value, name, loop))
            return false;
    }
    return true;
}

void lh_loop_write(const struct lh_head *head, struct lb_str name, char *out)
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct lb_str value = head->fields[i].value;
        if (head->fields[i].id != LH_HEADER_CDN_LOOP)
            continue;
        if (value.size > 0)
            memcpy(out, value.p, value.size);
        memcpy(out + value.size, ", ", 2);
        out += value.size + 2;
    }
    memcpy(out, name.p, name.size);
}

/* ---- Forwarded ------------------------------------------------------------------------------- */

/* One element: what it says of "for"; false if it is malformed. */
static bool read_element(struct lb_str *line, struct lb_str *node)
{
    struct lb_str name, value;

    *node = lb_str(NULL, 0);
    do {
        if (!take_pair(line, &name, &value))
            return false;
        if (!lb_str_eq_nocase(name, LB_STR("for")))
            continue;
        if (node->p != NULL)
            return false; /* twice: which one is meant? */
        bool quoted = value.p[0] == '"';
        *node = quoted ? lb_str_sub(value, 1, value.size - 1) : value;
    } while (take(line, ';'));
    return true;
}

/*
 * A whole field, for a quote that a client opened would swallow what proxies appended: then all of
 * it is malformed, and not one word of it is believed.
 */
static bool read_forwarded(struct lb_str line, struct lb_str nodes[LH_NODES_MAX], size_t *count)
{
    size_t total = 0;

    do {
        skip_blanks(&line);
        if (!read_element(&line, &nodes[total++ % LH_NODES_MAX]))
            return false;
    } while (take(&line, ','));
    skip_blanks(&line);
    *count = total;
    return line.size == 0;
}

static bool add_node(struct lb_str node, struct lb_str nodes[LH_NODES_MAX], size_t *count)
{
    if (node.size == 0 || *count == LH_NODES_MAX)
        return false;
    nodes[(*count)++] = node;
    return true;
}

/* False: nothing in front of it counts. */
static bool add_forwarded(struct lb_str line, struct lb_str nodes[LH_NODES_MAX], size_t *count)
{
    struct lb_str told[LH_NODES_MAX];
    size_t total = 0;

    if (!read_forwarded(line, told, &total))
        return false;
    for (size_t i = 0; i < total && i < LH_NODES_MAX; i++) {
        if (!add_node(told[(total - 1 - i) % LH_NODES_MAX], nodes, count))
            return false;
    }
    return true;
}

static bool add_forwarded_for(struct lb_str line, struct lb_str nodes[LH_NODES_MAX], size_t *count)
{
    for (;;) {
        size_t start = line.size;
        while (start > 0 && line.p[start - 1] != ',')
            start--;
        if (!add_node(lb_str_trim(lb_str_sub(line, start, line.size)), nodes, count))
            return false;
        if (start == 0)
            return true;
        line = lb_str_sub(line, 0, start - 1);
    }
}

size_t lh_nodes_read(const struct lh_head *head, enum lh_header name,
                     struct lb_str nodes[LH_NODES_MAX])
{
    size_t count = 0;

    for (size_t i = head->field_count; i > 0; i--) {
        const struct lh_field *field = &head->fields[i - 1];
        if (field->id != name)
            continue;
        if (name == LH_HEADER_FORWARDED ? !add_forwarded(field->value, nodes, &count)
                                        : !add_forwarded_for(field->value, nodes, &count))
            break;
    }
    return count;
}
