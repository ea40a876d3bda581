/* SPDX-License-Identifier: MIT */
/*
 * A request's way past the cells: may it go there, and what its end says of them. See the headers.
 *
 *   enter: reads the four cells of a candidate; a half-open one is entered by compare-and-swap
 *   end:   the cell that the fault belongs to is judged; places that it held elsewhere are free
 */
#include "routing/health.h"

#include "base/mix.h"
#include "routing/health_int.h"

/* Odd, and nothing else. */
static const uint64_t OTHER_ODD = UINT64_C(0xd6e8feb86659fd93);

enum {
    PROBE_MS = 60 * 1000,
    SHIFT_64 = 6, /* of first_byte_64 */
    HTTP_FORBIDDEN = 403,
    WEIGHT_PARTS = 8, /* the least weight of a new time is one of so many parts */
};

/* ---- Life ------------------------------------------------------------------------------------ */

static uint32_t set_count_of(uint32_t cells)
{
    uint32_t count = 1;

    while (count * LO_WAYS < cells)
        count *= 2;
    return count;
}

struct lo_health *lo_health_new(const struct lb_host *host, const struct lo_health_options *options)
{
    const uint32_t wanted = options->cells != 0 ? options->cells : LO_CELLS;
    const uint32_t count = set_count_of(wanted < LO_CELLS_MAX ? wanted : LO_CELLS_MAX);
    struct lo_health *health = lb_calloc(host, 1, sizeof *health);
    struct lo_set *sets = lb_calloc(host, count, sizeof *sets);

    if (health == NULL || sets == NULL) {
        lb_free(host, health);
        lb_free(host, sets);
        return NULL;
    }
    health->host = host;
    health->sets = sets;
    health->probes_itself = options->probes_itself;
    health->probe_ms = options->probe_ms > 0 ? options->probe_ms : PROBE_MS;
    health->hard_ms = options->hard_ms > 0 ? options->hard_ms : LO_HARD_MS;
    health->mask = count - 1;
    for (uint32_t i = 0; i < count; i++)
        (void)pthread_mutex_init(&health->sets[i].lock, NULL); /* cannot fail without attributes */
    return health;
}

void lo_health_free(struct lo_health *health)
{
    if (health == NULL)
        return;
    for (uint32_t i = 0; i <= health->mask; i++)
        (void)pthread_mutex_destroy(&health->sets[i].lock);
    lb_free(health->host, health->sets);
    lb_free(health->host, health);
}

/* ---- Names of cells -------------------------------------------------------------------------- */

struct lo_cell_id lo_cell_id(const struct lo_candidate *candidate, enum lo_scope scope)
{
    struct lo_cell_id id = {.scope = scope, .platform_id = candidate->platform_id};
    bool is_own = candidate->is_own_platform;

    if (scope == LO_SCOPE_KEY) {
        id.item = candidate->key_id;
        is_own = is_own || candidate->is_own_key;
    } else if (scope == LO_SCOPE_ACCOUNT) {
        id.item = candidate->account_id;
        is_own = is_own || candidate->is_own_key;
    } else if (scope == LO_SCOPE_MODEL) {
        id.item = (uint64_t)candidate->model_id;
        is_own = is_own || candidate->is_own_model;
    }
    id.owner = is_own ? candidate->user : 0;
    return id;
}

uint64_t lo_cell_number(const struct lo_cell_id *id)
{
    const uint64_t place = (uint64_t)id->platform_id * LO_SCOPE_COUNT + (uint64_t)id->scope;

    return lb_mix(place * OTHER_ODD ^ id->item ^ id->owner * LB_GOLDEN) | 1;
}

const char *lo_scope_name(enum lo_scope scope)
{
    static const char *const NAMES[] = {
#define LO_SCOPE_NAME(name, text) [LO_SCOPE_##name] = (text),
        LO_SCOPE_MAP(LO_SCOPE_NAME)
#undef LO_SCOPE_NAME
    };

    return NAMES[scope];
}

/* ---- May it go there? ------------------------------------------------------------------------ */

