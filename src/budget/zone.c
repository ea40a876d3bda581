/* SPDX-License-Identifier: MIT */
/*
 * Reading TZif (RFC 9636): the second header and what follows it, whose times have 64 bits, then
 * the rule for later times. Files without them, and those that count leap seconds, are refused.
 *
 *     TZif header, 32-bit data (skipped)
 *     TZif header, transition times, their types, types, names, leap seconds, flags
 *     \n rule \n
 */
#include "budget/zone.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "budget/zone_rule.h"

enum {
    HEADER_SIZE = 44,
    VERSION_AT = 4,
    COUNTS_AT = 20,
    TYPE_SIZE = 6,
    OFFSET_MAX = 26 * 3600, /* RFC 9636 section 3.2: less than that, either way */
    PATH_SIZE = 128
};

static const char tzdata[] = "/usr/share/zoneinfo";

struct transition {
    int64_t at;     /* seconds since 1970 */
    int64_t offset; /* from then on */
};

struct lq_zone {
    const struct lb_host *host;
    struct transition *transitions; /* ascending */
    size_t count;
    int64_t before; /* the first of them */
    struct lq_zone_rule rule;
    bool has_rule;
};

/* The counts of a header, in its order. */
struct header {
    uint32_t is_ut;
    uint32_t is_standard;
    uint32_t leaps;
    uint32_t times;
    uint32_t types;
    uint32_t chars;
};

/* ---- Bytes ----------------------------------------------------------------------------------- */

