/* SPDX-License-Identifier: MIT */
/*
 * The library's blocking calls: an exchange on a private loop, run on the calling thread.
 *
 * A struct li_call keeps loop and connections from one call to the next, so that keep-alive and
 * TLS sessions serve a conversation. It serves one call at a time; li_call_cancel alone may come
 * from another thread, at any moment of a call or between calls.
 */
#ifndef LI_CALL_H
#define LI_CALL_H

#include "base/host.h"
#include "base/str.h"
#include "upstream/exchange.h"

#define LI_DIALECT "openai" /* what calls speak */

struct lm_manager;
struct lq_book;
struct lr_target;
struct li_attempt;
struct li_call;
struct li_record;

/* Borrowed: policy, proxy, resolver and unix_path outlive the call object. */
struct li_call_options {
    const struct ln_policy *policy;
    const struct ln_proxy *proxy;       /* NULL: none */
    const struct ln_resolver *resolver; /* NULL: the system's */
    const char *unix_path;              /* whatever peers say, this socket is asked; NULL: none */
    const char *ca_file;                /* trusted besides the system's; NULL: none */
    struct lu_timeouts timeouts;
};

LLMGR_MUST_CHECK llmgr_status li_call_new(const struct lb_host *host,
                                          const struct li_call_options *options,
                                          struct li_call **call, struct llmgr_error *err);
/* No call may be running. NULL is fine. */
void li_call_free(struct li_call *call);

/*
 * Whom to talk to: what resolve found, without the manager behind it. Strings are borrowed for the
 * call. Fill with li_peer_of_target, or by hand (probe of a plain URL, tests).
 */
struct li_peer {
    struct lb_str base_url;
    struct lb_str protocol; /* empty: "openai" */
    enum ln_class klass;
    struct lb_str platform_name; /* for error texts; empty: the URL is named */
    struct lb_str model_name;
    struct lb_str extra_body;  /* empty: none */
    bool no_stream_options;    /* the platform is known to reject them */
    lu_open_key_fn open_key;   /* NULL: no key */
    struct lb_str fixed;       /* names of the platform's own header fields */
    lu_open_key_fn open_fixed; /* their lines; NULL: none */
    /* The platform said that it rejects stream_options, and took the request without. May be NULL.
     */
    void (*learn_no_stream_options)(void *context);
    /* An attempt begins: the prices of now, held for it. May be NULL. */
    struct lq_book *(*prices)(void *context);
    /* An attempt has ended, with this status. May be NULL. */
    void (*ended)(void *context, const struct li_attempt *attempt, llmgr_status status);
    void *context; /* of the functions */
};

enum { LI_TARGET_MAGIC = 0x6c697461 };

/* The context of a target's peer; lives as long as the peer. */
struct li_target_context {
    unsigned magic;
    struct lm_manager *manager;
    const struct lr_target *target;
    struct li_record *record; /* the call's, which counts its attempts (record.h) */
};

/* `peer` borrows from `target`, `record` (NULL: nobody counts) and `context`, which this fills. */
void li_peer_of_target(struct lm_manager *manager, const struct lr_target *target,
                       struct li_record *record, struct li_target_context *context,
                       struct li_peer *peer);

/* Asks and waits for the whole answer. See llmgr_llm_invoke; end it with ld_answer_clear. */
LLMGR_MUST_CHECK llmgr_status li_call_chat(struct li_call *call, const struct li_peer *peer,
                                           const struct llmgr_request *request,
                                           struct llmgr_answer *answer, struct llmgr_error *err);
/* Asks for a stream, calls back per event on this thread. See llmgr_llm_stream. */
LLMGR_MUST_CHECK llmgr_status li_call_stream(struct li_call *call, const struct li_peer *peer,
                                             const struct llmgr_request *request,
                                             llmgr_chunk_fn on_chunk, void *context,
                                             struct llmgr_answer *answer, struct llmgr_error *err);
/*
 * The probe: GET {base_url}/models, or base_url itself if it ends in /models; on a 404, if the
 * base path does not end in /v1, one more try at {base_url}/v1/models. `timeout_ms` bounds all of
 * it (0: 8 s). `show_body`: an error may quote the answer (for the system user only). End it with
 * ld_probe_clear. See llmgr_probe_url.
 */
LLMGR_MUST_CHECK llmgr_status li_call_models(struct li_call *call, const struct li_peer *peer,
                                             int64_t timeout_ms, bool show_body,
                                             struct llmgr_probe *probe, struct llmgr_error *err);
/* Any thread: the call that is running returns ERR_CANCELLED; without one, nothing happens. */
void li_call_cancel(struct li_call *call);

/* The loop's connections: for tests. */
struct lu_pool *li_call_pool(const struct li_call *call);

#endif