enum gate { GATE_FREE, GATE_PROBE, GATE_SHUT };

/* What a cell was seen to say; NULL: there is none, and it is free. */
struct seen {
    struct lo_cell *cell;
    enum gate gate;
};

/* What one cell says, without a lock. */
static enum gate gate_of(const struct lo_health *health, const struct lo_cell *cell, int64_t now_ms)
{
    const int64_t until_ms = atomic_load_explicit(&cell->until_ms, memory_order_acquire);

    if (until_ms == 0)
        return GATE_FREE;
    if (now_ms < until_ms || (health->probes_itself && atomic_load(&cell->is_hard)) ||
        atomic_load(&cell->probe_ms) > now_ms)
        return GATE_SHUT;
    return GATE_PROBE;
}

/* The cell of that scope, if there is one; found without a lock. */
static struct lo_cell *look_for(const struct lo_health *health,
                                const struct lo_candidate *candidate, enum lo_scope scope)
{
    const struct lo_cell_id id = lo_cell_id(candidate, scope);
    const uint64_t number = lo_cell_number(&id);
    struct lo_set *set = lo_set_of(health, number);
    unsigned way = lo_set_look(set, number, &id);

    return way < LO_WAYS ? &set->cells[way] : NULL;
}

/* Fills *why if the cell ends later than what stands there; first `why->until_ms` is 0. */
static void tell_why(const struct lo_health *health, const struct lo_candidate *candidate,
                     enum lo_scope scope, struct lo_cooled *why)
{
    const struct lo_cell_id id = lo_cell_id(candidate, scope);
    struct lo_set *set = lo_set_of(health, lo_cell_number(&id));

    pthread_mutex_lock(&set->lock);
    const struct lo_cell *cell = lo_set_find(set, &id);
    if (cell != NULL && cell->until_ms != 0) {
        int64_t until_ms = cell->until_ms > cell->probe_ms ? cell->until_ms : cell->probe_ms;
        if (until_ms > why->until_ms)
            *why = (struct lo_cooled){id, until_ms, cell->reason, cell->http_status, cell->is_hard};
    }
    pthread_mutex_unlock(&set->lock);
}

/* What all four say: the worst of it; each scope's `seen`, and *why, if it is shut. */
static enum gate look(const struct lo_health *health, const struct lo_candidate *candidate,
                      int64_t now_ms, struct seen seen[LO_SCOPE_COUNT], struct lo_cooled *why)
{
    enum gate worst = GATE_FREE;

    for (enum lo_scope scope = 0; scope < LO_SCOPE_COUNT; scope++) {
        struct lo_cell *cell = look_for(health, candidate, scope);
        seen[scope] = (struct seen){cell, cell != NULL ? gate_of(health, cell, now_ms) : GATE_FREE};
        worst = seen[scope].gate > worst ? seen[scope].gate : worst;
    }
    if (why == NULL)
        return worst;
    *why = (struct lo_cooled){.until_ms = 0};
    for (enum lo_scope scope = 0; scope < LO_SCOPE_COUNT; scope++) {
        if (seen[scope].gate == GATE_SHUT)
            tell_why(health, candidate, scope, why);
    }
    return worst;
}

/* The one probe of a half-open cell: who swaps its time in has it. */
static bool take_probe(struct lo_cell *cell, int64_t now_ms, int64_t until_ms)
{
    int64_t was_ms = atomic_load(&cell->probe_ms);

    return was_ms <= now_ms && atomic_compare_exchange_strong(&cell->probe_ms, &was_ms, until_ms);
}

/* Gives back the places of `pass` in the cells of these scopes, unless they are another's by now.
 */
static void free_probes(struct lo_health *health, const struct lo_candidate *candidate,
                        const struct lo_pass *pass, unsigned scopes)
{
    for (enum lo_scope scope = 0; scope < LO_SCOPE_COUNT; scope++) {
        struct lo_cell *cell =
            (scopes >> scope & 1) != 0 ? look_for(health, candidate, scope) : NULL;
        int64_t own_ms = pass->probe_until_ms;
        if (cell != NULL)
            (void)atomic_compare_exchange_strong(&cell->probe_ms, &own_ms, 0);
    }
}

