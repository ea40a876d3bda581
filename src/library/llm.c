/* SPDX-License-Identifier: MIT */
/*
 * An LLM: what resolve found for a user, and the calls that talk to it. The key stays sealed in
 * the target; it is opened for the head of each request, or when the host asks for a copy.
 */
#include "library/library.h"

#include <stdatomic.h>
#include <string.h>

#include "dialect/chat.h"
#include "llm/record.h"
#include "llm/walk.h"
#include "net/policy.h"
#include "resolve/resolve.h"
#include "vault/secret.h"

struct llmgr_llm {
    struct llmgr *manager;
    struct lb_arena arena;
    struct lr_target target;        /* strings in the arena */
    _Atomic(struct li_call *) call; /* made by the first call; NULL before */
    bool records;                   /* its calls' attempts, in the ledger */

    /* Of the last call. */
    struct li_record record;
    struct lr_target answered; /* platform_id 0: none was asked */
    struct li_room room;
};

enum { LLM_ARENA_MAX = 1 << 20 };

/* ---- Life ------------------------------------------------------------------------------------ */

static struct lu_timeouts timeouts_of(const struct llmgr *manager)
{
    return (struct lu_timeouts){
        .connect_ms = manager->connect_timeout_ms,
        .first_byte_ms = manager->first_byte_timeout_ms,
        .idle_ms = manager->idle_timeout_ms,
        .total_ms = manager->total_timeout_ms,
    };
}

llmgr_status la_call_new(struct llmgr *manager, struct li_call **call, struct llmgr_error *err)
{
    const struct li_call_options options = {
        .policy = manager->policy,
        .proxy = manager->proxy,
        .ca_file = manager->ca_file,
        .timeouts = timeouts_of(manager),
    };
    return li_call_new(&manager->host, &options, call, err);
}

/*
 * The loop and TLS settings of an LLM's calls, made when it first talks: a host that only wants to
 * know what was resolved does not pay for them. Of two threads that come at once (one too many,
 * which li_call tells them) the second uses what the first has made.
 */
static llmgr_status call_of(struct llmgr_llm *llm, struct li_call **call, struct llmgr_error *err)
{
    struct li_call *there = atomic_load(&llm->call);

    if (there == NULL) {
        struct li_call *made;
        llmgr_status status = la_call_new(llm->manager, &made, err);
        if (status != LLMGR_OK)
            return status;
        if (atomic_compare_exchange_strong(&llm->call, &there, made))
            there = made;
        else
            li_call_free(made);
    }
    *call = there;
    return LLMGR_OK;
}

static struct llmgr_llm *new_llm(struct llmgr *manager)
{
    struct llmgr_llm *llm = lb_calloc(&manager->host, 1, sizeof *llm);

    if (llm == NULL)
        return NULL;
    llm->manager = manager;
    lb_arena_init(&llm->arena, &manager->host, NULL, 0, LLM_ARENA_MAX);
    li_room_init(&llm->room, &manager->host);
    return llm;
}

void llmgr_llm_free(struct llmgr_llm *llm)
{
    if (llm == NULL)
        return;
    li_call_free(atomic_load(&llm->call));
    li_room_free(&llm->room);
    lb_arena_free(&llm->arena);
    lb_free(&llm->manager->host, llm);
}

/* Hands over an LLM whose target resolved with `status`. */
static llmgr_status finish_llm(struct llmgr_llm *made, llmgr_status status, struct llmgr_llm **llm)
{
    if (status != LLMGR_OK) {
        llmgr_llm_free(made);
        return status;
    }
    la_take_best(made->manager, &made->arena, &made->target);
    *llm = made;
    return LLMGR_OK;
}

static llmgr_status llm_for(struct llmgr *manager, const struct lr_request *request,
                            struct llmgr_llm **llm, struct llmgr_error *err)
{
    struct llmgr_llm *made = new_llm(manager);

    if (made == NULL)
        return lb_fail_memory(err);
    return finish_llm(made, lr_resolve(manager->manager, request, &made->arena, &made->target, err),
                      llm);
}

llmgr_status llmgr_llm_for_user(struct llmgr *manager, const char *user, const char *slot,
                                struct llmgr_llm **llm, struct llmgr_error *err)
{
    const struct lr_request request = {.user = la_user(user), .slot = lb_cstr(slot)};
    return llm_for(manager, &request, llm, err);
}

