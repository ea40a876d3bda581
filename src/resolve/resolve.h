/* SPDX-License-Identifier: MIT */
/*
 * (user, slot or model) -> platform, model, address, key, payer. The only code that yields a key.
 *
 * Warm, a resolve reads the catalogue snapshot and the user's cached profile: no SQL, one
 * uncontended lock (none in a worker's own view), everything copied into the caller's arena. The
 * key stays sealed in the target and is opened by lr_target_open_key at the last moment.
 */
#ifndef LR_RESOLVE_H
#define LR_RESOLVE_H

#include "base/arena.h"
#include "manager/manager.h"

struct lm_catalogue;
struct lr_allowed;
struct lr_view;
struct lv_secret;

/* Whose key pays: XX(NAME, number, "name"); 0 is nobody's. */
#define LM_PAYER_MAP(XX) XX(USER, 1, "user") XX(SYSTEM, 2, "system")

enum lm_payer {
    LM_PAYER_NONE = 0,
#define LM_PAYER_ENUM(NAME, number, text) LM_PAYER_##NAME = number,
    LM_PAYER_MAP(LM_PAYER_ENUM)
#undef LM_PAYER_ENUM
};

/* "user", "system", or NULL. */
const char *lm_payer_name(enum lm_payer payer);

struct lr_target;

/* One key of a pool, as it is told to whoever chooses among them. */
struct lr_key {
    uint64_t id;         /* the same for the same key of this owner and platform, on every node */
    uint64_t account_id; /* of keys that share an account at the vendor; else of this key alone */
    uint32_t weight;     /* 1 to LK_WEIGHT_MAX */
};

#define LR_KEY_NONE UINT32_MAX

/*
 * Chooses one of the keys of who pays, which stand in order; LR_KEY_NONE: none may be used now.
 * `target` is filled but for its key; its texts are borrowed. Called with the view's lock held: it
 * looks up and calculates, and waits for nothing.
 */
struct lr_key_chooser {
    uint32_t (*choose)(void *context, const struct lr_target *target, const struct lr_key *keys,
                       uint32_t count);
    void *context;
};

struct lr_request {
    struct lb_str user;  /* effective user is derived; empty: the system user */
    struct lb_str slot;  /* empty: "main"; ignored if model is given */
    struct lb_str model; /* empty: by slot; else a name, see below */
    int64_t platform_id; /* not 0, and no model: this platform, for what it keeps */
    int64_t model_id;    /* not 0: this model of it */
    const struct lr_key_chooser *chooser; /* NULL: the first usable key */
    int64_t route_id; /* not 0: this route's target of the next number, whatever model says; the
                         slot, if one led here, only goes into the target */
    uint32_t route_target;            /* from 0; ERR_NOT_FOUND if it is not there */
    const struct lr_allowed *allowed; /* what the caller may use; NULL: all that the user sees */
};

/*
 * By slot: the choice stored for the slot; else that of "main"; else the first system platform, in
 * order, with a model and a usable key; else the first with a model, whose missing key is then
 * the error. A choice whose target is gone is replaced by such a first choice. One that the mode
 * hides is kept and passed over. Hidden (by the user) platforms and models resolve all the same.
 *
 * By model, the first of these that finds anything:
 *   1  "auto" or "main": the slot main; the name of a slot with a stored choice: that slot
 *   2  the name of a route, own ones first
 *   3  "platform/display name", then 4 "platform/model name" (each '/' is tried as the border)
 *   5  a display name
 *   6  a model name
 *   7  what an alias stands for, by 1 to 6
 * Within one of them: models with a usable key before those without, then own platforms before
 * system platforms, then the order in which people see them.
 *
 * A route, by its name or as the choice of a slot: its first target with a usable key, else its
 * first target that is there, whose missing key is then the error. See route.h for the others.
 *
 * By platform: the model of that number; without one the choice of the slot main if it stands
 * there, else the platform's first model, or none.
 *
 * What the caller may not use is passed over by all of this as if it were not there, and a stored
 * choice of it as one that the mode hides: it is kept.
 */

