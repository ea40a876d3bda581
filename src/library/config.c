/* SPDX-License-Identifier: MIT */
/*
 * A host's configuration file: read and checked once, then used for the options of llmgr_open and
 * for llmgr_sync. The environment comes through the host's function only.
 */
#include "library/library.h"

#include <string.h>

#include "config/dotenv.h"
#include "config/file.h"
#include "config/options.h"
#include "config/placeholder.h"
#include "config/read.h"
#include "library/sync_prices.h"
#include "manager/defaults.h"
#include "manager/sync.h"

enum { WARNINGS_MAX = 256 << 10 };

void llmgr_config_free(struct llmgr_config *config)
{
    if (config == NULL)
        return;
    struct lb_host host = config->host;
    lc_file_free(config->file);
    lc_dotenv_free(config->dotenv);
    lb_buf_free(&config->warnings);
    if (config->options != NULL)
        lc_options_free(config->options);
    lb_free(&host, config->options);
    lb_free(&host, config);
}

static llmgr_status read_dotenv(struct llmgr_config *config, const char *path,
                                struct llmgr_error *err)
{
    struct llmgr_error why = {0};

    if (path == NULL)
        return LLMGR_OK;
    llmgr_status status = lc_dotenv_read(&config->host, path, &config->dotenv, &why);
    if (status == LLMGR_ERR_NOT_FOUND)
        return LLMGR_OK;
    if (status != LLMGR_OK && err != NULL)
        *err = why;
    return status;
}

/* The Python original's file has a form of its own; everything else of it is read the same way. */
static llmgr_status read_legacy(struct llmgr_config *config,
                                const struct llmgr_config_source *source, struct llmgr_error *err)
{
    struct lb_buf text;

    lb_buf_init_secret(&text, &config->host, LC_FILE_SIZE_MAX);
    llmgr_status status = lc_read_file(source->path, &text, err);
    if (status == LLMGR_OK)
        status = lc_file_parse_legacy(&config->host, source->path, lb_buf_str(&text), &config->file,
                                      err);
    lb_buf_free(&text);
    return status;
}

static llmgr_status read_platforms(struct llmgr_config *config,
                                   const struct llmgr_config_source *source,
                                   struct llmgr_error *err)
{
    struct lb_str text = lb_str(source->text, source->text_size);

    if (source->path != NULL && source->legacy)
        return read_legacy(config, source, err);
    if (source->path != NULL)
        return lc_file_read(&config->host, source->path, &config->file, err);
    if (source->legacy)
        return lc_file_parse_legacy(&config->host, "configuration", text, &config->file, err);
    return lc_file_parse(&config->host, "configuration", text, &config->file, err);
}

/* ---- Warnings -------------------------------------------------------------------------------- */

struct looking {
    struct llmgr_config *config;
    const struct lc_platform *platform;
};

static void warn_line(struct llmgr_config *config, const char *line)
{
    if (config->warnings.size != 0)
        lb_buf_add_byte(&config->warnings, '\n');
    lb_buf_add_c(&config->warnings, line);
}

/* An llmgr_env_fn that notes which of the variables asked for are empty, and has none. */
static const char *note_empty(const char *name, void *context)
{
    const struct looking *looking = context;
    struct llmgr_config *config = looking->config;
    const char *value = config->env(name, config->env_context);
    const char *hidden = config->dotenv != NULL ? lc_dotenv_get(config->dotenv, name) : NULL;
    struct llmgr_error line;

    if (value == NULL || value[0] != '\0')
        return NULL;
    if (hidden != NULL && hidden[0] != '\0')
        (void)lb_fail(
            &line, LLMGR_ERR_CONFIG,
            N_("%s:%u: '%s': %s is set but empty in the environment, which hides what the "
               ".env file says; unset it"),
            config->file->name, looking->platform->line, looking->platform->name, name);
    else
        (void)lb_fail(
            &line, LLMGR_ERR_CONFIG,
            N_("%s:%u: '%s': %s is set but empty in the environment, and counts as missing"),
            config->file->name, looking->platform->line, looking->platform->name, name);
    warn_line(config, line.message);
    return NULL;
}

