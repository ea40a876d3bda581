/* SPDX-License-Identifier: MIT */
/* Probes of our own. See the header. */
#include "server/prober.h"

#include <sodium.h>

#include "base/arena.h"
#include "base/magic.h"
#include "library/library.h"
#include "llm/test.h"
#include "manager/pools.h"
#include "resolve/resolve.h"
#include "routing/hash.h"
#include "routing/health.h"

enum {
    TICK_MS = 500,
    SEEK_MAGIC = 0x6c67736b,
    ARENA_MAX = 1 << 20,
};

/* What marks its row in the ledger. */
#define ENDPOINT "health/probe"

/* ---- Which key is that? ---------------------------------------------------------------------- */

/* What the resolver asks among a platform's keys. */
struct seek {
    unsigned magic;
    const struct lo_health *health;
    const struct lo_cell_id *id;
};

static bool is_meant(const struct lo_cell_id *id, const struct lr_key *key)
{
    return id->item == (id->scope == LO_SCOPE_KEY ? key->id : key->account_id);
}

/* Of an account's keys one that is refused itself says nothing of the account. */
static bool is_free(const struct seek *seek, uint64_t key_id)
{
    const struct lo_candidate alone = {.platform_id = seek->id->platform_id,
                                       .key_id = key_id,
                                       .user = seek->id->owner,
                                       .is_own_key = seek->id->owner != 0};

    return lo_health_look(seek->health, &alone, lb_monotonic_ms(), NULL);
}

static uint32_t choose(void *context, const struct lr_target *target, const struct lr_key *keys,
                       uint32_t count)
{
    const struct seek *seek = LB_CAST(struct seek, context, SEEK_MAGIC);
    const bool is_own = seek->id->owner != 0;
    uint32_t found = LR_KEY_NONE;

    if (is_own != (target->payer == LM_PAYER_USER))
        return LR_KEY_NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_meant(seek->id, &keys[i]))
            continue;
        if (seek->id->scope == LO_SCOPE_KEY || is_free(seek, keys[i].id))
            return i;
        if (found == LR_KEY_NONE)
            found = i;
    }
    return found;
}

static bool is_owner(void *context, struct lb_str user)
{
    const struct seek *seek = LB_CAST(struct seek, context, SEEK_MAGIC);

    return lo_hash(user) == seek->id->owner;
}

/* Of a cell: whose key it is, and the target that it is of. ERR_NOT_FOUND, ERR_NO_KEY: it is gone.
 */
static llmgr_status find(struct le_prober *prober, const struct lo_cell_id *id,
                         struct lb_arena *arena, struct lr_target *target, struct llmgr_error *err)
{
    struct lm_manager *manager = prober->shared->manager->manager;
    struct seek seek = {.magic = SEEK_MAGIC, .health = prober->shared->health, .id = id};
    const struct lr_key_chooser chooser = {.choose = choose, .context = &seek};
    struct lb_str user = LB_STR(LLMGR_SYSTEM_USER);
    llmgr_status status = LLMGR_OK;

    if (id->owner != 0)
        status = lm_key_owner(manager, id->platform_id, is_owner, &seek, arena, &user, err);
    if (status != LLMGR_OK)
        return status;
    if (user.size == 0)
        return LLMGR_ERR_NOT_FOUND;
    status = lr_resolve_chat(manager, user, id->platform_id, id->owner == 0, &chooser, arena,
                             target, err);
    return status == LLMGR_OK && target->key_withheld ? LLMGR_ERR_NOT_FOUND : status;
}

/* ---- One probe ------------------------------------------------------------------------------- */

/* Only what was answered used tokens; what a platform refuses is no affair of the ledger's. */
static void record(const struct le_prober *prober, const struct lr_target *target,
                   const struct li_test *test)
{
    struct llmgr *manager = prober->shared->manager;
    struct llmgr_error err = {0};

    if (test->verdict.reason == LO_REASON_ANSWERED &&
        la_test_record(manager, target, test, ENDPOINT, &err) != LLMGR_OK)
        lb_error(&manager->host, "platform %lld: the usage of a probe is not recorded: %s",
                 (long long)target->platform_id, err.message);
}

/* ---- Asking: false if the server ends, and what is known stays as it is ------------------------
 */

static bool cannot(const struct le_prober *prober, const struct lo_cell_id *id, llmgr_status status,
                   const struct llmgr_error *err, enum lo_probed *probed)
{
    if (status == LLMGR_ERR_CANCELLED)
        return false;
    lb_warn(&prober->shared->manager->host, "platform %lld: a refused key cannot be probed: %s",
            (long long)id->platform_id, err->message);
    *probed = LO_PROBED_UNSAID;
    return true;
}