/* Takes the probes of all cells that are half-open, or none. */
static bool take_probes(struct lo_health *health, const struct lo_candidate *candidate,
                        const struct seen seen[LO_SCOPE_COUNT], struct lo_pass *pass)
{
    for (enum lo_scope scope = 0; scope < LO_SCOPE_COUNT; scope++) {
        if (seen[scope].gate != GATE_PROBE)
            continue;
        if (!take_probe(seen[scope].cell, pass->entered_ms, pass->probe_until_ms)) {
            free_probes(health, candidate, pass, pass->probes);
            return false;
        }
        pass->probes |= (uint8_t)(1U << scope);
    }
    return true;
}

bool lo_health_enter(struct lo_health *health, const struct lo_candidate *candidate, int64_t now_ms,
                     struct lo_pass *pass, struct lo_cooled *why)
{
    struct seen seen[LO_SCOPE_COUNT];

    *pass = (struct lo_pass){.entered_ms = now_ms};
    if (atomic_load_explicit(&health->open_count, memory_order_acquire) == 0)
        return true;
    enum gate gate = look(health, candidate, now_ms, seen, why);
    if (gate != GATE_PROBE)
        return gate == GATE_FREE;
    pass->probe_until_ms = now_ms + health->probe_ms;
    if (take_probes(health, candidate, seen, pass))
        return true;
    (void)look(health, candidate, now_ms, seen, why); /* another's probe is out now */
    *pass = (struct lo_pass){.entered_ms = now_ms};
    return false;
}

bool lo_health_look(const struct lo_health *health, const struct lo_candidate *candidate,
                    int64_t now_ms, struct lo_cooled *why)
{
    struct seen seen[LO_SCOPE_COUNT];

    return atomic_load_explicit(&health->open_count, memory_order_acquire) == 0 ||
           look(health, candidate, now_ms, seen, why) != GATE_SHUT;
}

void lo_health_force(int64_t now_ms, struct lo_pass *pass)
{
    *pass = (struct lo_pass){.entered_ms = now_ms, .is_forced = true};
}

/* ---- A success ------------------------------------------------------------------------------- */

/* A mean that takes the newer for the more, the longer ago the last one was. */
static void note_time(struct lo_cell *cell, int64_t first_byte_ms, int64_t now_ms)
{
    const int64_t was = atomic_load_explicit(&cell->first_byte_64, memory_order_relaxed);
    const int64_t since = now_ms - atomic_load_explicit(&cell->well_ms, memory_order_relaxed);
    const int64_t is = first_byte_ms << SHIFT_64;
    int64_t parts = since * WEIGHT_PARTS / LO_WINDOW_MS;

    atomic_store_explicit(&cell->well_ms, now_ms, memory_order_relaxed);
    if (first_byte_ms < 0)
        return;
    if (parts < 1)
        parts = 1;
    atomic_store_explicit(
        &cell->first_byte_64,
        was < 0 || parts >= WEIGHT_PARTS ? is : was + (is - was) * parts / WEIGHT_PARTS,
        memory_order_relaxed);
}

/* Does a success of this pass end the cell's cooling? Only if it asked for it. */
static bool ends_cooling(const struct lo_end *end, const struct lo_cell *cell, enum lo_scope scope)
{
    if (cell->until_ms == 0)
        return false;
    return end->pass->is_forced ? end->pass->entered_ms >= cell->since_ms
                                : (end->pass->probes >> scope & 1) != 0 &&
                                      cell->probe_ms == end->pass->probe_until_ms;
}

static void take_success(struct lo_health *health, const struct lo_end *end, enum lo_scope scope,
                         struct lo_cell *cell)
{
    if (ends_cooling(end, cell, scope))
        lo_cell_close(health, cell, end->now_ms);
    if (cell->event_count > 0) /* of what has not failed of late nothing is counted */
        (void)lo_cell_count(cell, end->candidate->user, false, end->now_ms);
    cell->limited[0] = cell->limited[1] = 0;
    if (scope == LO_SCOPE_MODEL)
        note_time(cell, end->first_byte_ms, end->now_ms);
}

