/* SPDX-License-Identifier: MIT */
/*
 * What ends an answer is a name that says so, what fails it an error that says something. A usage
 * is believed as far as the text that had come when it was reported.
 */
#include "dialect/tap_ends.h"

#include <string.h>

#include "dialect/tap_refusal.h"

static void take_type(struct ld_filter_report *report, struct lb_str type)
{
    static const struct {
        struct lb_str type;
        bool terminal, failed;
    } ENDS[] = {
        {LB_STR("message_stop"), true, false},        {LB_STR("response.completed"), true, false},
        {LB_STR("response.incomplete"), true, false}, {LB_STR("response.done"), true, false},
        {LB_STR("response.cancelled"), true, false},  {LB_STR("response.failed"), true, true},
        {LB_STR("response.error"), false, true},      {LB_STR("error"), false, true},
    };

    /* Most types are another's, and none of these ends in a letter but p, d, e and r. */
    char last = type.size > 0 ? type.p[type.size - 1] : 't';
    if (last != 'p' && last != 'd' && last != 'e' && last != 'r')
        return;
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        if (!lb_str_eq(type, ENDS[i].type))
            continue;
        report->terminal |= ENDS[i].terminal;
        report->failed |= ENDS[i].failed;
        report->finish |= ENDS[i].terminal && !ENDS[i].failed;
    }
}

/* response.web_search_call.in_progress and others: a tool's, whether it has arguments or not. */
static bool is_call(const char *type)
{
    return strstr(type, "_call") != NULL;
}

/* What describes a thing of a native path has an error of the thing's, not of this answer. */
bool ld_tap_is_failed(const struct ld_tap *tap)
{
    if (tap->sniff.error)
        return !tap->native || tap->filter.stream || !tap->sniff.thing;
    return ld_tap_is_complaint(tap);
}

void ld_tap_absorb(struct ld_tap *tap, struct lb_str event_type)
{
    struct ld_filter_report *report = &tap->filter.report;
    const struct ld_sniff *sniff = &tap->sniff;

    report->failed |= ld_tap_is_failed(tap);
    report->finish |= sniff->finish;
    report->content |= sniff->text_size > 0 || sniff->tool ||
                       (tap->rule == LD_USAGE_RESPONSES && is_call(sniff->type));
    report->output_size += sniff->text_size;
    if (sniff->usage_found &&
        ld_usage_read_text(&report->usage, tap->rule, &tap->parts, lb_buf_str(&sniff->usage))) {
        report->usage_reported =
            report->usage.prompt_tokens >= 0 || report->usage.completion_tokens >= 0;
        report->counted_size = report->output_size;
    }
    /* An event without its empty line may be cut: it must be whole to say that all is. */
    if (tap->filter.stream && (!tap->ended || sniff->whole))
        take_type(report, sniff->type[0] != '\0' ? lb_cstr(sniff->type) : event_type);
    report->told = report->failed && !tap->cut;
}