static bool chat(struct le_prober *prober, const struct lo_cell_id *id,
                 const struct lr_target *target, enum lo_probed *probed)
{
    struct llmgr_error err = {0};
    struct li_test test;

    llmgr_status status =
        la_test_target(prober->shared->manager, prober->call, target, true, &test, &err);
    if (status != LLMGR_OK)
        return cannot(prober, id, status, &err, probed);
    record(prober, target, &test);
    *probed = lo_probe_judge(id->scope, &test.verdict);
    return true;
}

/* Where nothing chats in a dialect that we speak: a list says whether a key is good, and no more.
 */
static bool list(struct le_prober *prober, const struct lo_cell_id *id,
                 const struct lr_target *target, enum lo_probed *probed)
{
    struct llmgr_error err = {0};

    *probed = LO_PROBED_UNSAID;
    llmgr_status status = la_list_target(prober->shared->manager, prober->call, target, &err);
    if (id->scope != LO_SCOPE_KEY)
        return true;
    if (status != LLMGR_OK && status != LLMGR_ERR_KEY_REFUSED)
        return cannot(prober, id, status, &err, probed);
    *probed = status == LLMGR_OK ? LO_PROBED_WELL : LO_PROBED_ILL;
    return true;
}

static bool ask(struct le_prober *prober, const struct lo_cell_id *id, struct lb_arena *arena,
                enum lo_probed *probed)
{
    struct llmgr_error err = {0};
    struct lr_target target = {0};

    *probed = LO_PROBED_GONE;
    llmgr_status status = find(prober, id, arena, &target, &err);
    if (status == LLMGR_ERR_NOT_FOUND || status == LLMGR_ERR_NO_KEY)
        return true;
    if (status != LLMGR_OK)
        return cannot(prober, id, status, &err, probed);
    if (atomic_load(&prober->shared->drain->begun))
        return false;
    if (target.model_name.size == 0 || !lr_target_speaks(&target, LI_DIALECT))
        return list(prober, id, &target, probed);
    return chat(prober, id, &target, probed);
}

static void probe(struct le_prober *prober, const struct lo_cell_id *id)
{
    static const char *const WORDS[LO_PROBED_COUNT] = {
        [LO_PROBED_WELL] = "is used again",
        [LO_PROBED_ILL] = "is still refused",
        [LO_PROBED_UNSAID] = "could not be judged",
        [LO_PROBED_GONE] = "is gone",
    };
    const struct lg_shared *shared = prober->shared;
    enum lo_probed probed;
    struct lb_arena arena;
    uint64_t noise;

    lb_arena_init(&arena, &shared->manager->host, NULL, 0, ARENA_MAX);
    const bool is_asked = ask(prober, id, &arena, &probed);
    lb_arena_free(&arena);
    if (!is_asked)
        return;
    randombytes_buf(&noise, sizeof noise);
    lo_health_probed(shared->health, id, probed, lb_monotonic_ms(), noise);
    atomic_fetch_add(&prober->done.count[probed], 1);
    lb_info(&shared->manager->host, "platform %lld: the %s of cell %llu %s",
            (long long)id->platform_id, lo_scope_name(id->scope),
            (unsigned long long)lo_cell_number(id), WORDS[probed]);
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void look(void *context)
{
    struct le_prober *prober = LB_CAST(struct le_prober, context, LE_PROBER_MAGIC);
    const struct lg_shared *shared = prober->shared;
    struct lo_cell_id id;

    while (!atomic_load(&shared->drain->begun) &&
           lo_health_take_due(shared->health, lb_monotonic_ms(), &id))
        probe(prober, &id);
}

static const struct lb_ticker_face PROBING = {.tick = look};

void le_prober_init(struct le_prober *prober, const struct lg_shared *shared)
{
    prober->magic = LE_PROBER_MAGIC;
    prober->shared = shared;
    lb_ticker_init(&prober->ticker, &PROBING, TICK_MS, prober);
}

llmgr_status le_prober_start(struct le_prober *prober, struct llmgr_error *err)
{
    llmgr_status status = la_call_new(prober->shared->manager, &prober->call, err);

    return status == LLMGR_OK ? lb_ticker_start(&prober->ticker, err) : status;
}

void le_prober_end(struct le_prober *prober)
{
    if (prober->call != NULL)
        li_call_cancel(prober->call);
    lb_ticker_end(&prober->ticker);
    li_call_free(prober->call);
    prober->call = NULL;
}