/* A success under the lock of the cell's set; of a model, also where there is no cell yet. */
static void succeed_in(struct lo_health *health, const struct lo_end *end, enum lo_scope scope)
{
    const struct lo_cell_id id = lo_cell_id(end->candidate, scope);
    struct lo_set *set = lo_set_of(health, lo_cell_number(&id));

    pthread_mutex_lock(&set->lock);
    struct lo_cell *cell = scope == LO_SCOPE_MODEL
                               ? lo_set_make(health, set, &id, LO_COOL_NONE, end->now_ms)
                               : lo_set_find(set, &id);
    if (cell != NULL)
        take_success(health, end, scope, cell);
    pthread_mutex_unlock(&set->lock);
}

/*
 * On a calm day there is no cell but the model's, and of that one only the time is noted, without
 * a lock.
 */
static void succeed(struct lo_health *health, const struct lo_end *end)
{
    struct lo_cell *cell = look_for(health, end->candidate, LO_SCOPE_MODEL);

    if (cell != NULL && atomic_load(&cell->until_ms) == 0 && atomic_load(&cell->event_count) == 0)
        note_time(cell, end->first_byte_ms, end->now_ms);
    else
        succeed_in(health, end, LO_SCOPE_MODEL);
    if (atomic_load_explicit(&health->platform_count, memory_order_relaxed) > 0 &&
        look_for(health, end->candidate, LO_SCOPE_PLATFORM) != NULL)
        succeed_in(health, end, LO_SCOPE_PLATFORM);
    if (end->pass->probes != 0 || end->pass->is_forced) {
        succeed_in(health, end, LO_SCOPE_KEY);
        succeed_in(health, end, LO_SCOPE_ACCOUNT);
    }
}

/* ---- A fault --------------------------------------------------------------------------------- */

/* LO_SCOPE_COUNT: none. */
static enum lo_scope scope_of(enum lo_fault fault)
{
    switch (fault) {
    case LO_FAULT_KEY:
        return LO_SCOPE_KEY;
    case LO_FAULT_ACCOUNT:
        return LO_SCOPE_ACCOUNT;
    case LO_FAULT_MODEL:
        return LO_SCOPE_MODEL;
    case LO_FAULT_PLATFORM:
    case LO_FAULT_NETWORK:
        return LO_SCOPE_PLATFORM;
    case LO_FAULT_NONE:
    case LO_FAULT_REQUEST:
    case LO_FAULT_OPTIONS:
    case LO_FAULT_CONTEXT:
    case LO_FAULT_OWN:
        break;
    }
    return LO_SCOPE_COUNT;
}

/*
 * What a user's own key may do, and a name of his that the platform does not know, is not what
 * others may: it says nothing of a cell that they share.
 */
static bool is_private_matter(const struct lo_candidate *candidate,
                              const struct lo_verdict *verdict, const struct lo_cell_id *id)
{
    if (id->owner != 0)
        return false;
    if (verdict->cool == LO_COOL_MISSING)
        return candidate->is_own_key;
    return candidate->is_own_model && verdict->http_status == HTTP_FORBIDDEN;
}

/*
 * Of a cell that is cooled, and from an attempt that began before it was: only a Retry-After, or
 * that it is worse than it seemed, is news.
 */
static bool is_news(const struct lo_end *end, const struct lo_cell *cell)
{
    if (cell->until_ms == 0 ||
        (end->now_ms >= cell->until_ms && end->pass->entered_ms >= cell->since_ms))
        return true;
    return (end->verdict.cool == LO_COOL_UNTIL && end->verdict.retry_after_ms > 0) ||
           (end->verdict.cool == LO_COOL_HARD && !cell->is_hard);
}

/* What counts towards a rate: is it reached? */
static bool counts_enough(const struct lo_end *end, struct lo_cell *cell)
{
    const int64_t floor_ms = end->now_ms + end->verdict.retry_after_ms;

    if (end->verdict.retry_after_ms > 0 && floor_ms > cell->floor_ms)
        cell->floor_ms = floor_ms;
    return lo_cell_count(cell, end->candidate->user, true, end->now_ms);
}

