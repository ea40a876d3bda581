/* SPDX-License-Identifier: MIT */
/*
 * An event stream is cut at its empty lines; each whole event is looked at once and passes, or
 * not. Runs of events that pass go out as one slice of what came in:
 *
 *     read 1:  [event][event][usage chunk][eve      out: [event][event]        kept: "eve"
 *     read 2:  nt][event]                           out: "event" from the carry, [event]
 *
 * The two carries take turns, for the one handed out has to live until the next call.
 */
#include "dialect/tap.h"

#include <string.h>

#include "base/list.h"
#include "dialect/look.h"
#include "dialect/tap_ends.h"
#include "dialect/tap_extra.h"
#include "dialect/tap_lines.h"
#include "dialect/tap_refusal.h"
#include "http/scan.h"
#include "http/sse.h"

enum {
    KEEP_MAX = 4096, /* a carry that grew beyond this is given back after its event */
    BLANK_MAX = 8,   /* bytes without data that hold no key: empty lines come by the million */
};

/* One call of feed. */
struct pass {
    struct ld_tap *tap;
    struct lb_str in;
    struct ld_filter_out *out;
    size_t run;   /* bytes of `in` before this are handed out or withheld */
    size_t event; /* where the current event's bytes in `in` start */
};

static bool is_stream(struct lb_str content_type)
{
    struct lb_str type = lb_str_sub(content_type, 0, lb_str_find(content_type, ';'));

    return lb_str_eq_nocase(lb_str_trim(type), LB_STR("text/event-stream"));
}

static struct ld_tap *tap_of(struct ld_filter *filter)
{
    return LB_CONTAINER(filter, struct ld_tap, filter);
}

static const struct ld_tap *looked_at(const struct ld_filter *filter)
{
    return (const void *)filter; /* its first member */
}

/* ---- Events -----------------------------------------------------------------------------------
 */

/* What follows the name of an event's first line, up to its end; `next`: where the next begins. */
static struct lb_str first_line(struct lb_str raw, size_t from, size_t *next)
{
    size_t end = lh_find_eol(raw.p, from, raw.size);

    *next = end + 1;
    if (end + 1 < raw.size && raw.p[end] == '\r' && raw.p[end + 1] == '\n')
        *next = end + 2;
    return lb_str_sub(raw, from < end && raw.p[from] == ' ' ? from + 1 : from, end);
}

/* The usual event, "data: ..." and an empty line, behind its type or not, without the ceremony. */
static bool plain_data(struct lb_str raw, struct lb_str *type, struct lb_str *data)
{
    const struct lb_str names[] = {LB_STR("event:"), LB_STR("data:")};
    size_t next;

    *type = LB_STR("");
    if (lb_str_starts(raw, names[0])) {
        *type = first_line(raw, names[0].size, &next);
        raw = lb_str_sub(raw, next, raw.size);
    }
    if (!lb_str_starts(raw, names[1]))
        return false;
    *data = first_line(raw, names[1].size, &next);
    for (size_t at = next - 1; at < raw.size; at++) {
        if (raw.p[at] != '\n' && raw.p[at] != '\r')
            return false;
    }
    return true;
}

/*
 * An event that did no more than add one text may come again with another. What else it said (a
 * type, a finish) is in the report, where it would be put again; a usage is of its own event.
 */
static void remember_event(struct ld_tap *tap, struct lb_str raw)
{
    const struct ld_sniff *sniff = &tap->sniff;
    const struct lb_str text = sniff->last;

    if (sniff->texts == 1 && !sniff->usage_found && text.p > raw.p && text.p < raw.p + raw.size)
        ld_echo_keep(&tap->echo, raw, text);
}

/* Is it the event before with another text? Then it is read. */
static bool take_echo(struct ld_tap *tap, struct lb_str raw)
{
    uint64_t text_size;

    if (!ld_echo_is(&tap->echo, raw, &text_size) || tap->read_all)
        return false;
    tap->filter.report.events++;
    tap->filter.report.content |= text_size > 0;
    tap->filter.report.output_size += text_size;
    return true;
}

/* Its first line ends the stream, whatever may follow (note_done may have heard it already). */
static bool is_done(struct lb_str data)
{
    const struct lb_str done = LB_STR("[DONE]");

    return lb_str_starts(data, done) &&
           lb_str_trim(lb_str_sub(data, done.size, lb_str_find(data, '\n'))).size == 0;
}