llmgr_status llmgr_llm_for_model(struct llmgr *manager, const char *user, const char *model,
                                 struct llmgr_llm **llm, struct llmgr_error *err)
{
    const struct lr_request request = {.user = la_user(user), .model = lb_cstr(model)};
    return llm_for(manager, &request, llm, err);
}

llmgr_status llmgr_llm_for_system(struct llmgr *manager, const char *platform_name,
                                  const char *display_name, struct llmgr_llm **llm,
                                  struct llmgr_error *err)
{
    struct llmgr_llm *made = new_llm(manager);

    if (made == NULL)
        return lb_fail_memory(err);
    return finish_llm(made,
                      lr_resolve_system(manager->manager, lb_cstr(platform_name),
                                        lb_cstr(display_name), &made->arena, &made->target, err),
                      llm);
}

/* ---- What it is ------------------------------------------------------------------------------ */

void llmgr_llm_selection(const struct llmgr_llm *llm, struct llmgr_selection *selection)
{
    la_selection_from(&llm->target, selection);
}

const char *llmgr_llm_extra_body(const struct llmgr_llm *llm)
{
    return llm->target.extra_body.size != 0 ? llm->target.extra_body.p : NULL;
}

const char *llmgr_llm_payer(const struct llmgr_llm *llm)
{
    return lm_payer_name(llm->target.payer);
}

llmgr_status llmgr_llm_key(const struct llmgr_llm *llm, char *key, size_t size,
                           struct llmgr_error *err)
{
    struct lv_secret secret;

    lv_secret_init(&secret);
    llmgr_status status = lr_target_open_key(llm->manager->manager, &llm->target, &secret, err);
    if (status == LLMGR_OK && secret.size >= size)
        status = lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the key needs %zu bytes and its end"),
                         secret.size);
    if (status == LLMGR_OK)
        memcpy(key, secret.bytes, secret.size + 1);
    lv_secret_clear(&secret);
    return status;
}

void llmgr_llm_record_usage(struct llmgr_llm *llm, bool record)
{
    llm->records = record;
}

unsigned llmgr_llm_attempts(const struct llmgr_llm *llm)
{
    return llm->record.attempts;
}

void llmgr_llm_answered(const struct llmgr_llm *llm, struct llmgr_selection *selection)
{
    const bool was_asked = llm->answered.platform_id != 0;

    la_selection_from(was_asked ? &llm->answered : &llm->target, selection);
    selection->slot = llm->target.slot.size != 0 ? llm->target.slot.p : NULL;
}

/* ---- Talking to it --------------------------------------------------------------------------- */

void llmgr_request_init(struct llmgr_request *request)
{
    *request = (struct llmgr_request){
        .size = sizeof *request,
        .temperature = -1.0,
        .max_tokens = LLMGR_UNSET,
    };
}

static llmgr_status check_request(const struct llmgr_request *request, struct llmgr_error *err)
{
    if (request == NULL || request->size < sizeof *request)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the request was not made by %s"),
                       "llmgr_request_init");
    return LLMGR_OK;
}

/* What is asked, whole or streamed. */
struct ask {
    const struct llmgr_request *request;
    bool is_stream;
    llmgr_chunk_fn on_chunk;
    void *context;
};

/* One candidate: what was resolved. */
static llmgr_status ask_target(struct llmgr_llm *llm, struct li_call *call, const struct ask *ask,
                               struct llmgr_answer *answer, struct llmgr_error *err)
{
    struct li_target_context context;
    struct li_peer peer;

    llm->answered = llm->target;
    li_peer_of_target(llm->manager->manager, &llm->target, &llm->record, &context, &peer);
    return ask->is_stream
               ? li_call_stream(call, &peer, ask->request, ask->on_chunk, ask->context, answer, err)
               : li_call_chat(call, &peer, ask->request, answer, err);
}

static llmgr_status ask_candidates(struct llmgr_llm *llm, struct li_call *call,
                                   const struct ask *ask, struct llmgr_answer *answer,
                                   struct llmgr_error *err)
{
    struct llmgr *manager = llm->manager;
    const struct li_limits limits = {
        .timeouts = timeouts_of(manager),
        .content_ms = manager->first_content_timeout_ms,
        .window_events = manager->window_events,
        .window_max = manager->window_max,
    };
    const struct li_asked asked = {
        .target = &llm->target,
        .request = ask->request,
        .limits = &limits,
        .on_chunk = ask->on_chunk,
        .context = ask->context,
        .is_stream = ask->is_stream,
        .record = &llm->record,
        .room = &llm->room,
        .answered = &llm->answered,
    };
    struct la_routing *routing;

