/* SPDX-License-Identifier: MIT */
/*
 * The answer of resolve: a choice copied out of shared memory, or the error that says what to do.
 * All texts of a target are one allocation; the key stays sealed until lr_target_open_key.
 */
#include <string.h>

#include "base/error.h"
#include "base/raw.h"
#include "keys/ring.h"
#include "manager/manager.h"
#include "resolve/scene.h"
#include "vault/secret.h"
#include "vault/vault.h"

enum {
    SHOWN_MAX = 120, /* bytes of a name in an error */
    MODEL_MAX = LM_PLATFORM_NAME_MAX + 1 + LM_MODEL_NAME_MAX,
};

const char *lm_payer_name(enum lm_payer payer)
{
    static const char *const NAMES[] = {
#define PAYER_NAME(NAME, number, text) [LM_PAYER_##NAME] = text,
        LM_PAYER_MAP(PAYER_NAME)
#undef PAYER_NAME
    };

    return NAMES[payer];
}

/* ---- The question ---------------------------------------------------------------------------- */

llmgr_status lr_request_check(const struct lr_request *request, struct llmgr_error *err)
{
    if (request->model.size != 0 && !lb_utf8_name(request->model, 4 * MODEL_MAX))
        return lb_fail(
            err, LLMGR_ERR_INVALID,
            N_("the model is not a name: it must be UTF-8 without control characters and "
               "not longer than a platform's name, '/' and a model's name"));
    if (request->slot.size != 0 && !lb_utf8_name(request->slot, LM_SLOT_MAX))
        return lb_fail(
            err, LLMGR_ERR_INVALID,
            N_("the slot is not a name: it must be 1 to %d bytes of UTF-8 without control "
               "characters"),
            LM_SLOT_MAX);
    return LLMGR_OK;
}

/* ---- Errors ---------------------------------------------------------------------------------- */

/* A slice as two arguments of "%.*s", cut to what an error shows. */
#define SHOW(s) (int)lb_utf8_cut((s), SHOWN_MAX), (s).p

/* None of its targets is there; or, of a request for one of them, that one is not. */
static llmgr_status fail_route(const struct lr_request *request, const struct lm_route *route,
                               struct llmgr_error *err)
{
    const uint32_t at = request->route_id != 0 ? request->route_target : 0;

    if (route->count == 0 || at >= route->count)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("the route '%.*s' has no target"),
                       SHOW(route->name));
    if (request->route_id != 0 || route->count == 1)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       N_("the route '%.*s' names '%.*s', and there is no such model"),
                       SHOW(route->name), SHOW(route->targets[at].model));
    return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                   N_("none of the %u models that the route '%.*s' names is there, from '%.*s' to "
                      "'%.*s'"),
                   route->count, SHOW(route->name), SHOW(route->targets[0].model),
                   SHOW(route->targets[route->count - 1].model));
}

static llmgr_status fail_not_found(const struct lr_scene *scene, const struct lr_request *request,
                                   const struct lr_choice *choice, struct llmgr_error *err)
{
    uint32_t count;

    if (choice->route != NULL)
        return fail_route(request, choice->route, err);
    if (request->route_id != 0)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no route %lld"),
                       (long long)request->route_id);
    if (choice->slot.size == 0 && choice->alias.name.p != NULL)
        return lb_fail(
            err, LLMGR_ERR_NOT_FOUND,
            N_("there is no model '%.*s': the alias '%.*s' stands for '%.*s', and there is "
               "no such model, route or slot"),
            SHOW(request->model), SHOW(choice->alias.name), SHOW(choice->alias.target));
    if (choice->slot.size == 0)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       scene->options->for_callers
                           ? N_("there is no model '%.*s' that you can call; GET /v1/models lists "
                                "them")
                           : N_("there is no model '%.*s': give 'auto', a slot with a stored "
                                "choice, 'platform/model', a display name or a model name of "
                                "`llmgr model list`"),
                       SHOW(request->model));
    if (scene->options->for_callers)
        return lb_fail(
            err, LLMGR_ERR_NOT_FOUND,
            N_("nothing is chosen, and no model is set up to choose by default; name one "
               "of GET /v1/models, or ask the gateway's operator for one"));
    lm_catalogue_platforms(scene->catalogue, &count);
    if (count == 0)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       N_("there is no system platform to choose from: add platforms to llmgr.yaml "
                          "and run `llmgr sync`"));
    return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                   N_("no system platform has a model that chats: add one to llmgr.yaml and run "
                      "`llmgr sync`"));
}