/* Reads the data of the event `raw`. False: it is to be withheld. */
static bool take_data(struct ld_tap *tap, struct lb_str raw, struct lb_str data, struct lb_str type)
{
    tap->filter.report.events++;
    data = lb_str_trim(data);
    if (is_done(data)) {
        tap->filter.report.terminal = true;
        return true;
    }
    bool finished = tap->filter.report.finish;
    ld_sniff_reset(&tap->sniff);
    ld_sniff_feed(&tap->sniff, data.p, data.size);
    ld_tap_absorb(tap, type);
    remember_event(tap, raw);
    return ld_tap_judge_event(tap, raw, type) && !ld_tap_is_extra(tap, data, finished);
}

/* An event of several lines, or none of data. */
static bool take_lines(struct ld_tap *tap, struct lb_str raw)
{
    struct lh_sse sse;
    struct lh_sse_event event;
    size_t used;
    bool pass = true;

    lh_sse_init(&sse, tap->host, raw.size);
    enum lh_result result = lh_sse_next(&sse, raw.p, raw.size, &used, &event);
    if (result == LH_MORE)
        result = lh_sse_finish(&sse, &event);
    if (result == LH_DONE && event.has_data)
        pass = take_data(tap, raw, event.data, event.type);
    else if (raw.size > BLANK_MAX) /* nothing that a client would read, but it leaves */
        ld_tap_refuse(tap, raw);
    lh_sse_free(&sse);
    return pass;
}

/* Reads one whole event. False: it is to be withheld. */
static bool take_event(struct ld_tap *tap, struct lb_str raw)
{
    struct lb_str type, data;

    if (take_echo(tap, raw))
        return true;
    if (plain_data(raw, &type, &data))
        return take_data(tap, raw, data, type);
    return take_lines(tap, raw);
}

/* ---- Handing out ----------------------------------------------------------------------------- */

/* What may pass up to `end` goes out; what follows starts at `next`. */
static void flush_pass(struct pass *pass, size_t end, size_t next)
{
    ld_filter_put(pass->out, lb_str_sub(pass->in, pass->run, end));
    pass->run = next;
}

static void empty_buf(struct lb_buf *buf)
{
    if (buf->capacity > KEEP_MAX)
        lb_buf_free(buf);
    lb_buf_reset(buf);
}

/* The carry goes out; the other one takes the next event that is cut. */
static void flush_carry(struct pass *pass)
{
    struct ld_tap *tap = pass->tap;

    ld_filter_put(pass->out, lb_buf_str(&tap->carry[tap->current]));
    tap->current ^= 1;
}

/* Where the JSON of an event begins that is read without regard to its lines. */
static void sniff_loose(struct ld_sniff *sniff, struct lb_str bytes)
{
    size_t from = sniff->started ? 0 : lb_str_find(bytes, '{');
    if (from < bytes.size)
        ld_sniff_feed(sniff, bytes.p + from, bytes.size - from);
}

/* Is its first line the one that ends a stream? */
static bool begins_done(struct lb_str start)
{
    const struct lb_str name = LB_STR("data:");
    size_t end = lh_find_eol(start.p, 0, start.size);

    return end < start.size && lb_str_starts(start, name) &&
           is_done(lb_str_trim(lb_str_sub(start, name.size, end)));
}

/*
 * The current event is too long to be held, or memory is short: from here on it passes in pieces,
 * and is read as it passes.
 */
static void let_loose(struct pass *pass)
{
    struct ld_tap *tap = pass->tap;
    struct lb_buf *carry = &tap->carry[tap->current];
    /* What decides is as much of the event as may be held, however it came. */
    size_t known = carry->size < tap->event_max ? tap->event_max - carry->size : 0;
    struct lb_str more = lb_str_sub(pass->in, pass->event, pass->in.size);
    more = lb_str_sub(more, 0, known);
    char room[LD_TAP_ROOM];
    struct lb_str start = ld_tap_joined(lb_buf_str(carry), more, room);

    tap->loose = true;
    tap->filter.report.terminal |= !tap->native && begins_done(start);
    ld_sniff_reset(&tap->sniff);
    sniff_loose(&tap->sniff, lb_buf_str(carry));
    sniff_loose(&tap->sniff, more);
    tap->drop = ld_tap_is_refusal(tap, ld_tap_event_type(start));
    if (tap->drop) {
        tap->cut = tap->filter.report.failed = true;
        tap->filter.report.withheld += carry->size + more.size;
        flush_pass(pass, pass->event, pass->event + more.size);
        empty_buf(carry);
    } else if (carry->size > 0) {
        flush_carry(pass);
    } else {
        lb_buf_reset(carry);
    }
    pass->event += more.size;
}