static void take_fault(struct lo_health *health, const struct lo_end *end, struct lo_cell *cell)
{
    const struct lo_verdict *verdict = &end->verdict;
    const struct lo_cooling cooling = {verdict->cool,        verdict->reason,
                                       verdict->http_status, verdict->retry_after_ms,
                                       end->now_ms,          end->noise};

    if (!is_news(end, cell))
        return;
    if (cell->until_ms == 0 && verdict->cool == LO_COOL_MISSING && cell->well_ms == 0)
        return;
    if (cell->until_ms == 0 && verdict->cool == LO_COOL_COUNT && !counts_enough(end, cell))
        return;
    lo_cell_cool(health, cell, &cooling);
}

/*
 * Another account of the platform is told to wait. True: so were LO_LIMITED_MAX others just before,
 * and no success came between: the address is meant.
 */
static bool is_address_limited(struct lo_health *health, const struct lo_end *end)
{
    const struct lo_cell_id id = lo_cell_id(end->candidate, LO_SCOPE_PLATFORM);
    const uint64_t account = end->candidate->account_id;
    struct lo_set *set = lo_set_of(health, lo_cell_number(&id));
    bool is_meant = false;

    pthread_mutex_lock(&set->lock);
    struct lo_cell *cell = lo_set_make(health, set, &id, LO_COOL_NONE, end->now_ms);
    if (cell != NULL) {
        if (end->now_ms - cell->limited_ms > LO_LIMITED_MS)
            cell->limited[0] = cell->limited[1] = 0;
        unsigned i = 0;
        while (i < LO_LIMITED_MAX && cell->limited[i] != 0 && cell->limited[i] != account)
            i++;
        is_meant = i == LO_LIMITED_MAX;
        if (!is_meant)
            cell->limited[i] = account;
        cell->limited_ms = end->now_ms;
    }
    pthread_mutex_unlock(&set->lock);
    return is_meant;
}

static void fail(struct lo_health *health, const struct lo_end *end, enum lo_scope scope)
{
    const struct lo_cell_id id = lo_cell_id(end->candidate, scope);
    struct lo_set *set = lo_set_of(health, lo_cell_number(&id));

    if (is_private_matter(end->candidate, &end->verdict, &id))
        return;
    pthread_mutex_lock(&set->lock);
    struct lo_cell *cell = lo_set_make(health, set, &id, end->verdict.cool, end->now_ms);
    if (cell != NULL)
        take_fault(health, end, cell);
    pthread_mutex_unlock(&set->lock);
}

void lo_health_end(struct lo_health *health, const struct lo_end *end)
{
    const struct lo_verdict *verdict = &end->verdict;
    const struct lo_candidate *candidate = end->candidate;
    enum lo_scope scope;

    if (verdict->reason == LO_REASON_ANSWERED) {
        succeed(health, end);
    } else if ((scope = scope_of(verdict->fault)) != LO_SCOPE_COUNT &&
               verdict->cool != LO_COOL_NONE) {
        /* A user's own key says nothing of the address that others' keys share. */
        if (verdict->reason == LO_REASON_LIMIT &&
            candidate->is_own_key == candidate->is_own_platform && is_address_limited(health, end))
            scope = LO_SCOPE_PLATFORM;
        fail(health, end, scope);
    }
    if (end->pass->probes != 0)
        free_probes(health, candidate, end->pass, end->pass->probes);
}

int64_t lo_health_first_byte(const struct lo_health *health, const struct lo_candidate *candidate,
                             int64_t now_ms)
{
    const struct lo_cell *cell = look_for(health, candidate, LO_SCOPE_MODEL);

    if (cell == NULL || now_ms - atomic_load(&cell->well_ms) > LO_STALE_MS)
        return -1;
    int64_t time = atomic_load(&cell->first_byte_64);
    return time < 0 ? -1 : time >> SHIFT_64;
}