/* What one needs to know who has a shell and llmgr.yaml. */
static llmgr_status fail_server_key(const struct lm_platform *platform, struct llmgr_error *err)
{
    long long id = platform->id;

    if (platform->key_env.size != 0)
        return lb_fail(
            err, LLMGR_ERR_NO_KEY,
            N_("platform '%.*s' has no usable API key: set %.*s and run `llmgr sync`, or "
               "store a key with `llmgr platform set-key %lld`"),
            SHOW(platform->name), SHOW(platform->key_env), id);
    return lb_fail(err, LLMGR_ERR_NO_KEY,
                   N_("platform '%.*s' has no usable API key: give it an api_key in llmgr.yaml and "
                      "run `llmgr sync`, or store a key with `llmgr platform set-key %lld`"),
                   SHOW(platform->name), id);
}

/* What this user can mend; in each pair the first text is for callers of a gateway. */
static llmgr_status fail_no_key(const struct lr_scene *scene, const struct lr_choice *choice,
                                struct llmgr_error *err)
{
    const struct lm_platform *platform = choice->platform;
    const bool called = scene->options->for_callers;
    long long id = platform->id;

    if (choice->key.reason == LR_REASON_KEY_UNREADABLE && !scene->is_system)
        return lb_fail(err, LLMGR_ERR_NO_KEY,
                       called ? N_("the API key stored for platform '%.*s' cannot be used (the "
                                   "address has changed, or it was sealed with a lost key): store "
                                   "it again with PUT /api/platforms/%lld/key")
                              : N_("the API key stored for platform '%.*s' cannot be used (the "
                                   "address has changed, or it was sealed with a lost key): store "
                                   "it again with `llmgr platform set-key %lld`"),
                       SHOW(platform->name), id);
    if (!platform->is_sys)
        return lb_fail(err, LLMGR_ERR_NO_KEY,
                       called ? N_("platform '%.*s' has no API key: store one with PUT "
                                   "/api/platforms/%lld/key")
                              : N_("platform '%.*s' has no API key: store one with `llmgr "
                                   "platform set-key %lld`"),
                       SHOW(platform->name), id);
    if (choice->key.reason == LR_REASON_AUTO_KEY_OFF ||
        !(scene->options->auto_key || scene->is_system))
        return lb_fail(err, LLMGR_ERR_NO_KEY,
                       called ? N_("you have no API key for platform '%.*s', and this gateway "
                                   "lends none: store your own with PUT /api/platforms/%lld/key")
                              : N_("you have no API key for platform '%.*s', and auto_key is off: "
                                   "store your own with `llmgr platform set-key %lld`"),
                       SHOW(platform->name), id);
    if (called)
        return lb_fail(
            err, LLMGR_ERR_NO_KEY,
            N_("platform '%.*s' has no usable API key: name a model of GET /v1/models, or "
               "store a key of your own with PUT /api/platforms/%lld/key"),
            SHOW(platform->name), id);
    return fail_server_key(platform, err);
}

llmgr_status lr_choice_status(const struct lr_scene *scene, const struct lr_request *request,
                              const struct lr_choice *choice, struct llmgr_error *err)
{
    if (choice->platform == NULL)
        return fail_not_found(scene, request, choice, err);
    if (choice->key.payer == LM_PAYER_NONE)
        return fail_no_key(scene, choice, err);
    return LLMGR_OK;
}

/* ---- Copying --------------------------------------------------------------------------------- */

/* Moves the texts into the arena, in one allocation, each followed by a NUL. */
static bool own_texts(struct lb_arena *arena, struct lb_str *const *texts, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += texts[i]->size + 1;
    char *at = lb_arena_bytes(arena, size);
    if (at == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = texts[i]->size;
        if (bytes != 0)
            memcpy(at, texts[i]->p, bytes);
        at[bytes] = '\0';
        texts[i]->p = at;
        at += bytes + 1;
    }
    return true;
}

/* Only platforms of which it was ever said cost a look at the clock. */
static bool rejects_options(const struct lm_platform *platform, const struct lb_host *host)
{
    return platform->no_stream_options != 0 &&
           lm_verdict_until(platform->no_stream_options, lb_now_ms(host)) != 0;
}

