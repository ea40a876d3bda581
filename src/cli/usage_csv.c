/* SPDX-License-Identifier: MIT */
/* llmgr usage --csv. See the header. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/usage.h"
#include "documents/write.h"

void cli_usage_csv_head(llmgr_usage_by by)
{
    size_t size;
    const char *name = lx_choice(LX_USAGE_BY, by, &size);

    printf("%.*s,name", (int)size, name);
#define LL_TALLY(column, ...) fputs("," #column, stdout);
#define LL_PAID(column, ...) fputs("," #column, stdout);
#define LL_SUMMED(column, ...) fputs("," #column, stdout);
#include "ledger/usage.def"
    fputs(",cost,currency\r\n", stdout);
}

/* Quoted, whatever it holds; line ends and other controls are blanks. */
static void put_text(const char *text)
{
    const bool is_formula = text[0] != '\0' && strchr("=+-@\t\r\n", text[0]) != NULL;

    fputs(is_formula ? "\"'" : "\"", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putchar('"');
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
    }
    putchar('"');
}

static void put_count(int64_t count, bool shown)
{
    putchar(',');
    if (shown && count >= 0)
        printf("%" PRId64, count);
}

static void put_line(const struct llmgr_usage_sum *sum, const struct llmgr_usage_cost *cost,
                     bool is_first)
{
    put_text(sum->key);
    putchar(',');
    put_text(sum->name);
#define LL_TALLY(column, ...) put_count(sum->column, is_first);
#define LL_PAID(column, ...) put_count(sum->column, is_first);
#define LL_SUMMED(column, ...) put_count(sum->column, is_first);
#include "ledger/usage.def"
    printf(",%s,%s\r\n", cost != NULL ? cost->amount : "", cost != NULL ? cost->currency : "");
}

void cli_usage_csv_sum(const struct llmgr_usage_sum *sum)
{
    put_line(sum, sum->cost_count != 0 ? &sum->costs[0] : NULL, true);
    for (size_t i = 1; i < sum->cost_count; i++)
        put_line(sum, &sum->costs[i], false);
}
