/* SPDX-License-Identifier: MIT */
/* llmgr usage: the ledger's sums, as a table, JSON or CSV. */
#include "cli/usage.h"

#include <stdio.h>
#include <string.h>

#include "documents/usage_csv.h"
#include "documents/write.h"

enum { CSV_MAX = 64 << 20 /* bytes of a page */ };

static const char *const BY_HEADINGS[] = {
    [LLMGR_USAGE_BY_MODEL] = N_("MODEL"),       [LLMGR_USAGE_BY_USER] = N_("USER"),
    [LLMGR_USAGE_BY_PLATFORM] = N_("PLATFORM"), [LLMGR_USAGE_BY_SLOT] = N_("SLOT"),
    [LLMGR_USAGE_BY_DAY] = N_("DAY"),           [LLMGR_USAGE_BY_TOKEN] = N_("TOKEN"),
    [LLMGR_USAGE_BY_PAYER] = N_("PAYER"),       [LLMGR_USAGE_BY_HOUR] = N_("HOUR"),
};

static llmgr_status read_query(const struct cli_app *app, struct llmgr_usage_query *query,
                               struct llmgr_error *err)
{
    const char *text = cli_flag(app, CLI_FLAG_by);
    const char *user = cli_user(app);

    llmgr_usage_query_init(query);
    int by = text != NULL ? lx_choice_find(LX_USAGE_BY, text) : LLMGR_USAGE_BY_MODEL;
    if (by < 0)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("%s is one of %s, not \"%s\""), "--by",
                       LX_USAGE_BY, text);
    query->by = (llmgr_usage_by)by;
    /* The system user is the administrator, who sees everybody's. */
    if (strcmp(user, LLMGR_SYSTEM_USER) != 0)
        query->user = user;
    llmgr_status status = cli_time(app, CLI_FLAG_since, &query->since_ms, err);
    if (status == LLMGR_OK)
        status = cli_time(app, CLI_FLAG_until, &query->until_ms, err);
    if (status == LLMGR_OK && cli_flag(app, CLI_FLAG_csv) != NULL && cli_json(app))
        status =
            lb_fail(err, LLMGR_ERR_INVALID, N_("%s and %s: only one of them"), "--csv", "--json");
    return status;
}

/* ---- Output ---------------------------------------------------------------------------------- */

const char *cli_usage_count(int64_t count, char text[24])
{
    return count < 0 ? NULL : cli_number(count, text);
}

/* "1.2345 USD, 2 CNY"; NULL: nothing has a price. */
static const char *cost_text(const struct llmgr_usage_sum *sum, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < sum->cost_count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s %s", i != 0 ? ", " : "",
                                 sum->costs[i].amount, sum->costs[i].currency);
    return sum->cost_count != 0 ? text : NULL;
}

static void sum_row(struct cli_table *table, const char *name, const struct llmgr_usage_sum *sum)
{
    char requests[24], completed[24], prompt[24], cached[24], completion[24], reasoning[24],
        unpriced[24], unknown[24], cost[256];

    cli_table_row(table, (const char *[]){name, cli_number(sum->requests, requests),
                                          cli_number(sum->completed, completed),
                                          cli_usage_count(sum->prompt_tokens, prompt),
                                          cli_usage_count(sum->cached_tokens, cached),
                                          cli_usage_count(sum->completion_tokens, completion),
                                          cli_usage_count(sum->reasoning_tokens, reasoning),
                                          cost_text(sum, cost, sizeof cost),
                                          cli_number(sum->unpriced, unpriced),
                                          cli_number(sum->unknown, unknown)});
}

struct output {
    struct cli_table *table; /* or */
    json_t **items;          /* or */
    struct lb_buf *csv;      /* which goes to standard output page by page */
    size_t groups;
    struct llmgr_usage_list last; /* page, in which the total lives; llmgr_usage_list_clear */
};

/* Writes out what is there, and empties it. */
static llmgr_status put_csv(struct lb_buf *csv, struct llmgr_error *err)
{
    const struct lb_str text = lb_buf_str(csv);

    if (csv->failed != LLMGR_OK)
        return lb_fail_memory(err);
    if (fwrite(text.p, 1, text.size, stdout) != text.size)
        return lb_fail(err, LLMGR_ERR_IO, N_("the output cannot be written"));
    lb_buf_reset(csv);
    return LLMGR_OK;
}

