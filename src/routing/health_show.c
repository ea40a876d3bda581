/* SPDX-License-Identifier: MIT */
/*
 * The cells as people see them, and the probes of our own: whatever walks over the whole table.
 * Each set is locked for itself, one at a time.
 */
#include "routing/health_int.h"

/* ---- For people ------------------------------------------------------------------------------ */

static bool is_theirs(struct lo_whose whose, const struct lo_cell_id *id)
{
    return id->owner == 0 ? whose.shared : id->owner == whose.owner;
}

static struct lo_cell_view view_of(const struct lo_cell *cell, int64_t now_ms)
{
    return (struct lo_cell_view){
        .number = lo_cell_number(&cell->id),
        .id = cell->id,
        .state = now_ms < cell->until_ms ? LO_CELL_COOLED : LO_CELL_HALF_OPEN,
        .since_ms = cell->since_ms,
        .until_ms = cell->until_ms,
        .reason = cell->reason,
        .http_status = cell->http_status,
        .streak = cell->streak,
        .is_hard = cell->is_hard,
    };
}

bool lo_health_next(const struct lo_health *health, struct lo_whose whose, int64_t now_ms,
                    uint32_t *at, struct lo_cell_view *view)
{
    struct lo_set *set;
    bool found = false;

    while (!found && *at < lo_place_count(health)) {
        const struct lo_cell *cell = lo_lock_at(health, (*at)++, &set);
        if (cell == NULL)
            continue;
        found = cell->until_ms != 0 && is_theirs(whose, &cell->id);
        if (found)
            *view = view_of(cell, now_ms);
        pthread_mutex_unlock(&set->lock);
    }
    return found;
}

bool lo_health_reset(struct lo_health *health, struct lo_whose whose, uint64_t number,
                     int64_t now_ms)
{
    struct lo_set *set = lo_set_of(health, number);
    bool found = false;

    pthread_mutex_lock(&set->lock);
    unsigned way = number != 0 ? lo_set_look(set, number) : LO_WAYS;
    if (way < LO_WAYS && set->cells[way].until_ms != 0 && is_theirs(whose, &set->cells[way].id)) {
        lo_cell_close(health, &set->cells[way], now_ms);
        found = true;
    }
    pthread_mutex_unlock(&set->lock);
    return found;
}

uint32_t lo_health_cooled(const struct lo_health *health)
{
    return atomic_load(&health->open_count);
}

/* ---- Probes of our own ----------------------------------------------------------------------- */

static bool is_due(const struct lo_cell *cell, int64_t now_ms)
{
    return cell->is_hard && now_ms >= cell->until_ms && cell->probe_ms <= now_ms;
}

/* What many wait for goes first, then what has waited longest. */
static bool goes_before(const struct lo_cell *cell, const struct lo_cell_id *id, int64_t until_ms)
{
    if ((cell->id.owner == 0) != (id->owner == 0))
        return cell->id.owner == 0;
    return cell->until_ms < until_ms;
}

/* Whatever else looks for it meanwhile, or takes its place, nobody but the caller takes probes. */
static bool take(struct lo_health *health, const struct lo_cell_id *id, int64_t now_ms)
{
    struct lo_set *set = lo_set_of(health, lo_cell_number(id));

    pthread_mutex_lock(&set->lock);
    struct lo_cell *cell = lo_set_find(set, id);
    const bool is_taken = cell != NULL && is_due(cell, now_ms);
    if (is_taken)
        cell->probe_ms = now_ms + health->probe_ms;
    pthread_mutex_unlock(&set->lock);
    return is_taken;
}

bool lo_health_take_due(struct lo_health *health, int64_t now_ms, struct lo_cell_id *id)
{
    struct lo_set *set;
    int64_t until_ms = 0;
    bool found = false;

    if (lo_health_cooled(health) == 0)
        return false;
    for (uint32_t at = 0; at < lo_place_count(health); at++) {
        const struct lo_cell *cell = lo_lock_at(health, at, &set);
        if (cell == NULL)
            continue;
        if (is_due(cell, now_ms) && (!found || goes_before(cell, id, until_ms))) {
            found = true;
            *id = cell->id;
            until_ms = cell->until_ms;
        }
        pthread_mutex_unlock(&set->lock);
    }
    return found && take(health, id, now_ms);
}

/*
 * A platform that looks at the request first may find fault with it, or with the model: then it has
 * let the key pass. To be wrong in that costs one request, which finds the key refused as before.
 */
enum lo_probed lo_probe_judge(enum lo_scope scope, const struct lo_verdict *verdict)
{
    const bool is_refused = verdict->reason == LO_REASON_KEY;

    if (verdict->reason == LO_REASON_BILLING && scope == LO_SCOPE_ACCOUNT)
        return LO_PROBED_ILL;
    if (is_refused && scope == LO_SCOPE_KEY)
        return LO_PROBED_ILL;
    if (is_refused || verdict->http_status == 0 || verdict->cool == LO_COOL_COUNT ||
        verdict->reason == LO_REASON_PROXY)
        return LO_PROBED_UNSAID;
    return LO_PROBED_WELL;
}

void lo_health_probed(struct lo_health *health, const struct lo_cell_id *id, enum lo_probed probed,
                      int64_t now_ms, uint64_t noise)
{
    struct lo_set *set = lo_set_of(health, lo_cell_number(id));

    pthread_mutex_lock(&set->lock);
    struct lo_cell *cell = lo_set_find(set, id);
    if (cell != NULL && (probed == LO_PROBED_WELL || probed == LO_PROBED_GONE)) {
        lo_cell_close(health, cell, now_ms);
    } else if (cell != NULL && cell->until_ms != 0 && now_ms >= cell->until_ms) {
        const struct lo_cooling cooling = {LO_COOL_HARD, cell->reason, cell->http_status,
                                           -1,           now_ms,       noise};
        if (probed == LO_PROBED_UNSAID && cell->streak > 0)
            cell->streak--;
        lo_cell_cool(health, cell, &cooling);
    }
    pthread_mutex_unlock(&set->lock);
}

void lo_health_answered(struct lo_health *health, const struct lo_candidate *candidate,
                        int64_t now_ms)
{
    for (enum lo_scope scope = LO_SCOPE_KEY; scope <= LO_SCOPE_ACCOUNT; scope++) {
        const struct lo_cell_id id = lo_cell_id(candidate, scope);
        struct lo_set *set = lo_set_of(health, lo_cell_number(&id));

        pthread_mutex_lock(&set->lock);
        struct lo_cell *cell = lo_set_find(set, &id);
        if (cell != NULL && cell->is_hard)
            lo_cell_close(health, cell, now_ms);
        pthread_mutex_unlock(&set->lock);
    }
}