/* More of an event that passes in pieces, up to `end`: it is read, and goes where the rest went. */
static void take_loose(struct pass *pass, size_t end)
{
    struct ld_tap *tap = pass->tap;
    struct lb_str piece = lb_str_sub(pass->in, pass->event, end);

    sniff_loose(&tap->sniff, piece);
    if (!tap->drop)
        return;
    tap->filter.report.withheld += piece.size;
    pass->run = end;
}

static void end_loose(struct pass *pass, size_t next)
{
    struct ld_tap *tap = pass->tap;

    take_loose(pass, next);
    tap->filter.report.events += tap->sniff.started;
    ld_tap_absorb(tap, LB_STR(""));
    tap->loose = false;
    tap->dropped = tap->drop;
    tap->drop = false;
}

/* The event whose first part waits in the carry is complete at `next`. */
static void end_carried(struct pass *pass, size_t next)
{
    struct ld_tap *tap = pass->tap;
    struct lb_buf *carry = &tap->carry[tap->current];

    tap->dropped = !take_event(tap, lb_buf_str(carry));
    if (tap->dropped) {
        tap->filter.report.withheld += carry->size;
        empty_buf(carry);
    } else {
        flush_carry(pass);
    }
    pass->run = next;
}

/* An event ends at `next`, its empty line starts at `end`. */
static void end_event(struct pass *pass, size_t end, size_t next)
{
    struct ld_tap *tap = pass->tap;
    struct lb_buf *carry = &tap->carry[tap->current];
    size_t size = carry->size + end - pass->event; /* any split comes to the same */

    if (!tap->loose && size > tap->event_max)
        let_loose(pass);
    if (!tap->loose && carry->size > 0) {
        size_t before = carry->size;
        carry->limit = before + next - pass->event;
        lb_buf_add(carry, pass->in.p + pass->event, next - pass->event);
        if (carry->failed != LLMGR_OK) {
            lb_buf_cut(carry, before);
            let_loose(pass);
        } else {
            end_carried(pass, next);
        }
    } else if (!tap->loose) {
        tap->dropped = !take_event(tap, lb_str_sub(pass->in, pass->event, next));
        if (tap->dropped) {
            tap->filter.report.withheld += next - pass->event;
            flush_pass(pass, pass->event, next);
        }
    }
    if (tap->loose)
        end_loose(pass, next);
    tap->lines = 0;
    pass->event = next;
}

/*
 * [DONE] needs no empty line behind it: some servers send none, and end nothing. It must be all
 * there is of the event.
 */
static void note_done(struct ld_tap *tap)
{
    struct lb_str held = lb_buf_str(&tap->carry[tap->current]);

    if (tap->blank && !tap->native && lh_find_eol(held.p, 0, held.size) + 2 >= held.size &&
        ld_tap_last_line(&tap->sniff, held, lb_str(NULL, 0)) == LD_TAP_LINE_DONE)
        tap->filter.report.terminal = true;
}

/* What is left of `in` is no whole event: held back, if it may be. */
static void keep_rest(struct pass *pass)
{
    struct ld_tap *tap = pass->tap;
    struct lb_buf *carry = &tap->carry[tap->current];
    struct lb_str rest = lb_str_sub(pass->in, pass->event, pass->in.size);

    if (rest.size > 0 && !tap->loose) {
        size_t before = carry->size;
        carry->limit = tap->event_max;
        lb_buf_add_str(carry, rest);
        if (carry->failed == LLMGR_OK) {
            flush_pass(pass, pass->event, pass->in.size);
            note_done(tap);
            return;
        }
        lb_buf_cut(carry, before);
        let_loose(pass);
    }
    if (tap->loose)
        take_loose(pass, pass->in.size);
    flush_pass(pass, pass->in.size, pass->in.size);
}

