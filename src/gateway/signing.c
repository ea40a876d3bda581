/* SPDX-License-Identifier: MIT */
/* Which answers are signed, and the signer of one of them. See the header. */
#include "gateway/signing.h"

#include <string.h>

#include "base/magic.h"
#include "dialect/splice.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/home.h"
#include "objects/id_path.h"
#include "objects/signed_id.h"

enum { SIGNING_MAGIC = 0x6c677367 };

struct lg_signing {
    unsigned magic;
    const struct lb_host *host;
    const struct lm_manager *manager;
    struct lf_id_holder holder;
    uint64_t account_id; /* that keeps it; 0: is not said */
    bool waits;          /* tails are on their way out */
    struct ld_signer signer;
};

/* ---- Which ----------------------------------------------------------------------------------- */

/* Is it this path, or one below it? */
static bool is_below(struct lb_str path, struct lb_str root)
{
    return lb_str_starts(path, root) && (path.size == root.size || path.p[root.size] == '/');
}

/*
 * A chat is kept if the caller or the model's own members say so, and so is, for a while, the sound
 * of one that is heard.
 */
static bool is_kept(const struct lg_request *request, enum ld_signed_family *family)
{
    const struct ld_peek *peek = &request->ask->peek;
    const struct lb_str extra = request->attempt->target.extra_body;

    *family = LD_SIGNED_CHATS;
    if (peek->store || ld_extra_sets(extra, LB_STR("store")))
        return true;
    *family = LD_SIGNED_SPOKEN;
    return peek->audio || ld_extra_sets(extra, LB_STR("audio"));
}

bool lg_signing_suits(const struct lg_request *request, enum ld_signed_family *family)
{
    const struct lb_str rest = request->match.rest;

    if (!lg_home_is_noted(request))
        return false;
    switch (lg_request_endpoint(request)->id) {
    case LD_ENDPOINT_RESPONSES:
        *family = LD_SIGNED_RESPONSES;
        return true;
    case LD_ENDPOINT_CHAT:
        return is_kept(request, family);
    case LD_ENDPOINT_NATIVE:
        *family =
            is_below(rest, LB_STR("/chat/completions")) ? LD_SIGNED_CHATS : LD_SIGNED_RESPONSES;
        return *family == LD_SIGNED_CHATS || is_below(rest, LB_STR("/responses")) ||
               lf_id_path_has_items(request->method, rest);
    default:
        return false;
    }
}

/* ---- One answer ------------------------------------------------------------------------------ */

static size_t make_tail(void *context, struct lb_str id, char tail[LD_SIGNER_TAIL_MAX])
{
    const struct lg_signing *signing = LB_CAST(struct lg_signing, context, SIGNING_MAGIC);

    return lf_id_tail(signing->manager, &signing->holder, signing->account_id, id, tail);
}

struct lg_signing *lg_signing_new(const struct lg_request *request, enum ld_signed_family family,
                                  bool stream)
{
    const struct lr_target *target = &request->attempt->target;
    struct lg_signing *signing = lb_alloc(request->worker->host, sizeof *signing);

    if (signing == NULL)
        return NULL;
    signing->magic = SIGNING_MAGIC;
    signing->host = request->worker->host;
    signing->manager = request->worker->manager;
    signing->waits = false;
    signing->account_id = lr_target_kept_by(target);
    lf_id_holder_set(&signing->holder, target->user, target->platform_id, target->origin);
    ld_signer_init(&signing->signer, family, stream, make_tail, signing);
    return signing;
}

void lg_signing_free(struct lg_signing *signing)
{
    if (signing == NULL)
        return;
    signing->magic = 0;
    lb_free(signing->host, signing);
}

size_t lg_signing_feed(struct lg_signing *signing, struct lb_str in, struct ld_signer_out *out)
{
    size_t used = ld_signer_feed(&signing->signer, in, out);

    signing->waits = signing->waits || out->count > 1;
    return used;
}

bool lg_signing_waits(const struct lg_signing *signing)
{
    return signing->waits;
}

void lg_signing_left(struct lg_signing *signing)
{
    signing->waits = false;
}