    llmgr_status status = la_routing(manager, &routing, err);
    if (status != LLMGR_OK)
        return status;
    const struct li_shared shared = {manager->manager, routing->health, routing->budget};
    return li_walk(call, &shared, &asked, answer, err);
}

static llmgr_status talk(struct llmgr_llm *llm, const struct ask *ask, struct llmgr_answer *answer,
                         struct llmgr_error *err)
{
    struct li_call *call;

    llmgr_status status = check_request(ask->request, err);
    if (status == LLMGR_OK)
        status = call_of(llm, &call, err);
    if (status != LLMGR_OK)
        return status;
    li_record_begin(&llm->record, &llm->manager->host, llm->records, llm->target.slot);
    llm->answered = (struct lr_target){.platform_id = 0};
    if (li_walks(&llm->target))
        return ask_candidates(llm, call, ask, answer, err);
    return ask_target(llm, call, ask, answer, err);
}

llmgr_status llmgr_llm_invoke(struct llmgr_llm *llm, const struct llmgr_request *request,
                              struct llmgr_answer *answer, struct llmgr_error *err)
{
    const struct ask ask = {.request = request};

    return talk(llm, &ask, answer, err);
}

llmgr_status llmgr_llm_stream(struct llmgr_llm *llm, const struct llmgr_request *request,
                              llmgr_chunk_fn on_chunk, void *context, struct llmgr_answer *answer,
                              struct llmgr_error *err)
{
    const struct ask ask = {
        .request = request, .is_stream = true, .on_chunk = on_chunk, .context = context};

    return talk(llm, &ask, answer, err);
}

void llmgr_llm_cancel(struct llmgr_llm *llm)
{
    struct li_call *call = atomic_load(&llm->call);

    if (call != NULL)
        li_call_cancel(call);
}

/* ---- Probe ----------------------------------------------------------------------------------- */

static llmgr_status probe(struct llmgr *manager, const struct li_peer *peer, bool show_body,
                          int64_t timeout_ms, struct llmgr_probe *result, struct llmgr_error *err)
{
    struct li_call *call;

    llmgr_status status = la_call_new(manager, &call, err);
    if (status != LLMGR_OK)
        return status;
    status = li_call_models(call, peer, timeout_ms, show_body, result, err);
    li_call_free(call);
    return status;
}

/* The caller's own key, borrowed for the call. */
struct given_key {
    const char *api_key;
};

static llmgr_status open_given_key(void *context, struct lv_secret *key, struct llmgr_error *err)
{
    const struct given_key *given = context;

    if (lv_secret_set(key, lb_cstr(given->api_key)))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("an API key has at most %d bytes"), LV_SECRET_MAX);
}

llmgr_status llmgr_probe_url(struct llmgr *manager, const char *user, const char *base_url,
                             const char *api_key, int64_t timeout_ms, struct llmgr_probe *result,
                             struct llmgr_error *err)
{
    bool with_key = api_key != NULL && api_key[0] != '\0';
    const struct li_peer peer = {
        .base_url = lb_cstr(base_url),
        .klass = (enum ln_class)la_class_of(manager, user),
        .open_key = with_key ? open_given_key : NULL,
        .context = &(struct given_key){api_key},
    };
    return probe(manager, &peer, peer.klass == LN_CLASS_SYSTEM, timeout_ms, result, err);
}

llmgr_status llmgr_platform_probe(struct llmgr *manager, const char *user, int64_t platform_id,
                                  int64_t timeout_ms, struct llmgr_probe *result,
                                  struct llmgr_error *err)
{
    struct li_target_context context;
    struct lr_target target;
    struct lb_arena arena;
    struct li_peer peer;

    lb_arena_init(&arena, &manager->host, NULL, 0, LLM_ARENA_MAX);
    llmgr_status status =
        lr_resolve_platform(manager->manager, lm_effective_user(manager->manager, la_user(user)),
                            platform_id, &arena, &target, err);
    if (status == LLMGR_OK) {
        li_peer_of_target(manager->manager, &target, NULL, &context, &peer);
        bool show_body = la_class_of(manager, user) == LN_CLASS_SYSTEM;
        status = probe(manager, &peer, show_body, timeout_ms, result, err);
    }
    lb_arena_free(&arena);
    return status;
}
