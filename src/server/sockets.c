/* SPDX-License-Identifier: MIT */
/* Every worker gets a socket of its own for each place: the kernel deals connections out. */
#include "server/sockets.h"

#include <string.h>

#include "accounts/tokens.h"
#include "base/error.h"
#include "gateway/worker.h"
#include "library/library.h"
#include "net/listen.h"

static llmgr_status check_public(struct lg_shared *shared, int fd, struct llmgr_error *err)
{
    char place[LN_LISTEN_TEXT];
    bool has_admin = false;

    if (!ln_listen_is_public(fd))
        return LLMGR_OK;
    llmgr_status status = lw_token_has_admin(shared->manager->manager, &has_admin, err);
    if (status != LLMGR_OK)
        return status;
    if (!has_admin)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("%s can be reached from other machines, and there is no administrator's "
                          "token: create one first with `llmgr token create --kind admin`, or "
                          "listen on 127.0.0.1"),
                       ln_listen_text(fd, place));
    shared->need_token = true; /* in any mode */
    return LLMGR_OK;
}

static void note_name(struct lb_buf *names, int fd, bool tls)
{
    char place[LN_LISTEN_TEXT];

    ln_listen_text(fd, place);
    if (names->size > 0)
        lb_buf_add_byte(names, ' ');
    if (strncmp(place, "unix:", 5) != 0)
        lb_buf_add_c(names, tls ? "https://" : "http://");
    lb_buf_add_c(names, place);
}

/* Gives every worker a socket for the place of `fd`, which the first one takes. */
static llmgr_status share_socket(struct lg_shared *shared, int fd, bool inherited,
                                 struct lb_buf *names, struct llmgr_error *err)
{
    char place[LN_LISTEN_TEXT];
    bool is_unix = strncmp(ln_listen_text(fd, place), "unix", 4) == 0;
    struct ln_listen_options again = {.address = place, .reuse_port = true};

    llmgr_status status = check_public(shared, fd, err);
    if (status == LLMGR_OK) /* no thread has the policy yet */
        status = ln_listen_shut(fd, shared->manager->policy, err);
    for (size_t i = 1; i < shared->worker_count && status == LLMGR_OK; i++) {
        int copy = -1;
        status = is_unix || inherited ? ln_listen_dup(fd, &copy, err)
                                      : ln_listen_open(&again, &copy, err);
        if (status != LLMGR_OK)
            break;
        status = lg_worker_listen(shared->workers[i], copy, true, err);
        if (status != LLMGR_OK)
            ln_listen_close(copy);
    }
    note_name(names, fd, shared->tls.cert_file != NULL);
    if (status == LLMGR_OK)
        status = lg_worker_listen(shared->workers[0], fd, inherited, err);
    if (status != LLMGR_OK)
        ln_listen_close(fd);
    return status;
}

static llmgr_status take_over(struct lg_shared *shared, const struct le_places *places,
                              struct lb_buf *names, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < places->inherited_count && status == LLMGR_OK; i++) {
        status = ln_listen_inherit(places->inherited[i], err);
        if (status == LLMGR_OK)
            status = share_socket(shared, places->inherited[i], true, names, err);
    }
    return status;
}

llmgr_status le_sockets_open(struct lg_shared *shared, const struct le_places *places,
                             struct lb_buf *names, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    size_t count = 0;

    if (places->inherited_count > 0)
        return take_over(shared, places, names, err);
    for (const char *const *at = places->listen; *at != NULL && status == LLMGR_OK; at++) {
        bool is_unix = strncmp(*at, "unix:", 5) == 0;
        const struct ln_listen_options listen = {
            .address = *at, .reuse_port = !is_unix && shared->worker_count > 1};
        int fd = -1;
        if (count++ == LG_LISTENERS_MAX)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("at most %d addresses can be listened on"),
                           LG_LISTENERS_MAX);
        status = ln_listen_open(&listen, &fd, err);
        if (status == LLMGR_OK)
            status = share_socket(shared, fd, false, names, err);
    }
    return status;
}