static uint64_t big_endian(const char *p, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

static bool read_header(struct lb_str bytes, struct header *header)
{
    if (bytes.size < HEADER_SIZE || memcmp(bytes.p, "TZif", 4) != 0 || bytes.p[VERSION_AT] < '2')
        return false;
    const char *counts = bytes.p + COUNTS_AT;
    *header = (struct header){
        .is_ut = (uint32_t)big_endian(counts, 4),
        .is_standard = (uint32_t)big_endian(counts + 4, 4),
        .leaps = (uint32_t)big_endian(counts + 8, 4),
        .times = (uint32_t)big_endian(counts + 12, 4),
        .types = (uint32_t)big_endian(counts + 16, 4),
        .chars = (uint32_t)big_endian(counts + 20, 4),
    };
    return true;
}

/* Bytes of what follows a header, with times of that many bytes. No sum of these overflows. */
static uint64_t data_size(const struct header *header, uint64_t time_size)
{
    return header->times * (time_size + 1) + (uint64_t)header->types * TYPE_SIZE + header->chars +
           header->leaps * (time_size + 4) + header->is_standard + header->is_ut;
}

/* ---- A file ---------------------------------------------------------------------------------- */

static bool type_offset(const char *types, uint32_t count, uint32_t type, int64_t *offset)
{
    if (type >= count)
        return false;
    *offset = (int32_t)(uint32_t)big_endian(types + (size_t)type * TYPE_SIZE, 4);
    return *offset > -OFFSET_MAX && *offset < OFFSET_MAX;
}

static bool read_transitions(struct lq_zone *zone, const struct header *header, const char *times)
{
    const char *indexes = times + (size_t)header->times * 8;
    const char *types = indexes + header->times;

    zone->count = header->times;
    zone->transitions = lb_calloc(zone->host, zone->count + 1, sizeof *zone->transitions);
    if (zone->transitions == NULL || !type_offset(types, header->types, 0, &zone->before))
        return false;
    for (size_t i = 0; i < zone->count; i++) {
        struct transition *to = &zone->transitions[i];
        to->at = (int64_t)big_endian(times + i * 8, 8);
        if (!type_offset(types, header->types, (unsigned char)indexes[i], &to->offset) ||
            (i != 0 && to->at <= to[-1].at))
            return false;
    }
    return true;
}

static bool read_rule(struct lq_zone *zone, struct lb_str footer)
{
    if (footer.size < 2 || footer.p[0] != '\n')
        return false;
    footer = lb_str_sub(footer, 1, footer.size);
    const size_t end = lb_str_find(footer, '\n');
    if (end == footer.size)
        return false;
    zone->has_rule = end != 0;
    return end == 0 || lq_zone_rule_read(lb_str_sub(footer, 0, end), &zone->rule);
}

static bool read_file(struct lq_zone *zone, struct lb_str bytes)
{
    struct header header;

    if (bytes.size > LQ_ZONE_BYTES_MAX || !read_header(bytes, &header))
        return false;
    const uint64_t skipped = HEADER_SIZE + data_size(&header, 4);
    if (skipped > bytes.size)
        return false;
    bytes = lb_str_sub(bytes, (size_t)skipped, bytes.size);
    if (!read_header(bytes, &header) || header.leaps != 0 || header.types == 0)
        return false;
    const uint64_t end = HEADER_SIZE + data_size(&header, 8);
    return end <= bytes.size && read_transitions(zone, &header, bytes.p + HEADER_SIZE) &&
           read_rule(zone, lb_str_sub(bytes, (size_t)end, bytes.size));
}

bool lq_zone_read(const struct lb_host *host, struct lb_str bytes, struct lq_zone **out)
{
    struct lq_zone *zone = lb_calloc(host, 1, sizeof *zone);

    if (zone == NULL)
        return false;
    zone->host = host;
    if (!read_file(zone, bytes)) {
        lq_zone_free(zone);
        return false;
    }
    *out = zone;
    return true;
}

void lq_zone_free(struct lq_zone *zone)
{
    if (zone == NULL)
        return;
    lb_free(zone->host, zone->transitions);
    lb_free(zone->host, zone);
}

/* ---- By name --------------------------------------------------------------------------------- */

/* Letters, digits, "+-_" and single slashes within: no path leaves the directory. */
static bool is_name(struct lb_str name)
{
    bool may_part = false;

    if (name.size == 0 || name.size > LLMGR_PRICE_TIME_ZONE_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        const char c = lb_ascii_lower(name.p[i]);
        if (c == '/' && !may_part)
            return false;
        may_part = c != '/';
        if (may_part && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '+' &&
            c != '-' && c != '_')
            return false;
    }
    return may_part;
}

/* No more than is asked for is read, and a little, which tells that there was more. */
static bool load_file(const struct lb_host *host, struct lb_str name, struct lq_zone **zone)
{
    char path[PATH_SIZE];
    bool is_loaded = false;

    snprintf(path, sizeof path, "%s/%.*s", tzdata, (int)name.size, name.p);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    char *bytes = lb_alloc(host, LQ_ZONE_BYTES_MAX + 1);
    if (bytes != NULL) {
        const size_t size = fread(bytes, 1, LQ_ZONE_BYTES_MAX + 1, file);
        is_loaded = lq_zone_read(host, lb_str(bytes, size), zone);
    }
    lb_free(host, bytes);
    fclose(file);
    return is_loaded;
}

llmgr_status lq_zone_load(const struct lb_host *host, struct lb_str name, struct lq_zone **zone,
                          struct llmgr_error *err)
{
    if (!is_name(name))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid time zone; give a name as in Asia/Shanghai or UTC"));
    if (lb_str_eq_c(name, "UTC")) {
        *zone = lb_calloc(host, 1, sizeof **zone);
        if (*zone == NULL)
            return lb_fail_memory(err);
        (*zone)->host = host;
        return LLMGR_OK;
    }
    if (!load_file(host, name, zone))
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       N_("there is no time zone '%.*s' in %s; the package tzdata has those of the "
                          "whole world"),
                       (int)name.size, name.p, tzdata);
    return LLMGR_OK;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

int64_t lq_zone_offset(const struct lq_zone *zone, int64_t at)
{
    size_t low = 0;
    size_t high = zone->count;

    if (zone->has_rule && (zone->count == 0 || at >= zone->transitions[zone->count - 1].at))
        return lq_zone_rule_offset(&zone->rule, at);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (zone->transitions[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? zone->before : zone->transitions[low - 1].offset;
}
