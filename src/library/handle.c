/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing: the host's options become a master key, a vault, a policy, a store and, on
 * all of them, a manager. What was made is unmade in the reverse order wherever it fails.
 */
#include "library/library.h"

#include <sodium.h>
#include <string.h>

#include "keys/ring.h"
#include "library/open.h"
#include "library/test_limit.h"
#include "manager/manager.h"
#include "net/policy.h"
#include "net/proxy.h"
#include "store/store.h"
#include "vault/master.h"
#include "vault/vault.h"

void llmgr_options_init(struct llmgr_options *options)
{
    *options = (struct llmgr_options){
        .size = sizeof *options,
        .database = "sqlite:llmgr.db",
        .pool_size = 4,
        .busy_timeout_ms = 5000,
        .mode = LLMGR_MODE_CUSTOM,
        .auto_key = true,
        .connect_timeout_ms = 10000,
        .first_byte_timeout_ms = 600000,
        .idle_timeout_ms = 600000,
        .first_content_timeout_ms = 20000,
        .window_events = 64,
        .window_max = 256 * 1024,
        .cache_size = (size_t)64 << 20,
        .log_level = LLMGR_LOG_WARN,
    };
}

const char *llmgr_version(void)
{
    return LLMGR_VERSION_STRING;
}

void llmgr_wipe(void *p, size_t size)
{
    if (p != NULL)
        sodium_memzero(p, size);
}

void la_host_init(struct lb_host *host, const struct llmgr_allocator *allocator)
{
    lb_host_init(host);
    if (allocator != NULL)
        host->memory = *allocator;
}

struct lb_str la_user(const char *user)
{
    return lb_cstr(user != NULL ? user : LLMGR_SYSTEM_USER);
}

int la_class_of(const struct llmgr *manager, const char *user)
{
    struct lb_str who = lm_effective_user(manager->manager, la_user(user));
    return lm_is_system_user(who) ? LN_CLASS_SYSTEM : LN_CLASS_PRIVATE;
}

static llmgr_status check_options(const struct llmgr_options *options, struct llmgr_error *err)
{
    if (options == NULL || options->size < sizeof *options)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the options were not made by %s"),
                       "llmgr_options_init");
    if (options->mode < LLMGR_MODE_SINGLE || options->mode > LLMGR_MODE_CUSTOM)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("there is no mode %d"), (int)options->mode);
    if (options->allocator != NULL &&
        (options->allocator->alloc == NULL || options->allocator->realloc == NULL ||
         options->allocator->free == NULL))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the allocator must give all three of its functions"));
    if (options->database == NULL || options->database[0] == '\0')
        return lb_fail(err, LLMGR_ERR_INVALID, N_("no database is named"));
    return LLMGR_OK;
}

/* The sources in the order of preference that master.h explains. */
static llmgr_status obtain_master(const struct llmgr_options *options, struct lv_master *master,
                                  bool *created, struct llmgr_error *err)
{
    if (options->without_keys) {
        lv_master_generate(master);
        return LLMGR_OK;
    }
    if (options->master_key_file != NULL && options->master_key_create)
        return lv_master_create_file(options->master_key_file, master, created, err);
    if (options->master_key_file != NULL)
        return lv_master_from_file(options->master_key_file, master, err);
    if (options->master_key_command != NULL)
        return lv_master_from_command(options->master_key_command, master, err);
    if (options->master_key != NULL)
        return lv_master_from_text(lb_cstr(options->master_key), "LLMGR_MASTER_KEY", master, err);
    return lb_fail(err, LLMGR_ERR_VAULT,
                   N_("no master key: name a file, a command or the variable %s"),
                   "LLMGR_MASTER_KEY");
}

static llmgr_status open_vault(const struct llmgr_options *options, const struct lb_host *host,
                               struct lv_vault **vault, bool *created, struct llmgr_error *err)
{
    struct lv_master master;

    llmgr_status status = obtain_master(options, &master, created, err);
    if (status == LLMGR_OK)
        status = lv_vault_new(host, &master, vault, err);
    if (status == LLMGR_OK && (options->without_keys || *created))
        lv_vault_stand_in(*vault);
    lv_master_clear(&master);
    return status;
}

/*
 * A master key file that was made just now is either the key of a new house, of which the host is
 * told, or stands where the key of an old one is missing: then it goes again.
 */
static llmgr_status judge_new_key(const char *path, const struct lb_host *host, llmgr_status opened,
                                  const struct llmgr_error *why, struct llmgr_error *err)
{
    if (opened == LLMGR_ERR_VAULT) {
        lv_master_take_back(path);
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the master key file %s is missing; restore your copy of it: %s"), path,
                       why->message);
    }
    lb_warn(host,
            "made the master key file %s: keep a copy apart from the database, whose keys cannot "
            "be read without it",
            path);
    if (opened != LLMGR_OK && err != NULL)
        *err = *why;
    return opened;
}