/* What was resolved. Strings live in the arena given, NUL-terminated; the key is sealed. */
struct lr_target {
    struct lb_str user; /* the effective one */
    struct lb_str slot; /* the slot that answered; empty if named by model */
    int64_t platform_id;
    struct lb_str platform_name;
    struct lb_str base_url; /* as written */
    struct lb_str origin;   /* scheme://host:port */
    struct lb_str protocol; /* "openai" */
    bool platform_is_sys;
    bool no_stream_options; /* learnt less than a day ago: the platform rejects stream_options */
    int64_t model_id;
    struct lb_str model_name;
    struct lb_str display_name;
    struct lb_str extra_body;     /* JSON object; empty: none */
    struct lb_str native_paths;   /* what the operator has opened, "POST /a, GET /b/{id}" */
    struct lb_str headers;        /* of the caller's that it gets besides: "user-agent, x-title" */
    struct lb_str fixed_headers;  /* names of fields that it gets from the row: "x-org, x-title" */
    struct lb_str sealed_headers; /* held, for lr_target_open_headers; empty: none */
    enum lm_payer payer;          /* NONE: no usable key */
    struct lb_str sealed_key;     /* held, for lr_target_open_key; empty: no usable key */
    uint64_t key_id;              /* of the key, see struct lr_key; 0: there is none */
    uint64_t account_id;          /* likewise */
    uint32_t key_count;           /* usable keys of this payer here */
    uint32_t context_tokens;      /* that fit into the model; 0: not known */
    bool key_withheld;            /* the chooser took none of them: a payer, and no key */
    struct lb_str key_env; /* variable the server key would come from, for messages; may be empty */
    int64_t route_id;      /* the route that was asked; 0: none */
    struct lb_str route;   /* its name */
    uint32_t route_target; /* which of its targets this is, from 0 */
    int64_t first_byte_ms; /* the target's own limit; 0: it has none */
    bool is_default;       /* nothing was stored for slot or main */
    bool repaired;         /* the stored choice was gone and has been replaced */
    bool fell_back; /* the stored choice is kept, not used: hidden by the mode, or gone and the
                       database could not be written */
};

/*
 * Is the key the operator's, and not the caller's own? Then what the platform keeps is shared by
 * all who use that key, and each may have only what is his. For the system user, who is the
 * operator, the server key is his own.
 */
static inline bool lr_target_is_borrowed(const struct lr_target *target)
{
    return target->platform_is_sys && target->payer != LM_PAYER_USER &&
           !lb_str_eq(target->user, LB_STR(LLMGR_SYSTEM_USER));
}

/* Does a key of this account and number reach what `keeper` keeps? 0: nothing is said of that. */
static inline bool lr_is_account(uint64_t keeper, uint64_t account_id, uint64_t key_id)
{
    /* Without a label a key is its own account, and stays that of what it made if it gets one. */
    return keeper == 0 || keeper == account_id || keeper == key_id;
}

/*
 * The account that is noted with what the platform will keep of an answer. 0, so nothing: of the
 * operator's only key there, without a label, which may be exchanged for another one.
 */
static inline uint64_t lr_target_kept_by(const struct lr_target *target)
{
    const bool is_plain = target->key_count <= 1 && target->account_id == target->key_id;

    return is_plain && lr_target_is_borrowed(target) ? 0 : target->account_id;
}

/*
 * The dialect in which alone platforms of this protocol are called by a route; NULL: any, for those
 * of OpenAI's dialect often take others at the same address. Static.
 */
const char *lr_only_dialect(struct lb_str protocol);
/* May a call in this dialect (of config/protocols.def; empty: any) be sent there, by a route? */
bool lr_target_speaks(const struct lr_target *target, const char *dialect);

/*
 * The manager's shared views, once it is open (lm_open) and until it is closed. lr_close also after
 * a failure, and if they were never made.
 */
LLMGR_MUST_CHECK llmgr_status lr_open(struct lm_manager *manager, struct llmgr_error *err);
void lr_close(struct lm_manager *manager);

/*
 * Resolves through the manager's shared views; any thread. Errors: ERR_NOT_FOUND (no such model
 * or slot target, nothing to fall back to; of a route of which no target is there, user, slot and
 * route of the target are filled), ERR_NO_KEY (the text says which variable to set or where to
 * store a key; the target is filled all the same), ERR_DATABASE…, ERR_NO_MEMORY.
 */
LLMGR_MUST_CHECK llmgr_status lr_resolve(struct lm_manager *manager,
                                         const struct lr_request *request, struct lb_arena *arena,
                                         struct lr_target *target, struct llmgr_error *err);

/* A system model by platform name and display name, for the system user (get_spec_sys_llm). */
LLMGR_MUST_CHECK llmgr_status lr_resolve_system(struct lm_manager *manager,
                                                struct lb_str platform_name,
                                                struct lb_str display_name, struct lb_arena *arena,
                                                struct lr_target *target, struct llmgr_error *err);

/* A platform the user can see with the key resolve would use (for probe); no model. */
LLMGR_MUST_CHECK llmgr_status lr_resolve_platform(struct lm_manager *manager, struct lb_str user,
                                                  int64_t platform_id, struct lb_arena *arena,
                                                  struct lr_target *target,
                                                  struct llmgr_error *err);

