/* SPDX-License-Identifier: MIT */
/*
 * Explain: the resolver lists candidates and their keys, and asks here of each whether it is let
 * alone; the price that would decide is added. Who may not know how the server's keys do hears
 * until when that lasts, and no more.
 */
#include "library/explain.h"

#include "base/magic.h"
#include "budget/book.h"
#include "budget/prices.h"
#include "manager/manager.h"
#include "resolve/resolve.h"
#include "routing/hash.h"
#include "routing/target.h"

enum { ASKING_MAGIC = 0x6c616578 };

struct asking {
    unsigned magic;
    const struct la_explain_as *as;
    struct lo_clocks clocks;
    uint64_t user; /* hash of who asks */
};

bool la_cell_is_told(const struct lo_cell_id *id, bool is_admin)
{
    const bool is_of_keys = id->scope == LO_SCOPE_KEY || id->scope == LO_SCOPE_ACCOUNT;

    return id->owner != 0 || !is_of_keys || is_admin;
}

/* False: memory. */
static bool tell(const struct lo_cooled *why, struct lb_str account, struct lb_arena *arena,
                 struct llmgr_cooled *cooled)
{
    const bool is_account = why->id.scope == LO_SCOPE_ACCOUNT && account.size > 0;

    cooled->cell_id = lb_arena_printf(arena, "%llu", (unsigned long long)lo_cell_number(&why->id));
    cooled->scope = lo_scope_name(why->id.scope);
    cooled->account = is_account ? lb_arena_str(arena, account).p : NULL;
    cooled->reason = lo_reason_name(why->reason);
    cooled->upstream_status = why->http_status;
    return cooled->cell_id != NULL && (!is_account || cooled->account != NULL);
}

static bool look(void *context, const struct lr_target *target, struct lb_str account,
                 struct lb_arena *arena, const struct llmgr_cooled **cooled)
{
    const struct asking *asking = LB_CAST(struct asking, context, ASKING_MAGIC);
    const struct lo_candidate candidate = lo_candidate_of(target, asking->user);
    struct lo_cooled why;

    if (lo_health_look(asking->as->health, &candidate, asking->clocks.now_ms, &why))
        return true;
    struct llmgr_cooled *made = lb_arena_calloc(arena, 1, sizeof *made);
    if (made == NULL)
        return false;
    made->until_ms = why.until_ms + asking->clocks.wall_ms - asking->clocks.now_ms;
    *cooled = made;
    return !la_cell_is_told(&why.id, asking->as->is_admin) || tell(&why, account, arena, made);
}

/* ---- Prices ---------------------------------------------------------------------------------- */

/* Which price decides is the book's to say, what it is the row's; both are read when asked. */
static llmgr_status add_price(struct lm_manager *core, const struct lq_book *book,
                              struct llmgr_candidate *candidate, struct lb_arena *arena,
                              struct llmgr_error *err)
{
    struct llmgr_price_query query = {.size = sizeof query, .ended = true, .limit = 1};
    struct lq_use use = {.at_ms = lb_now_ms(lm_host(core))};
    struct llmgr_price_list list = {0};

    if (candidate->platform_id == 0 || candidate->model_name == NULL)
        return LLMGR_OK;
    const struct lq_price *price =
        lq_book_find(book, candidate->platform_id, lb_cstr(candidate->model_name), &use);
    if (price == NULL)
        return LLMGR_OK;
    query.after = price->id - 1;
    llmgr_status status = lq_prices_list(core, la_user(NULL), &query, arena, &list, err);
    if (status == LLMGR_OK && list.count != 0)
        candidate->price = &list.items[0];
    return status;
}

static llmgr_status add_prices(struct lm_manager *core, struct llmgr_explanation *explanation,
                               struct lb_arena *arena, struct llmgr_error *err)
{
    struct lq_book *book = lq_book_now(core);
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < explanation->count && book != NULL && status == LLMGR_OK; i++)
        status = add_price(core, book, &explanation->items[i], arena, err);
    lq_book_drop(book);
    return status;
}

llmgr_status la_explain(struct llmgr *manager, const char *user, const char *slot,
                        const char *model, const struct la_explain_as *as,
                        struct llmgr_explanation *explanation, struct llmgr_error *err)
{
    struct lm_manager *core = manager->manager;
    const struct lr_request request = {
        .user = la_user(user),
        .slot = lb_cstr(slot),
        .model = lb_cstr(model),
        .allowed = as->allowed,
    };
    struct asking asking = {
        .magic = ASKING_MAGIC,
        .as = as,
        .clocks = {.now_ms = lb_monotonic_ms(), .wall_ms = lb_now_ms(&manager->host)},
        .user = lo_hash(lm_effective_user(core, request.user)),
    };
    const struct lr_explain_with with = {
        .server_keys = as->is_admin, .look = as->health != NULL ? look : NULL, .context = &asking};
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_explanation made = {0};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lr_explain(core, &request, &with, &result->arena, &made, err);
    if (status == LLMGR_OK)
        status = add_prices(core, &made, &result->arena, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    made.memory = result;
    *explanation = made;
    return LLMGR_OK;
}

llmgr_status llmgr_explain(struct llmgr *manager, const char *user, const char *slot,
                           const char *model, struct llmgr_explanation *explanation,
                           struct llmgr_error *err)
{
    const struct la_routing *routing = atomic_load(&manager->routing);
    const struct la_explain_as as = {
        .is_admin = lm_is_system_user(lm_effective_user(manager->manager, la_user(user))),
        .health = routing != NULL ? routing->health : NULL};

    return la_explain(manager, user, slot, model, &as, explanation, err);
}
