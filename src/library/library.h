/* SPDX-License-Identifier: MIT */
/*
 * What the files of the library's face share: the handle's inside, results that own their memory,
 * and the way from the options of a file to the options of llmgr_open.
 */
#ifndef LA_LIBRARY_H
#define LA_LIBRARY_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/host.h"
#include "llmgr.h"

struct lc_file;
struct lc_options;
struct ln_policy;
struct ln_proxy;
struct la_test_limit;
struct li_call;
struct li_test;
struct ll_usage;
struct ls_server;
struct lm_actor;
struct lm_manager;
struct lo_budget;
struct lo_health;
struct lr_target;

/* What the handle's calls know of candidates; made when a call first has more than one. */
struct la_routing {
    struct lo_health *health;
    struct lo_budget *budget;
};

struct llmgr {
    struct lb_host host;
    struct lm_manager *manager; /* owns store and vault */
    struct ln_policy *policy;
    struct ln_proxy *proxy; /* NULL: none */
    char *ca_file;          /* NULL: the system's certificates only */
    struct la_test_limit *test_limit;
    int64_t connect_timeout_ms;
    int64_t first_byte_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t total_timeout_ms;
    int64_t first_content_timeout_ms;
    uint64_t window_events;
    size_t window_max;
    _Atomic(struct la_routing *) routing; /* NULL: not made yet */
};

/* A file that was read, with its placeholders' environment. */
struct llmgr_config {
    struct lb_host host;
    struct lc_file *file;
    struct lc_options *options;
    struct lc_dotenv *dotenv; /* NULL: none */
    struct lb_buf warnings;   /* a line each */
    llmgr_env_fn env;
    void *env_context;
};

/*
 * The memory of one result: an arena with a copy of the host in front, so that the result's clear
 * function needs no handle. It is what the `memory` members point to.
 */
struct la_result {
    struct lb_host host;
    struct lb_arena arena;
};

enum { LA_RESULT_MAX = 256 << 20 }; /* bytes one result may take */

/* NULL when memory is short. */
struct la_result *la_result_new(const struct lb_host *host);
void la_result_free(void *memory); /* NULL is fine */

/* The host's hooks as one struct; NULL members take the C library's. */
void la_host_init(struct lb_host *host, const struct llmgr_allocator *allocator);

/* Sets in `to` what `from` says; the pointers live as long as `from`. */
void la_options_from(const struct lc_options *from, struct llmgr_options *to);

/*
 * The address rules for users' private platforms, as the operator's options say; the database's
 * `server` (NULL: none is known) is shut to them whatever the options open.
 */
LLMGR_MUST_CHECK llmgr_status la_policy_new(const struct lb_host *host,
                                            const struct llmgr_options *options,
                                            const struct ls_server *server,
                                            struct ln_policy **policy, struct llmgr_error *err);

/* The user as a slice; NULL is the system user. */
struct lb_str la_user(const char *user);

/* Which class of addresses a user may reach by URLs of their own. */
int la_class_of(const struct llmgr *manager, const char *user);

/* What asks platforms with the manager's policy, proxy and limits; li_call_free ends it. */
LLMGR_MUST_CHECK llmgr_status la_call_new(struct llmgr *manager, struct li_call **call,
                                          struct llmgr_error *err);

/* li_call_test of what was resolved (llm/test.h). */
LLMGR_MUST_CHECK llmgr_status la_test_target(struct llmgr *manager, struct li_call *call,
                                             const struct lr_target *target, bool show_body,
                                             struct li_test *test, struct llmgr_error *err);
/* Asks for its list of models with that key; errors as of llmgr_probe_platform. */
LLMGR_MUST_CHECK llmgr_status la_list_target(struct llmgr *manager, struct li_call *call,
                                             const struct lr_target *target,
                                             struct llmgr_error *err);
/* Its row in the ledger, the target's user's; `endpoint` is what marks it. Writes at once. */
LLMGR_MUST_CHECK llmgr_status la_test_record(struct llmgr *manager, const struct lr_target *target,
                                             const struct li_test *test, const char *endpoint,
                                             struct llmgr_error *err);

/* An attempt that has just ended, at the prices of now, straight into the database. */
LLMGR_MUST_CHECK llmgr_status la_usage_add_priced(struct llmgr *manager, struct ll_usage *usage,
                                                  struct llmgr_error *err);

/* Who has keys tested, and who else hears of it. */
struct la_test_options {
    bool show_body;   /* messages may quote the platform (administrators only) */
    bool server_keys; /* the server's may be tested (administrators only) */
    /* Each key, when it has been asked; NULL: nobody hears. */
    void (*tested)(void *context, const struct lr_target *target, const struct li_test *test);
    void *context;
};
/* See llmgr_platform_keys. */
LLMGR_MUST_CHECK llmgr_status la_platform_keys(struct llmgr *manager, struct lm_actor actor,
                                               int64_t platform_id,
                                               struct llmgr_platform_key_list *list,
                                               struct llmgr_error *err);
/* See llmgr_platform_test. */
LLMGR_MUST_CHECK llmgr_status la_platform_test(struct llmgr *manager, const char *user,
                                               int64_t platform_id,
                                               const struct la_test_options *options,
                                               struct llmgr_key_test_list *list,
                                               struct llmgr_error *err);
/* ERR_NO_MEMORY; any thread. */
LLMGR_MUST_CHECK llmgr_status la_routing(struct llmgr *manager, struct la_routing **routing,
                                         struct llmgr_error *err);
void la_routing_free(struct llmgr *manager); /* if it was made */
/*
 * A target that was resolved, of a route or pool, gives way to the best candidate of the moment
 * (llm/walk.h); strings in `arena`.
 */
void la_take_best(struct llmgr *manager, struct lb_arena *arena, struct lr_target *target);

/*
 * As llmgr_platforms and its like, with nothing but what the caller may use (NULL: all that the
 * user sees); of a route also the targets.
 */
struct lr_allowed;
LLMGR_MUST_CHECK llmgr_status la_platforms(struct llmgr *manager, const char *user,
                                           const struct lr_allowed *allowed,
                                           struct llmgr_platform_list *list,
                                           struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status la_models(struct llmgr *manager, const char *user,
                                        const struct lr_allowed *allowed,
                                        struct llmgr_model_list *list, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status la_routes(struct llmgr *manager, const char *user,
                                        const struct lr_allowed *allowed,
                                        struct llmgr_route_list *list, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status la_aliases(struct llmgr *manager, const char *user,
                                         const struct lr_allowed *allowed,
                                         struct llmgr_alias_list *list, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status la_selection_get(struct llmgr *manager, const char *user,
                                               const char *slot, const struct lr_allowed *allowed,
                                               struct llmgr_selection *selection,
                                               struct llmgr_error *err);

/* Fills the public selection from a target; strings stay the target's. */
void la_selection_from(const struct lr_target *target, struct llmgr_selection *selection);

#endif
