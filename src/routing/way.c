/* SPDX-License-Identifier: MIT */
/* Who is let in, and what an end leaves behind. See the header. */
#include "routing/way.h"

#include "base/error.h"
#include "routing/budget.h"

/* As far as repetitions and what was moved there already are concerned. */
static bool is_within_budget(struct lo_way *way, struct lo_entry *entry, int64_t now_ms)
{
    const int64_t platform_id = entry->candidate.platform_id;

    if (way->walk.attempts == 0)
        return true;
    if (lo_walk_was_at(&way->walk, platform_id))
        return lo_budget_repeat(way->budget, way->account, now_ms);
    entry->is_moved = lo_budget_move(way->budget, platform_id);
    return entry->is_moved;
}

bool lo_way_enter(struct lo_way *way, struct lo_entry *entry, bool is_forced, int64_t now_ms)
{
    struct lo_cooled why;

    entry->is_moved = false;
    if (lo_walk_excludes(&way->walk, &entry->candidate))
        return false;
    if (is_forced) {
        lo_health_force(now_ms, &entry->pass);
        return true;
    }
    if (!lo_health_enter(way->health, &entry->candidate, now_ms, &entry->pass, &why)) {
        lo_walk_pass(&way->walk, &why);
        return false;
    }
    if (is_within_budget(way, entry, now_ms))
        return true;
    lo_way_leave(way, entry, now_ms);
    return false;
}

void lo_entry_end(struct lo_entry *entry, struct lo_health *health, struct lo_budget *budget,
                  const struct lo_end *end)
{
    struct lo_end whole = *end;

    whole.candidate = &entry->candidate;
    whole.pass = &entry->pass;
    lo_health_end(health, &whole);
    if (entry->is_moved)
        lo_budget_left(budget, entry->candidate.platform_id);
    entry->is_moved = false;
}

void lo_way_leave(struct lo_way *way, struct lo_entry *entry, int64_t now_ms)
{
    const struct lo_end end = {
        .verdict = {.reason = LO_REASON_LEFT}, .first_byte_ms = -1, .now_ms = now_ms};

    lo_entry_end(entry, way->health, way->budget, &end);
}

bool lo_way_try(struct lo_way *way, const struct lo_entry *entry, uint32_t key_count,
                int64_t now_ms)
{
    lo_walk_try(&way->walk, &entry->candidate);
    return lo_walk_may_move(&way->walk, key_count, now_ms);
}

void lo_way_outcome(const struct lo_way *way, struct lo_outcome *outcome)
{
    const unsigned attempts = way->walk.options.attempts;

    outcome->attempts_max = attempts > 1 ? attempts : 0; /* without options: always */
    outcome->has_repeated = way->walk.has_repeated;
}

void lo_way_note(struct lo_way *way, const struct lo_entry *entry, const struct lo_verdict *verdict,
                 int64_t now_ms)
{
    struct lo_cooled why;

    if (lo_health_look(way->health, &entry->candidate, now_ms, &why))
        way->is_soft = way->is_soft || verdict->cool != LO_COOL_NONE;
    else if (way->failed_until_ms == 0 || why.until_ms < way->failed_until_ms)
        way->failed_until_ms = why.until_ms;
}

int64_t lo_way_soonest(const struct lo_way *way)
{
    return lo_least_ms(lo_walk_soonest(&way->walk), way->failed_until_ms);
}

llmgr_status lo_way_exhausted(const struct lo_way *way, struct lb_str name, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_UPSTREAM,
                   lo_way_soonest(way) != 0
                       ? N_("'%.*s': no target or key of it can be asked now")
                       : N_("'%.*s': no target or key of it can serve this request"),
                   (int)name.size, name.p);
}

int64_t lo_way_left_ms(const struct lo_way *way, int64_t now_ms)
{
    const int64_t deadline = way->walk.options.deadline_ms;

    if (deadline == 0)
        return 0;
    return deadline > now_ms ? deadline - now_ms : 1;
}
