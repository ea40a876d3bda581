/* SPDX-License-Identifier: MIT */
/*
 * Hours as catalogues have them: in UTC, and the weekday is that of the moment. Ours is that on
 * which the hours begin, so hours over midnight of certain days only are told in two parts.
 */
#include "budget/import_read.h"

#include <stdio.h>

enum { MINUTES = 24 * 60, WEEK = 7, EVERY_DAY = (1 << WEEK) - 1 };

static const char *const DAYS[WEEK] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

int lq_day_find(struct lb_str name)
{
    for (int i = 0; i < WEEK; i++) {
        if (lb_str_eq_nocase(lb_str_sub(name, 0, 3), lb_cstr(DAYS[i])))
            return i;
    }
    return -1;
}

bool lq_window_same(const struct lq_window *a, const struct lq_window *b)
{
    return a->days == b->days && a->from == b->from && a->until == b->until;
}

static bool contains(const struct lq_window *window, int minute)
{
    const bool begun = minute >= window->from;
    const bool ended = minute >= window->until;

    return window->from < window->until ? begun && !ended : begun || !ended;
}

bool lq_window_meets(const struct lq_window *a, const struct lq_window *b)
{
    const unsigned days_a = a->days != 0 ? a->days : EVERY_DAY;
    const unsigned days_b = b->days != 0 ? b->days : EVERY_DAY;

    for (int minute = 0; (days_a & days_b) != 0 && minute < MINUTES; minute++) {
        if (contains(a, minute) && contains(b, minute))
            return true;
    }
    return false;
}

static llmgr_status hand_out(const struct lq_text *text, unsigned days, int from, int until,
                             struct lq_offer *offer, struct llmgr_error *err)
{
    char hours[LLMGR_PRICE_HOURS_MAX + 1];
    size_t at = 0;

    for (int i = 0; i < WEEK; i++) {
        if ((days >> i & 1) != 0)
            at +=
                (size_t)snprintf(hours + at, sizeof hours - at, "%s%s", at > 0 ? "," : "", DAYS[i]);
    }
    snprintf(hours + at, sizeof hours - at, "%s%02d:%02d-%02d:%02d", at > 0 ? " " : "", from / 60,
             from % 60, until / 60, until % 60);
    offer->hours = lb_cstr(hours);
    offer->time_zone = LB_STR("UTC");
    return text->reading->take(text->reading->context, offer, err);
}

llmgr_status lq_window_hand_out(const struct lq_text *text, const struct lq_window *window,
                                struct lq_offer *offer, struct llmgr_error *err)
{
    const int from = window->from;
    const int until = window->until;

    if (from == until) /* the whole day */
        return hand_out(text, window->days, 0, MINUTES, offer, err);
    if (window->days == 0 || from < until || until == 0)
        return hand_out(text, window->days, from, until, offer, err);
    llmgr_status status = hand_out(text, window->days, from, 0, offer, err);
    return status == LLMGR_OK ? hand_out(text, window->days, 0, until, offer, err) : status;
}