static llmgr_status put_page(const struct llmgr_usage_list *list, struct output *out,
                             struct llmgr_error *err)
{
    out->groups += list->count;
    if (out->items != NULL) {
        *out->items = lx_list_sum(*out->items, list->items, list->count);
        return *out->items != NULL ? LLMGR_OK : lb_fail_memory(err);
    }
    if (out->csv != NULL) {
        lx_csv_usage_sums(list->items, list->count, out->csv);
        return put_csv(out->csv, err);
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct llmgr_usage_sum *sum = &list->items[i];
        sum_row(out->table, sum->name[0] != '\0' ? sum->name : NULL, sum);
    }
    return LLMGR_OK;
}

static llmgr_status each_page(const struct cli_app *app, struct llmgr_usage_query *query,
                              struct output *out, struct llmgr_error *err)
{
    llmgr_status status;
    bool more;

    do {
        struct llmgr_usage_list page;
        status = llmgr_usage_query(app->manager, query, &page, err);
        if (status != LLMGR_OK)
            break;
        /* The key to go on after lives in the page before. */
        llmgr_usage_list_clear(&out->last);
        out->last = page;
        status = put_page(&page, out, err);
        more = page.more && page.count != 0;
        if (more)
            query->after = page.items[page.count - 1].key;
    } while (status == LLMGR_OK && more);
    return status;
}

static llmgr_status print_json(struct cli_app *app, struct llmgr_usage_query *query,
                               struct llmgr_error *err)
{
    struct lx_usage_report report = {.by = query->by};
    struct output out = {.items = &report.items};

    llmgr_status status = each_page(app, query, &out, err);
    report.total = out.last.total;
    if (status == LLMGR_OK)
        status = cli_print_json(lx_json_usage_report(&report), err);
    else
        json_decref(report.items);
    llmgr_usage_list_clear(&out.last);
    return status;
}

static llmgr_status print_csv(struct cli_app *app, struct llmgr_usage_query *query,
                              struct llmgr_error *err)
{
    struct lb_buf csv;
    struct output out = {.csv = &csv};

    lb_buf_init(&csv, &app->host, CSV_MAX);
    lx_csv_usage_head(query->by, &csv);
    llmgr_status status = each_page(app, query, &out, err);
    lb_buf_free(&csv);
    llmgr_usage_list_clear(&out.last);
    if (status == LLMGR_OK && fflush(stdout) != 0)
        status = lb_fail(err, LLMGR_ERR_IO, N_("the output cannot be written"));
    return status;
}

static llmgr_status fill_sums(struct cli_table *table, const struct cli_app *app, const void *list,
                              struct llmgr_error *err)
{
    struct llmgr_usage_query query = *(const struct llmgr_usage_query *)list;
    struct output out = {.table = table};

    llmgr_status status = each_page(app, &query, &out, err);
    if (status == LLMGR_OK && out.groups > 1)
        sum_row(table, _("total"), &out.last.total);
    llmgr_usage_list_clear(&out.last);
    return status;
}

static llmgr_status print_sums(const struct cli_app *app, const struct llmgr_usage_query *query,
                               struct llmgr_error *err)
{
    const char *const headings[] = {
        BY_HEADINGS[query->by], N_("REQUESTS"),  N_("COMPLETED"), N_("PROMPT"),   N_("CACHED"),
        N_("COMPLETION"),       N_("REASONING"), N_("COST"),      N_("UNPRICED"), N_("UNKNOWN")};
    const struct cli_table_form form = {headings, 10, N_("Nothing was used."), fill_sums};

    return cli_print_table(app, &form, query, err);
}

llmgr_status cli_run_usage(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_usage_query query;

    llmgr_status status = read_query(app, &query, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_KEYLESS, err);
    if (status != LLMGR_OK)
        return status;
    if (cli_flag(app, CLI_FLAG_csv) != NULL)
        return print_csv(app, &query, err);
    return cli_json(app) ? print_json(app, &query, err) : print_sums(app, &query, err);
}
