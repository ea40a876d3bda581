/* SPDX-License-Identifier: MIT */
/*
 * What real rows of four catalogues come to: excerpts are imported, and the attempts of
 * tests/vectors/prices cost by them what the catalogue's own arithmetic gives (see the README
 * there). A line is: nano-units, model, service tier or "-", minute of the week in UTC, and tokens:
 * prompt, read from a cache, written to it, of these for an hour, of sound; answer, reasoning,
 * sound.
 */
#include "budget/import_set.h"

#include "fixture.h"

enum { FORM_MODELS = 60, MONDAY_MS = 64 * HOUR };

struct line {
    long long nano;
    char model[LQ_IMPORT_NAME_MAX];
    char tier[LLMGR_PRICE_TIER_MAX];
    long long minute;
    long long counts[8];
};

static char *path_of(const char *name, const char *ending)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/../../vectors/prices/%s.%s", TEST_FOLDER, name, ending);
    return path;
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, *size, file), *size);
    fclose(file);
    return text;
}

/* Platform Alpha is each of these providers. */
static void import(struct pricing *p, const char *name, const char *const *providers, size_t count)
{
    struct fixture *w = &p->base;
    struct llmgr_price_import_options options = {.size = sizeof options, .all_models = true};
    struct llmgr_price_import_report report = {0};
    struct llmgr_price_map maps[16];
    struct lb_arena arena;
    size_t size;

    char *text = read_file(path_of(name, "json"), &size);
    for (size_t i = 0; i < count; i++)
        maps[i] = (struct llmgr_price_map){"Alpha", providers[i]};
    options.maps = maps;
    options.map_count = count;
    lb_arena_init(&arena, &w->host, NULL, 0, 64 << 20);
    WANT(LLMGR_OK, lq_import(w->manager, operator_of(p), lb_str(text, size), &options, &arena,
                             &report, &w->err));
    assert_true(report.taken_count >= FORM_MODELS);
    assert_int_equal(report.new_count, report.item_count);
    lb_arena_free(&arena);
    free(text);
}

static struct ll_usage usage_of(const struct pricing *p, const struct line *line)
{
    struct ll_usage usage = attempt_of(p, p->alpha, line->model);

    usage.time_ms = p->now + MONDAY_MS + line->minute * 60000;
    if (strcmp(line->tier, "-") != 0)
        usage.service_tier = lb_cstr(line->tier);
    usage.prompt_tokens = line->counts[0];
    usage.cached_tokens = line->counts[1];
    usage.cache_write_tokens = line->counts[2];
    usage.cache_write_1h_tokens = line->counts[3];
    usage.audio_input_tokens = line->counts[4];
    usage.completion_tokens = line->counts[5];
    usage.reasoning_tokens = line->counts[6];
    usage.audio_output_tokens = line->counts[7];
    return usage;
}

/* False: it costs something else, which is told. */
static bool is_right(struct pricing *p, const char *name, const char *text, unsigned number)
{
    struct line line = {0};
    long long *c = line.counts;

    assert_int_equal(sscanf(text, "%lld %119s %31s %lld %lld %lld %lld %lld %lld %lld %lld %lld",
                            &line.nano, line.model, line.tier, &line.minute, &c[0], &c[1], &c[2],
                            &c[3], &c[4], &c[5], &c[6], &c[7]),
                     12);
    struct ll_usage usage = usage_of(p, &line);
    const int64_t cost = cost_of(p, &usage);
    if (cost == line.nano)
        return true;
    print_error("%s:%u: %s: %lld is not %lld\n", name, number, line.model, (long long)cost,
                line.nano);
    return false;
}

static void check_costs(struct pricing *p, const char *name, const char *const *providers,
                        size_t count)
{
    unsigned number = 0;
    unsigned wrong = 0;
    char text[512];

    import(p, name, providers, count);
    FILE *file = fopen(path_of(name, "txt"), "r");
    assert_non_null(file);
    while (fgets(text, sizeof text, file) != NULL)
        wrong += !is_right(p, name, text, ++number);
    fclose(file);
    assert_true(number >= FORM_MODELS);
    assert_int_equal(wrong, 0);
}

static void rows_of_litellm(void **state)
{
    static const char *const providers[] = {"openai", "anthropic", "gemini",  "deepseek",
                                            "xai",    "dashscope", "mistral", "moonshot",
                                            "zai",    "groq"};

    check_costs(*state, "litellm", providers, sizeof providers / sizeof *providers);
}

static void rows_of_models_dev(void **state)
{
    static const char *const providers[] = {"openai",     "anthropic", "google", "deepseek",
                                            "mistral",    "xai",       "groq",   "alibaba",
                                            "moonshotai", "zai"};

    check_costs(*state, "models_dev", providers, sizeof providers / sizeof *providers);
}

static void rows_of_openrouter(void **state)
{
    static const char *const providers[] = {"openrouter"};

    check_costs(*state, "openrouter", providers, 1);
}

static void rows_of_genai_prices(void **state)
{
    check_costs(*state, "genai_prices", NULL, 0);
}

#define ROWS(name) cmocka_unit_test_setup_teardown(name, pricing_setup, pricing_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROWS(rows_of_litellm),
        ROWS(rows_of_models_dev),
        ROWS(rows_of_openrouter),
        ROWS(rows_of_genai_prices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