static llmgr_status look_for_empty(struct looking *looking, const char *text,
                                   struct llmgr_error *err)
{
    bool present;
    struct lb_buf filled;

    if (text == NULL)
        return LLMGR_OK;
    lb_buf_init_secret(&filled, &looking->config->host, LC_FILE_SIZE_MAX);
    llmgr_status status =
        lc_substitute(lb_cstr(text), note_empty, looking, &filled, &present, NULL, err);
    lb_buf_free(&filled);
    return status;
}

static llmgr_status look_for_empty_keys(struct looking *looking, struct llmgr_error *err)
{
    const struct lc_platform *platform = looking->platform;
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < platform->key_count && status == LLMGR_OK; i++)
        status = look_for_empty(looking, platform->keys[i].text, err);
    return status;
}

static llmgr_status gather_warnings(struct llmgr_config *config, struct llmgr_error *err)
{
    const struct lc_file *file = config->file;
    llmgr_status status = LLMGR_OK;

    if (config->dotenv != NULL && lc_dotenv_complaints(config->dotenv)[0] != '\0')
        warn_line(config, lc_dotenv_complaints(config->dotenv));
    for (size_t i = 0; config->env != NULL && i < file->platform_count && status == LLMGR_OK; i++) {
        struct looking looking = {config, &file->platforms[i]};
        status = look_for_empty(&looking, file->platforms[i].base_url, err);
        if (status == LLMGR_OK)
            status = look_for_empty_keys(&looking, err);
    }
    if (status == LLMGR_OK && config->warnings.failed == LLMGR_ERR_NO_MEMORY)
        status = lb_fail_memory(err);
    return status;
}

