/* SPDX-License-Identifier: MIT */
/*
 * Platforms answer errors with status 200 too, whole and as an event, and quote keys there as well.
 * An event is whole when it is judged. A whole answer is held until it shows what it is:
 *
 *     held --choices, output, usage, a list--> good: passes from then on, without a copy
 *          --an error, or its end-->           shown to the owner, then handed out
 *
 * Most answers show it in their first read, and small ones come in one: nothing is held of them. An
 * error that begins behind the start of an answer is held from there on.
 */
#include "dialect/tap_refusal.h"

#include <string.h>

#include "dialect/tap_ends.h"

static bool says_error(const char *type, size_t size)
{
    char last = size > 0 ? type[size - 1] : '\0';

    return (last == 'r' && size >= 5 && memcmp(type + size - 5, "error", 5) == 0) ||
           (last == 'd' && size >= 6 && memcmp(type + size - 6, "failed", 6) == 0);
}

/* Is there anything in it that a model's answer has? */
static bool is_answer(const struct ld_sniff *sniff)
{
    return sniff->choices || sniff->list || sniff->usage_found || sniff->texts > 0 || sniff->finish;
}

/* A code of failure with its text, and nothing else: {"code": 401, "msg": "..."}. */
static bool is_accusation(const struct ld_sniff *sniff)
{
    return sniff->accuses && sniff->complains && sniff->type[0] == '\0' && !is_answer(sniff);
}

bool ld_tap_is_refusal(const struct ld_tap *tap, struct lb_str event_type)
{
    const struct ld_sniff *sniff = &tap->sniff;

    return sniff->error || sniff->error_inside || is_accusation(sniff) ||
           says_error(sniff->type, strlen(sniff->type)) ||
           says_error(event_type.p, event_type.size);
}

void ld_tap_refuse(struct ld_tap *tap, struct lb_str text)
{
    if (tap->refusal != NULL && text.size > 0) /* the bytes are the reader's buffer or our own */
        tap->refusal(tap->context, (char *)(uintptr_t)text.p, text.size);
}

struct lb_str ld_tap_event_type(struct lb_str raw)
{
    const struct lb_str name = LB_STR("event:");
    size_t end = 0;

    if (!lb_str_starts(raw, name))
        return LB_STR("");
    while (end < raw.size && raw.p[end] != '\n' && raw.p[end] != '\r')
        end++;
    return lb_str_trim(lb_str_sub(raw, name.size, end));
}

bool ld_tap_is_complaint(const struct ld_tap *tap)
{
    const struct ld_sniff *sniff = &tap->sniff;

    if (!sniff->whole)
        return false;
    if (tap->filter.stream)
        return is_accusation(sniff);
    if (tap->native)
        return is_accusation(sniff) && !sniff->thing;
    return (sniff->accuses || (sniff->complains && !sniff->fine)) &&
           ld_tap_is_suspect(tap, LB_STR(""));
}

bool ld_tap_is_suspect(const struct ld_tap *tap, struct lb_str event_type)
{
    return ld_tap_is_refusal(tap, event_type) ||
           (!tap->native && tap->sniff.type[0] == '\0' && !is_answer(&tap->sniff));
}

bool ld_tap_judge_event(struct ld_tap *tap, struct lb_str raw, struct lb_str event_type)
{
    if (!ld_tap_is_suspect(tap, event_type))
        return true;
    if (raw.size > LD_TAP_HOLD_MAX) {
        tap->cut = tap->filter.report.failed = true;
        tap->filter.report.told = false;
        return false;
    }
    ld_tap_refuse(tap, raw);
    return true;
}

/* ---- Whole answers --------------------------------------------------------------------------- */

/* What native paths answer may be anything; of the others, what is no object is no answer. */
static bool is_good(const struct ld_tap *tap)
{
    const struct ld_sniff *sniff = &tap->sniff;

    return is_answer(sniff) ||
           (tap->native && (sniff->element || (sniff->deaf && !sniff->started)));
}

static void hand_out_held(struct ld_tap *tap, struct ld_filter_out *out)
{
    ld_filter_put(out, lb_buf_str(&tap->carry[0]));
    tap->handed = true;
}

/* An error, or what may be one, goes out. A native path's own data is nobody's to change. */
static void look_at(struct ld_tap *tap, struct lb_str text)
{
    tap->filter.report.failed |= ld_tap_is_failed(tap);
    if (!tap->native || ld_tap_is_refusal(tap, LB_STR("")))
        ld_tap_refuse(tap, text);
}

/* `in` and what is held are more than may be, or memory is short. */
static void give_up(struct ld_tap *tap, struct lb_str in, struct ld_filter_out *out)
{
    look_at(tap, lb_buf_str(&tap->carry[0]));
    hand_out_held(tap, out);
    if (!tap->native && ld_tap_is_refusal(tap, LB_STR(""))) {
        tap->cut = true;
        tap->filter.report.withheld += in.size;
        return;
    }
    look_at(tap, in);
    ld_filter_put(out, in);
    tap->good = true; /* unless an error follows */
}

void ld_tap_feed_whole(struct ld_tap *tap, struct lb_str in, struct ld_filter_out *out)
{
    struct lb_buf *held = &tap->carry[0];

    if (tap->handed)
        lb_buf_free(held);
    tap->handed = false;
    ld_sniff_feed(&tap->sniff, in.p, in.size);
    if (tap->cut) {
        tap->filter.report.withheld += in.size;
        return;
    }
    bool refusal = ld_tap_is_refusal(tap, LB_STR(""));
    tap->good = (tap->good || is_good(tap)) && !refusal;
    if (tap->good) {
        hand_out_held(tap, out);
        ld_filter_put(out, in);
        return;
    }
    if (held->size == 0 && tap->sniff.whole && in.size <= LD_TAP_HOLD_MAX) {
        look_at(tap, in);
        ld_filter_put(out, in);
        return;
    }
    size_t before = held->size;
    held->limit = LD_TAP_HOLD_MAX;
    lb_buf_add_str(held, in);
    if (held->failed != LLMGR_OK) {
        lb_buf_cut(held, before);
        give_up(tap, in, out);
    }
}

void ld_tap_finish_whole(struct ld_tap *tap, struct ld_filter_out *out)
{
    if (tap->handed || tap->cut)
        return;
    look_at(tap, lb_buf_str(&tap->carry[0]));
    hand_out_held(tap, out);
}
