/* SPDX-License-Identifier: MIT */
/* See the header. */
#include "documents/usage_csv.h"

#include <inttypes.h>
#include <string.h>

#include "documents/write.h"

void lx_csv_usage_head(llmgr_usage_by by, struct lb_buf *out)
{
    size_t size;
    const char *name = lx_choice(LX_USAGE_BY, by, &size);

    lb_buf_add_str(out, lb_str(name, size));
    lb_buf_add_c(out, ",name");
#define LL_TALLY(column, ...) lb_buf_add_c(out, "," #column);
#define LL_PAID(column, ...) lb_buf_add_c(out, "," #column);
#define LL_SUMMED(column, ...) lb_buf_add_c(out, "," #column);
#include "ledger/usage.def"
    lb_buf_add_c(out, ",cost,currency\r\n");
}

/* Quoted, whatever it holds; line ends and other controls are blanks. */
static void put_text(const char *text, struct lb_buf *out)
{
    const bool is_formula = text[0] != '\0' && strchr("=+-@\t\r\n", text[0]) != NULL;

    lb_buf_add_c(out, is_formula ? "\"'" : "\"");
    for (; *text != '\0'; text++) {
        if (*text == '"')
            lb_buf_add_byte(out, '"');
        lb_buf_add_byte(out, (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
    }
    lb_buf_add_byte(out, '"');
}

static void put_count(int64_t count, bool shown, struct lb_buf *out)
{
    lb_buf_add_byte(out, ',');
    if (shown && count >= 0)
        lb_buf_addf(out, "%" PRId64, count);
}

/* `cost` NULL: none is known. */
static void put_line(const struct llmgr_usage_sum *sum, const struct llmgr_usage_cost *cost,
                     bool is_first, struct lb_buf *out)
{
    put_text(sum->key, out);
    lb_buf_add_byte(out, ',');
    put_text(sum->name, out);
#define LL_TALLY(column, ...) put_count(sum->column, is_first, out);
#define LL_PAID(column, ...) put_count(sum->column, is_first, out);
#define LL_SUMMED(column, ...) put_count(sum->column, is_first, out);
#include "ledger/usage.def"
    lb_buf_addf(out, ",%s,%s\r\n", cost != NULL ? cost->amount : "",
                cost != NULL ? cost->currency : "");
}

static void put_sum(const struct llmgr_usage_sum *sum, struct lb_buf *out)
{
    put_line(sum, sum->cost_count != 0 ? &sum->costs[0] : NULL, true, out);
    for (size_t i = 1; i < sum->cost_count; i++)
        put_line(sum, &sum->costs[i], false, out);
}

void lx_csv_usage_sums(const struct llmgr_usage_sum *sums, size_t count, struct lb_buf *out)
{
    for (size_t i = 0; i < count; i++)
        put_sum(&sums[i], out);
}
