/* SPDX-License-Identifier: MIT */
/* Names to addresses: the system's resolver on libuv's threads, or a test's own. */
#include "net/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/error.h"
#include "net/loop_int.h"

enum {
    ANSWER_MAGIC = 0x414e5357,
    ADDRESSES_MAX = 256, /* more in one answer are refused: all must be judged */
};

struct ln_answer {
    unsigned magic;
    const struct lb_host *host;
    ln_resolved_fn done; /* NULL: abandoned */
    void *context;
    uv_getaddrinfo_t req;
};

static void finish(struct ln_answer *answer, const struct sockaddr_storage *addrs, size_t count,
                   const char *why)
{
    ln_resolved_fn done = answer->done;
    void *context = answer->context;
    answer->magic = 0;
    lb_free(answer->host, answer);
    if (done != NULL)
        done(context, addrs, count, why);
}

void ln_answer_give(struct ln_answer *answer, const struct sockaddr_storage *addrs, size_t count)
{
    answer = LB_CAST(struct ln_answer, answer, ANSWER_MAGIC);
    finish(answer, addrs, count <= ADDRESSES_MAX ? count : 0,
           count <= ADDRESSES_MAX ? "unknown name" : "too many addresses");
}

static size_t count_addresses(const struct addrinfo *list)
{
    size_t count = 0;
    for (; list != NULL; list = list->ai_next)
        count++;
    return count;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct ln_answer *answer = LB_CAST(struct ln_answer, req->data, ANSWER_MAGIC);
    const struct lb_host *host = answer->host;
    size_t count = status == 0 ? count_addresses(list) : 0;
    const char *why = status != 0 ? uv_strerror(status) : "the name has no address";
    if (count > ADDRESSES_MAX) {
        count = 0;
        why = "the name has too many addresses";
    }
    struct sockaddr_storage *addrs = count != 0 ? lb_calloc(host, count, sizeof(*addrs)) : NULL;
    if (count != 0 && addrs == NULL) {
        count = 0;
        why = "out of memory";
    }
    const struct addrinfo *at = list;
    for (size_t i = 0; i < count; i++, at = at->ai_next)
        memcpy(&addrs[i], at->ai_addr, at->ai_addrlen);
    uv_freeaddrinfo(list);
    finish(answer, addrs, count, why);
    lb_free(host, addrs);
}

llmgr_status ln_resolve(struct ln_loop *loop, const struct ln_resolver *resolver, const char *name,
                        bool absolute, ln_resolved_fn done, void *context, struct ln_answer **out,
                        struct llmgr_error *err)
{
    struct ln_answer *answer = lb_calloc(loop->host, 1, sizeof(*answer));
    if (answer == NULL)
        return lb_fail_memory(err);
    *answer = (struct ln_answer){ANSWER_MAGIC, loop->host, done, context, {.data = answer}};
    *out = answer; /* before the start: a resolver may answer inside it */
    if (resolver != NULL) {
        resolver->start(resolver->context, name, answer);
        return LLMGR_OK;
    }
    char full[256];
    size_t size = strlen(name);
    const char *dot = absolute && size != 0 && name[size - 1] != '.' ? "." : "";
    int rc = ln_spare_threads(loop);
    if (rc == 0)
        rc = UV_ENAMETOOLONG;
    if (rc == UV_ENAMETOOLONG &&
        snprintf(full, sizeof(full), "%s%s", name, dot) < (int)sizeof(full)) {
        struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
        rc = uv_getaddrinfo(&loop->uv, &answer->req, on_resolved, full, NULL, &hints);
    }
    if (rc != 0) {
        *out = NULL;
        lb_free(loop->host, answer);
        return lb_fail(err, LLMGR_ERR_UNREACHABLE, N_("%s cannot be looked up: %s"), name,
                       uv_strerror(rc));
    }
    return LLMGR_OK;
}

void ln_resolve_abandon(struct ln_answer *answer)
{
    if (answer == NULL)
        return;
    answer = LB_CAST(struct ln_answer, answer, ANSWER_MAGIC);
    answer->done = NULL;
    if (answer->req.loop != NULL)
        (void)uv_cancel((uv_req_t *)&answer->req); /* EBUSY: a thread is at it already */
}