const char *llmgr_config_warnings(const struct llmgr_config *config)
{
    return lb_buf_c(&config->warnings);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static llmgr_status read_all(struct llmgr_config *config, const struct llmgr_config_source *source,
                             struct llmgr_error *err)
{
    llmgr_status status = read_platforms(config, source, err);

    if (status == LLMGR_OK)
        status = read_dotenv(config, source->dotenv_path, err);
    if (status != LLMGR_OK)
        return status;
    config->options = lb_calloc(&config->host, 1, sizeof *config->options);
    if (config->options == NULL)
        return lb_fail_memory(err);
    status = lc_options_init(config->options, &config->host, err);
    if (status != LLMGR_OK)
        return status;
    status = lc_options_file(config->options, config->file, err);
    if (status == LLMGR_OK && source->env_options && source->env != NULL)
        status = lc_options_env(config->options, source->env, source->env_context, err);
    return status == LLMGR_OK ? gather_warnings(config, err) : status;
}

llmgr_status llmgr_config_read(const struct llmgr_config_source *source,
                               struct llmgr_config **config, struct llmgr_error *err)
{
    struct lb_host host;

    if (source == NULL || source->size < sizeof *source ||
        (source->path == NULL && source->text == NULL && source->text_size != 0))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the configuration source is not filled in"));
    la_host_init(&host, source->allocator);
    struct llmgr_config *made = lb_calloc(&host, 1, sizeof *made);
    if (made == NULL)
        return lb_fail_memory(err);
    made->host = host;
    made->env = source->env;
    made->env_context = source->env_context;
    lb_buf_init(&made->warnings, &made->host, WARNINGS_MAX);
    llmgr_status status = read_all(made, source, err);
    if (status != LLMGR_OK) {
        llmgr_config_free(made);
        return status;
    }
    *config = made;
    return LLMGR_OK;
}

/* The options that are the library's, once: XX(option, member of struct llmgr_options, value). */
#define OPTION_MAP(XX)                                                                             \
    XX(database, database, from->database)                                                         \
    XX(db_pool_size, pool_size, (unsigned)from->db_pool_size)                                      \
    XX(busy_timeout_ms, busy_timeout_ms, (unsigned)from->busy_timeout_ms)                          \
    XX(cache_size, cache_size, (size_t)from->cache_size)                                           \
    XX(mode, mode, (llmgr_mode)from->mode)                                                         \
    XX(auto_key, auto_key, from->auto_key)                                                         \
    XX(master_key_file, master_key_file, from->master_key_file)                                    \
    XX(master_key_command, master_key_command,                                                     \
       from->master_key_command.count != 0 ? from->master_key_command.items : NULL)                \
    XX(allow_cidrs, allow_cidrs, from->allow_cidrs.items)                                          \
    XX(allow_ports, allow_ports, from->allow_ports.items)                                          \
    XX(allow_http, allow_http, from->allow_http)                                                   \
    XX(public_urls, public_urls, from->public_urls.items)                                          \
    XX(https_proxy, https_proxy, from->https_proxy)                                                \
    XX(https_proxy, https_proxy_from, lc_option_inherited(from, LC_OPT_https_proxy))               \
    XX(no_proxy, no_proxy, from->no_proxy)                                                         \
    XX(no_proxy, no_proxy_from, lc_option_inherited(from, LC_OPT_no_proxy))                        \
    XX(ca_file, ca_file, from->ca_file)                                                            \
    XX(connect_timeout_ms, connect_timeout_ms, from->connect_timeout_ms)                           \
    XX(first_byte_timeout_ms, first_byte_timeout_ms, from->first_byte_timeout_ms)                  \
    XX(idle_timeout_ms, idle_timeout_ms, from->idle_timeout_ms)                                    \
    XX(total_timeout_ms, total_timeout_ms, from->total_timeout_ms)                                 \
    XX(first_content_timeout_ms, first_content_timeout_ms, from->first_content_timeout_ms)         \
    XX(window_events, window_events, (uint64_t)from->window_events)                                \
    XX(window_max, window_max, (size_t)from->window_max)

/* Only what file and environment said: an option left at its default does not override the host's.
 */
void llmgr_config_apply(const struct llmgr_config *config, struct llmgr_options *options)
{
    const lc_origin *origin = config->options->origin;
    const struct lc_options *from = config->options;

#define APPLY(option, member, value)                                                               \
    if (origin[LC_OPT_##option] != LC_FROM_DEFAULT)                                                \
        options->member = value;
    OPTION_MAP(APPLY)
#undef APPLY
}

void la_options_from(const struct lc_options *from, struct llmgr_options *to)
{
#define TAKE(option, member, value) to->member = value;
    OPTION_MAP(TAKE)
#undef TAKE
}

/* ---- Synchronisation ------------------------------------------------------------------------- */

static llmgr_status defaults_of(const struct llmgr_config *config, struct lm_defaults **defaults,
                                struct llmgr_error *err)
{
    struct lc_env env = {config->env, config->env_context, config->dotenv};

    return lm_defaults_new(&config->host, config->file, lc_env_get, &env, defaults, err);
}

llmgr_status llmgr_sync(struct llmgr *manager, const struct llmgr_config *config, bool dry_run,
                        struct llmgr_sync_report *report, struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_sync_report made = {.memory = result};
    struct lm_defaults *defaults = NULL;
    struct la_sync_prices *prices = NULL;

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = defaults_of(config, &defaults, err);
    if (status == LLMGR_OK)
        status = la_prices_read(manager, defaults, &prices, err);
    if (status == LLMGR_OK) {
        const struct lm_sync_also also = la_prices_also(prices);
        status = lm_sync(manager->manager, defaults, dry_run, &also, &result->arena, &made.changes,
                         &made.count, err);
    }
    la_prices_free(prices);
    lm_defaults_free(defaults);
    if (status != LLMGR_OK || report == NULL)
        la_result_free(result);
    else
        *report = made;
    return status;
}

llmgr_status llmgr_sync_check(struct llmgr *manager, const struct llmgr_config *config,
                              llmgr_sync_state *state, struct llmgr_error *err)
{
    struct lm_defaults *defaults = NULL;
    llmgr_sync_state found = LLMGR_SYNC_STALE;
    bool has_prices = true;

    llmgr_status status = defaults_of(config, &defaults, err);
    if (status == LLMGR_OK)
        status = lm_sync_check(manager->manager, defaults, &found, err);
    if (status == LLMGR_OK && found == LLMGR_SYNC_CURRENT)
        status = la_prices_check(manager, defaults, &has_prices, err);
    lm_defaults_free(defaults);
    if (status == LLMGR_OK)
        *state = has_prices ? found : LLMGR_SYNC_STALE;
    return status;
}
