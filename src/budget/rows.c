/* SPDX-License-Identifier: MIT */
/* Prices as rows. See the header. */
#include "budget/rows.h"

#include "budget/unit.h"

struct reading {
    lq_row_fn take;
    void *context;
    int64_t id; /* of the price that is being read; 0: none yet */
    struct lq_rates rates;
};

static struct lq_row row_of(const struct ls_rows *rows)
{
    return (struct lq_row){
        .id = ls_column_int(rows, 0),
        .platform_id = ls_column_int(rows, 1),
        .model = ls_column_text(rows, 2),
        .currency = ls_column_text(rows, 3),
        .from_ms = ls_column_int(rows, 4),
        .until_ms = ls_column_int(rows, 5),
        .above_tokens = ls_column_int(rows, 6),
        .service_tier = ls_column_text(rows, 7),
        .hours = ls_column_text(rows, 8),
        .time_zone = ls_column_text(rows, 9),
        .source = ls_column_text(rows, 10),
        .created_ms = ls_column_int(rows, 11),
    };
}

static llmgr_status take_rate(const struct ls_rows *rows, void *context, struct llmgr_error *err)
{
    struct reading *reading = context;
    const struct lq_row row = row_of(rows);
    llmgr_price_unit unit;

    if (row.id != reading->id) {
        llmgr_status status = reading->take(&row, reading->context, &reading->rates, err);
        if (status != LLMGR_OK)
            return status;
        reading->id = row.id;
    }
    if (lq_unit_find(ls_column_text(rows, 12), &unit))
        reading->rates.rates[unit] = ls_column_int(rows, 13);
    else if (reading->rates.is_unclear != NULL)
        *reading->rates.is_unclear = true;
    return LLMGR_OK;
}

llmgr_status lq_rows_each(struct ls_tx *tx, enum ls_statement statement,
                          const struct ls_value *values, size_t count, lq_row_fn take,
                          void *context, struct llmgr_error *err)
{
    struct reading reading = {.take = take, .context = context};

    return ls_each(tx, statement, values, count, take_rate, &reading, err);
}
