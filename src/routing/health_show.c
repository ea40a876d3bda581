/* SPDX-License-Identifier: MIT */
/*
 * The cells as people see them, and the probes of our own: whatever walks over the whole table.
 * Each set is locked for itself, one at a time.
 */
#include "routing/health_int.h"

#include <string.h>

/* ---- For people ------------------------------------------------------------------------------ */

static bool is_theirs(struct lo_whose whose, const struct lo_cell *cell)
{
    const uint64_t owner = cell->name.owner;

    return owner == 0 ? whose.shared : owner == whose.owner;
}

static struct lo_cell_view view_of(const struct lo_cell *cell, int64_t now_ms)
{
    const struct lo_cell_id id = lo_cell_id_of(cell);

    return (struct lo_cell_view){
        .number = lo_cell_number(&id),
        .id = id,
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
        found = cell->until_ms != 0 && is_theirs(whose, cell);
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
    for (unsigned way = 0; way < LO_WAYS && number != 0; way++) {
        struct lo_cell *cell = &set->cells[way];
        if (set->numbers[way] != number || cell->until_ms == 0 || !is_theirs(whose, cell))
            continue;
        lo_cell_close(health, cell, now_ms);
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

/* Who comes when, of what is due. */
struct due {
    struct lo_cell_id id;
    unsigned last_turn; /* how many have had one since its user's last; LO_TURNS: more, or none */
    int64_t until_ms;
};

static unsigned last_turn_of(const struct lo_turns *turns, uint64_t owner)
{
    unsigned at = 0;

    while (at < LO_TURNS && turns->owners[at] != owner)
        at++;
    return at;
}

static void note_turn(struct lo_turns *turns, uint64_t owner)
{
    unsigned at = last_turn_of(turns, owner);

    if (at == LO_TURNS)
        at--;
    memmove(turns->owners + 1, turns->owners, at * sizeof turns->owners[0]);
    turns->owners[0] = owner;
}

static struct due due_of(const struct lo_health *health, const struct lo_cell *cell)
{
    const struct lo_cell_id id = lo_cell_id_of(cell);

    return (struct due){id, last_turn_of(&health->turns, id.owner), cell->until_ms};
}

/*
 * What many wait for goes first; then users take turns, for one's keys may lie where each probe
 * takes as long as it may; then what has waited longest.
 */
static bool goes_before(const struct due *a, const struct due *b)
{
    if ((a->id.owner == 0) != (b->id.owner == 0))
        return a->id.owner == 0;
    if (a->id.owner != 0 && a->last_turn != b->last_turn)
        return a->last_turn > b->last_turn;
    return a->until_ms < b->until_ms;
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
    struct due first = {.until_ms = 0};
    bool found = false;

    if (lo_health_cooled(health) == 0)
        return false;
    for (uint32_t at = 0; at < lo_place_count(health); at++) {
        const struct lo_cell *cell = lo_lock_at(health, at, &set);
        if (cell == NULL)
            continue;
        if (is_due(cell, now_ms)) {
            const struct due due = due_of(health, cell);
            first = !found || goes_before(&due, &first) ? due : first;
            found = true;
        }
        pthread_mutex_unlock(&set->lock);
    }
    if (!found || !take(health, &first.id, now_ms))
        return false;
    if (first.id.owner != 0)
        note_turn(&health->turns, first.id.owner);
    *id = first.id;
    return true;
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