/* ---- Events without an empty line ------------------------------------------------------------ */

/* Is the line before `at` the data of a whole event? */
static bool is_alone(struct pass *pass, size_t at)
{
    struct ld_tap *tap = pass->tap;
    struct lb_str held = lb_buf_str(&tap->carry[tap->current]);
    struct lb_str come = lb_str_sub(pass->in, pass->event, at);

    return !tap->native && !tap->loose && held.size + come.size <= tap->event_max &&
           ld_tap_last_line(&tap->sniff, held, come) != LD_TAP_LINE_OTHER;
}

/* The event that ended there without an empty line gets one. */
static void add_empty_line(struct pass *pass, size_t at)
{
    struct ld_tap *tap = pass->tap;

    tap->single = true;
    if (tap->dropped)
        return;
    flush_pass(pass, at, at);
    ld_filter_put(pass->out, LB_STR("\n"));
    tap->filter.report.added++;
}

/*
 * At `at` a line of data begins, or one of a type. Is it another event's? A second one of an event
 * whose data are whole is. (A type may stand behind the data.)
 */
static bool begins_another(struct pass *pass, size_t at)
{
    struct ld_tap *tap = pass->tap;
    const unsigned line = pass->in.p[at] == 'd' ? LD_TAP_DATA : LD_TAP_TYPE;
    const unsigned before = tap->lines;

    tap->lines = (uint8_t)(before | line);
    return (before & line) != 0 && (before & LD_TAP_DATA) != 0 && is_alone(pass, at);
}

/* ---- Feeding --------------------------------------------------------------------------------- */

/* The LF of a CRLF that was cut: it goes where its CR went. Returns the bytes it takes. */
static size_t skip_lf(struct pass *pass)
{
    struct ld_tap *tap = pass->tap;

    if (!tap->last_cr)
        return 0;
    tap->last_cr = false;
    if (pass->in.p[0] != '\n')
        return 0;
    if (tap->loose || tap->carry[tap->current].size > 0)
        return 1; /* within an event */
    pass->event = 1;
    if (tap->dropped) {
        tap->filter.report.withheld++;
        pass->run = 1;
    }
    return 1;
}

static size_t feed_stream(struct pass *pass)
{
    struct ld_tap *tap = pass->tap;
    const char *p = pass->in.p;
    const size_t size = pass->in.size;
    size_t at = skip_lf(pass);
    bool blank = tap->blank;

    while (at < size) {
        size_t end = at;
        bool alone = blank && (p[at] == 'd' || p[at] == 'e') && begins_another(pass, at);
        if (!alone) {
            end = lh_find_eol(p, at, size);
            alone = !blank || end != at;
            blank = !alone;
            if (end == size)
                break;
            at = end + 1;
            if (p[end] == '\r') {
                tap->last_cr = at == size;
                at += at < size && p[at] == '\n';
            }
            blank = true;
            if (alone && !(tap->single && (tap->lines & LD_TAP_DATA) != 0 && is_alone(pass, at)))
                continue;
        }
        end_event(pass, alone ? at : end, at);
        if (alone)
            add_empty_line(pass, at);
        if (pass->out->count >= LD_FILTER_SLICES - 3) { /* a carry, its rest and a run still fit */
            flush_pass(pass, at, at);
            tap->blank = blank;
            return at;
        }
    }
    tap->blank = blank;
    keep_rest(pass);
    return size;
}

static size_t feed_tap(struct ld_filter *filter, struct lb_str in, struct ld_filter_out *out);

/* It is known now. What was kept until then goes first: blanks, and the start of a field's name. */
static void decide_kind(struct ld_tap *tap, enum ld_look look, struct ld_filter_out *out)
{
    tap->filter.decided = true;
    tap->filter.stream = look == LD_LOOK_EVENTS || (tap->filter.stream && look != LD_LOOK_WHOLE);
    ld_sniff_init(&tap->sniff, tap->host, tap->endpoint, tap->filter.stream);
    tap->sniff.tier = tap->filter.report.usage.service_tier;
    (void)feed_tap(&tap->filter, lb_str(tap->start, tap->start_size), out);
}