/*
 * The same with its first model that chats, and of the keys the one that `chooser` takes (NULL: the
 * first; `server_keys`: of the server's, also if the user has some of his own): whoever asks a
 * platform for its own sake asks so. Without such a model the target has none.
 */
LLMGR_MUST_CHECK llmgr_status lr_resolve_chat(struct lm_manager *manager, struct lb_str user,
                                              int64_t platform_id, bool server_keys,
                                              const struct lr_key_chooser *chooser,
                                              struct lb_arena *arena, struct lr_target *target,
                                              struct llmgr_error *err);

/* Opens the key for the moment the request head is written; wipe it with lv_secret_clear. */
LLMGR_MUST_CHECK llmgr_status lr_target_open_key(const struct lm_manager *manager,
                                                 const struct lr_target *target,
                                                 struct lv_secret *key, struct llmgr_error *err);
/* What people see of it: `out` receives LV_FINGERPRINT_SIZE bytes. As lr_target_open_key. */
LLMGR_MUST_CHECK llmgr_status lr_target_fingerprint(const struct lm_manager *manager,
                                                    const struct lr_target *target, char *out,
                                                    struct llmgr_error *err);

/*
 * Opens the header fields that the platform's row has values for, as lines that are ready to be
 * sent (config/fixed_headers.h); at the same moment, and wiped likewise. Empty if there are none.
 */
LLMGR_MUST_CHECK llmgr_status lr_target_open_headers(const struct lm_manager *manager,
                                                     const struct lr_target *target,
                                                     struct lv_secret *lines,
                                                     struct llmgr_error *err);

/*
 * A view of one's own for a worker thread: the same answers without a lock. Not thread-safe; the
 * worker calls lr_view_refresh between requests (cheap: one atomic load when nothing changed).
 * A miss that needs the database is told by LR_VIEW_MISS so that the worker can load the profile
 * off its loop with lr_profile_load and hand it in with lr_view_put.
 */
struct lr_profile;
enum lr_view_result { LR_VIEW_DONE = 0, LR_VIEW_MISS };
LLMGR_MUST_CHECK llmgr_status lr_view_new(struct lm_manager *manager, size_t cache_size,
                                          struct lr_view **view, struct llmgr_error *err);
void lr_view_free(struct lr_view *view);
void lr_view_refresh(struct lr_view *view);
/* The catalogue as of the last refresh, borrowed from the view until the next. */
const struct lm_catalogue *lr_view_catalogue(const struct lr_view *view);
/*
 * Asks the processor for what a resolve of this user will read. Called as soon as the user is
 * known, some hundred nanoseconds of other work before lr_view_resolve, it hides the cost of a
 * memory larger than the processor's caches. Never needed, never wrong.
 */
void lr_view_hint(struct lr_view *view, struct lb_str user);
LLMGR_MUST_CHECK llmgr_status lr_view_resolve(struct lr_view *view,
                                              const struct lr_request *request,
                                              struct lb_arena *arena, struct lr_target *target,
                                              enum lr_view_result *result, struct llmgr_error *err);
/* Reads (and repairs) a user's rows; blocking, any thread. The profile is handed to one view. */
LLMGR_MUST_CHECK llmgr_status lr_profile_load(struct lm_manager *manager, struct lb_str user,
                                              struct lr_profile **profile, struct llmgr_error *err);
void lr_profile_free(struct lm_manager *manager, struct lr_profile *profile); /* NULL is fine */
void lr_view_put(struct lr_view *view, struct lr_profile *profile);

/* What an explanation is made with besides the request. */
struct lr_explain_with {
    bool server_keys; /* each of the server's keys is shown */
    /*
     * Is the target's key let alone for now? `target` has platform, model, payer and key; `account`
     * is the label of its account. *cooled, in `arena`, is left as it is if not. False: memory.
     * NULL: nothing is known of that.
     */
    bool (*look)(void *context, const struct lr_target *target, struct lb_str account,
                 struct lb_arena *arena, const struct llmgr_cooled **cooled);
    void *context;
};

/*
 * Fills the candidates in resolve's order; strings in `arena`. `with` NULL: none of that. See
 * llmgr_explain.
 */
LLMGR_MUST_CHECK llmgr_status lr_explain(struct lm_manager *manager,
                                         const struct lr_request *request,
                                         const struct lr_explain_with *with, struct lb_arena *arena,
                                         struct llmgr_explanation *explanation,
                                         struct llmgr_error *err);

#endif