/* Now that the database is open, its server is shut to private platforms. */
static llmgr_status shut_database(const struct llmgr_options *options, struct ls_store *store,
                                  struct llmgr *made, struct llmgr_error *err)
{
    struct ls_server server;
    struct ln_policy *policy = NULL;

    llmgr_status status = ls_server(store, &server, err);
    if (status != LLMGR_OK || server.port == 0)
        return status;
    status = la_policy_new(&made->host, options, &server, &policy, err);
    if (status != LLMGR_OK)
        return status;
    ln_policy_free(made->policy);
    made->policy = policy;
    return LLMGR_OK;
}

static llmgr_status open_parts(const struct llmgr_options *options, struct llmgr *made,
                               bool *created, struct llmgr_error *err)
{
    const struct ln_proxy_settings proxy = {
        .url = options->https_proxy,
        .no_proxy = options->no_proxy,
        .url_from = options->https_proxy_from,
        .no_proxy_from = options->no_proxy_from,
    };
    struct lv_vault *vault = NULL;
    struct ls_store *store = NULL;

    made->test_limit = la_test_limit_new(&made->host);
    if (made->test_limit == NULL)
        return lb_fail_memory(err);
    made->connect_timeout_ms = options->connect_timeout_ms;
    made->first_byte_timeout_ms = options->first_byte_timeout_ms;
    made->idle_timeout_ms = options->idle_timeout_ms;
    made->total_timeout_ms = options->total_timeout_ms;
    made->first_content_timeout_ms = options->first_content_timeout_ms;
    made->window_events = options->window_events;
    made->window_max = options->window_max;
    if (options->ca_file != NULL) {
        made->ca_file = lb_strdup(&made->host, options->ca_file);
        if (made->ca_file == NULL)
            return lb_fail_memory(err);
    }
    llmgr_status status = la_policy_new(&made->host, options, NULL, &made->policy, err);
    if (status == LLMGR_OK && options->https_proxy != NULL && options->https_proxy[0] != '\0')
        status = ln_proxy_make(&made->host, &proxy, &made->proxy, err);
    if (status == LLMGR_OK)
        status = open_vault(options, &made->host, &vault, created, err);
    if (status != LLMGR_OK)
        return status;
    struct lk_legacy legacy = {&made->host, vault};
    struct ls_options database = {
        .url = options->database,
        .pool_size = (int)options->pool_size,
        .busy_timeout_ms = (int)options->busy_timeout_ms,
        .read_only = options->read_only,
        /* A migration may have keys to seal. */
        .migrate = options->refuse_migration || options->without_keys ? LS_MIGRATE_REFUSE
                                                                      : LS_MIGRATE_AUTO,
        .on_legacy = lk_ring_seal_legacy,
        .legacy_context = &legacy,
    };
    status = ls_open(&made->host, &database, &store, err);
    if (status == LLMGR_OK)
        status = shut_database(options, store, made, err);
    if (status != LLMGR_OK) {
        ls_close(store);
        lv_vault_free(vault);
        return status;
    }
    struct lm_options manager = {
        .mode = options->mode,
        .auto_key = options->auto_key,
        .read_only = options->read_only,
        .without_keys = options->without_keys,
        .cache_size = options->cache_size,
        .policy = made->policy,
    };
    return la_manager_open(&made->host, &manager, store, vault, &made->manager, err);
}

llmgr_status llmgr_open(const struct llmgr_options *options, struct llmgr **manager,
                        struct llmgr_error *err)
{
    struct lb_host host;

    llmgr_status status = check_options(options, err);
    if (status != LLMGR_OK)
        return status;
    if (sodium_init() < 0)
        return lb_fail(err, LLMGR_ERR_INTERNAL, N_("libsodium cannot be initialised"));
    la_host_init(&host, options->allocator);
    host.log = options->log;
    host.log_context = options->log_context;
    host.log_level = options->log_level;
    host.clock = options->clock;
    host.clock_context = options->clock_context;
    struct llmgr *made = lb_calloc(&host, 1, sizeof *made);
    if (made == NULL)
        return lb_fail_memory(err);
    made->host = host;
    struct llmgr_error why = {0};
    bool created = false;
    status = open_parts(options, made, &created, &why);
    if (created)
        status = judge_new_key(options->master_key_file, &made->host, status, &why, err);
    else if (status != LLMGR_OK && err != NULL)
        *err = why;
    if (status != LLMGR_OK) {
        llmgr_close(made);
        return status;
    }
    *manager = made;
    return LLMGR_OK;
}

void llmgr_close(struct llmgr *manager)
{
    if (manager == NULL)
        return;
    struct lb_host host = manager->host;
    la_routing_free(manager);
    la_manager_close(manager->manager);
    ln_proxy_free(manager->proxy);
    ln_policy_free(manager->policy);
    la_test_limit_free(&host, manager->test_limit);
    lb_free(&host, manager->ca_file);
    lb_free(&host, manager);
}