/* The ordinal that the request's chooser names, if it has one; else the first. */
static uint32_t choose_key(const struct lr_scene *scene, const struct lr_request *request,
                           const struct lr_key_choice *pool, const struct lr_target *target)
{
    LB_RAW struct lr_key keys[LK_POOL_MAX];
    const uint32_t count = pool->count < LK_POOL_MAX ? pool->count : LK_POOL_MAX;

    if (request->chooser == NULL)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct lk_pool_key key = lr_key_at(scene, pool, i);
        keys[i] = (struct lr_key){key.id, key.account_id, key.weight};
    }
    return request->chooser->choose(request->chooser->context, target, keys, count);
}

static void fill_key(const struct lr_scene *scene, const struct lr_request *request,
                     const struct lr_key_choice *pool, struct lr_target *target)
{
    target->key_count = pool->count;
    if (pool->count == 0)
        return;
    const uint32_t at = choose_key(scene, request, pool, target);
    target->key_withheld = at >= pool->count;
    if (target->key_withheld)
        return;
    const struct lk_pool_key key = lr_key_at(scene, pool, at);
    target->sealed_key = key.record;
    target->key_id = key.id;
    target->account_id = key.account_id;
}

static void fill_platform(const struct lr_choice *choice, const struct lb_host *host,
                          struct lr_target *target)
{
    const struct lm_platform *platform = choice->platform;

    target->platform_id = platform->id;
    target->platform_name = platform->name;
    target->base_url = platform->base_url;
    target->origin = platform->origin;
    target->protocol = platform->protocol;
    target->native_paths = platform->native_paths;
    target->headers = platform->headers;
    target->fixed_headers = lr_platform_fixed(platform);
    if (target->fixed_headers.size > 0)
        target->sealed_headers = platform->header_values;
    target->platform_is_sys = platform->is_sys;
    target->no_stream_options = rejects_options(platform, host);
    target->payer = choice->key.payer;
    target->key_env = platform->key_env;
}

static void fill_model(const struct lm_model *model, struct lr_target *target)
{
    target->model_id = model->id;
    target->model_name = model->model_name;
    target->display_name = model->display_name;
    target->extra_body = model->extra_body;
    target->context_tokens = model->context_tokens;
}

static void fill_route(const struct lr_choice *choice, struct lr_target *target)
{
    target->route_id = choice->route->id;
    target->route = choice->route->name;
    target->route_target = choice->target;
    if (choice->target < choice->route->count)
        target->first_byte_ms = choice->route->targets[choice->target].first_byte_ms;
}

llmgr_status lr_choice_answer(const struct lr_scene *scene, const struct lr_request *request,
                              const struct lr_choice *choice, struct lb_arena *arena,
                              struct lr_target *target, struct llmgr_error *err)
{
    if (choice->platform == NULL && choice->route == NULL)
        return lr_choice_status(scene, request, choice, err);
    struct lr_target copy = {
        .user = scene->user,
        .slot = choice->slot,
        .is_default = choice->is_default,
        .repaired = choice->selection != NULL && choice->selection->repaired,
        .fell_back = choice->fell_back,
    };
    if (choice->platform != NULL)
        fill_platform(choice, arena->host, &copy);
    if (choice->model != NULL)
        fill_model(choice->model, &copy);
    if (choice->route != NULL)
        fill_route(choice, &copy);
    if (choice->platform != NULL)
        fill_key(scene, request, &choice->key, &copy);
    struct lb_str *const texts[] = {
        &copy.user,       &copy.slot,          &copy.platform_name,  &copy.base_url,
        &copy.origin,     &copy.protocol,      &copy.model_name,     &copy.display_name,
        &copy.extra_body, &copy.sealed_key,    &copy.key_env,        &copy.native_paths,
        &copy.headers,    &copy.fixed_headers, &copy.sealed_headers, &copy.route,
    };
    if (!own_texts(arena, texts, sizeof texts / sizeof *texts))
        return lb_fail_memory(err);
    if (copy.repaired)
        choice->selection->repaired = 0;
    *target = copy;
    return lr_choice_status(scene, request, choice, err);
}

