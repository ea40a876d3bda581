/* SPDX-License-Identifier: MIT */
/*
 * Base URLs that were seen before. Most requests go to an address that one a moment ago went to,
 * and mostly to the same path there. So what reading and judging a base URL came to is kept, with
 * the two lines it makes of a request's head:
 *
 *     class, text --slot--> the URL's parts, its site, "POST /v1/chat/completions
 * HTTP/1.1\r\nHost..."
 *
 * The rules that judge it are fixed for the life of a pool, and the addresses that a name leads to
 * are judged at each dial, as ever. Users choose texts, so the table is small and a new one simply
 * takes the slot of the one before: who makes texts meet makes himself wait.
 */
#include "http/write.h"
#include "upstream/private.h"

enum { LINES_MAX = 64 * 1024 };

static size_t slot_of(struct lb_str text, enum ln_class klass)
{
    size_t sum = text.size + (size_t)klass;

    for (size_t i = 0; i < text.size; i++)
        sum = sum * 31 + (unsigned char)text.p[i];
    return sum % LU_BASES;
}

static void drop(struct lu_pool *pool, struct lu_base *base)
{
    const struct lb_host *host = ln_loop_host(lu_pool_loop(pool));

    if (base == NULL)
        return;
    lu_site_release(base->site);
    lb_buf_free(&base->lines);
    lb_free(host, base);
}

void lu_bases_clear(struct lu_pool *pool, struct lu_base *bases[LU_BASES])
{
    for (size_t i = 0; i < LU_BASES; i++) {
        drop(pool, bases[i]);
        bases[i] = NULL;
    }
}

static llmgr_status read_base(struct lu_pool *pool, struct lb_str text, enum ln_class klass,
                              struct lu_base **out, struct llmgr_error *err)
{
    const struct lb_host *host = ln_loop_host(lu_pool_loop(pool));
    struct lh_url url;
    enum lh_url_error error = lh_url_parse(text, &url);

    if (error != LH_URL_OK)
        return lh_url_fail(err, error, text);
    llmgr_status status = lu_pool_judge(pool, &url, klass, err);
    if (status != LLMGR_OK)
        return status;
    struct lu_base *base = lb_calloc(host, 1, sizeof *base + text.size);
    if (base == NULL)
        return lb_fail_memory(err);
    memcpy(base->bytes, text.p, text.size);
    base->text = lb_str(base->bytes, text.size);
    base->klass = klass;
    lb_buf_init(&base->lines, host, LINES_MAX);
    /* Once more, for slices of our own; what was accepted is accepted again. */
    (void)lh_url_parse(base->text, &base->url);
    status = lu_site_hold(pool, &base->url, klass, &base->site, err);
    if (status != LLMGR_OK) {
        lb_free(host, base);
        return status;
    }
    *out = base;
    return LLMGR_OK;
}

llmgr_status lu_base_find(struct lu_pool *pool, struct lu_base *bases[LU_BASES], struct lb_str text,
                          enum ln_class klass, struct lu_base **out, struct llmgr_error *err)
{
    struct lu_base **slot = &bases[slot_of(text, klass)];
    struct lu_base *fresh = NULL;

    if (*slot != NULL && (*slot)->klass == klass && lb_str_eq((*slot)->text, text)) {
        *out = *slot;
        return LLMGR_OK;
    }
    llmgr_status status = read_base(pool, text, klass, &fresh, err);
    if (status != LLMGR_OK)
        return status;
    drop(pool, *slot);
    *out = *slot = fresh;
    return LLMGR_OK;
}

/* ---- The first two lines of a head ----------------------------------------------------------- */

static void make_lines(struct lu_base *base, struct lb_str method, struct lb_str path)
{
    char authority[LH_ORIGIN_SIZE];
    struct lb_buf target;

    lb_buf_reset(&base->lines);
    base->method_size = method.size;
    base->path_size = path.size;
    lb_buf_add_str(&base->lines, method);
    lb_buf_add_str(&base->lines, path);
    lb_buf_init(&target, base->lines.host, LINES_MAX / 4);
    lh_url_join_target(&base->url, path, &target);
    size_t size = lh_url_authority(&base->url, authority);
    if (target.failed == LLMGR_OK)
        lh_write_request(&base->lines, method, lb_buf_str(&target), lb_str(authority, size));
    else if (base->lines.failed == LLMGR_OK)
        base->lines.failed = target.failed;
    lb_buf_free(&target);
}

/* Are the lines at hand for this method and path? They stand before them. */
static bool has_lines(const struct lu_base *base, struct lb_str method, struct lb_str path)
{
    struct lb_str lines = lb_buf_str(&base->lines);

    return base->lines.failed == LLMGR_OK && lines.size > 0 && method.size == base->method_size &&
           path.size == base->path_size && lb_str_starts(lines, method) &&
           lb_str_starts(lb_str_sub(lines, method.size, lines.size), path);
}

void lu_base_write(struct lu_base *base, struct lb_str method, struct lb_str path,
                   struct lb_buf *head)
{
    if (!has_lines(base, method, path))
        make_lines(base, method, path);
    if (base->lines.failed != LLMGR_OK)
        head->failed = base->lines.failed;
    else
        lb_buf_add_str(
            head, lb_str_sub(lb_buf_str(&base->lines), method.size + path.size, base->lines.size));
}
