/* SPDX-License-Identifier: MIT */
/*
 * The domain's handle: the database, the vault and what is kept of both in memory. Opening it
 * opens the key ring, seals what a legacy database held in clear, and loads the catalogue.
 *
 * Who may do what: every operation takes the user who acts and finds its rows by (user, id), so a
 * foreign row is an absent row. In single mode every user is the system user.
 */
#ifndef LM_MANAGER_H
#define LM_MANAGER_H

#include "base/arena.h"
#include "base/host.h"
#include "base/str.h"
#include "llmgr.h"

struct lk_keys;
struct lm_manager;
struct lm_platform;
struct lq_book;
struct ls_store;
struct ls_tx;
struct lv_vault;
struct ln_policy;

/* Ceilings of what one user can make the manager hold; reached, an add is ERR_TOO_LARGE. */
enum {
    LM_USER_MAX = 255,         /* bytes of a user id */
    LM_PLATFORM_NAME_MAX = 80, /* bytes */
    LM_MODEL_NAME_MAX = 120,   /* bytes, model_name and display_name */
    LM_SLOT_MAX = 64,          /* bytes */
    LM_EXTRA_BODY_MAX = 16384, /* bytes of JSON */
    LM_PLATFORMS_PER_USER = 100,
    LM_MODELS_PER_PLATFORM = 1000,
    LM_ALIAS_TARGET_MAX = LM_PLATFORM_NAME_MAX + 1 + LM_MODEL_NAME_MAX, /* bytes */
    LM_SLOTS_PER_USER = 32,
    LM_ALIASES_PER_USER = 100,
    LM_KEYS_PER_USER = 1000 /* for all platforms */
};

struct lm_options {
    llmgr_mode mode;
    bool auto_key;
    bool read_only;
    bool without_keys;              /* there is no master key: the ring of data keys is not read */
    size_t cache_size;              /* bytes of profiles, all views together */
    unsigned poll_ms;               /* how stale another process's change may be seen; 0: 500 */
    const struct ln_policy *policy; /* judges private addresses; outlives the manager */
    bool for_callers; /* errors are read by callers of a gateway: they say what those can do */
};

/*
 * Decides about a system platform that was read: fills its origin, and takes its key from the
 * record into memory or tells why not. It is the resolver's (lr_judge_platform), for only that may
 * know keys.
 */
typedef llmgr_status (*lm_judge_fn)(const struct lk_keys *keys, struct lb_str owner,
                                    struct lb_arena *arena, struct lm_platform *platform,
                                    struct llmgr_error *err);

/*
 * What the manager is lent by those above it, for the catalogue: who judges its platforms, and who
 * reads the prices that belong to it (budget/book.h), which live as long as somebody holds them.
 */
struct lm_lent {
    lm_judge_fn judge;
    llmgr_status (*read_book)(const struct lb_host *host, struct ls_tx *tx, int64_t now_ms,
                              struct lq_book **book, struct llmgr_error *err);
    void (*drop_book)(struct lq_book *book);
};

/*
 * Takes over `store` and `vault` (closed by lm_close, also when opening fails). `vault` holds the
 * master key and no data keys yet; the ring is read from the store, or made if there is none.
 * `lent` outlives the manager. library/open.h opens a manager that can be asked.
 */
LLMGR_MUST_CHECK llmgr_status lm_open(const struct lb_host *host, const struct lm_options *options,
                                      struct ls_store *store, struct lv_vault *vault,
                                      const struct lm_lent *lent, struct lm_manager **manager,
                                      struct llmgr_error *err);
void lm_close(struct lm_manager *manager);

const struct lb_host *lm_host(const struct lm_manager *manager);
struct ls_store *lm_store(const struct lm_manager *manager);
struct lv_vault *lm_vault(const struct lm_manager *manager);
/* For keys/ring.h. */
const struct lk_keys *lm_keys(const struct lm_manager *manager);
const struct lm_options *lm_options(const struct lm_manager *manager);
/*
 * From now on whoever reads an error has no shell here: it names paths of the API, and neither the
 * command line nor llmgr.yaml. Called once, before threads ask.
 */
void lm_speak_to_callers(struct lm_manager *manager);

/* The user who really acts: the system user for an empty id and in single mode. */
struct lb_str lm_effective_user(const struct lm_manager *manager, struct lb_str user);
bool lm_is_system_user(struct lb_str user);
/* Who acts, and whether the operator's rows are his to change: system platforms, say. */
struct lm_actor {
    struct lb_str user;
    bool is_operator;
};
/* A user that the host vouches for: the system user is the operator. */
struct lm_actor lm_actor_of(const struct lm_manager *manager, struct lb_str user);
/* Whom a change concerns: the operator's everybody, which is the empty slice, for lm_write. */
static inline struct lb_str lm_told(struct lm_actor actor)
{
    return actor.is_operator ? lb_str(NULL, 0) : actor.user;
}
/* ERR_INVALID unless the id is 1 to LM_USER_MAX bytes of UTF-8 without control characters. */
LLMGR_MUST_CHECK llmgr_status lm_check_user(struct lb_str user, struct llmgr_error *err);

/*
 * Runs `change` in one write transaction that also appends to llm_changes (`user`, or the empty
 * slice for the catalogue), and after the commit drops what this process remembers of it. The
 * function may run again if the database asks for a retry.
 */
typedef llmgr_status (*lm_change_fn)(struct ls_tx *tx, void *context, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_write(struct lm_manager *manager, struct lb_str user,
                                       lm_change_fn change, void *context, struct llmgr_error *err);
/*
 * The same for what takes power away (a token, a key, a platform): it may use the room that is kept
 * for it on a full disk, and a failure of the database says that what should end is still in force.
 * `change` always has an `err`. What adds something does not belong here.
 */
LLMGR_MUST_CHECK llmgr_status lm_revoke(struct lm_manager *manager, struct lb_str user,
                                        lm_change_fn change, void *context,
                                        struct llmgr_error *err);

/*
 * Looks for changes other processes made and drops what they made stale. Touches the database;
 * resolve calls it by itself at most every poll_ms. Any thread.
 */
LLMGR_MUST_CHECK llmgr_status lm_poll(struct lm_manager *manager, struct llmgr_error *err);
/*
 * May what is remembered be answered with? Not if the last good poll is older than twice poll_ms,
 * nor if the database turned out to be another one and has not been read anew. Any thread; cheap.
 */
bool lm_is_fresh(const struct lm_manager *manager);
/*
 * The newest revision of llm_cells that a poll has seen; 0: none. Who reads those rows asks here
 * whether there is anything new. Any thread; cheap.
 */
int64_t lm_cells_revision(const struct lm_manager *manager);
/* How often the database has gone back in time, or turned out to be another one. Any thread. */
uint64_t lm_history_resets(const struct lm_manager *manager);

#endif