const char *lr_only_dialect(struct lb_str protocol)
{
    static const struct {
        const char *protocol, *dialect;
    } ROWS[] = {
#define XX(name, protocol, dialect, line) {protocol, dialect},
#include "config/protocols.def"
#undef XX
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (lb_str_eq_c(protocol, ROWS[i].protocol))
            return strcmp(ROWS[i].dialect, ROWS[0].dialect) != 0 ? ROWS[i].dialect : NULL;
    }
    return NULL;
}

bool lr_target_speaks(const struct lr_target *target, const char *dialect)
{
    const char *only = lr_only_dialect(target->protocol);

    return dialect[0] == '\0' || only == NULL || strcmp(dialect, only) == 0;
}

/* ---- The key --------------------------------------------------------------------------------- */

llmgr_status lr_target_open_key(const struct lm_manager *manager, const struct lr_target *target,
                                struct lv_secret *key, struct llmgr_error *err)
{
    bool own_on_system = target->platform_is_sys && target->payer == LM_PAYER_USER;
    struct lk_key_place place = {
        .column = own_on_system ? LK_KEY_OF_USER : LK_KEY_OF_PLATFORM,
        .owner = target->payer == LM_PAYER_SYSTEM ? LB_STR(LLMGR_SYSTEM_USER) : target->user,
        .platform_id = target->platform_id,
        .origin = target->origin,
    };

    if (target->payer == LM_PAYER_NONE) {
        lv_secret_init(key);
        return lb_fail(err, LLMGR_ERR_NO_KEY, N_("platform '%.*s' has no usable API key"),
                       SHOW(target->platform_name));
    }
    return lk_key_open_held(lm_keys(manager), &place, target->sealed_key, key, err);
}

llmgr_status lr_target_open_headers(const struct lm_manager *manager,
                                    const struct lr_target *target, struct lv_secret *lines,
                                    struct llmgr_error *err)
{
    const struct lk_key_place place = {
        .column = LK_KEY_OF_HEADERS,
        .owner = target->platform_is_sys ? LB_STR(LLMGR_SYSTEM_USER) : target->user,
        .platform_id = target->platform_id,
        .origin = target->origin,
    };

    lv_secret_init(lines);
    if (target->sealed_headers.size == 0)
        return LLMGR_OK;
    return lk_key_open_held(lm_keys(manager), &place, target->sealed_headers, lines, err);
}

struct lb_str lr_platform_fixed(const struct lm_platform *platform)
{
    return platform->header_state == LK_KEY_USABLE ? platform->fixed_headers : lb_str(NULL, 0);
}

struct lb_str lr_platform_missing(const struct lm_platform *platform)
{
    return platform->header_state == LK_KEY_UNREADABLE ? platform->fixed_headers
                                                       : platform->missing_headers;
}

llmgr_status lr_target_fingerprint(const struct lm_manager *manager, const struct lr_target *target,
                                   char *out, struct llmgr_error *err)
{
    struct lv_secret key;

    llmgr_status status = lr_target_open_key(manager, target, &key, err);
    if (status == LLMGR_OK)
        status = lv_fingerprint(lm_vault(manager), lv_secret_str(&key), out, err);
    lv_secret_clear(&key);
    return status;
}

llmgr_status lr_choice_fingerprint(struct lm_manager *manager, const struct lr_scene *scene,
                                   const struct lm_platform *platform,
                                   const struct lr_key_choice *choice, uint32_t at,
                                   struct lb_arena *arena, const char **text,
                                   struct llmgr_error *err)
{
    struct lr_target target = {
        .user = scene->user,
        .platform_id = platform->id,
        .platform_is_sys = platform->is_sys,
        .origin = platform->origin,
        .payer = choice->payer,
    };
    char shown[LV_FINGERPRINT_SIZE];
    struct llmgr_error own = {0};

    *text = NULL;
    if (choice->payer == LM_PAYER_NONE)
        return LLMGR_OK;
    target.sealed_key = lr_key_at(scene, choice, at).record;
    llmgr_status status = lr_target_fingerprint(manager, &target, shown, &own);
    if (status == LLMGR_ERR_VAULT)
        return LLMGR_OK;
    if (status == LLMGR_OK) {
        *text = lb_arena_strdup(arena, shown);
        return *text != NULL ? LLMGR_OK : lb_fail_memory(err);
    }
    if (err != NULL)
        *err = own;
    return status;
}

const char *lr_keep_text(struct lb_arena *arena, struct lb_str text)
{
    return text.size != 0 ? lb_arena_str(arena, text).p : "";
}
