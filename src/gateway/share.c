/* SPDX-License-Identifier: MIT */
/* One lock, held for a few additions; nobody takes it for a small body (see gateway/body). */
#include "gateway/share.h"

#include <uv.h>

struct lg_share {
    const struct lb_host *host;
    uv_mutex_t lock; /* of all below, and of `held`, `wanted` and `node` of all portions */
    size_t total;
    size_t held[LG_SHARE_LINES];
    struct lb_list lines[LG_SHARE_LINES];
};

void lg_portion_init(struct lg_portion *portion, struct ln_loop *loop, void (*got)(void *context),
                     void *context)
{
    *portion = (struct lg_portion){.loop = loop, .post = {.fn = got, .context = context}};
    lb_list_init(&portion->node);
}

struct lg_share *lg_share_new(const struct lb_host *host, size_t total)
{
    struct lg_share *share = lb_calloc(host, 1, sizeof *share);

    if (share == NULL)
        return NULL;
    if (uv_mutex_init(&share->lock) != 0) {
        lb_free(host, share);
        return NULL;
    }
    share->host = host;
    share->total = total;
    for (size_t i = 0; i < LG_SHARE_LINES; i++)
        lb_list_init(&share->lines[i]);
    return share;
}

void lg_share_free(struct lg_share *share)
{
    if (share == NULL)
        return;
    uv_mutex_destroy(&share->lock);
    lb_free(share->host, share);
}

size_t lg_share_most(size_t total, enum lg_share_line line)
{
    return line == LG_SHARE_SMALL ? total : total - total / LG_SHARE_KEPT;
}

/* ---- Under the lock -------------------------------------------------------------------------- */

static bool fits(const struct lg_share *share, size_t more, enum lg_share_line line)
{
    size_t most = lg_share_most(share->total, line);
    size_t all = share->held[LG_SHARE_SMALL] + share->held[LG_SHARE_LARGE];

    return share->held[line] <= most && more <= most - share->held[line] && all <= share->total &&
           more <= share->total - all;
}

static bool take(struct lg_share *share, struct lg_portion *portion, size_t more,
                 enum lg_share_line line)
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
static void serve(struct lg_share *share)
{
    for (size_t i = 0; i < LG_SHARE_LINES; i++) {
        struct lb_list *line = &share->lines[i];
        while (!lb_list_empty(line)) {
            struct lg_portion *first = LB_CONTAINER(line->next, struct lg_portion, node);
            if (!fits(share, first->wanted, (enum lg_share_line)i))
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

void lg_share_resize(struct lg_share *share, size_t total)
{
    uv_mutex_lock(&share->lock);
    share->total = total;
    serve(share);
    uv_mutex_unlock(&share->lock);
}

bool lg_share_try(struct lg_share *share, struct lg_portion *portion, size_t more,
                  enum lg_share_line line)
{
    uv_mutex_lock(&share->lock);
    bool taken = take(share, portion, more, line);
    uv_mutex_unlock(&share->lock);
    return taken;
}

bool lg_share_ask(struct lg_share *share, struct lg_portion *portion, size_t more,
                  enum lg_share_line line)
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

void lg_share_leave(struct lg_share *share, struct lg_portion *portion)
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

void lg_share_give(struct lg_share *share, struct lg_portion *portion, size_t size)
{
    if (size == 0)
        return;
    uv_mutex_lock(&share->lock);
    for (size_t i = LG_SHARE_LINES; i-- > 0;) {
        size_t here = size < portion->held[i] ? size : portion->held[i];
        portion->held[i] -= here;
        share->held[i] -= here;
        size -= here;
    }
    serve(share);
    uv_mutex_unlock(&share->lock);
}