static size_t feed_tap(struct ld_filter *filter, struct lb_str in, struct ld_filter_out *out)
{
    struct ld_tap *tap = tap_of(filter);

    out->count = 0;
    if (in.size == 0)
        return 0;
    if (!tap->filter.decided) {
        enum ld_look look = ld_tap_look(tap, in);
        if (look == LD_LOOK_MORE)
            return in.size;
        decide_kind(tap, look, out);
    }
    if (!tap->filter.stream) {
        ld_tap_feed_whole(tap, in, out);
        return in.size;
    }
    struct lb_buf *handed_out = &tap->carry[tap->current ^ 1];
    if (handed_out->size > 0)
        empty_buf(handed_out);
    struct pass pass = {.tap = tap, .in = in, .out = out};
    return feed_stream(&pass);
}

static void finish_tap(struct ld_filter *filter, struct ld_filter_out *out)
{
    struct ld_tap *tap = tap_of(filter);
    struct pass pass = {.tap = tap, .out = out};

    out->count = 0;
    if (tap->ended)
        return;
    if (!tap->filter.decided)
        decide_kind(tap, LD_LOOK_UNSAID, out);
    tap->ended = true;
    if (!tap->filter.stream) {
        ld_tap_absorb(tap, LB_STR(""));
        ld_tap_finish_whole(tap, out);
        tap->filter.report.terminal = true;
    } else if (tap->loose) {
        end_loose(&pass, 0);
        tap->open = true;
    } else if (tap->carry[tap->current].size > 0) {
        end_carried(&pass, 0);
        tap->open = out->count > 0;
    }
}

static bool at_boundary(const struct ld_filter *filter)
{
    const struct ld_tap *tap = looked_at(filter);

    return (tap->filter.stream || !tap->filter.decided) && !tap->loose && !tap->open;
}

static bool tap_is_complete(const struct ld_filter *filter)
{
    const struct ld_tap *tap = looked_at(filter);
    bool must_say = tap->rule == LD_USAGE_RESPONSES;

    if (tap->cut)
        return false;
    if (!tap->filter.stream)
        return tap->ended && (!tap->unframed || tap->sniff.whole ||
                              (!tap->sniff.started && tap->rule == LD_USAGE_ANY));
    if (tap->filter.report.terminal)
        return true;
    /* Of streams that we do not know, the connection's word has to do. */
    return tap->rule == LD_USAGE_ANY ? tap->ended
                                     : tap->filter.report.finish && !must_say && !tap->unframed;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void give_back(struct ld_filter *filter)
{
    struct ld_tap *tap = tap_of(filter);

    ld_sniff_free(&tap->sniff);
    for (size_t i = 0; i < 2; i++)
        lb_buf_free(&tap->carry[i]);
}

static const struct ld_filter_face TAP_FACE = {
    .size = sizeof(struct ld_tap),
    .feed = feed_tap,
    .finish = finish_tap,
    .at_boundary = at_boundary,
    .complete = tap_is_complete,
    .free = give_back,
};

bool ld_tap_streams(const struct ld_tap_options *options)
{
    return !options->coded && is_stream(options->content_type);
}

void ld_tap_init(struct ld_tap *tap, const struct ld_tap_options *options)
{
    const bool native = options->endpoint->id == LD_ENDPOINT_NATIVE;

    *tap = (struct ld_tap){
        .filter = {.face = &TAP_FACE,
                   .stream = ld_tap_streams(options),
                   .decided = options->coded || native || !options->endpoint->streams},
        .unframed = options->unframed && !options->coded,
        .withhold = options->withhold_usage && options->endpoint->stream_options,
        .blank = true,
        .read_all = options->read_all,
        .rule = options->endpoint->usage,
        .event_max = options->event_max > 0 ? options->event_max : LD_TAP_EVENT_MAX,
        .host = options->host,
        .native = native,
        .endpoint = options->endpoint,
        .good = options->coded,
        .refusal = options->refusal,
        .context = options->context,
    };
    ld_usage_init(&tap->filter.report.usage);
    ld_usage_parts_init(&tap->parts);
    tap->filter.report.failed = options->http_status >= 400;
    ld_sniff_init(&tap->sniff, tap->host, tap->endpoint, tap->filter.stream);
    tap->sniff.tier = tap->filter.report.usage.service_tier;
    for (size_t i = 0; i < 2; i++)
        lb_buf_init(&tap->carry[i], options->host, tap->event_max + 1);
}
