/* SPDX-License-Identifier: MIT */
/* One lock, held for a few additions; who asks in large portions and spends them in small ones
 * seldom takes it. */
#include "net/share.h"

#include <uv.h>

struct ln_share {
    const struct lb_host *host;
    uv_mutex_t lock; /* of all below, and of `held`, `wanted` and `node` of all portions */
    size_t total;
    size_t held[LN_SHARE_LINES];
    struct lb_list lines[LN_SHARE_LINES];
};

void ln_portion_init(struct ln_portion *portion, struct ln_loop *loop, void (*got)(void *context),
                     void *context)
{
    *portion = (struct ln_portion){.loop = loop, .post = {.fn = got, .context = context}};
    lb_list_init(&portion->node);
}

struct ln_share *ln_share_new(const struct lb_host *host, size_t total)
{
    struct ln_share *share = lb_calloc(host, 1, sizeof *share);

    if (share == NULL)
        return NULL;
    if (uv_mutex_init(&share->lock) != 0) {
        lb_free(host, share);
        return NULL;
    }
    share->host = host;
    share->total = total;
    for (size_t i = 0; i < LN_SHARE_LINES; i++)
        lb_list_init(&share->lines[i]);
    return share;
}

void ln_share_free(struct ln_share *share)
{
    if (share == NULL)
        return;
    uv_mutex_destroy(&share->lock);
    lb_free(share->host, share);
}

size_t ln_share_most(size_t total, enum ln_share_line line)
{
    return line == LN_SHARE_SMALL ? total : total - total / LN_SHARE_KEPT;
}

/* ---- Under the lock -------------------------------------------------------------------------- */

static bool fits(const struct ln_share *share, size_t more, enum ln_share_line line)
{
    size_t most = ln_share_most(share->total, line);
    size_t all = share->held[LN_SHARE_SMALL] + share->held[LN_SHARE_LARGE];

    return share->held[line] <= most && more <= most - share->held[line] && all <= share->total &&
           more <= share->total - all;
}

static bool take(struct ln_share *share, struct ln_portion *portion, size_t more,
                 enum ln_share_line line)
{
    /* Nobody passes those who stand before it. */
    for (size_t i = 0; i <= (size_t)line; i++) {
        if (!lb_list_empty(&share->lines[i]))
            return false;
    }
    if (!fits(share, more, line))
        return false;
    share->held[line] += more;
    portion->held[line] += more;
    return true;
}

/* Something was given back: as far as it goes. */
static void serve(struct ln_share *share)
{
    for (size_t i = 0; i < LN_SHARE_LINES; i++) {
        struct lb_list *line = &share->lines[i];
        while (!lb_list_empty(line)) {
            struct ln_portion *first = LB_CONTAINER(line->next, struct ln_portion, node);
            if (!fits(share, first->wanted, (enum ln_share_line)i))
                return;
            lb_list_remove(&first->node);
            share->held[i] += first->wanted;
            first->held[i] += first->wanted;
            first->wanted = 0;
            ln_loop_post(first->loop, &first->post);
        }
    }
}

/* ---- Asking and giving ----------------------------------------------------------------------- */

void ln_share_resize(struct ln_share *share, size_t total)
{
    uv_mutex_lock(&share->lock);
    share->total = total;
    serve(share);
    uv_mutex_unlock(&share->lock);
}

bool ln_share_try(struct ln_share *share, struct ln_portion *portion, size_t more,
                  enum ln_share_line line)
{
    uv_mutex_lock(&share->lock);
    bool taken = take(share, portion, more, line);
    uv_mutex_unlock(&share->lock);
    return taken;
}

bool ln_share_ask(struct ln_share *share, struct ln_portion *portion, size_t more,
                  enum ln_share_line line)
{
    uv_mutex_lock(&share->lock);
    bool taken = take(share, portion, more, line);
    if (!taken) {
        portion->wanted = more;
        lb_list_add_tail(&share->lines[line], &portion->node);
    }
    uv_mutex_unlock(&share->lock);
    return taken;
}

void ln_share_leave(struct ln_share *share, struct ln_portion *portion)
{
    uv_mutex_lock(&share->lock);
    if (portion->wanted > 0) {
        portion->wanted = 0;
        lb_list_remove(&portion->node);
        serve(share); /* who stood behind it may want less */
    }
    uv_mutex_unlock(&share->lock);
    ln_loop_unpost(portion->loop, &portion->post);
}

void ln_share_give(struct ln_share *share, struct ln_portion *portion, size_t size)
{
    if (size == 0)
        return;
    uv_mutex_lock(&share->lock);
    for (size_t i = LN_SHARE_LINES; i-- > 0;) {
        size_t here = size < portion->held[i] ? size : portion->held[i];
        portion->held[i] -= here;
        share->held[i] -= here;
        size -= here;
    }
    serve(share);
    uv_mutex_unlock(&share->lock);
}
